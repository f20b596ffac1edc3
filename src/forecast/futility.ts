/** When rotating cannot help, whichever pod goes: what is known of the group says so, without any forecast. */

import type { Hold } from "../decision/hold.ts";
import { short } from "../figures.ts";
import type { Owner, Ownership } from "./ownership.ts";

/**
 * Each gives every member by its place in a list what it gives any other one in that place. So the loads stay what they are, and only
 * which pod has which changes. `RoundRobinAssigner` is that of kafkajs.
 */
const STATELESS: ReadonlySet<string> = new Set(["range", "roundrobin", "RoundRobinAssigner"]);

/** What is no group of consumers that own partitions for as long as they live; nobody need know its members. */
export function otherKindOf({ group: { type, ...group } }: Ownership): Hold | undefined {
  if (type === "streams") return { reason: "streams_group", detail: `${named(group.name)} is one of Kafka Streams` };
  if (type === "share") return { reason: "share_group", detail: `${named(group.name)} is a share group` };
  return undefined;
}

/** @returns the first of the reasons that holds; undefined when rotating may help. */
export function futilityOf({ group, owners }: Ownership): Hold | undefined {
  const { assignor, members, partitions } = group;
  if (partitions.length <= owners.length) {
    return { reason: "few_partitions", detail: `${partitions.length} partitions for ${owners.length} consumers` };
  }
  if (assignor !== undefined && STATELESS.has(assignor)) {
    return { reason: "stateless_assignor", detail: `the group's assignor is ${assignor}` };
  }
  const fixed = members.filter(({ instanceId }) => instanceId !== undefined).length;
  if (fixed > 0) return { reason: "static_membership", detail: `${fixed} of ${members.length} members are static` };
  return undefined;
}

/** Of what the busiest carries above the mean: where less than this could be removed, the hot partition is what matters. */
const LITTLE = 0.25;

/**
 * The partition that alone brings more than a consumer's fair share, where little else is to be won.
 *
 * @param today - busiest / mean, as it is and at the least.
 */
export function hotPartitionOf(
  ownership: Ownership,
  today: { readonly imbalance: number; readonly floor: number },
): Hold | undefined {
  const { imbalance, floor } = today;
  const { owners, group } = ownership;
  const share = fairShareOf(ownership);
  const hottest = group.partitions.toSorted((a, b) => (b.rate ?? 0) - (a.rate ?? 0))[0];
  if (hottest?.rate === undefined || share <= 0) return undefined;
  const alone = hottest.rate / share;
  if (alone <= 1 || imbalance - floor >= LITTLE * (imbalance - 1)) return undefined;
  const owner = owners.find((one) => holds(one, hottest));
  const where = owner?.pod === undefined ? "" : `, on ${owner.pod}`;
  return {
    reason: "hot_partition",
    detail: `${hottest.topic}-${hottest.partition} alone brings ${short(alone)} times a consumer's fair share${where}`,
  };
}

/** Messages/s that each would have if all had the same. */
function fairShareOf({ owners, group }: Ownership): number {
  return group.partitions.reduce((sum, { rate = 0 }) => sum + rate, 0) / owners.length;
}

function holds({ partitions }: Owner, { topic, partition }: { topic: string; partition: number }): boolean {
  return partitions.some((one) => one.topic === topic && one.partition === partition);
}

function named(name: string | undefined): string {
  return name === undefined ? "the group" : `group ${name}`;
}
