import { contradictionIn, ownershipOf } from "../forecast/ownership.ts";
import { withOutcome } from "../forecast/rotations.ts";
import type { ConsumerGroup } from "../kafka/group.ts";
import {
  type Group,
  type PodInfo,
  type PodState,
  type Policy,
  type RunRecord,
  SIGNALS,
  type Signal,
  type Signals,
  type Snapshot,
} from "../types.ts";
import { type SignalShares, scorePod } from "./score.ts";
import { describeValues } from "./statistics.ts";

/** All that a run has seen before it judges. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly record: RunRecord | undefined;
  readonly signals: Signals;
  /** The consumer group, as each source has it, the most trusted first; none with a strategy that does not ask. */
  readonly groups?: readonly ConsumerGroup[];
  /** See `HistorySource`; none where it was not asked for. */
  readonly history?: readonly number[];
}

/**
 * Joins the pods that Kubernetes lists with their metrics, and describes the group.
 *
 * Samples of pods that are not in the snapshot fall out. A pod that lacks a signal in use is not scored; a signal that
 * was left out drops out of the score. Statistics are those of the scored pods.
 *
 * @see docs/algorithm.md
 */
export function assess(observation: Observation, policy: Policy): Group {
  const { snapshot, record, signals, groups = [], history = [] } = observation;
  const signalsInUse = SIGNALS.filter((signal) => signals[signal] !== undefined);
  const measured = snapshot.pods.map((pod) => ({
    ...candidate(pod, snapshot.observedAt),
    signals: samplesOf(pod, signals),
  }));
  const complete = (state: { signals: PodState["signals"] }) =>
    signalsInUse.every((signal) => state.signals[signal] !== undefined);
  const scored = measured.filter((state) => signalsInUse.length > 0 && complete(state));
  const maxima = byName(SIGNALS, (signal) => Math.max(0, ...scored.map((state) => state.signals[signal] ?? 0)));

  const scores = new Map(scored.map((state) => [state.pod.uid, scorePod(sharesOf(state.signals, maxima))]));
  const pods = measured.map((state) => ({ ...state, score: scores.get(state.pod.uid) }));
  const ownership = owned(groups, snapshot.pods);
  const known = new Set(snapshot.pods.map((pod) => pod.name));
  return {
    snapshot,
    record: record && { ...record, rotations: withOutcome(record.rotations, { snapshot, pods, ...ownership }, policy) },
    pods,
    signalsInUse,
    samples: byName(signalsInUse, (signal) => pods.filter((state) => state.signals[signal] !== undefined).length),
    rejected: byName(signalsInUse, (signal) => signals[signal]?.rejected.filter((pod) => known.has(pod)) ?? []),
    coverage: coverageOf(pods, policy),
    ...ownership,
    history,
    statistics: byName([...SIGNALS, "score"] as const, (name) =>
      describeValues(scored.map((state) => (name === "score" ? scores.get(state.pod.uid) : state.signals[name]) ?? 0)),
    ),
  };
}

/** The ownership that the most trusted source tells of, and in what another contradicts it. */
function owned(groups: readonly ConsumerGroup[], pods: readonly PodInfo[]): Pick<Group, "ownership" | "contradiction"> {
  const [ownership, ...others] = groups.map((group) => ownershipOf(group, pods));
  const contradictions = others.flatMap((other) => (ownership && contradictionIn(ownership, other)) ?? []);
  return { ownership, contradiction: contradictions[0] };
}

/** What the rule of eligibility needs to know of a pod; also asked just before a removal, when there are no metrics. */
export type Candidate = Pick<PodState, "pod" | "ageSeconds" | "ready">;

export function candidate(pod: PodInfo, observedAt: Date): Candidate {
  return {
    pod,
    ageSeconds: (observedAt.getTime() - pod.created.getTime()) / 1_000,
    ready: pod.readySince !== undefined,
  };
}

function samplesOf(pod: PodInfo, signals: Signals): PodState["signals"] {
  const samples: Partial<Record<Signal, number>> = {};
  for (const signal of SIGNALS) {
    const value = signals[signal]?.values.get(pod.name);
    if (value !== undefined) samples[signal] = value;
  }
  return samples;
}

function sharesOf(samples: PodState["signals"], maxima: Readonly<Record<Signal, number>>): SignalShares {
  const shares: Partial<Record<keyof SignalShares, number>> = {};
  for (const signal of ["cpu", "lag", "memory"] as const) {
    const value = samples[signal];
    if (value !== undefined) shares[signal] = maxima[signal] === 0 ? 0 : value / maxima[signal];
  }
  return shares;
}

/**
 * Pods younger than the query window cannot have a rate yet, so they are not counted against the metrics. Where all
 * are that young (after a rollout), all Ready pods count.
 */
function coverageOf(pods: readonly PodState[], policy: Policy): number {
  const ready = pods.filter((state) => state.ready);
  const old = ready.filter((state) => state.ageSeconds > policy.metricsWindowSeconds);
  const counted = old.length > 0 ? old : ready;
  if (counted.length === 0) return 0;
  return counted.filter((state) => state.score !== undefined).length / counted.length;
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  valueOf: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<Name, Value>;
}
