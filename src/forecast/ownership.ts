/** Which pod has which members of the group, and so which partitions. */

import { nameOf } from "../kafka/assignors/assignor.ts";
import type { ConsumerGroup, GroupMember, PartitionLoad } from "../kafka/group.ts";
import type { PodInfo } from "../types.ts";
import { podAddresses } from "./pod-addresses.ts";

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
  /** A member whose ids and address name different pods, as a clause; it counts as one without a pod. undefined: there is none. */
  readonly mismatch: string | undefined;
}

/**
 * Joins members and pods: as the source says; else by the pod's IP address, where no other pod has the same (host network), and by
 * client id or instance id, where one is the pod's name or begins with it and a dash (a client numbers its consumers).
 *
 * Clients number the consumers of each process alike (`consumer-orders-1`), which may well be the name of a pod: a client id that several
 * members have names none, unless all of them have that pod's own address. Where addresses are those of proxies (service mesh) or nodes,
 * which are no pod's own, ids that but one member has tell.
 */
export function ownershipOf(group: ConsumerGroup, pods: readonly PodInfo[]): Ownership {
  const loads = new Map(group.partitions.map((partition) => [nameOf(partition), partition]));
  const claimsOf = podFinder(group.members, pods);
  const byPod = new Map<string, GroupMember[]>();
  const outside: GroupMember[] = [];
  const mismatches: string[] = [];
  for (const member of group.members) {
    const claims = claimsOf(member);
    const mismatch = mismatchOf(member, claims);
    if (mismatch !== undefined) mismatches.push(mismatch);
    const pod = mismatch === undefined ? claims[0]?.pod : undefined;
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
    mismatch: mismatches[0],
  };
}

/** Their ids. */
export function membersWithoutPod({ owners }: Ownership): string[] {
  return owners.filter(({ pod }) => pod === undefined).flatMap(({ members }) => members.map(({ id }) => id));
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

/** A pod that something about a member names. */
interface PodClaim {
  readonly pod: string;
  /** As part of a sentence: "client.id orders-1". */
  readonly by: string;
}

/** @returns of a member what names a pod of the list, the surest first. */
function podFinder(
  members: readonly GroupMember[],
  pods: readonly PodInfo[],
): (member: GroupMember) => readonly PodClaim[] {
  const names = new Set(pods.map(({ name }) => name));
  const podAt = podAddresses(pods);
  const isNumber = numbersAmong(members, (clientId, its) => {
    const named = podCalled(clientId, names);
    return named !== undefined && its.every(({ host }) => podAt(host) === named);
  });
  return ({ pod, clientId = "", instanceId, host = "" }) => {
    if (pod !== undefined) return names.has(pod) ? claim(pod, "the source") : [];
    return [
      ...claim(podAt(host), `address ${host}`),
      ...claim(isNumber(clientId) ? undefined : podCalled(clientId, names), `client.id ${clientId}`),
      ...claim(podCalled(instanceId, names), `group.instance.id ${instanceId}`),
    ];
  };
}

function claim(pod: string | undefined, by: string): readonly PodClaim[] {
  return pod === undefined ? [] : [{ pod, by }];
}

/**
 * Tells the client ids that are no names but numbers, which each process gives to its consumers: those that several members have, and
 * others of their series, since a consumer that is made anew gets the next number.
 *
 * @param isNameOf - whether it is nevertheless a name to the members that have it.
 */
function numbersAmong(
  members: readonly GroupMember[],
  isNameOf: (clientId: string, its: readonly GroupMember[]) => boolean,
): (clientId: string) => boolean {
  const byId = Map.groupBy(members, ({ clientId = "" }) => clientId);
  const shared = [...byId].filter(([clientId, its]) => its.length > 1 && !isNameOf(clientId, its)).map(([id]) => id);
  const [ids, series] = [new Set(shared), new Set(shared.flatMap((id) => seriesOf(id) ?? []))];
  return (clientId) => ids.has(clientId) || series.has(seriesOf(clientId) ?? "");
}

/** "consumer-orders" of "consumer-orders-2"; undefined without a number. */
function seriesOf(clientId: string): string | undefined {
  return /^(.+)-\d+$/.exec(clientId)?.[1];
}

function mismatchOf({ id }: GroupMember, [first, ...others]: readonly PodClaim[]): string | undefined {
  const other = others.find(({ pod }) => pod !== first?.pod);
  if (first === undefined || other === undefined) return undefined;
  return `member ${id} has the ${first.by}, which is that of ${first.pod}, and the ${other.by}, which names ${other.pod}`;
}

/** The pod whose name this is, or begins with; the longest where several do ("orders-1" and "orders-1-0"). */
function podCalled(text: string | undefined, names: ReadonlySet<string>): string | undefined {
  for (let part = text ?? ""; part !== ""; part = part.slice(0, Math.max(0, part.lastIndexOf("-")))) {
    if (names.has(part)) return part;
  }
  return undefined;
}
