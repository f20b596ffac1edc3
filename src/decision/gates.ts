/** What holds a run back. One predicate per reason: it returns the facts as a clause, or undefined when the gate is open. */

import { formatDuration } from "../durations.ts";
import { percent } from "../figures.ts";
import type { HoldReason } from "../reasons.ts";
import type { Group, PodInfo, Policy, Snapshot } from "../types.ts";
import type { Hold } from "./hold.ts";
import { isIdle, judgeSignals } from "./thresholds.ts";

type Gate<Seen> = (seen: Seen, policy: Policy) => string | undefined;

/** Below this share of the wanted pods Ready, something else is wrong with the workload. */
const READY_SHARE = 0.9;

/** Gates that need no metrics; also asked again before each removal. */
const WORLD_GATES = {
  no_pods: ({ pods, bare }) => {
    if (pods.length > 0) return undefined;
    return bare.length === 0 ? "0 pods" : `only pods without a controller: ${bare.join(", ")}`;
  },
  ambiguous_group: ({ workload, controllers }) => (workload ? undefined : controllers.join(", ")),
  suspended: ({ workload }, policy) => {
    if (policy.suspend) return "SUSPEND is true";
    return workload?.suspended
      ? `annotation pod-rebalancer.io/suspend on ${workload.kind}/${workload.name}`
      : undefined;
  },
  rollout_in_progress: ({ workload }) => workload?.rollout,
  scaling_in_progress: ({ workload }) => workload?.scaling,
  pods_not_ready: ({ pods, workload }) => {
    const wanted = workload?.replicas ?? pods.length;
    const ready = readyPods(pods).length;
    const matched = pods.length < wanted ? `; ${pods.length} match the selector` : "";
    return ready < READY_SHARE * wanted ? `${ready} of ${wanted} wanted pods are Ready${matched}` : undefined;
  },
} satisfies Partial<Record<HoldReason, Gate<Snapshot>>>;

/** What holds a run back whatever its strategy. */
const GATES: Readonly<Partial<Record<HoldReason, Gate<Group>>>> = {
  no_pods: onSnapshot(WORLD_GATES.no_pods),
  ambiguous_group: onSnapshot(WORLD_GATES.ambiguous_group),
  suspended: onSnapshot(WORLD_GATES.suspended),
  locked: ({ record }) => record?.heldBy && `held by ${record.heldBy}`,
  rollout_in_progress: onSnapshot(WORLD_GATES.rollout_in_progress),
  scaling_in_progress: onSnapshot(WORLD_GATES.scaling_in_progress),
  pods_not_ready: onSnapshot(WORLD_GATES.pods_not_ready),
  too_few_pods: ({ snapshot }, policy) => tooFewPods(snapshot, policy),
  cooldown: ({ record, snapshot }, policy) => {
    const last = record?.removals.at(-1);
    if (last === undefined) return undefined;
    // A removal "in the future" was recorded after we looked at the pods: it is recent, too.
    const seconds = Math.max(0, (snapshot.observedAt.getTime() - last.at.getTime()) / 1_000);
    if (seconds >= policy.cooldownSeconds) return undefined;
    return `${last.pod} was removed ${formatDuration(Math.round(seconds))} ago; COOLDOWN is ${formatDuration(policy.cooldownSeconds)}`;
  },
  insufficient_metrics: (group, policy) => {
    const scored = group.pods.some((state) => state.score !== undefined);
    if (scored && group.coverage >= policy.minMetricsCoverage) return undefined;
    const samples = group.signalsInUse.map((signal) => `${signal} ${group.samples[signal] ?? 0}/${group.pods.length}`);
    return `${percent(group.coverage)} of the Ready pods have every signal, ${percent(policy.minMetricsCoverage)} are needed; samples: ${samples.join(", ")}`;
  },
  idle: (group, policy) => {
    const verdicts = judgeSignals(group, policy);
    return isIdle(verdicts) ? verdicts.map((verdict) => verdict.load).join(", ") : undefined;
  },
};

/** The first gate that holds the run back, in the order of the table. */
export function firstHold(group: Group, policy: Policy): Hold | undefined {
  return firstClosed(GATES, group, policy);
}

/** The same without metrics, for a fresh look before a removal. */
export function firstWorldHold(snapshot: Snapshot, policy: Policy): Hold | undefined {
  return firstClosed(WORLD_GATES, snapshot, policy);
}

/** Whether so many removals at once would leave fewer Ready pods than must stay. */
export function tooFewPods({ pods }: Pick<Snapshot, "pods">, policy: Policy, removals = 1): string | undefined {
  const ready = readyPods(pods).length;
  return ready - removals >= policy.minPodsRequired
    ? undefined
    : `${ready} pods are Ready, ${policy.minPodsRequired} must stay (MIN_PODS_REQUIRED)`;
}

/** The Ready pods; a terminating pod has no `readySince`. */
export function readyPods(pods: readonly PodInfo[]): readonly PodInfo[] {
  return pods.filter((pod) => pod.readySince !== undefined);
}

function firstClosed<Seen>(
  gates: Readonly<Partial<Record<HoldReason, Gate<Seen>>>>,
  seen: Seen,
  policy: Policy,
): Hold | undefined {
  for (const [reason, gate] of Object.entries(gates) as [HoldReason, Gate<Seen>][]) {
    const detail = gate(seen, policy);
    if (detail !== undefined) return { reason, detail };
  }
  return undefined;
}

function onSnapshot(gate: Gate<Snapshot>): Gate<Group> {
  return (group, policy) => gate(group.snapshot, policy);
}
