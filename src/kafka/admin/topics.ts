import { compareText } from "../assignors/java-group.ts";
import type { Address, Broker, Connections } from "./connections.ts";
import type { Described } from "./describe.ts";
import { describeTopicRight, insistOnSuccess } from "./failures.ts";
import { type Asked, insistOnExactly, invalidReply } from "./replies.ts";
import { metadata } from "./requests.ts";
import { topicIdOf } from "./topic-id.ts";

/** A topic, and where its partitions are. */
export interface Topic {
  readonly topic: string;
  /** As Java writes it; undefined where it has none. */
  readonly id: string | undefined;
  /** By number. */
  readonly partitions: readonly {
    readonly partition: number;
    /** undefined while there is none. */
    readonly leader: Address | undefined;
    /** Of the brokers that have a replica, as far as they say. */
    readonly racks: readonly string[];
  }[];
}

/**
 * Of all topics that the members subscribe to and that are there, by name.
 *
 * @throws RebalancerError; `REPLY_INVALID` also where the numbers of a topic's partitions are not 0 to n - 1, or two topics have one id.
 */
export async function readTopics(
  { members }: Described,
  coordinator: Broker,
  connections: Connections,
): Promise<readonly Topic[]> {
  const names = [...new Set(members.flatMap(({ topics }) => topics))].toSorted(compareText);
  if (names.length === 0) return [];
  const what = `ask for the partitions of ${names.join(", ")}`;
  const { topics, brokers } = await connections.ask(coordinator, what, (connection) =>
    // A topic that is not there must not come to be because somebody looks.
    metadata.async(connection, names, false, false),
  );
  const asked = { where: coordinator.where, what };
  insistOnExactly(
    names,
    topics.map(({ name }) => name ?? ""),
    asked,
  );
  const byId = new Map(brokers.map((broker) => [broker.nodeId, broker]));
  const found = new Map(topics.map((topic) => [topic.name, topic]));
  const known = names.flatMap((name): Topic[] => {
    const topic = found.get(name);
    if (topic === undefined || NO_TOPIC.has(topic.errorCode)) return [];
    insistOnSuccess(coordinator.where, what, topic.errorCode, describeTopicRight(name));
    const partitions = topic.partitions.toSorted((one, other) => one.partitionIndex - other.partitionIndex);
    insistOnNumbers(
      name,
      partitions.map(({ partitionIndex }) => partitionIndex),
      asked,
    );
    return [
      {
        topic: name,
        id: topicIdOf(topic.topicId),
        partitions: partitions.map(({ errorCode, partitionIndex, leaderId, replicaNodes }) => ({
          partition: partitionIndex,
          leader: LED.has(errorCode) ? byId.get(leaderId) : undefined,
          racks: replicaNodes.flatMap((node) => byId.get(node)?.rack ?? []),
        })),
      },
    ];
  });
  insistOnIds(known, asked);
  return known;
}

/** A topic has at least one partition, and they are numbered from 0 on. */
function insistOnNumbers(topic: string, numbers: readonly number[], asked: Asked): void {
  const odd = numbers.find((number, place) => number !== place);
  if (numbers.length > 0 && odd === undefined) return;
  const why = numbers.length === 0 ? "has no partitions" : `has a partition ${odd} among ${numbers.length}`;
  throw invalidReply(asked, `topic ${JSON.stringify(topic)} ${why}`, "expected the partitions from 0 on, each once");
}

/** Each topic has an id of its own for as long as it lives (KIP-516). */
function insistOnIds(topics: readonly Topic[], asked: Asked): void {
  const byId = new Map<string, string>();
  for (const { topic, id } of topics) {
    const other = id === undefined ? undefined : byId.get(id);
    if (other !== undefined) {
      const both = `the topics ${JSON.stringify(other)} and ${JSON.stringify(topic)} have one id, ${id}`;
      throw invalidReply(asked, both, "expected one each");
    }
    if (id !== undefined) byId.set(id, topic);
  }
}

/** No error, and REPLICA_NOT_AVAILABLE, which says nothing of the leader. */
const LED: ReadonlySet<number> = new Set([0, 9]);

/** UNKNOWN_TOPIC_OR_PARTITION and INVALID_TOPIC_EXCEPTION: members may well subscribe to what is not there. */
const NO_TOPIC: ReadonlySet<number> = new Set([3, 17]);
