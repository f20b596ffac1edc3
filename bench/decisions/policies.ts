/** What decides which pods go: the product, and what it is compared with. */

import { loadConfig } from "../../src/config/load.ts";
import type { GroupSource, Narrator } from "../../src/ports.ts";
import { shuffled } from "../../src/random.ts";
import { rebalance } from "../../src/rebalance.ts";
import {
  addSuccessor,
  endPod,
  isReady,
  isTerminating,
  livingPods,
  type SimulatedPod,
  stopPod,
} from "../../src/simulation/kubernetes-world.ts";
import type { Simulation } from "../../src/simulation/simulation.ts";
import { NOT_REMOVED, type Policy, type RunReport, type Spread } from "../../src/types.ts";

/** How a policy acts in one simulated group. */
export interface Circumstances {
  /** Whether `balanced` asks its thresholds. */
  readonly gate: "on" | "off";
  /** MAX_PODS_TO_DELETE of the product's own runs. */
  readonly maxPods: number;
  /** Whether several pods go at once, or each once the one before is replaced. The product removes one at a time whatever this says. */
  readonly atOnce: boolean;
}

/** What one action did. */
export interface Acted {
  readonly podsRemoved: number;
  /** What the product expected of it, where it made a forecast and acted: imbalance after / before. */
  readonly expected?: Spread | undefined;
}

/** Acts once. */
type Act = (simulation: Simulation, circumstances: Circumstances) => Promise<Acted>;

const NOTHING: Acted = { podsRemoved: 0 };

export const POLICIES = {
  /** The product's own run. */
  balanced: async (simulation, { gate, maxPods: maxPodsToDelete }) => {
    const ungated = gate === "off" && { cpuVarianceThreshold: 0, lagVarianceThreshold: 0 };
    return actedIn(await runProduct(simulation, { maxPodsToDelete, ...ungated }));
  },
  /** The same, looking ahead. */
  forecast: async (simulation, { maxPods: maxPodsToDelete }) =>
    actedIn(await runProduct(simulation, { strategy: "forecast", maxPodsToDelete })),
  /** The same where nobody says who owns what. */
  "forecast-unowned": async (simulation) =>
    actedIn(await runProduct({ ...simulation, groupSource: UNKNOWN }, { strategy: "forecast" })),
  nothing: async () => NOTHING,
  /** Two pods by chance. */
  random: (simulation, { atOnce }) =>
    remove(simulation, shuffled(byRate(simulation), simulation.world.random).slice(0, 2), atOnce),
  /** The pod with the highest consumption rate. */
  busiest: (simulation, { atOnce }) => remove(simulation, byRate(simulation).slice(0, 1), atOnce),
  /** The two with the highest and the two with the lowest, as PostHog's tool has it. */
  "top-2-bottom-2": (simulation, { atOnce }) => {
    const pods = byRate(simulation);
    return remove(simulation, [...pods.slice(0, 2), ...pods.slice(2).slice(-2)], atOnce);
  },
  /** `kubectl rollout restart`, with a Deployment's defaults: a quarter of the pods more, and a quarter fewer. */
  "rollout-restart": restart,
  /** Not to be had: what the best assignment of equal numbers of partitions would come to. */
  "best-possible": async () => NOTHING,
} as const satisfies Record<string, Act>;

export type PolicyName = keyof typeof POLICIES;

/** Has nothing to say of any group. */
const UNKNOWN: GroupSource = { name: "client-metrics", read: async () => undefined };

const NEVER = new AbortController().signal;
const SILENT: Narrator = { debug() {}, info() {}, warn() {}, error() {} };
const IDENTITY = { runId: "bench", dryRun: false, namespace: "shop", selector: "app=consumer" };

/** What a run obeys that is told nothing. */
export const { policy: DEFAULTS } = await loadConfig("plan", [], { env: {} });

/**
 * @param changes - of the defaults.
 * @throws Error when the run failed: a bench of failures measures nothing.
 */
export async function runProduct(simulation: Simulation, changes: Partial<Policy> = {}): Promise<RunReport> {
  const { cluster, metrics, groupSource, historySource: history, clock } = simulation;
  const policy = { ...DEFAULTS, ...changes };
  const forecast = policy.strategy === "forecast" && { groups: [groupSource], history };
  const ports = { cluster, metrics, ...forecast, clock, narrator: SILENT, sinks: [] };
  const report = await rebalance(IDENTITY, ports, policy, NEVER);
  if (report.error !== undefined) throw report.error;
  return report;
}

function actedIn({ removal, rotation }: RunReport): Acted {
  const removed = removal?.steps.filter(({ outcome }) => !NOT_REMOVED.includes(outcome)) ?? [];
  const { expected, before = 1 } = rotation ?? {};
  if (expected === undefined) return { podsRemoved: removed.length };
  const ratios = { p10: expected.p10 / before, p50: expected.p50 / before, p90: expected.p90 / before };
  return { podsRemoved: removed.length, expected: ratios };
}

/** The pods, by what the metrics say of their consumption, the highest first. */
function byRate(simulation: Simulation): SimulatedPod[] {
  const rates = simulation.readings("rate");
  return livingPods(simulation.world, simulation.clock.now()).toSorted(
    (a, b) => (rates.get(b.name) ?? 0) - (rates.get(a.name) ?? 0),
  );
}

async function remove(simulation: Simulation, pods: readonly SimulatedPod[], atOnce: boolean): Promise<Acted> {
  for (const pod of pods) {
    stopPod(simulation.world, pod, simulation.clock.now());
    if (!atOnce) await allReady(simulation);
  }
  await allReady(simulation);
  return { podsRemoved: pods.length };
}

/** Longer than any replacement takes here. */
const PATIENCE_SECONDS = 600;

/** Waits until as many pods as wanted are Ready and none is terminating, and a rebalance's time longer. */
async function allReady({ world, clock }: Simulation): Promise<void> {
  const [workload] = world.workloads;
  for (let waited = 0; waited < PATIENCE_SECONDS; waited += 1) {
    const now = clock.now();
    const pods = livingPods(world, now);
    const ready = pods.filter((pod) => isReady(pod, now)).length;
    if (ready >= (workload?.replicas ?? 0) && !pods.some((pod) => isTerminating(pod, now))) break;
    await clock.sleep(1_000, NEVER);
  }
  await clock.sleep(10_000, NEVER);
}

async function restart(simulation: Simulation): Promise<Acted> {
  const { world, clock } = simulation;
  const old = livingPods(world, clock.now());
  const surge = Math.ceil(old.length / 4);
  const unavailable = Math.floor(old.length / 4);
  const waiting = [...old];
  let created = 0;
  while (waiting.length > 0) {
    const now = clock.now();
    const pods = livingPods(world, now).filter((pod) => !isTerminating(pod, now));
    const mayCreate = Math.min(old.length - created, old.length + surge - pods.length);
    for (let count = 0; count < mayCreate; count += 1) addSuccessor(world, old[count] as SimulatedPod, now);
    created += Math.max(0, mayCreate);
    const ready = pods.filter((pod) => isReady(pod, now)).length;
    for (const pod of waiting.splice(0, Math.max(0, ready - (old.length - unavailable)))) endPod(world, pod, now);
    await clock.sleep(1_000, NEVER);
  }
  await allReady(simulation);
  return { podsRemoved: old.length };
}
