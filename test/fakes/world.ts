/** An in-memory group of pods behind the product's own interfaces, with a history of what was done. */

import { RebalancerError } from "../../src/errors.ts";
import type { Clock, Cluster, EvictReply, HeldLock, Lock, MetricsSource } from "../../src/ports.ts";
import type {
  ControllerRef,
  PodInfo,
  PodRef,
  Removal,
  Rotation,
  Signal,
  Signals,
  SignalSamples,
  Snapshot,
  Workload,
} from "../../src/types.ts";

export interface FakePod {
  readonly name: string;
  readonly uid: string;
  readonly created: number;
  /** Epoch milliseconds; Infinity: never Ready. */
  readyAt: number;
  terminatingAt?: number;
  goneAt?: number;
  exempt?: boolean;
  exemptAs?: string;
  graceSeconds?: number;
  controlled?: boolean;
  /** Raw samples, as an exporter would show them: NaN and negative ones included; absent: no sample. */
  samples: Partial<Record<Signal, number>>;
}

/** A call that goes wrong: it throws, or never answers until it is cancelled. */
export type Fault = RebalancerError | "hang";
export type FaultPoint = "observe" | "lock" | "fetch" | "group" | "remember" | "removing" | "evict" | "release";

export interface WorldEvent {
  readonly what: "evicted" | "recorded" | "struck" | "released";
  readonly uid: string;
  readonly at: number;
  /** The world just before an eviction took effect. */
  readonly before?: Snapshot;
}

export interface World {
  readonly clock: Clock;
  pods: FakePod[];
  workload: Workload;
  /** A second controller among the pods makes the group ambiguous. */
  foreignController?: ControllerRef;
  removals: Removal[];
  rotations: readonly Rotation[];
  heldBy?: string;
  /** Seconds until a replacement is Ready; Infinity: never. */
  bootSeconds: number;
  /** Answers of the eviction API, by pod name. */
  budget: (pod: string) => string | undefined;
  /** The n-th call (from 0) of a point that goes wrong. */
  faults: Partial<Record<FaultPoint, (call: number) => Fault | undefined>>;
  /** Evictions that fail after they took effect (a reset on the way back). */
  lost: AbortController;
  readonly history: WorldEvent[];
  readonly calls: Record<FaultPoint, number>;
  /** How often all metrics were read with success. */
  metricsRead: number;
}

const WORKLOAD: Workload = {
  kind: "Deployment",
  namespace: "shop",
  name: "orders",
  uid: "workload-1",
  replicas: 0,
  minReadySeconds: 0,
  deleting: undefined,
  ordered: false,
  hindered: undefined,
  suspended: false,
  rollout: undefined,
  scaling: undefined,
};

export function createWorld(clock: Clock, pods: FakePod[], changes: Partial<World> = {}): World {
  return {
    clock,
    pods,
    workload: { ...WORKLOAD, replicas: pods.filter((pod) => pod.controlled !== false).length },
    removals: [],
    rotations: [],
    bootSeconds: 4,
    budget: () => undefined,
    faults: {},
    lost: new AbortController(),
    history: [],
    metricsRead: 0,
    calls: { observe: 0, lock: 0, group: 0, remember: 0, fetch: 0, removing: 0, evict: 0, release: 0 },
    ...changes,
  };
}

/** A pod that has been Ready for two days, with plain samples. */
export function steadyPod(clock: Clock, name: string, changes: Partial<FakePod> = {}): FakePod {
  const created = clock.now().getTime() - 2 * 86_400_000;
  return {
    name,
    uid: `uid-${name}`,
    created,
    readyAt: created + 5_000,
    samples: { cpu: 0.5, lag: 1_000, rate: 200, memory: 5e8 },
    ...changes,
  };
}

export function snapshotOf(world: World): Snapshot {
  const now = world.clock.now().getTime();
  const living = world.pods.filter((pod) => (pod.goneAt ?? Number.POSITIVE_INFINITY) > now);
  const controlled = living.filter((pod) => pod.controlled !== false);
  const own: ControllerRef = { kind: "ReplicaSet", name: "orders-5d8f7c9b", uid: "rs-1" };
  const pods = controlled
    .map((pod, index): PodInfo => {
      const terminating = pod.terminatingAt !== undefined && pod.terminatingAt <= now;
      return {
        namespace: world.workload.namespace,
        name: pod.name,
        uid: pod.uid,
        controller: index === 0 ? (world.foreignController ?? own) : own,
        namePrefix: "orders-5d8f7c9b-",
        node: "node-1",
        ip: undefined,
        created: new Date(pod.created),
        terminating,
        readySince: !terminating && pod.readyAt <= now ? new Date(pod.readyAt) : undefined,
        exempt: pod.exempt ?? false,
        exemptAs: pod.exemptAs,
        graceSeconds: pod.graceSeconds ?? 30,
      };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const mine = `${world.workload.kind}/${world.workload.name}`;
  const foreign = world.foreignController;
  const controllers = [...(pods.length > 0 ? [mine] : []), ...(foreign ? [`${foreign.kind}/${foreign.name}`] : [])];
  return {
    observedAt: new Date(now),
    controllers,
    workload: controllers.length === 1 ? world.workload : undefined,
    pods,
    bare: living.filter((pod) => pod.controlled === false).map((pod) => pod.name),
  };
}

export function fakeCluster(world: World): Cluster {
  return {
    async observe(signal) {
      await misbehave(world, "observe", signal);
      return snapshotOf(world);
    },
    async lock(_workload, signal): Promise<Lock | HeldLock> {
      await misbehave(world, "lock", signal);
      if (world.heldBy !== undefined)
        return { heldBy: world.heldBy, removals: world.removals, rotations: world.rotations };
      return fakeLock(world);
    },
    async evict(pod, objection, signal): Promise<EvictReply> {
      signal.throwIfAborted();
      const why = world.budget(pod.name);
      const { pods, observedAt } = snapshotOf(world);
      const found = pods.find(({ uid }) => uid === pod.uid);
      if (found === undefined || found.terminating) return { outcome: "gone" };
      const spared = objection(found, observedAt);
      if (spared !== undefined) return { outcome: "spared", why: spared };
      if (why !== undefined) return { outcome: "refused", reason: "blocked_by_pdb", why };
      const fault = world.faults.evict?.(world.calls.evict);
      // An unclear eviction did happen here: the hardest case for the caller.
      if (fault === undefined || (fault !== "hang" && fault.code === "EVICTION_UNCLEAR")) remove(world, pod);
      // It was sent: from here on the signal no longer counts.
      await misbehave(world, "evict", new AbortController().signal);
      return { outcome: "accepted" };
    },
  };
}

/** Evicts: the pod terminates, and its controller makes another at once, if fewer than it wants are left. */
function remove(world: World, pod: PodRef): void {
  const now = world.clock.now().getTime();
  world.history.push({ what: "evicted", uid: pod.uid, at: now, before: snapshotOf(world) });
  const victim = world.pods.find(({ uid }) => uid === pod.uid);
  if (victim === undefined) return;
  victim.terminatingAt = now;
  victim.goneAt = now + Math.min(victim.graceSeconds ?? 30, 3) * 1_000;
  const left = world.pods.filter((one) => one.controlled !== false && one.terminatingAt === undefined);
  if (left.length >= world.workload.replicas) return;
  const ordinal = world.history.length;
  world.pods.push({
    ...steadyPod(world.clock, `orders-5d8f7c9b-new${ordinal}`),
    created: now,
    readyAt: now + world.bootSeconds * 1_000,
  });
}

function fakeLock(world: World): Lock {
  return {
    heldBy: undefined,
    removals: [...world.removals],
    rotations: world.rotations,
    lost: world.lost.signal,
    async removing(pod) {
      await misbehave(world, "removing", world.lost.signal);
      world.lost.signal.throwIfAborted();
      const at = world.clock.now();
      world.removals.push({ at, pod: pod.name, uid: pod.uid });
      world.history.push({ what: "recorded", uid: pod.uid, at: at.getTime() });
    },
    confirm: () => world.lost.signal.throwIfAborted(),
    async refused(pod) {
      world.lost.signal.throwIfAborted();
      world.removals = world.removals.filter(({ uid }) => uid !== pod.uid);
      world.history.push({ what: "struck", uid: pod.uid, at: world.clock.now().getTime() });
    },
    async remember(rotations) {
      await misbehave(world, "remember", world.lost.signal);
      world.lost.signal.throwIfAborted();
      world.rotations = rotations;
    },
    async release() {
      world.history.push({ what: "released", uid: world.workload.uid, at: world.clock.now().getTime() });
    },
  };
}

/** The samples of every pod that ever was, also of those that are gone: exporters forget slowly. */
export function fakeMetrics(world: World, leftOut: readonly Signal[] = []): MetricsSource {
  const samplesOf = (signal: Signal): SignalSamples | undefined => {
    if (leftOut.includes(signal)) return undefined;
    const raw = world.pods.flatMap((pod) => {
      const value = pod.samples[signal];
      return value === undefined ? [] : [[pod.name, value] as const];
    });
    return { values: new Map(raw.filter(sound)), rejected: raw.filter((row) => !sound(row)).map(([name]) => name) };
  };
  return {
    async fetch(_pods, signal): Promise<Signals> {
      await misbehave(world, "fetch", signal);
      world.metricsRead += 1;
      return {
        cpu: samplesOf("cpu"),
        lag: samplesOf("lag"),
        rate: samplesOf("rate"),
        memory: samplesOf("memory"),
      };
    },
  };
}

function sound([, value]: readonly [string, number]): boolean {
  return Number.isFinite(value) && value >= 0;
}

async function misbehave(world: World, point: FaultPoint, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const fault = world.faults[point]?.(world.calls[point]);
  world.calls[point] += 1;
  if (fault === undefined) return;
  if (fault !== "hang") throw fault;
  if (point === "evict") throw new RebalancerError("EVICTION_FAILED", "the pod still runs");
  if (point === "removing") throw new RebalancerError("DEADLINE_EXCEEDED", "the API server does not answer");
  // The rest may hang for as long as the run lets them.
  await new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
