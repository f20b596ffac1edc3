/** In which order the old member leaves and the new one joins: as seen in earlier rotations, and before that by how long a pod boots. */

import type { Order } from "../kafka/assignors/orders.ts";
import type { Group, PodInfo } from "../types.ts";

/** The orders in which one rotation may go; several pods that go at once share it. */
export type LikelyOrder = Exclude<Order, "one-at-a-time">;

/** How likely each is; they add up to 1. */
export type OrderWeights = Readonly<Record<LikelyOrder, number>>;

export const LIKELY_ORDERS: readonly LikelyOrder[] = ["leave-first", "join-first", "one-barrier"];

/** heartbeat.interval.ms that a group may have, and how likely: the clients' default, and what impatient people set. */
const HEARTBEAT_SECONDS: readonly (readonly [seconds: number, likely: number])[] = [
  [3, 0.9],
  [1, 0.1],
];
/** group.consumer.heartbeat.interval.ms, which is the broker's to say, and its default. */
const KIP_848_HEARTBEAT_SECONDS = 5;
/** What an old member needs at least to close and leave. */
const CLOSE_SECONDS = 0.5;
/** Of the rotations in which both are not in one rebalance: those where the old member takes longer to close than the new one to boot. */
const SLOW_CLOSES = 0.08;

/** One rotation that was watched counts as much as three that were guessed at: the same pods do the same again. */
const SEEN_WEIGHT = 3;

export function likelyOrders({
  snapshot,
  record,
  ownership,
}: Pick<Group, "snapshot" | "record" | "ownership">): OrderWeights {
  const lead = Math.max(0, bootSeconds(snapshot.pods) - CLOSE_SECONDS);
  const survivors = Math.max(1, (ownership?.group.members.length ?? snapshot.pods.length) - 1);
  const kip848 = ownership?.group.type === "consumer";
  const together = kip848 ? withinOneTarget(lead, survivors) : withinOneBarrier(lead, survivors);
  const guess: OrderWeights = {
    "leave-first": (1 - together) * (1 - SLOW_CLOSES),
    "join-first": (1 - together) * SLOW_CLOSES,
    "one-barrier": together,
  };
  const seen = (record?.rotations ?? []).flatMap(({ order }) => order ?? []);
  const weightOf = (order: LikelyOrder) =>
    (guess[order] + SEEN_WEIGHT * seen.filter((one) => one === order).length) / (1 + SEEN_WEIGHT * seen.length);
  return {
    "leave-first": weightOf("leave-first"),
    "join-first": weightOf("join-first"),
    "one-barrier": weightOf("one-barrier"),
  };
}

/**
 * Chance that the new member joins while the rebalance that the old one's leave began is still open: that is until every survivor
 * has sent its next heartbeat, and those come at times of their own. With the default of 3 s, a boot of 2 s and 8 pods it is 0.9; on a
 * real broker 5 of 6 were.
 *
 * @param lead - seconds between the leave and the join.
 */
function withinOneBarrier(lead: number, survivors: number): number {
  return HEARTBEAT_SECONDS.reduce(
    (sum, [seconds, likely]) => sum + likely * (1 - Math.min(1, lead / seconds) ** survivors),
    0,
  );
}

/** The same with KIP-848, where the next heartbeat of any survivor brings about a target without the old member. */
function withinOneTarget(lead: number, survivors: number): number {
  return Math.max(0, 1 - lead / KIP_848_HEARTBEAT_SECONDS) ** survivors;
}

/**
 * From a pod's creation until it was Ready: the lower quartile, because a pod that was once not Ready for a while shows a later time.
 * Infinity where none is Ready.
 */
function bootSeconds(pods: readonly PodInfo[]): number {
  const boots = pods.flatMap(({ created, readySince }) =>
    readySince === undefined ? [] : [(readySince.getTime() - created.getTime()) / 1_000],
  );
  return boots.toSorted((a, b) => a - b)[Math.floor(boots.length / 4)] ?? Number.POSITIVE_INFINITY;
}
