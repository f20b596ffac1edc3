/**
 * An API server with one consumer group in it, behind the client's own interface, so that random runs go through all of the
 * adapter. What is so is a function of time: the verifier may ask of any moment what the run could have seen.
 */

import { RebalancerError } from "../../src/errors.ts";
import { createAgreedTime } from "../../src/kubernetes/agreed-time.ts";
import {
  CALL_DEADLINE_MILLIS,
  type KubernetesClient,
  type WireLease,
  type WirePod,
} from "../../src/kubernetes/client.ts";
import type { Clock } from "../../src/ports.ts";
import type { Signal } from "../../src/types.ts";

/** Times are epoch milliseconds; undefined: never. */
export interface ApiPod {
  readonly name: string;
  readonly uid: string;
  readonly created: number;
  readonly ip: string;
  /** Who its owner reference names. */
  readonly owner: "workload" | "another" | "nobody";
  /** Failed or Succeeded: it is listed, and that is all. */
  readonly finished?: boolean;
  readonly readyAt?: number | undefined;
  unreadyAt?: number;
  exemptAt?: number;
  terminatingAt?: number;
  goneAt?: number;
  /** As an exporter shows them; one that is missing has no sample. */
  readonly samples: Partial<Record<Signal, number>>;
}

/** What befalls a call: it throws before or after it took effect, or never ends. */
export interface ApiFault {
  readonly effect: "before" | "after";
  readonly error: RebalancerError | "hang";
}

export type ApiCall = Exclude<keyof KubernetesClient, "createEvent">;

export interface ApiEvent {
  readonly what: "looked" | "read" | "recorded" | "struck" | "released" | "evicted";
  /** Of the pod; "" where it is about none. */
  readonly uid: string;
  readonly at: number;
  /** When the request was sent, by the run's own clock. */
  readonly sent: number;
}

export interface ApiWorld {
  readonly clock: Clock;
  readonly kind: "Deployment" | "StatefulSet";
  /** How its pods name it: through a ReplicaSet, as is usual; without one; or as a kind of another API group. */
  readonly owned: "usual" | "directly" | "elsewhere";
  readonly pods: ApiPod[];
  /** spec.replicas from a moment on, the earliest first. */
  readonly replicas: { readonly from: number; readonly count: number }[];
  /** Since when each is so. */
  readonly since: { suspended?: number; rollout?: number; scaling?: number; deleted?: number };
  lease: WireLease | undefined;
  readonly bootSeconds: number;
  readonly refuses: (pod: string) => boolean;
  /** How far the API server that answers is ahead of the true time, in milliseconds. */
  readonly skewOf: (call: ApiCall, now: number) => number;
  /** How long the n-th such call takes until it takes effect, and from then on, in milliseconds. */
  readonly delayOf: (call: ApiCall, nth: number) => readonly [before: number, after: number];
  readonly faultOf: (call: ApiCall, nth: number) => ApiFault | undefined;
  readonly history: ApiEvent[];
  /** See `nextMoment`. */
  moment: number;
}

const NAMESPACE = "shop";
const LABELS = { app: "orders" };
const WORKLOAD = { name: "orders", uid: "workload-1" };
const REPLICA_SET = { name: "orders-5d8f7c9b", uid: "rs-1" };
const RECORD = "pod-rebalancer.io/removals";

/** Whether something that begins at `since` is so. */
export function reached(since: number | undefined, at: number): boolean {
  return since !== undefined && since <= at;
}

function isThere({ created, goneAt }: ApiPod, at: number): boolean {
  return created <= at && !reached(goneAt, at);
}

export function isReady(pod: ApiPod, at: number): boolean {
  const { readyAt, unreadyAt, terminatingAt, finished = false } = pod;
  return (
    !finished && isThere(pod, at) && reached(readyAt, at) && !reached(unreadyAt, at) && !reached(terminatingAt, at)
  );
}

/** The group's pods at that moment, those that terminate included. */
export function groupAt({ pods }: ApiWorld, at: number): ApiPod[] {
  return pods.filter((pod) => isThere(pod, at) && pod.owner !== "nobody" && pod.finished !== true);
}

export function replicasAt({ replicas }: ApiWorld, at: number): number {
  return replicas.findLast(({ from }) => from <= at)?.count ?? 0;
}

/** The controller makes another pod, if fewer are left than it wants, and if it makes any at all. */
export function replace(world: ApiWorld, gone: ApiPod, at: number): void {
  const { pods, kind, bootSeconds, since, owned } = world;
  if (owned !== "usual" || gone.owner !== "workload" || reached(since.deleted, at)) return;
  const left = groupAt(world, at).filter(({ terminatingAt }) => !reached(terminatingAt, at)).length;
  if (left >= replicasAt(world, at)) return;
  const created = kind === "StatefulSet" ? (gone.goneAt ?? at) : at;
  const number = pods.length;
  pods.push({
    name: kind === "StatefulSet" ? gone.name : `${REPLICA_SET.name}-n${String(number).padStart(4, "0")}`,
    uid: `new-${number}`,
    created,
    ip: `10.0.1.${number}`,
    owner: "workload",
    readyAt: Number.isFinite(bootSeconds) ? created + bootSeconds * 1_000 : undefined,
    samples: { cpu: 0.5, lag: 1_000, rate: 200, memory: 5e8 },
  });
}

const STOP_MILLIS = 3_000;

/** The pod stops; its controller sees to another. */
export function stop(world: ApiWorld, pod: ApiPod, at: number): void {
  pod.terminatingAt = at;
  pod.goneAt = at + STOP_MILLIS;
  replace(world, pod, at);
}

function time(at: number): string {
  return new Date(Math.floor(at / 1_000) * 1_000).toISOString().replace(".000Z", "Z");
}

function ownerOf({ kind, owned }: ApiWorld, { owner }: ApiPod) {
  if (owner === "nobody") return undefined;
  if (owner === "another") return { apiVersion: "apps/v1", kind: "DaemonSet", name: "agents", uid: "ds-1" };
  if (owned === "elsewhere") return { apiVersion: "apps.example.io/v1", kind, ...WORKLOAD };
  if (kind === "StatefulSet" || owned === "directly") return { apiVersion: "apps/v1", kind, ...WORKLOAD };
  return { apiVersion: "apps/v1", kind: "ReplicaSet", ...REPLICA_SET };
}

interface PodFlags {
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly exempt: boolean;
}

function podShown(world: ApiWorld, pod: ApiPod, { ready, terminating, exempt }: PodFlags): WirePod {
  const owner = ownerOf(world, pod);
  const status = ready ? "True" : "False";
  return {
    kind: "Pod",
    metadata: {
      namespace: NAMESPACE,
      name: pod.name,
      uid: pod.uid,
      labels: LABELS,
      creationTimestamp: time(pod.created),
      ...(exempt && { annotations: { "pod-rebalancer.io/exempt": "true" } }),
      ...(terminating && { deletionTimestamp: time(pod.goneAt ?? pod.created) }),
      ...(owner && { ownerReferences: [{ ...owner, controller: true }] }),
    },
    spec: { containers: [], nodeName: "node-1", terminationGracePeriodSeconds: 30 },
    status: {
      phase: pod.finished ? "Failed" : "Running",
      podIP: pod.ip,
      conditions: [{ type: "Ready", status, lastTransitionTime: time(pod.readyAt ?? pod.created) }],
    },
  };
}

/** What a pod was last shown as, and why so: most looks find most pods as they were. */
const SHOWN = new WeakMap<ApiPod, readonly [state: number, shown: WirePod]>();

function podObject(world: ApiWorld, pod: ApiPod, at: number): WirePod {
  const ready = isReady(pod, at);
  const [terminating, exempt] = [reached(pod.terminatingAt, at), reached(pod.exemptAt, at)];
  const state = Number(ready) + 2 * Number(terminating) + 4 * Number(exempt);
  const [earlier, shown] = SHOWN.get(pod) ?? [];
  if (shown !== undefined && earlier === state) return shown;
  const object = podShown(world, pod, { ready, terminating, exempt });
  SHOWN.set(pod, [state, object]);
  return object;
}

function workloadObject(world: ApiWorld, at: number) {
  const { since, kind } = world;
  const replicas = replicasAt(world, at);
  const own = groupAt(world, at).filter(({ terminatingAt }) => !reached(terminatingAt, at)).length;
  const rolling = reached(since.rollout, at);
  return {
    kind,
    metadata: {
      ...WORKLOAD,
      generation: 1,
      ...(reached(since.suspended, at) && { annotations: { "pod-rebalancer.io/suspend": "true" } }),
      ...(reached(since.deleted, at) && { deletionTimestamp: time(since.deleted ?? at) }),
    },
    spec: { replicas, selector: {}, template: {}, serviceName: WORKLOAD.name },
    status: {
      observedGeneration: 1,
      replicas: own,
      updatedReplicas: rolling ? own - 1 : own,
      currentRevision: "a",
      updateRevision: rolling ? "b" : "a",
    },
  };
}

/** Removals that a Lease records, by UID. */
function recordedIn(lease: WireLease | undefined): ReadonlySet<string> {
  const text = lease?.metadata?.annotations?.[RECORD] ?? "[]";
  return new Set((JSON.parse(text) as { uid: string }[]).map(({ uid }) => uid));
}

export function isRecorded({ lease }: ApiWorld, uid: string): boolean {
  return recordedIn(lease).has(uid);
}

function failure(code: number, message: string, causes: readonly object[] = []): RebalancerError {
  const body = JSON.stringify({ kind: "Status", status: "Failure", code, message, details: { causes } });
  const codes = { 404: "NOT_FOUND", 409: "CONFLICT", 429: "THROTTLED" } as const;
  return new RebalancerError(codes[code as 404], `HTTP ${code}: ${message}`, {
    reply: { status: code, headers: {}, body },
  });
}

/** In milliseconds; a thousand calls fit into one. */
const A_MOMENT = 1 / 1_024;

/** Later than whatever happened before, though the clock stands still while nobody waits. */
export function nextMoment(world: ApiWorld): number {
  world.moment = (world.moment + A_MOMENT) % 1;
  return world.clock.now().getTime() + world.moment;
}

/** Takes down what a call brought about. */
type Happened = (what: ApiEvent["what"], uid?: string) => void;

/** The client of one run. */
export function apiClient(world: ApiWorld): KubernetesClient {
  const { clock, history, pods } = world;
  const agreedTime = createAgreedTime();
  const counts = new Map<ApiCall, number>();
  let version = 0;

  async function serve<Value>(call: ApiCall, signal: AbortSignal, work: (at: number, happened: Happened) => Value) {
    signal.throwIfAborted();
    const nth = counts.get(call) ?? 0;
    counts.set(call, nth + 1);
    const [before, after] = world.delayOf(call, nth);
    const fault = world.faultOf(call, nth);
    const sent = clock.now();
    const fail = async (): Promise<never> => {
      if (fault !== undefined && fault.error !== "hang") throw fault.error;
      await clock.sleep(CALL_DEADLINE_MILLIS, signal);
      throw new RebalancerError("DEADLINE_EXCEEDED", `${call}: no whole answer within 10 s`);
    };
    if (before > 0) await clock.sleep(before, signal);
    if (fault?.effect === "before") await fail();
    const at = nextMoment(world);
    const value = work(at, (what, uid = "") => void history.push({ what, uid, at, sent: sent.getTime() }));
    const date = new Date(Math.floor((at + world.skewOf(call, at)) / 1_000) * 1_000);
    if (after > 0) await clock.sleep(after, signal);
    if (fault?.effect === "after") await fail();
    const reading = { what: call, date, sent, came: clock.now() };
    return {
      value,
      get at() {
        return agreedTime(reading);
      },
    };
  }

  /** Keeps the Lease, and takes down what of its record changed. */
  function store(lease: WireLease, happened: Happened): void {
    const [earlier, later] = [recordedIn(world.lease), recordedIn(lease)];
    version += 1;
    world.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(version) } };
    for (const uid of later) if (!earlier.has(uid)) happened("recorded", uid);
    for (const uid of earlier) if (!later.has(uid)) happened("struck", uid);
    if (lease.spec?.holderIdentity === "") happened("released");
  }

  return {
    listPods: ({ keep }, signal) =>
      serve("listPods", signal, (at, happened) => {
        happened("looked");
        return pods.filter((pod) => isThere(pod, at)).map((pod) => keep(podObject(world, pod, at)));
      }),
    listAutoscalers: ({ keep }, signal) =>
      serve("listAutoscalers", signal, (at) => {
        const wants = reached(world.since.scaling, at) ? replicasAt(world, at) + 1 : replicasAt(world, at);
        const target = { apiVersion: "apps/v1", kind: world.kind, name: WORKLOAD.name };
        return [
          {
            metadata: { name: "hpa" },
            spec: { maxReplicas: 99, scaleTargetRef: target },
            status: { desiredReplicas: wants },
          },
        ].map((one) => keep(one));
      }),
    getPod: ({ name }, signal) =>
      serve("getPod", signal, (at, happened) => {
        const pod = pods.find((one) => one.name === name && isThere(one, at));
        if (pod) happened("read", pod.uid);
        return pod && podObject(world, pod, at);
      }),
    getReplicaSet: async (_ref, signal) => {
      const ownerReferences = [{ apiVersion: "apps/v1", kind: "Deployment", ...WORKLOAD, controller: true }];
      const { value } = await serve("getReplicaSet", signal, () => ({ metadata: { ...REPLICA_SET, ownerReferences } }));
      return value;
    },
    getDeployment: async (_ref, signal) =>
      (await serve("getDeployment", signal, (at) => workloadObject(world, at))).value,
    getStatefulSet: async (_ref, signal) =>
      (await serve("getStatefulSet", signal, (at) => workloadObject(world, at))).value,
    async createEviction({ name, uid }, _options, signal) {
      await serve("createEviction", signal, (at, happened) => {
        const pod = pods.find((one) => one.name === name && isThere(one, at));
        if (pod === undefined) throw failure(404, "not found");
        if (pod.uid !== uid) throw failure(409, "the UID differs");
        if (world.refuses(name)) throw failure(429, "Cannot evict pod", [{ reason: "DisruptionBudget" }]);
        if (reached(pod.terminatingAt, at)) return;
        happened("evicted", uid);
        stop(world, pod, at);
      });
    },
    getLease: (_ref, signal) => serve("getLease", signal, () => world.lease),
    async createLease(_ref, lease, signal) {
      await serve("createLease", signal, (_at, happened) => {
        if (world.lease) throw failure(409, "it exists");
        store(lease, happened);
      });
    },
    async updateLease(_ref, lease, signal) {
      await serve("updateLease", signal, (_at, happened) => {
        if (!world.lease) throw failure(404, "no such lease");
        if (lease.metadata?.resourceVersion !== world.lease.metadata?.resourceVersion) throw failure(409, "modified");
        store(lease, happened);
      });
    },
    mayI: async (_right, signal) => (await serve("mayI", signal, () => true)).value,
    async createEvent() {},
  };
}
