import type { Assignment, Member, TopicPartition } from "./assignor.ts";
import { internMembers, remove, settleClaims } from "./sticky-claims.ts";
import { assignToEqual } from "./sticky-equal.ts";
import { assignToUnequal } from "./sticky-unequal.ts";

/**
 * `org.apache.kafka.clients.consumer.StickyAssignor` (KIP-54, KIP-341), of kafka-clients 4.4: balances the *numbers* of
 * partitions and lets members keep what they own as far as that allows. Two algorithms: one for members that all subscribe
 * to the same topics, one for all others.
 *
 * The protocol is eager: all members stop, and the result holds at once.
 *
 * Without racks (KIP-881): it is what the client computes when `client.rack` is not set. Member ids decide ties by their hash
 * codes, so that only the real ids give the real result.
 *
 * @param members - in the order of the JoinGroup response, which matters for ids that Java hashes alike only.
 * @throws Error where the client's own assignor fails: with partitions that are owned and no longer exist it can run out
 *   of members before it runs out of partitions.
 */
export function sticky(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Assignment {
  return assignSticky(partitions, members).assignment;
}

/**
 * `org.apache.kafka.clients.consumer.CooperativeStickyAssignor` (KIP-429): the same result as {@link sticky}, less the
 * partitions that one member must give up before another may have them. Those have no owner after this round. Whoever
 * gave something up joins again, and the next round (this function, with this result as what is owned) hands them out. Where it
 * ends is not always where {@link sticky} is after one round, because the second round may deal the freed ones in
 * another order.
 */
export function cooperativeSticky(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Assignment {
  const { assignment, transfers } = assignSticky(partitions, members);
  for (const [partition, member] of transfers) remove(assignment.get(member), partition);
  return assignment;
}

interface StickyResult {
  readonly assignment: Map<string, TopicPartition[]>;
  /** Partitions that change hands, and who is to have them. */
  readonly transfers: ReadonlyMap<TopicPartition, string>;
}

function assignSticky(partitions: ReadonlyMap<string, number>, members: readonly Member[]): StickyResult {
  const group = internMembers(partitions, members);
  const claims = settleClaims(group);
  if (subscribeEqually(group.members)) return assignToEqual(group, claims);
  const assignment = assignToUnequal(group, claims);
  return { assignment, transfers: transfersOf(group.members, assignment) };
}

/** As the client asks it: members that come before the first with any subscription are not compared. */
function subscribeEqually(members: readonly Member[]): boolean {
  const [first, ...others] = members.slice(members.findIndex(({ topics }) => topics.length > 0));
  const wanted = new Set(first?.topics);
  return others.every(({ topics }) => topics.length === wanted.size && topics.every((topic) => wanted.has(topic)));
}

/** What somebody is to have that did not own it, and somebody owned that is not to have it. */
function transfersOf(members: readonly Member[], assignment: Assignment): Map<TopicPartition, string> {
  const added = new Map<TopicPartition, string>();
  const revoked = new Set<TopicPartition>();
  for (const { id, owned } of members) {
    const before = new Set(owned);
    const after = new Set(assignment.get(id));
    for (const partition of after) if (!before.has(partition)) added.set(partition, id);
    for (const partition of before) if (!after.has(partition)) revoked.add(partition);
  }
  return new Map([...added].filter(([partition]) => revoked.has(partition)));
}
