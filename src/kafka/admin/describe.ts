/** What the coordinator knows of a group, by either protocol. */

import type { TopicPartition } from "../assignors/assignor.ts";
import type { ProtocolName } from "../assignors/protocols.ts";
import { parseAssignment, parseSubscription } from "../consumer-protocol.ts";
import type { GroupMember } from "../group.ts";
import { canonicalAddress } from "../ip-address.ts";
import { classicModel, kip848Model } from "../model-choice.ts";
import type { Broker, Connections } from "./connections.ts";
import { describeGroupRight, insistOnSuccess } from "./failures.ts";
import { type Asked, insistOnExactly, invalidReply } from "./replies.ts";
import { describeConsumerGroups, describeGroups } from "./requests.ts";
import { topicIdOf } from "./topic-id.ts";

/** A group at one moment. */
export interface Described {
  readonly state: string;
  /** Of KIP-848: it grows with every change of the group. */
  readonly epoch: number | undefined;
  readonly assignor: string | undefined;
  /** Racks do not count yet. */
  readonly protocol: ProtocolName | undefined;
  /** Of the members, where the assignor looks at them. */
  readonly racks: readonly string[];
  readonly members: readonly GroupMember[];
  /** Of KIP-848: the topics of which members own partitions, with their ids as Java writes them. */
  readonly ownedIds: readonly (readonly [topic: string, id: string | undefined])[];
}

/** A group by JoinGroup and SyncGroup. One that is not there is "Dead". */
export async function describeClassic(name: string, coordinator: Broker, connections: Connections): Promise<Described> {
  const what = `describe group ${JSON.stringify(name)}`;
  const { groups } = await connections.ask(coordinator, what, (connection) =>
    describeGroups.async(connection, [name], false),
  );
  const group = theGroup(groups, name, { where: coordinator.where, what });
  insistOnSuccess(coordinator.where, what, group.errorCode, describeGroupRight(name));
  const { groupState, protocolType, protocolData, members } = group;
  const state = stateIn(groupState, { where: coordinator.where, what });
  // Others than consumers, Kafka Connect say, write for each other whatever they like.
  const isConsumer = protocolType === "consumer" && protocolData !== "stream";
  const registered = members.map((member) => ({
    instanceId: member.groupInstanceId ?? undefined,
    subscription: isConsumer ? parseSubscription(member.memberMetadata) : undefined,
    assignment: isConsumer ? parseAssignment(member.memberAssignment) : undefined,
  }));
  return {
    state,
    epoch: undefined,
    assignor: protocolData === "" ? undefined : protocolData,
    protocol: classicModel(protocolData, registered),
    racks: protocolData === "roundrobin" ? [] : registered.flatMap(({ subscription }) => subscription?.rack ?? []),
    members: members.map(({ memberId: id, clientId, clientHost }, index): GroupMember => {
      const { instanceId, subscription, assignment } = registered[index] ?? {};
      const topics = subscription?.topics ?? [];
      const owned = assignment?.owned ?? [];
      return { id, clientId, host: canonicalAddress(clientHost), instanceId, pod: undefined, topics, owned };
    }),
    ownedIds: [],
  };
}

/** A group of KIP-848. */
export async function describeConsumer(
  name: string,
  coordinator: Broker,
  connections: Connections,
): Promise<Described> {
  const what = `describe group ${JSON.stringify(name)}`;
  const { groups } = await connections.ask(coordinator, what, (connection) =>
    describeConsumerGroups.async(connection, [name], false),
  );
  const group = theGroup(groups, name, { where: coordinator.where, what });
  const { errorCode } = group;
  if (errorCode === GROUP_ID_NOT_FOUND) return ABSENT;
  // It also shows topics, and is refused where one of them may not be seen.
  const right = errorCode === TOPIC_AUTHORIZATION_FAILED ? "DESCRIBE on its topics" : describeGroupRight(name);
  insistOnSuccess(coordinator.where, what, errorCode, right);
  const { groupState, groupEpoch: epoch, assignorName, members } = group;
  const state = stateIn(groupState, { where: coordinator.where, what });
  const expressions = members.map(({ subscribedTopicRegex }) => subscribedTopicRegex || undefined);
  return {
    state,
    epoch,
    assignor: assignorName,
    protocol: kip848Model(assignorName, expressions),
    // The coordinator's own assignors do not look at them.
    racks: [],
    members: members.map((member): GroupMember => {
      // Both have the same partitions then, and the order of the target is that in which the assignor goes on.
      const assignment = state === "Stable" ? member.targetAssignment : member.assignment;
      const { memberId: id, clientId, clientHost, instanceId } = member;
      const host = canonicalAddress(clientHost);
      const topics = topicsOf(member, members);
      const owned = partitionsOf(assignment);
      return { id, clientId, host, instanceId: instanceId ?? undefined, pod: undefined, topics, owned };
    }),
    ownedIds: members.flatMap(({ assignment }) =>
      assignment.topicPartitions.map(({ topicName, topicId }) => [topicName, topicIdOf(topicId)] as const),
    ),
  };
}

/** The only one that the answer speaks of. */
function theGroup<Group extends { readonly groupId: string }>(
  groups: readonly Group[],
  name: string,
  asked: Asked,
): Group {
  const [group] = groups;
  insistOnExactly(
    [name],
    groups.map(({ groupId }) => groupId),
    asked,
  );
  if (group === undefined) throw invalidReply(asked, "the answer is empty", "expected a group");
  return group;
}

function stateIn(written: string, asked: Asked): string {
  if (written === "") throw invalidReply(asked, "the group has no state", 'expected one, such as "Stable"');
  return written;
}

const GROUP_ID_NOT_FOUND = 69;
const TOPIC_AUTHORIZATION_FAILED = 29;

const ABSENT: Described = {
  state: "Dead",
  epoch: undefined,
  assignor: undefined,
  protocol: undefined,
  racks: [],
  members: [],
  ownedIds: [],
};

type Kip848Assignment = Readonly<{
  topicPartitions: readonly Readonly<{ topicName: string; partitions: readonly number[] }>[];
}>;

interface Kip848Member {
  readonly subscribedTopicNames: readonly string[];
  readonly subscribedTopicRegex?: string | null | undefined;
  readonly assignment: Kip848Assignment;
}

/**
 * The names, and of a regular expression what it surely matches: the coordinator does not say, but whoever subscribes by the same
 * expression owns some of each topic.
 */
function topicsOf(member: Kip848Member, members: readonly Kip848Member[]): string[] {
  const { subscribedTopicNames: names, subscribedTopicRegex: expression } = member;
  const alike = expression ? members.filter(({ subscribedTopicRegex }) => subscribedTopicRegex === expression) : [];
  const matched = alike.flatMap(({ assignment }) => assignment.topicPartitions.map(({ topicName }) => topicName));
  return [...new Set([...names, ...matched])];
}

function partitionsOf({ topicPartitions }: Kip848Assignment): TopicPartition[] {
  return topicPartitions.flatMap(({ topicName: topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
