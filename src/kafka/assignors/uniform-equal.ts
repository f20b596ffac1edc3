/** The coordinator's uniform algorithm for members that all subscribe to the same topics (`UniformHomogeneousAssignmentBuilder`). */

import type { TopicPartition } from "./assignor.ts";
import {
  changeable,
  give,
  inIdOrder,
  take,
  type Target,
  type UniformGroup,
  type UniformMember,
} from "./uniform-group.ts";

interface Deal {
  readonly group: UniformGroup;
  readonly target: Target;
  /** To be dealt, in this order. */
  readonly free: TopicPartition[];
  /** Members to deal to, in this order, and how many each. */
  readonly short: { readonly member: UniformMember; readonly missing: number }[];
  readonly least: number;
  /** How many members may still have one more than the least. */
  larger: number;
}

/**
 * Lets each member keep what it has up to its share, first come, first served, and fills up each member in turn with what nobody
 * has and then with what was taken away.
 */
export function assignToEqual(group: UniformGroup): Target {
  const wanted = inIdOrder(group, group.members[0]?.topics ?? []);
  const count = wanted.reduce((sum, topic) => sum + (group.topics.get(topic) ?? 0), 0);
  const deal: Deal = {
    group,
    target: new Map(),
    free: wanted.flatMap((topic) => unowned(group, topic)),
    short: [],
    least: Math.floor(count / group.members.length),
    larger: count % group.members.length,
  };
  for (const [place, member] of group.members.entries()) keepShare(deal, member, group.members.length - place);
  dealOut(deal);
  return deal.target;
}

function unowned({ topics, members }: UniformGroup, topic: string): TopicPartition[] {
  const owned = new Set(members.flatMap(({ hand }) => hand.get(topic)?.keys() ?? []));
  const all = Array.from({ length: topics.get(topic) ?? 0 }, (_none, partition) => partition);
  return all.filter((partition) => !owned.has(partition)).map((partition) => ({ topic, partition }));
}

/** @param remaining - how many members are still to come, this one included. */
function keepShare(deal: Deal, member: UniformMember, remaining: number): void {
  const mayHaveMore = deal.larger > 0;
  const share = deal.least + (mayHaveMore ? 1 : 0);
  const missing = share - keep(deal, member, share);
  // Who is short leaves the one more to somebody else, as long as there are enough others.
  const passesOn = mayHaveMore && missing > 0 && remaining > deal.larger;
  if (mayHaveMore && !passesOn) deal.larger -= 1;
  const open = passesOn ? missing - 1 : missing;
  if (open > 0) deal.short.push({ member, missing: open });
}

/** @returns how many it keeps. */
function keep(deal: Deal, member: UniformMember, share: number): number {
  let left = share;
  for (const [topic, numbers] of member.hand.entries()) {
    if (!deal.group.topics.has(topic)) {
      changeable(deal.group, deal.target, member).delete(topic);
      continue;
    }
    const own = numbers.keys();
    for (const partition of own.slice(left)) {
      take(changeable(deal.group, deal.target, member), { topic, partition });
      deal.free.push({ topic, partition });
    }
    left -= Math.min(left, own.length);
  }
  return share - left;
}

function dealOut({ group, target, free, short }: Deal): void {
  let next = 0;
  for (const { member, missing } of short) {
    const hand = changeable(group, target, member);
    for (const partition of free.slice(next, next + missing)) give(hand, partition);
    next += missing;
  }
  if (next < free.length) throw new Error("the assignor has partitions left and no member for them");
}
