/** When rotating cannot help, whichever pod goes. */

import { short } from "../figures.ts";
import type { Owner, Ownership } from "./ownership.ts";

/**
 * Each gives every member by its place in a list what it gives any other one in that place. So the loads stay what they are, and only
 * which pod has which changes. `RoundRobinAssigner` is that of kafkajs.
 */
const STATELESS: ReadonlySet<string> = new Set(["range", "roundrobin", "RoundRobinAssigner"]);

/** The facts as a clause, where there are no more partitions than consumers. */
export function fewPartitions({ group: { partitions }, owners }: Ownership): string | undefined {
  return partitions.length <= owners.length
    ? `${partitions.length} partitions for ${owners.length} consumers`
    : undefined;
}

/** The facts as a clause, where the assignor does not look at what was. */
export function statelessAssignor({ group: { assignor } }: Ownership): string | undefined {
  return assignor !== undefined && STATELESS.has(assignor) ? `the group's assignor is ${assignor}` : undefined;
}

/** The facts as a clause, where members get back what they had. */
export function staticMembers({ group: { members } }: Ownership): string | undefined {
  const fixed = members.filter(({ instanceId }) => instanceId !== undefined).length;
  return fixed > 0 ? `${fixed} of ${members.length} members are static` : undefined;
}

/** Of what the busiest carries above the mean: where less than this could be removed, the hot partition is what matters. */
const LITTLE = 0.25;

/**
 * The partition that alone brings more than a consumer's fair share, where little else is to be won.
 *
 * @param today - busiest / mean, as it is and at the least.
 */
export function hotPartition(
  ownership: Ownership,
  today: { readonly imbalance: number; readonly floor: number },
): string | undefined {
  const { imbalance, floor } = today;
  const { owners, group } = ownership;
  const share = fairShareOf(ownership);
  const hottest = group.partitions.toSorted((a, b) => (b.rate ?? 0) - (a.rate ?? 0))[0];
  if (hottest?.rate === undefined || share <= 0) return undefined;
  const alone = hottest.rate / share;
  if (alone <= 1 || imbalance - floor >= LITTLE * (imbalance - 1)) return undefined;
  const owner = owners.find((one) => holds(one, hottest));
  const where = owner?.pod === undefined ? "" : `, on ${owner.pod}`;
  return `${hottest.topic}-${hottest.partition} alone brings ${short(alone)} times a consumer's fair share${where}`;
}

/** Messages/s that each would have if all had the same. */
function fairShareOf({ owners, group }: Ownership): number {
  return group.partitions.reduce((sum, { rate = 0 }) => sum + rate, 0) / owners.length;
}

function holds({ partitions }: Owner, { topic, partition }: { topic: string; partition: number }): boolean {
  return partitions.some((one) => one.topic === topic && one.partition === partition);
}
