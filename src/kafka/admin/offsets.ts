/** How far the partitions have come, and how far the group. */

import type { Clock } from "../../ports.ts";
import type { TopicPartition } from "../assignors/assignor.ts";
import type { PartitionLoad } from "../group.ts";
import type { Broker, Connections } from "./connections.ts";
import { describeGroupRight, describeTopicRight, insistOnSuccess } from "./failures.ts";
import { type Asked, insistOnExactly, invalidReply } from "./replies.ts";
import { fetchOffsets, listOffsets } from "./requests.ts";
import type { Topic } from "./topics.ts";

/** Of which group, where what lies. */
interface Place {
  readonly group: string;
  readonly clock: Clock;
  readonly coordinator: Broker;
  readonly connections: Connections;
  readonly topics: readonly Topic[];
}

/** The end of a partition's log, and when that was. */
export interface End {
  readonly offset: bigint;
  readonly atMillis: number;
}

/**
 * Of each partition that has a leader; one request to each leader, all at once.
 *
 * @throws RebalancerError; `REPLY_INVALID` also where an answer speaks of other partitions than was asked for, or of an end below 0.
 */
export async function sampleEnds({ clock, connections, topics }: Place): Promise<ReadonlyMap<string, End>> {
  const led = topics.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, leader }) => (leader ? [{ topic, partition, leader }] : [])),
  );
  const samples = [...Map.groupBy(led, ({ leader }) => leader)].map(async ([leader, its]) => {
    const broker = await connections.to(leader, "the leader of a partition, as the cluster advertises it");
    const asked = [...Map.groupBy(its, ({ topic }) => topic)].map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: -1,
        timestamp: LATEST,
      })),
    }));
    const what = "ask for the ends of the partitions";
    const answer = await connections.ask(broker, what, (connection) =>
      listOffsets.async(connection, -1, READ_UNCOMMITTED, asked),
    );
    const atMillis = clock.now().getTime();
    insistOnPartitions(its, answer.topics, { where: broker.where, what });
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.flatMap(({ partitionIndex, errorCode, offset }): [string, End][] => {
        if (!MOVED.has(errorCode)) insistOnSuccess(broker.where, what, errorCode, describeTopicRight(name));
        if (errorCode !== 0) return [];
        // What is not known must not pass for a log that stands still.
        if (offset < 0n) {
          const why = `the log of ${name}-${partitionIndex} ends at ${offset}`;
          throw invalidReply({ where: broker.where, what }, why, "expected an offset >= 0");
        }
        return [[keyOf(name, partitionIndex), { offset, atMillis }]];
      }),
    );
  });
  return new Map((await Promise.all(samples)).flat());
}

const LATEST = -1n;
const READ_UNCOMMITTED = 0;

/** Of a partition whose leader changes just now nobody knows the end; that must not hide all others. */
const MOVED: ReadonlySet<number> = new Set([3, 5, 6, 74, 75, 78]);

/** Of each partition for which the group has committed one. */
export async function committedOffsets({
  group: groupId,
  coordinator,
  connections,
  topics,
}: Place): Promise<ReadonlyMap<string, bigint>> {
  const asked = topics.map(({ topic, partitions }) => ({
    name: topic,
    partitionIndexes: partitions.map(({ partition }) => partition),
  }));
  const what = `ask for the committed offsets of group ${JSON.stringify(groupId)}`;
  const { groups } = await connections.ask(coordinator, what, (connection) =>
    fetchOffsets.async(connection, [{ groupId, memberEpoch: -1, topics: asked }], false),
  );
  const { where } = coordinator;
  insistOnExactly(
    [groupId],
    groups.map((one) => one.groupId),
    { where, what },
  );
  const [{ errorCode: refusal, topics: answered } = { errorCode: 0, topics: [] }] = groups;
  insistOnSuccess(where, what, refusal, describeGroupRight(groupId));
  const wanted = topics.flatMap(({ topic, partitions }) => partitions.map(({ partition }) => ({ topic, partition })));
  insistOnPartitions(wanted, answered, { where, what });
  const committed = answered.flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partitionIndex, committedOffset, errorCode }): [string, bigint][] => {
      if (errorCode !== 3) insistOnSuccess(where, what, errorCode, describeTopicRight(name));
      if (committedOffset < NOTHING_COMMITTED) {
        const why = `the offset committed for ${name}-${partitionIndex} is ${committedOffset}`;
        throw invalidReply({ where, what }, why, `expected one >= 0, or ${NOTHING_COMMITTED} for none`);
      }
      return errorCode === 0 && committedOffset >= 0n ? [[keyOf(name, partitionIndex), committedOffset]] : [];
    }),
  );
  return new Map(committed);
}

const NOTHING_COMMITTED = -1n;

function insistOnPartitions(
  wanted: readonly TopicPartition[],
  topics: readonly { readonly name: string; readonly partitions: readonly { readonly partitionIndex: number }[] }[],
  asked: Asked,
): void {
  const told = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`),
  );
  insistOnExactly(
    wanted.map(({ topic, partition }) => `${topic}-${partition}`),
    told,
    asked,
  );
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}

/** What comes in to each partition, and what waits in it; by topic and number. */
export function loadsOf(
  topics: readonly Topic[],
  {
    first,
    second,
    committed,
  }: {
    readonly first: ReadonlyMap<string, End>;
    readonly second: ReadonlyMap<string, End>;
    readonly committed: ReadonlyMap<string, bigint>;
  },
): PartitionLoad[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition }) => {
      const key = keyOf(topic, partition);
      return { topic, partition, ...loadOf(first.get(key), second.get(key), committed.get(key)) };
    }),
  );
}

function loadOf(
  first: End | undefined,
  second: End | undefined,
  committed: bigint | undefined,
): Pick<PartitionLoad, "rate" | "lag"> {
  // What was committed behind the end was committed to a log that is no more: of a topic made anew, or cut off.
  const known = second !== undefined && committed !== undefined && committed <= second.offset;
  const lag = known ? Number(second.offset - committed) : undefined;
  const seconds = first && second ? (second.atMillis - first.atMillis) / 1_000 : 0;
  // A log that got shorter lost what it had, or is that of a new topic of the same name.
  const rate = first && second && seconds > 0 ? Number(second.offset - first.offset) / seconds : -1;
  return { rate: rate >= 0 ? rate : undefined, lag };
}
