/**
 * What a group owns after some of its members were replaced, by the order in which the old ones leave and the new ones join.
 *
 * Not here: a static member (KIP-345) that returns within its session timeout. It takes up what it owned, without a rebalance.
 */

import { inOneGo, type Slices } from "../../slices.ts";
import type { Assignor, Member, TopicPartition } from "./assignor.ts";
import { PartitionMap } from "./partition-map.ts";

export interface Group {
  /** Number of partitions by topic. */
  readonly partitions: ReadonlyMap<string, number>;
  /** As the assignor wants them; only KIP-848's uniform does. */
  readonly topicIds?: ReadonlyMap<string, string>;
  readonly members: readonly Member[];
}

/** One member goes, another comes. */
export interface Replacement {
  /** The id of the one that leaves. */
  readonly leaves: string;
  readonly joins: Pick<Member, "id" | "instanceId" | "topics">;
}

/**
 * - `leave-first`: the survivors rebalance without those who left, then all join. The usual one where a boot takes longer than
 *   a heartbeat. With KIP-848 they join one after the other.
 * - `join-first`: the new ones are there before the old ones are missed. Where members are killed without a LeaveGroup. With
 *   KIP-848 they join one after the other.
 * - `one-barrier`: old ones leave and new ones join within one rebalance; with KIP-848, before the next target is computed.
 * - `one-at-a-time`: `leave-first` for one member after the other.
 */
export type Order = "leave-first" | "join-first" | "one-barrier" | "one-at-a-time";

export interface Protocol {
  readonly assign: Assignor;
  /**
   * - `eager`: the result of one round holds.
   * - `cooperative` (KIP-429): whoever must give up a partition does so and joins again, and the next round hands it out.
   * - `incremental` (KIP-848): from the last target the coordinator computes the next one, and that holds, because whoever is to
   *   have a partition gets it as soon as it is given up. It does so when a member joins, but after a leave only at the next
   *   heartbeat of another member: each newcomer brings about a target of its own, and who leaves at about the same time shares one.
   *
   *   Kafka 4.3 and newer wait for `group.consumer.assignment.interval.ms` (1 s by default, KIP-1263) between two targets. For
   *   one or two newcomers that come at least so long after the leave's target that is the same. Of three or more that come within it
   *   all but the first share a target, which is not modelled. It also makes `one-barrier` likelier.
   */
  readonly rebalances: "eager" | "cooperative" | "incremental";
}

/** More rounds than any rebalance takes that comes to an end: usually two. */
const MOST_ROUNDS = 20;

/**
 * @param group - settled: what its members own is what they were assigned last.
 * @returns the group when it has settled again.
 * @throws Error where the assignor fails, or where the group does not settle.
 */
export function replaceMembers(
  protocol: Protocol,
  group: Group,
  replacements: readonly Replacement[],
  order: Order,
): Group {
  return inOneGo(replaceMembersInSlices(protocol, group, replacements, order));
}

/** As {@link replaceMembers}, with a pause before each round. */
export function* replaceMembersInSlices(
  protocol: Protocol,
  group: Group,
  replacements: readonly Replacement[],
  order: Order,
): Slices<Group> {
  let now = group;
  if (order === "one-at-a-time") {
    for (const one of replacements) now = yield* replaceMembersInSlices(protocol, now, [one], "leave-first");
    return now;
  }
  const leave: Step = (before) => without(before, replacements);
  const waves = protocol.rebalances === "incremental" ? replacements.map((one) => [one]) : [replacements];
  const joins = waves.map(
    (wave): Step =>
      (before) =>
        withNewcomers(before, wave),
  );
  const steps: Record<typeof order, Step[]> = {
    "leave-first": [leave, ...joins],
    "join-first": [...joins, leave],
    "one-barrier": [(before) => withNewcomers(leave(before), replacements)],
  };
  for (const step of steps[order]) now = yield* settleInSlices(protocol, step(now));
  return now;
}

/** What happens before the group settles again. */
type Step = (group: Group) => Group;

/** Rebalances until nobody has to give anything up any more. */
export function settle(protocol: Protocol, group: Group): Group {
  return inOneGo(settleInSlices(protocol, group));
}

function* settleInSlices(protocol: Protocol, group: Group): Slices<Group> {
  let before = group;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    yield;
    const after = rebalanceOnce(protocol.assign, before);
    if (protocol.rebalances !== "cooperative" || !somebodyGaveUp(before, after)) return after;
    before = after;
  }
  throw new Error(`the group does not settle within ${MOST_ROUNDS} rounds`);
}

/** One round: what each member owns then is what it was assigned, in the next generation. */
export function rebalanceOnce(assign: Assignor, group: Group): Group {
  const { partitions, members, topicIds } = group;
  const assignment = assign(partitions, members, topicIds);
  const generation = Math.max(0, ...members.map((member) => member.generation)) + 1;
  return {
    ...group,
    members: members.map((member) => ({ ...member, owned: assignment.get(member.id) ?? [], generation })),
  };
}

/** Whether a member must give up what it owned. */
export function somebodyGaveUp(before: Group, after: Group): boolean {
  const owned = new Map(after.members.map((member) => [member.id, member.owned]));
  return before.members.some((member) => !includesAll(owned.get(member.id) ?? [], member.owned));
}

function includesAll(owned: readonly TopicPartition[], wanted: readonly TopicPartition[]): boolean {
  const known = new PartitionMap<true>();
  for (const partition of owned) known.set(partition, true);
  return wanted.every((partition) => known.has(partition));
}

function without(group: Group, replacements: readonly Replacement[]): Group {
  const leaving = new Set(replacements.map(({ leaves }) => leaves));
  return { ...group, members: group.members.filter(({ id }) => !leaving.has(id)) };
}

function withNewcomers(group: Group, replacements: readonly Replacement[]): Group {
  const newcomers = replacements.map(({ joins }) => ({ ...joins, owned: [], generation: -1 }));
  return { ...group, members: [...group.members, ...newcomers] };
}
