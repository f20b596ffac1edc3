/** In which order the members left and joined, told by what the group came to. */

import { nameOf } from "../kafka/assignors/assignor.ts";
import { type Group, type Protocol, type Replacement, replaceMembersInSlices } from "../kafka/assignors/orders.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import { OutOfTime, type Slices } from "../slices.ts";
import { assignorGroupOf } from "./board.ts";
import { LIKELY_ORDERS, type LikelyOrder } from "./likely-orders.ts";

/**
 * @param before - at rest.
 * @param after - the same group at rest, some of whose members were replaced.
 * @param atOnce - whether all of them went at once, or each once the one before was replaced.
 * @returns the only order that comes to exactly this; undefined where several do, or none, or where the time is up before that is known.
 */
export function* orderSeen(
  before: ConsumerGroup,
  after: ConsumerGroup,
  atOnce: boolean,
): Slices<LikelyOrder | undefined> {
  if (before.protocol === undefined) return undefined;
  const protocol = PROTOCOLS[before.protocol];
  const leavers = without(before.members, after.members);
  const joiners = without(after.members, before.members);
  if (leavers.length === 0 || leavers.length !== joiners.length) return undefined;
  const courses = coursesOf(leavers, joiners, atOnce);
  const came = assignmentOf(after.members);
  const fitting: LikelyOrder[] = [];
  try {
    for (const order of LIKELY_ORDERS) {
      const ends = yield* endsOf(assignorGroupOf(before), protocol, courses, order);
      if (ends.includes(came)) fitting.push(order);
    }
  } catch (thrown) {
    if (thrown instanceof OutOfTime) return undefined;
    throw thrown;
  }
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** What each course comes to in this order. */
function* endsOf(start: Group, protocol: Protocol, courses: readonly Course[], order: LikelyOrder): Slices<string[]> {
  const ends: string[] = [];
  for (const course of courses) {
    let group = start;
    for (const together of course) group = yield* replaceMembersInSlices(protocol, group, together, order);
    ends.push(assignmentOf(group.members));
  }
  return ends;
}

/** Those that were replaced at once, then those that were once these were, and so on. */
type Course = readonly (readonly Replacement[])[];

/** How it may have gone: of two in turn nobody knows any more which was first, and which newcomer came for it. */
function coursesOf(leavers: readonly GroupMember[], joiners: readonly GroupMember[], atOnce: boolean): Course[] {
  const inOrder = replacementsOf(leavers, joiners);
  if (atOnce || leavers.length === 1) return [[inOrder]];
  if (leavers.length > 2) return [];
  const crossed = replacementsOf(leavers, joiners.toReversed());
  return [inOrder, crossed].flatMap((pair) => [pair, pair.toReversed()].map((turns) => turns.map((one) => [one])));
}

function replacementsOf(leavers: readonly GroupMember[], joiners: readonly GroupMember[]): Replacement[] {
  return leavers.flatMap(({ id: leaves }, at) => {
    const joiner = joiners[at];
    return joiner === undefined ? [] : [{ leaves, joins: { id: joiner.id, topics: joiner.topics } }];
  });
}

function without(members: readonly GroupMember[], others: readonly GroupMember[]): GroupMember[] {
  const ids = new Set(others.map(({ id }) => id));
  return members.filter(({ id }) => !ids.has(id));
}

/** Who has what, as one text that is the same for the same assignment. */
function assignmentOf(members: readonly Pick<GroupMember, "id" | "owned">[]): string {
  return members
    .map(({ id, owned }) => `${id}: ${owned.map(nameOf).toSorted().join(", ")}`)
    .toSorted()
    .join("\n");
}
