import type { ConsumerGroup, GroupMember } from "../../src/kafka/group.ts";

/** A member that owns nothing, and of which only the id is known. */
export function memberOf(changes: Partial<GroupMember> = {}): GroupMember {
  return {
    id: "m",
    clientId: undefined,
    host: undefined,
    instanceId: undefined,
    pod: undefined,
    topics: ["orders"],
    owned: [],
    ...changes,
  };
}

/** A group of the Java client at rest, without members and partitions. */
export function consumerGroupOf(changes: Partial<ConsumerGroup> = {}): ConsumerGroup {
  return {
    source: "kafka",
    name: "orders",
    type: "classic",
    state: "Stable",
    assignor: "cooperative-sticky",
    protocol: "java-cooperative-sticky",
    members: [],
    partitions: [],
    topicIds: new Map(),
    ...changes,
  };
}
