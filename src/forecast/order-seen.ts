/** In which order the members left and joined, told by what the group came to. */

import { nameOf } from "../kafka/assignors/assignor.ts";
import { replaceMembers } from "../kafka/assignors/orders.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import { assignorGroupOf } from "./board.ts";
import { LIKELY_ORDERS, type LikelyOrder } from "./likely-orders.ts";

/**
 * @param before - at rest.
 * @param after - the same group at rest, some of whose members were replaced, one by one.
 * @returns the only order that comes to exactly this; undefined where several do, or none.
 */
export function orderSeen(before: ConsumerGroup, after: ConsumerGroup): LikelyOrder | undefined {
  if (before.protocol === undefined) return undefined;
  const protocol = PROTOCOLS[before.protocol];
  const leavers = without(before.members, after.members);
  const joiners = without(after.members, before.members);
  if (leavers.length === 0 || leavers.length !== joiners.length) return undefined;
  const replacements = leavers.flatMap(({ id: leaves }, at) => {
    const joiner = joiners[at];
    return joiner === undefined ? [] : [{ leaves, joins: { id: joiner.id, topics: joiner.topics } }];
  });
  const group = assignorGroupOf(before);
  const came = assignmentOf(after.members);
  const fitting = LIKELY_ORDERS.filter(
    (order) => assignmentOf(replaceMembers(protocol, group, replacements, order).members) === came,
  );
  return fitting.length === 1 ? fitting[0] : undefined;
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
