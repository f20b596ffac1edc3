/** The sticky assignors' algorithm for members that all subscribe to the same topics. */

import type { TopicPartition } from "./assignor.ts";
import { compareText } from "./java-group.ts";
import { type Claims, type StickyGroup, withoutTaken } from "./sticky-claims.ts";

/** Every member gets `least` or one more; `larger` of them get one more. */
interface Shares {
  readonly least: number;
  readonly most: number;
  readonly larger: number;
}

interface Hands {
  readonly assignment: Map<string, TopicPartition[]>;
  /** Members that have less than the least, to be served first and in turn. */
  readonly short: string[];
  /** Members that have the least and may get one more. */
  readonly content: string[];
  /** What was taken from a member because it had too many. It is never dealt back to that member. */
  readonly released: Set<TopicPartition>;
}

/**
 * Lets each member keep what it owns up to its share, then deals out the rest: first to those below the least share, one
 * each in turn, then one more each to as many as the remainder allows. Both by member id, partitions by topic and number.
 *
 * Members that own too many keep their lowest numbers. Which of them may keep one more is decided by the order of the
 * client's hash map: first come, first served.
 */
export function assignToEqual(
  group: StickyGroup,
  claims: Claims,
): { assignment: Map<string, TopicPartition[]>; transfers: Map<TopicPartition, string> } {
  const all = [...group.partitionsOf.values()].flat();
  const hands = keepOwned(claims, sharesOf(all.length, group.members.length));
  const taken = [...hands.assignment.values()].flat().toSorted(byTopic);
  const dealt = deal(withoutTaken(all, taken), hands, Math.floor(all.length / group.members.length));
  const transfers = [...dealt].filter(([partition]) => hands.released.has(partition) || claims.disputed.has(partition));
  return { assignment: hands.assignment, transfers: new Map(transfers) };
}

function sharesOf(partitions: number, members: number): Shares {
  return {
    least: Math.floor(partitions / members),
    most: Math.ceil(partitions / members),
    larger: partitions % members,
  };
}

function keepOwned({ owned, disputed }: Claims, shares: Shares): Hands {
  const hands: Hands = { assignment: new Map(), short: [], content: [], released: new Set() };
  let larger = 0;
  for (const [member, claimed] of owned) {
    const own = claimed.filter((partition) => !disputed.has(partition)).toSorted(byNumber);
    const mayHaveMore = larger < shares.larger;
    const keepsMore = mayHaveMore && own.length >= shares.most;
    const kept = own.slice(0, keepsMore ? shares.most : shares.least);
    hands.assignment.set(member, kept);
    for (const partition of own.slice(kept.length)) hands.released.add(partition);
    if (own.length < shares.least) hands.short.push(member);
    else if (keepsMore) larger += 1;
    else if (mayHaveMore) hands.content.push(member);
  }
  // As many as may have one more have kept it: nobody else waits for one.
  if (larger === shares.larger) hands.content.length = 0;
  return hands;
}

/** @returns who got each partition. */
function deal(free: readonly TopicPartition[], hands: Hands, least: number): Map<TopicPartition, string> {
  const short = hands.short.toSorted(compareText);
  const content = hands.content.toSorted(compareText);
  const dealt = new Map<TopicPartition, string>();
  let turn = 0;
  for (const partition of free) {
    if (turn >= short.length) turn = 0;
    const member = short[turn] ?? content.shift();
    const own = hands.assignment.get(member ?? "");
    if (member === undefined || own === undefined)
      throw new Error("the assignor has partitions left and no member for them");
    own.push(partition);
    dealt.set(partition, member);
    if (own.length !== least) turn += 1;
    else content.push(...short.splice(turn, 1));
  }
  if (short.length > 0) throw new Error("the assignor has no partitions left for members below their share");
  return dealt;
}

function byTopic(one: TopicPartition, other: TopicPartition): number {
  return compareText(one.topic, other.topic) || one.partition - other.partition;
}

function byNumber(one: TopicPartition, other: TopicPartition): number {
  return one.partition - other.partition || compareText(one.topic, other.topic);
}
