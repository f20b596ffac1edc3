/** The figures a diagnosis looks at: of each pod that can be judged, and of what the group has to do. */

import { percentile } from "../podstate/statistics.ts";
import type { Group, PodState, Policy } from "../types.ts";
import type { Owner } from "./ownership.ts";

/** A Ready pod whose rates are its own: older than the window they are taken over. */
export interface Symptom {
  readonly name: string;
  readonly node: string | undefined;
  /** Cores; undefined, as each of the others, where it was not measured. */
  readonly cpu: number | undefined;
  /** Messages/s that it consumes. */
  readonly rate: number | undefined;
  /** Messages that wait. */
  readonly lag: number | undefined;
  /** Messages/s that its partitions bring, where ownership is known. */
  readonly load: number | undefined;
  /** Seconds of traffic that wait: lag / load, or / the median rate where there is none; undefined where neither is known. */
  readonly waitingSeconds: number | undefined;
  /** CPU seconds for a message; undefined for a pod that hardly consumes, or is said to need none. */
  readonly cost: number | undefined;
}

/** What one owner of partitions has to do. */
export interface Share {
  readonly name: string;
  /** Messages/s. */
  readonly load: number;
  /** Number of partitions; undefined where ownership is not known. */
  readonly count: number | undefined;
}

export interface Symptoms {
  readonly group: Group;
  readonly policy: Policy;
  /** In name order. */
  readonly pods: readonly Symptom[];
  /** Median consumption rate; 0 where none was measured. */
  readonly usualRate: number;
  /** By what the partitions bring where that is known of all, otherwise by what the pods consume. */
  readonly shares: readonly Share[];
  /** Whether `shares` are what comes in; otherwise they are what is consumed. */
  readonly sharesAreLoads: boolean;
}

/** Below this share of the median rate a pod's CPU is what it costs to be there, not what messages cost. */
const HARDLY = 0.1;

export function symptomsOf(group: Group, policy: Policy): Symptoms {
  const { ownership } = group;
  const owners = new Map((ownership?.owners ?? []).flatMap((owner) => (owner.pod ? [[owner.pod, owner]] : [])));
  const judged = group.pods
    .filter(({ ready, ageSeconds }) => ready && ageSeconds > policy.metricsWindowSeconds)
    .toSorted((a, b) => (a.pod.name < b.pod.name ? -1 : 1));
  const rates = judged.flatMap(({ signals }) => signals.rate ?? []);
  const usualRate = rates.length === 0 ? undefined : medianOf(rates);
  const pods = judged.map((state) => symptomOf(state, owners.get(state.pod.name), usualRate));
  const loads = (ownership?.owners ?? []).map(shareOfOwner);
  const sharesAreLoads = loads.length > 0 && loads.every((share) => share !== undefined);
  return {
    group,
    policy,
    pods,
    usualRate: usualRate ?? 0,
    shares: sharesAreLoads ? loads : pods.flatMap((pod) => shareOfPod(pod, ownership && owners.get(pod.name))),
    sharesAreLoads,
  };
}

function symptomOf({ pod, signals }: PodState, owner: Owner | undefined, usualRate: number | undefined): Symptom {
  const { cpu, rate, lag } = signals;
  const load = owner?.load;
  return {
    name: pod.name,
    node: pod.node,
    cpu,
    rate,
    lag,
    load,
    waitingSeconds: waitingSecondsOf(lag, load === 0 ? usualRate : (load ?? usualRate)),
    cost: costOf(cpu, rate ?? load, HARDLY * (usualRate ?? 0)),
  };
}

function waitingSecondsOf(lag: number | undefined, perSecond: number | undefined): number | undefined {
  if (lag === undefined || perSecond === undefined) return undefined;
  if (lag === 0) return 0;
  return perSecond === 0 ? Number.POSITIVE_INFINITY : lag / perSecond;
}

function costOf(cpu: number | undefined, rate: number | undefined, leastRate: number): number | undefined {
  if (cpu === undefined || rate === undefined || cpu === 0) return undefined;
  return rate > 0 && rate >= leastRate ? cpu / rate : undefined;
}

function shareOfOwner({ pod, members, partitions, load }: Owner): Share | undefined {
  const name = pod ?? members[0]?.clientId ?? members[0]?.id ?? "";
  return load === undefined ? undefined : { name, load, count: partitions.length };
}

function shareOfPod({ name, rate }: Symptom, owner: Owner | undefined): Share[] {
  return rate === undefined ? [] : [{ name, load: rate, count: owner?.partitions.length }];
}

/** Of those that are known; 0 for none. */
export function medianOf(values: readonly (number | undefined)[]): number {
  return quantileOf(values, 0.5);
}

/** Of those that are known; 0 for none. @param share - 0…1. */
export function quantileOf(values: readonly (number | undefined)[], share: number): number {
  const known = values.filter((value) => value !== undefined);
  return percentile(
    known.toSorted((a, b) => a - b),
    share,
  );
}

export function totalOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
