import { metadataV12 } from "@platformatic/kafka";

import { compareText } from "../assignors/java-group.ts";
import type { Address, Broker, Connections } from "./connections.ts";
import type { Described } from "./describe.ts";
import { describeTopicRight, insistOnSuccess } from "./failures.ts";

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

/** Of all topics that the members subscribe to and that are there, by name. */
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
    metadataV12.api.async(connection, names, false, false),
  );
  const byId = new Map(brokers.map((broker) => [broker.nodeId, broker]));
  const found = new Map(topics.map((topic) => [topic.name, topic]));
  return names.flatMap((name): Topic[] => {
    const topic = found.get(name);
    if (topic === undefined || NO_TOPIC.has(topic.errorCode)) return [];
    insistOnSuccess(coordinator.where, what, topic.errorCode, describeTopicRight(name));
    const partitions = topic.partitions.toSorted((one, other) => one.partitionIndex - other.partitionIndex);
    return [
      {
        topic: name,
        id: topicIdOf(topic.topicId),
        partitions: partitions.map(({ partitionIndex, leaderId, replicaNodes }) => ({
          partition: partitionIndex,
          leader: byId.get(leaderId),
          racks: replicaNodes.flatMap((node) => byId.get(node)?.rack ?? []),
        })),
      },
    ];
  });
}

/** UNKNOWN_TOPIC_OR_PARTITION and INVALID_TOPIC_EXCEPTION: members may well subscribe to what is not there. */
const NO_TOPIC: ReadonlySet<number> = new Set([3, 17]);

/** As Java writes it: 16 bytes in base64url without padding. Topics of before Kafka 2.8 may have none. */
function topicIdOf(uuid: string): string | undefined {
  const hex = uuid.replaceAll("-", "");
  return /^0*$/.test(hex) ? undefined : Buffer.from(hex, "hex").toString("base64url");
}
