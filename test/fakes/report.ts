/** Reports as a run would make them: the group is assessed and decided on by the product itself. */

import { decide } from "../../src/decision/decide.ts";
import { diagnose } from "../../src/forecast/cause.ts";
import { assess } from "../../src/podstate/assess.ts";
import {
  type Decision,
  type Group,
  type PodInfo,
  type Policy,
  type RemovalResult,
  type RemovalStep,
  type RunRecord,
  type RunReport,
  type Signal,
  SIGNALS,
  type Signals,
  type Snapshot,
  type Workload,
} from "../../src/types.ts";
import { POLICY } from "./policy.ts";

const NOW = new Date("2026-11-24T10:00:00.000Z");
const DAY = 86_400;

/** A pod with its samples; absent: none, negative or NaN: rejected. */
export interface PodSpec extends Partial<Record<Signal, number | undefined>> {
  readonly name: string;
  readonly node?: string | undefined;
  readonly ageSeconds?: number;
  readonly state?: "ready" | "starting" | "terminating" | "exempt";
}

const MIB = 1_048_576;

/** Eight consumers of which one is hot and one too young. */
export const UNEVEN: readonly PodSpec[] = (
  [
    ["x2k9q", "node-3", 2 * DAY, 1.92, 48_210, 1_480, 610],
    ["m4tqz", "node-1", 2 * DAY, 0.71, 2_140, 560, 540],
    ["q8w7r", "node-2", 2 * DAY, 0.62, 1_420, 480, 505],
    ["k5p3d", "node-3", 2 * DAY, 0.55, 980, 430, 490],
    ["t7n4s", "node-1", 2 * DAY, 0.5, 830, 410, 470],
    ["h9c6v", "node-2", 2 * DAY, 0.42, 540, 350, 455],
    ["z5l2f", "node-2", 500, 0.33, 410, 260, 475],
    ["b7fzm", "node-1", 27 * 3_600, 0.31, 140, 265, 430],
  ] as const
).map(([suffix, node, ageSeconds, cpu, lag, rate, mebibytes]) => ({
  name: `consumer-5d8f7cc7b5-${suffix}`,
  node,
  ageSeconds,
  cpu,
  lag,
  rate,
  memory: mebibytes * MIB,
}));

/** Eight consumers that are as busy as each other. */
export const EVEN = altered(UNEVEN, () => ({ cpu: 0.5, lag: 1_000 }));

/** The same pods, some of them otherwise. */
export function altered(
  specs: readonly PodSpec[],
  changes: (spec: PodSpec, index: number) => Partial<PodSpec>,
): PodSpec[] {
  return specs.map((spec, index) => Object.assign({}, spec, changes(spec, index)));
}

/** So many pods whose load falls evenly from the first to the last. */
export function manyPods(count: number): PodSpec[] {
  return Array.from({ length: count }, (_pod, index) => ({
    name: `consumer-${String(index).padStart(4, "0")}`,
    node: `node-${index % 50}`,
    cpu: 1 + (count - index) / count,
    lag: 100_000 * (1 - index / count) ** 3,
    rate: 200,
    memory: 400 * MIB,
  }));
}

export interface GroupChanges {
  readonly policy?: Policy;
  readonly record?: RunRecord;
  readonly snapshot?: Partial<Snapshot>;
  /** Left out with `none`. */
  readonly without?: readonly Signal[];
}

const WORKLOAD: Workload = {
  kind: "Deployment",
  namespace: "shop",
  name: "consumer",
  uid: "workload-1",
  replicas: 8,
  minReadySeconds: 0,
  deleting: undefined,
  ordered: false,
  hindered: undefined,
  suspended: false,
  rollout: undefined,
  scaling: undefined,
};

export function groupOf(specs: readonly PodSpec[], changes: GroupChanges = {}): Group {
  const snapshot: Snapshot = {
    observedAt: NOW,
    controllers: ["Deployment/consumer"],
    workload: { ...WORKLOAD, replicas: specs.length },
    pods: specs.map(podOf).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    bare: [],
    ...changes.snapshot,
  };
  const signals = Object.fromEntries(SIGNALS.map((signal) => [signal, samplesOf(signal, specs, changes)])) as Signals;
  const record = changes.record ?? { heldBy: undefined, removals: [], rotations: [] };
  return assess({ snapshot, record, signals }, changes.policy ?? POLICY);
}

function podOf({ name, ageSeconds = 2 * DAY, state = "ready", ...spec }: PodSpec): PodInfo {
  const created = new Date(NOW.getTime() - ageSeconds * 1_000);
  const ready = state === "ready" || state === "exempt";
  return {
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    controller: { kind: "ReplicaSet", name: "consumer-5d8f7cc7b5", uid: "rs-1" },
    namePrefix: "consumer-5d8f7cc7b5-",
    node: "node" in spec ? spec.node : "node-1",
    ip: undefined,
    created,
    terminating: state === "terminating",
    readySince: ready ? new Date(created.getTime() + 5_000) : undefined,
    exempt: state === "exempt",
    graceSeconds: 30,
  };
}

function samplesOf(
  signal: Signal,
  specs: readonly PodSpec[],
  { without = [], snapshot }: GroupChanges,
): Signals[Signal] {
  const unasked = snapshot !== undefined && "workload" in snapshot && snapshot.workload === undefined;
  if (without.includes(signal) || unasked) return undefined;
  const sound = specs.filter((spec) => (spec[signal] ?? -1) >= 0);
  const rejected = specs.filter((spec) => spec[signal] !== undefined && !sound.includes(spec));
  return {
    values: new Map(sound.map((spec) => [spec.name, spec[signal] ?? 0])),
    rejected: rejected.map(({ name }) => name),
  };
}

/** A dry run over the group, every eviction of which the API would accept; `changes` say what was otherwise. */
export function reportOf(group: Group | undefined, changes: Partial<RunReport> = {}, policy = POLICY): RunReport {
  const { decision } = judged(group, policy);
  const removal = decision?.action === "rotate" ? acceptedRemoval(decision) : undefined;
  return {
    runId: "run-1",
    dryRun: true,
    namespace: "shop",
    selector: "app=consumer",
    startedAt: NOW,
    durationMillis: 1_234,
    stepMillis: { observe: 40, lock: 12, fetch: 180, decide: 2, act: 1_000 },
    group,
    ...judged(group, policy),
    removal,
    rotation: undefined,
    reason: decision?.action === "hold" ? decision.reason : "would_rotate",
    detail: decision?.action === "hold" ? decision.detail : "",
    error: undefined,
    exitCode: 0,
    ...changes,
  };
}

function judged(group: Group | undefined, policy: Policy): Pick<RunReport, "diagnosis" | "decision"> {
  if (group === undefined) return { diagnosis: undefined, decision: undefined };
  const diagnosis = group.signalsInUse.length === 0 ? undefined : diagnose(group, policy);
  return { diagnosis, decision: decide(group, policy) };
}

function acceptedRemoval({ targets }: Extract<Decision, { action: "rotate" }>): RemovalResult {
  const why = "the API would accept the eviction";
  const steps = targets.map(({ pod, role }) => ({
    pod: pod.name,
    uid: pod.uid,
    role,
    outcome: "replaced" as const,
    why,
  }));
  return { requested: steps.length, steps, reason: "rotated", detail: "", error: undefined };
}

/** The same removal with other outcomes, in the order of the targets. */
export function withSteps(
  removal: RemovalResult | undefined,
  ...steps: readonly Pick<RemovalStep, "outcome" | "why">[]
): RemovalResult {
  if (removal === undefined) throw new Error("the report has no removal");
  return { ...removal, steps: removal.steps.map((step, index) => ({ ...step, ...steps[index] })) };
}
