/** What every model of an assignor takes and gives. Pure: the same group in the same order has the same assignment. */

/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A member as its JoinGroup request describes it. */
export interface Member {
  /** Decides ties: by the order of the ids, or by the hash codes of them, as the assignor has it. */
  readonly id: string;
  /** group.instance.id (KIP-345). */
  readonly instanceId?: string;
  readonly topics: readonly string[];
  /** What it owned when it joined; empty for a newcomer. */
  readonly owned: readonly TopicPartition[];
  /** The generation in which it owned that; -1 for a newcomer. */
  readonly generation: number;
}

/** Member id -> what it is assigned, in the assignor's own order. */
export type Assignment = ReadonlyMap<string, readonly TopicPartition[]>;

/** @param partitions - number of partitions by topic. */
export type Assignor = (partitions: ReadonlyMap<string, number>, members: readonly Member[]) => Assignment;
