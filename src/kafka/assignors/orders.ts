/**
 * What a group owns after some of its members were replaced, by the order in which the old ones leave and the new ones join.
 *
 * Not here: a static member (KIP-345) that returns within its session timeout. It takes up what it owned, without a rebalance.
 */

import type { Assignor, Member } from "./assignor.ts";

export interface Group {
  /** Number of partitions by topic. */
  readonly partitions: ReadonlyMap<string, number>;
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
 *   a heartbeat.
 * - `join-first`: the new ones are there before the old ones are missed. Where members are killed without a LeaveGroup.
 * - `one-barrier`: old ones leave and new ones join within one rebalance.
 * - `one-at-a-time`: `leave-first` for one member after the other.
 */
export type Order = "leave-first" | "join-first" | "one-barrier" | "one-at-a-time";

export interface Protocol {
  readonly assign: Assignor;
  /**
   * `eager`: the result of one round holds. `cooperative` (KIP-429): whoever must give up a partition does so and joins
   * again, and the next round hands it out. `by-server` (KIP-848): the result of one round is the target, which the members
   * reach one by one.
   */
  readonly rebalances: "eager" | "cooperative" | "by-server";
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
  if (order === "one-at-a-time") {
    return replacements.reduce((now, one) => replaceMembers(protocol, now, [one], "leave-first"), group);
  }
  return STEPS[order].reduce((now, step) => settle(protocol, step(now, replacements)), group);
}

/** What happens before each time that the group settles. */
const STEPS: Record<
  Exclude<Order, "one-at-a-time">,
  readonly ((group: Group, replacements: readonly Replacement[]) => Group)[]
> = {
  "leave-first": [without, withNewcomers],
  "join-first": [withNewcomers, without],
  "one-barrier": [(group, replacements) => withNewcomers(without(group, replacements), replacements)],
};

/** Rebalances until nobody has to give anything up any more. */
export function settle(protocol: Protocol, group: Group): Group {
  let before = group;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const after = rebalanceOnce(protocol.assign, before);
    if (protocol.rebalances !== "cooperative" || !somebodyGaveUp(before, after)) return after;
    before = after;
  }
  throw new Error(`the group does not settle within ${MOST_ROUNDS} rounds`);
}

/** One round: what each member owns then is what it was assigned, in the next generation. */
export function rebalanceOnce(assign: Assignor, { partitions, members }: Group): Group {
  const assignment = assign(partitions, members);
  const generation = Math.max(0, ...members.map((member) => member.generation)) + 1;
  return {
    partitions,
    members: members.map((member) => ({ ...member, owned: assignment.get(member.id) ?? [], generation })),
  };
}

/** Whether a member must give up what it owned. */
export function somebodyGaveUp(before: Group, after: Group): boolean {
  const owned = new Map(after.members.map((member) => [member.id, new Set(member.owned.map(nameOf))]));
  return before.members.some(({ id, owned: earlier }) =>
    earlier.some((partition) => !owned.get(id)?.has(nameOf(partition))),
  );
}

function nameOf({ topic, partition }: Member["owned"][number]): string {
  return `${topic}/${partition}`;
}

function without({ partitions, members }: Group, replacements: readonly Replacement[]): Group {
  const leaving = new Set(replacements.map(({ leaves }) => leaves));
  return { partitions, members: members.filter(({ id }) => !leaving.has(id)) };
}

function withNewcomers({ partitions, members }: Group, replacements: readonly Replacement[]): Group {
  const newcomers = replacements.map(({ joins }) => ({ ...joins, owned: [], generation: -1 }));
  return { partitions, members: [...members, ...newcomers] };
}
