/** The look behind a rotation: what the group has come to, held against what was expected. */

import { contradictionWithin, unownedPartitions } from "./forecast/consistency.ts";
import { orderSeen } from "./forecast/order-seen.ts";
import { ownershipOf } from "./forecast/ownership.ts";
import { groupMark, imbalanceToday } from "./forecast/rotations.ts";
import { inSlices } from "./in-slices.ts";
import type { ConsumerGroup } from "./kafka/group.ts";
import type { Clock, Cluster, GroupSource } from "./ports.ts";
import { type Decision, type Group, NOT_REMOVED, type Policy, type RemovalResult, type Rotation } from "./types.ts";

/** How long a group may take to come to rest: a session timeout (45 s by default) and the rebalance behind it. */
const PATIENCE_MILLIS = 90_000;
const LOOK_EVERY_MILLIS = 3_000;

/** What is needed for another look at the group. */
export interface AftermathPorts {
  readonly cluster: Cluster;
  readonly groups?: readonly GroupSource[];
  readonly clock: Clock;
}

/**
 * The rotation as it goes on record before anybody has looked what came of it; undefined where nothing was removed, or with a
 * strategy that does not look ahead, and so learns nothing from it.
 */
export function rotationOf(
  group: Group,
  decision: Decision,
  removal: RemovalResult,
  { strategy }: Policy,
): Rotation | undefined {
  if (strategy !== "forecast") return undefined;
  const removed = removal.steps.filter(({ outcome }) => !NOT_REMOVED.includes(outcome));
  const before = imbalanceToday(group);
  if (removed.length === 0 || before === undefined) return undefined;
  const chosen = decision.forecast?.chosen;
  return {
    at: group.snapshot.observedAt,
    pods: removed.map(({ pod }) => pod),
    group: groupMark(group),
    before,
    // Nothing was forecast of one alone whose second did not go.
    expected: removed.length === chosen?.pods.length ? chosen.after : undefined,
    after: undefined,
    order: undefined,
  };
}

/**
 * Waits until the group has come to rest, and says what it came to with the rates of before.
 *
 * @returns the rotation with that; as it was where nobody can tell who owns what, or the group does not come to rest.
 */
export async function withAftermath(
  { rotation, atOnce }: { readonly rotation: Rotation; readonly atOnce: boolean },
  before: Group,
  ports: AftermathPorts,
  signal: AbortSignal,
): Promise<Rotation> {
  const [source] = ports.groups ?? [];
  const earlier = before.ownership?.group;
  if (source === undefined || earlier === undefined) return rotation;
  const until = ports.clock.now().getTime() + PATIENCE_MILLIS;
  // All are replaced by now: only the group still moves, and a list of all pods is the dearest look of all.
  const { pods } = await ports.cluster.observe(signal);
  for (;;) {
    const group = await source.read(pods, signal);
    if (group !== undefined && isAtRest(group, earlier)) {
      const ownership = ownershipOf({ ...group, partitions: earlier.partitions }, pods);
      const after = imbalanceToday({ ...before, ownership });
      return { ...rotation, after, order: await inSlices(orderSeen(earlier, group, atOnce), ports.clock, signal) };
    }
    if (ports.clock.now().getTime() >= until) return rotation;
    await ports.clock.sleep(LOOK_EVERY_MILLIS, signal);
  }
}

/** As many members as before, every partition has one, and nothing contradicts that. */
function isAtRest(group: ConsumerGroup, earlier: ConsumerGroup): boolean {
  const { state = "Stable", members } = group;
  const settled = unownedPartitions(group) === undefined && contradictionWithin(group) === undefined;
  return state === "Stable" && members.length === earlier.members.length && settled;
}
