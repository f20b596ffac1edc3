/** What every model of an assignor takes and gives. Pure: the same group in the same order has the same assignment. */

/** One partition of one topic. Never changed, so that several may hold the same object. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The partition as one text, to be a key. */
export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}

/** A member as its JoinGroup request describes it, or with KIP-848 the answer to a ConsumerGroupDescribe request. */
export interface Member {
  /** Decides ties: by the order of the ids, or by the hash codes of them, as the assignor has it. */
  readonly id: string;
  /** group.instance.id (KIP-345). */
  readonly instanceId?: string;
  readonly topics: readonly string[];
  /** What it owned when it joined; empty for a newcomer. With KIP-848 its last target. */
  readonly owned: readonly TopicPartition[];
  /** The generation in which it owned that; -1 for a newcomer. */
  readonly generation: number;
}

const MADE = new WeakMap<ReadonlyMap<string, number>, ReadonlyMap<string, readonly TopicPartition[]>>();

/**
 * All partitions of each topic, ascending. Every round of a group asks for them, and is given the same objects.
 *
 * @param counts - number of partitions by topic.
 */
export function allPartitions(counts: ReadonlyMap<string, number>): ReadonlyMap<string, readonly TopicPartition[]> {
  const made =
    MADE.get(counts) ??
    new Map(
      [...counts].map(([topic, count]) => [
        topic,
        Array.from({ length: count }, (_none, partition) => ({ topic, partition })),
      ]),
    );
  MADE.set(counts, made);
  return made;
}

/** Member id -> what it is assigned, in the assignor's own order. */
export type Assignment = ReadonlyMap<string, readonly TopicPartition[]>;

/**
 * @param partitions - number of partitions by topic.
 * @param topicIds - by topic, as Kafka writes them (22 characters); decide ties where the assignor goes by them.
 */
export type Assignor = (
  partitions: ReadonlyMap<string, number>,
  members: readonly Member[],
  topicIds?: ReadonlyMap<string, string>,
) => Assignment;
