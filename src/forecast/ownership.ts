/** Which pod has which members of the group, and so which partitions. */

import { nameOf } from "../kafka/assignors/assignor.ts";
import type { ConsumerGroup, GroupMember, PartitionLoad } from "../kafka/group.ts";
import type { PodInfo } from "../types.ts";

/** A pod with its members; or a member for which no pod was found. */
export interface Owner {
  /** The pod's name; undefined for a member without a pod. */
  readonly pod: string | undefined;
  /** Several where a pod runs several consumers; at least one. */
  readonly members: readonly GroupMember[];
  readonly partitions: readonly PartitionLoad[];
  /** Messages/s that its partitions bring; undefined where the rate of one of them is not known. */
  readonly load: number | undefined;
}

export interface Ownership {
  readonly group: ConsumerGroup;
  /** Pods in name order, then members without a pod in the group's order. */
  readonly owners: readonly Owner[];
  /** Pods without a member, in name order. */
  readonly podsWithoutMember: readonly string[];
}

/**
 * Joins members and pods: as the source says; else by client id or instance id, where one is the pod's name or begins with it and
 * a dash (a client numbers its consumers); else by the pod's IP address, where no other pod has the same (host network).
 */
export function ownershipOf(group: ConsumerGroup, pods: readonly PodInfo[]): Ownership {
  const loads = new Map(group.partitions.map((partition) => [nameOf(partition), partition]));
  const podOf = podFinder(pods);
  const byPod = new Map<string, GroupMember[]>();
  const outside: GroupMember[] = [];
  for (const member of group.members) {
    const pod = podOf(member);
    if (pod === undefined) outside.push(member);
    else byPod.set(pod, [...(byPod.get(pod) ?? []), member]);
  }
  const owner = (pod: string | undefined, members: readonly GroupMember[]): Owner => {
    const partitions = members.flatMap(({ owned }) =>
      owned.map((one) => loads.get(nameOf(one)) ?? { ...one, rate: undefined, lag: undefined }),
    );
    return { pod, members, partitions, load: sumOfRates(partitions) };
  };
  const names = pods.map(({ name }) => name).toSorted();
  return {
    group,
    owners: [
      ...names.flatMap((name) => (byPod.has(name) ? [owner(name, byPod.get(name) ?? [])] : [])),
      ...outside.map((member) => owner(undefined, [member])),
    ],
    podsWithoutMember: names.filter((name) => !byPod.has(name)),
  };
}

/** Their ids. */
export function membersWithoutPod({ owners }: Ownership): string[] {
  return owners.filter(({ pod }) => pod === undefined).flatMap(({ members }) => members.map(({ id }) => id));
}

/** How many partitions no member owns. */
export function unownedPartitions({ members, partitions }: ConsumerGroup): number {
  return partitions.length - members.reduce((sum, { owned }) => sum + owned.length, 0);
}

/**
 * @returns the first partition of which both say that a pod owns it, and each another, as a clause; undefined where they agree. What
 *   only one of them knows of is no contradiction.
 */
export function contradictionIn(one: Ownership, other: Ownership): string | undefined {
  const podsOfOther = podsByPartition(other);
  for (const [partition, pod] of podsByPartition(one)) {
    const another = podsOfOther.get(partition);
    if (another === undefined || another === pod) continue;
    return `${partition.replace(" ", "-")} is owned by ${pod} (${one.group.source}) and by ${another} (${other.group.source})`;
  }
  return undefined;
}

function podsByPartition({ owners }: Ownership): ReadonlyMap<string, string> {
  return new Map(
    owners.flatMap(({ pod, partitions }) =>
      pod === undefined ? [] : partitions.map((partition) => [nameOf(partition), pod] as const),
    ),
  );
}

function sumOfRates(partitions: readonly PartitionLoad[]): number | undefined {
  return partitions.reduce<number | undefined>(
    (sum, { rate }) => (sum === undefined || rate === undefined ? undefined : sum + rate),
    0,
  );
}

function podFinder(pods: readonly PodInfo[]): (member: GroupMember) => string | undefined {
  const names = new Set(pods.map(({ name }) => name));
  const byAddress = Map.groupBy(
    pods.filter(({ ip }) => ip !== undefined),
    ({ ip }) => ip,
  );
  return ({ pod, clientId, instanceId, host }) => {
    if (pod !== undefined) return names.has(pod) ? pod : undefined;
    const called = podCalled(clientId, names) ?? podCalled(instanceId, names);
    if (called !== undefined) return called;
    const [there, another] = byAddress.get(host) ?? [];
    return another === undefined ? there?.name : undefined;
  };
}

/** The pod whose name this is, or begins with; the longest where several do ("orders-1" and "orders-1-0"). */
function podCalled(text: string | undefined, names: ReadonlySet<string>): string | undefined {
  for (let part = text ?? ""; part !== ""; part = part.slice(0, Math.max(0, part.lastIndexOf("-")))) {
    if (names.has(part)) return part;
  }
  return undefined;
}
