/** What is known of a consumer group: who its members are, what each owns, and what comes in. Read by an adapter; no I/O here. */

import type { TopicPartition } from "./assignors/assignor.ts";
import type { ProtocolName } from "./assignors/protocols.ts";

/** Where a group is read from, the most trusted first. */
export const GROUP_SOURCES = ["kafka", "client-metrics", "exporter"] as const;
export type GroupSourceName = (typeof GROUP_SOURCES)[number];

/** classic: JoinGroup and SyncGroup; consumer: KIP-848; share: KIP-932; streams: Kafka Streams, by whichever protocol. */
export type GroupType = "classic" | "consumer" | "share" | "streams";

export interface ConsumerGroup {
  readonly source: GroupSourceName;
  /** group.id; undefined, as any of the next four, where the source does not say. */
  readonly name: string | undefined;
  readonly type: GroupType | undefined;
  /** As Kafka writes it: "Stable", "PreparingRebalance", "Reconciling", "Empty", "Dead". */
  readonly state: string | undefined;
  /** As the members registered it, or the coordinator has it: "cooperative-sticky", "uniform". */
  readonly assignor: string | undefined;
  /** The model that answers as this group's assignor does; undefined where there is none, or nobody knows which. */
  readonly protocol: ProtocolName | undefined;
  /** In the order in which Kafka lists them: it decides ties of KIP-848's uniform. */
  readonly members: readonly GroupMember[];
  /** Every partition of the topics that the members subscribe to, by topic and number. */
  readonly partitions: readonly PartitionLoad[];
  /** By topic; empty where the source does not say. */
  readonly topicIds: ReadonlyMap<string, string>;
}

export interface GroupMember {
  /** member.id; where the source does not know it, any text that is a member's own. */
  readonly id: string;
  /** client.id. */
  readonly clientId: string | undefined;
  /** An IP address; undefined where the source does not say. */
  readonly host: string | undefined;
  /** group.instance.id (KIP-345). */
  readonly instanceId: string | undefined;
  /** The pod's name, where the source itself says so; any other is found by client id, instance id or host. */
  readonly pod: string | undefined;
  readonly topics: readonly string[];
  /** In Kafka's order. */
  readonly owned: readonly TopicPartition[];
}

export interface PartitionLoad extends TopicPartition {
  /** Messages/s that are written to it, finite and >= 0; undefined where nobody knows. */
  readonly rate: number | undefined;
  /** Messages that wait; undefined where nothing was committed yet, or nobody knows. */
  readonly lag: number | undefined;
}
