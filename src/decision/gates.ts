/**
 * What holds a run back: every gate in the order in which they are asked; the first that is closed names the reason. The order of
 * {@link GATES} is that of `HOLD_REASONS` and of docs/algorithm.md.
 */

import { formatDuration } from "../durations.ts";
import { percent } from "../figures.ts";
import { contradictionWithin, unsettledPartitions } from "../forecast/consistency.ts";
import { fewPartitions, statelessAssignor, staticMembers } from "../forecast/futility.ts";
import type { Ownership } from "../forecast/ownership.ts";
import { ineffectiveRotations } from "../forecast/rotations.ts";
import type { HoldReason } from "../reasons.ts";
import type { Group, PodInfo, Policy, Snapshot, Workload } from "../types.ts";
import type { Choice, ChoiceHold } from "./choice.ts";
import { isIdle, judgeSignals } from "./thresholds.ts";

/** Why a run holds, with the facts behind it as a clause. */
export interface Hold {
  readonly reason: HoldReason;
  readonly detail: string;
}

/** The facts as a clause; undefined when the gate is open. */
type Facts = string | undefined;
type Seen = Pick<Group, "snapshot">;

/** One that needs neither metrics nor record, and is asked again, on fresh data, before each removal. */
interface WorldGate {
  readonly reason: HoldReason;
  readonly again: true;
  readonly closed: (seen: Seen, policy: Policy) => Facts;
}

interface GroupGate {
  readonly reason: HoldReason;
  readonly again?: undefined;
  /** @param choice - the strategy's, once it has chosen: those that judge it are open until then. */
  readonly closed: (group: Group, policy: Policy, choice?: Choice) => Facts;
}

/** Below this share of the wanted pods Ready, something else is wrong with the workload. */
const READY_SHARE = 0.9;

export const GATES: readonly (WorldGate | GroupGate)[] = [
  {
    reason: "no_pods",
    again: true,
    closed: ({ snapshot: { pods, bare } }) => {
      if (pods.length > 0) return undefined;
      return bare.length === 0
        ? "the list is empty, as it is for a namespace that does not exist"
        : `only pods without a controller: ${bare.join(", ")}`;
    },
  },
  {
    reason: "ambiguous_group",
    again: true,
    closed: ({ snapshot: { workload, controllers } }) => (workload ? undefined : controllers.join(", ")),
  },
  { reason: "workload_deleting", again: true, closed: ({ snapshot: { workload } }) => workload?.deleting },
  {
    reason: "suspended",
    again: true,
    closed: ({ snapshot: { workload } }, policy) => {
      if (policy.suspend) return "SUSPEND is true";
      return workload?.suspended ? suspensionOf(workload) : undefined;
    },
  },
  { reason: "locked", closed: ({ record }) => record?.heldBy && `held by ${record.heldBy}` },
  { reason: "rollout_in_progress", again: true, closed: ({ snapshot: { workload } }) => workload?.rollout },
  { reason: "scaling_in_progress", again: true, closed: ({ snapshot: { workload } }) => workload?.scaling },
  { reason: "pods_not_ready", again: true, closed: ({ snapshot }) => podsNotReady(snapshot) },
  { reason: "too_few_pods", closed: ({ snapshot }, policy) => tooFewPods(snapshot, policy) },
  { reason: "cooldown", closed: tooSoon },
  { reason: "insufficient_metrics", closed: insufficientMetrics },
  {
    reason: "idle",
    closed: (group, policy) => {
      const verdicts = judgeSignals(group, policy);
      return isIdle(verdicts) ? verdicts.map((verdict) => verdict.load).join(", ") : undefined;
    },
  },
  {
    reason: "ineffective",
    closed: (group, { strategy }) => (strategy === "forecast" ? ineffectiveRotations(group) : undefined),
  },
  {
    reason: "sources_contradict",
    closed: ({ contradiction, ownership }, { strategy }) =>
      strategy === "forecast" ? (contradiction ?? (ownership && contradictionWithin(ownership.group))) : undefined,
  },
  {
    reason: "streams_group",
    closed: whereOwned(({ group: { type, name } }) =>
      type === "streams" ? `${named(name)} is one of Kafka Streams` : undefined,
    ),
  },
  {
    reason: "share_group",
    closed: whereOwned(({ group: { type, name } }) =>
      type === "share" ? `${named(name)} is a share group` : undefined,
    ),
  },
  { reason: "group_unstable", closed: whereOwned(unstable) },
  { reason: "members_unmatched", closed: whereOwned(unmatched) },
  { reason: "few_partitions", closed: whereOwned(fewPartitions) },
  { reason: "stateless_assignor", closed: whereOwned(statelessAssignor) },
  { reason: "static_membership", closed: whereOwned(staticMembers) },
  choiceHold("hot_partition"),
  choiceHold("balanced"),
  choiceHold("not_unusual"),
  choiceHold("no_eligible_target"),
  choiceHold("planning_timeout"),
  choiceHold("no_gain"),
];

/** The first gate that holds the run back; without a choice, of those that come before it. */
export function firstHold(group: Group, policy: Policy, choice?: Choice): Hold | undefined {
  for (const { reason, closed } of GATES) {
    const detail = closed(group, policy, choice);
    if (detail !== undefined) return { reason, detail };
  }
  return undefined;
}

/** The same without metrics, for a fresh look before a removal. */
export function firstWorldHold(snapshot: Snapshot, policy: Policy): Hold | undefined {
  for (const { reason, again, closed } of GATES) {
    const detail = again && closed({ snapshot }, policy);
    if (detail !== undefined) return { reason, detail };
  }
  return undefined;
}

/** Whether so many removals at once would leave fewer Ready pods than must stay. */
export function tooFewPods({ pods }: Pick<Snapshot, "pods">, policy: Policy, removals = 1): Facts {
  const ready = readyPods(pods).length;
  return ready - removals >= policy.minPodsRequired
    ? undefined
    : `${ready} pods are Ready, ${policy.minPodsRequired} must stay (MIN_PODS_REQUIRED)`;
}

/** The Ready pods; a terminating pod has no `readySince`. */
export function readyPods(pods: readonly PodInfo[]): readonly PodInfo[] {
  return pods.filter((pod) => pod.readySince !== undefined);
}

function podsNotReady({ pods, workload }: Snapshot): Facts {
  const { replicas: wanted = pods.length, ordered = false, hindered } = workload ?? {};
  if (hindered !== undefined) return hindered;
  const ready = readyPods(pods).length;
  if (ready >= (ordered ? 1 : READY_SHARE) * wanted) return undefined;
  const matched = pods.length < wanted ? `; ${pods.length} match the selector` : "";
  const inTurn = ordered
    ? "; a StatefulSet does not make a pod again while one of a lower ordinal is not Ready (podManagementPolicy)"
    : "";
  return `${ready} of ${wanted} wanted pods are Ready${matched}${inTurn}`;
}

function tooSoon({ record, snapshot }: Group, policy: Policy): Facts {
  const last = record?.removals.at(-1);
  if (last === undefined) return undefined;
  // A removal "in the future" was recorded after we looked at the pods: it is recent, too.
  const seconds = Math.max(0, (snapshot.observedAt.getTime() - last.at.getTime()) / 1_000);
  if (seconds >= policy.cooldownSeconds) return undefined;
  return `${last.pod} was removed ${formatDuration(Math.round(seconds))} ago; COOLDOWN is ${formatDuration(policy.cooldownSeconds)}`;
}

function insufficientMetrics(group: Group, policy: Policy): Facts {
  const scored = group.pods.some((state) => state.score !== undefined);
  if (scored && group.coverage >= policy.minMetricsCoverage) return undefined;
  const samples = group.signalsInUse.map((signal) => `${signal} ${group.samples[signal] ?? 0}/${group.pods.length}`);
  return `${percent(group.coverage)} of the Ready pods have every signal, ${percent(policy.minMetricsCoverage)} are needed; samples: ${samples.join(", ")}`;
}

/** One that only the strategy asks that looks ahead, where a source says who owns what. */
function whereOwned(gate: (ownership: Ownership, group: Group) => Facts): GroupGate["closed"] {
  return (group, { strategy }) =>
    strategy === "forecast" && group.ownership !== undefined ? gate(group.ownership, group) : undefined;
}

/** Without any member there is nothing that could settle: `unmatched` tells of that. */
function unstable({ group }: Ownership): Facts {
  const { state = "Stable", name, members } = group;
  if (members.length === 0) return undefined;
  return state === "Stable" ? unsettledPartitions(group) : `${named(name)} is ${state}`;
}

function unmatched({ group, podsWithoutMember, mismatch }: Ownership, { pods }: Group): Facts {
  const { state = "Stable", name, members, source } = group;
  if (members.length === 0) return `${named(name)} is ${state} and has no members`;
  if (mismatch !== undefined) return mismatch;
  // A pod that is not Ready has not joined yet, or has left.
  const ready = new Set(pods.filter((pod) => pod.ready).map(({ pod }) => pod.name));
  const without = podsWithoutMember.filter((pod) => ready.has(pod));
  return without.length > 0 ? `${source} knows no member of ${without.join(", ")}` : undefined;
}

function named(group: string | undefined): string {
  return group === undefined ? "the group" : `group ${group}`;
}

/** What speaks against the strategy's own choice. */
function choiceHold(reason: ChoiceHold): GroupGate {
  return { reason, closed: (_group, _policy, choice) => choice?.against[reason] };
}

function suspensionOf({ kind, name, suspendedAs }: Workload): string {
  const odd = suspendedAs === undefined ? "" : ` is ${suspendedAs}, neither "true" nor "false"`;
  return `annotation pod-rebalancer.io/suspend on ${kind}/${name}${odd}`;
}
