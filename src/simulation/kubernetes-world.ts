/**
 * What the in-memory Kubernetes API shows: a few workloads, their pods, and what guards them. Plain mutable data, so that a
 * test can make of it what it likes. A pod's state follows from its times and the present; nothing needs a timer.
 */

import type { WireEvent, WireLease } from "../kubernetes/client.ts";
import { type Random, randomPodSuffix, randomUuid, seededRandom } from "../random.ts";

export interface SimulatedWorkload {
  /** Pods of a Deployment belong to its one ReplicaSet; those of any other kind belong to it directly. */
  readonly kind: "Deployment" | "StatefulSet" | "DaemonSet";
  readonly name: string;
  readonly uid: string;
  replicas: number;
  minReadySeconds: number;
  annotations: Readonly<Record<string, string>>;
  /** Of its `replicas`, those that run the newest template. */
  updatedReplicas: number;
  /** Whether its consumers are static members: each has its pod's name for a group.instance.id (KIP-345). */
  readonly staticMembers: boolean;
}

export interface SimulatedPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly workload: SimulatedWorkload | undefined;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  graceSeconds: number;
  phase: "Running" | "Succeeded" | "Failed";
  /** The pod is not there before. */
  created: Date;
  /** undefined: never. */
  readyAt: Date | undefined;
  /** From here on it stops … */
  terminatingAt: Date | undefined;
  /** … and from here on it is no more. */
  goneAt: Date | undefined;
}

/** A PodDisruptionBudget with `maxUnavailable`. */
export interface SimulatedBudget {
  readonly name: string;
  readonly matchLabels: Readonly<Record<string, string>>;
  maxUnavailable: number;
  /** Until when each disruption counts that was granted to an eviction that then failed. */
  charges: Date[];
}

export interface SimulatedAutoscaler {
  readonly name: string;
  readonly target: Pick<SimulatedWorkload, "kind" | "name">;
  desiredReplicas: number;
}

export interface KubernetesWorld {
  /** Other namespaces are empty. */
  readonly namespace: string;
  readonly workloads: SimulatedWorkload[];
  /** In order of creation; those that are gone stay here. */
  readonly pods: SimulatedPod[];
  readonly budgets: SimulatedBudget[];
  readonly autoscalers: SimulatedAutoscaler[];
  /** By name, as the API server keeps them. */
  readonly leases: Map<string, WireLease>;
  readonly events: WireEvent[];
  /** Rights that are missing: "list pods", "create pods/eviction". */
  readonly missingRights: Set<string>;
  /** How long a new pod takes until it is Ready; Infinity: it never is. */
  bootSeconds: number;
  /** How long a pod takes to stop, if its grace period is not shorter. */
  stopSeconds: number;
  readonly random: Random;
}

export type WorldSettings = Pick<KubernetesWorld, "namespace"> &
  Partial<Pick<KubernetesWorld, "bootSeconds" | "stopSeconds">> & { readonly seed?: number };

/** A namespace with nothing in it. */
export function createWorld({ namespace, bootSeconds = 8, stopSeconds = 2, seed = 1 }: WorldSettings): KubernetesWorld {
  return {
    namespace,
    bootSeconds,
    stopSeconds,
    random: seededRandom(seed),
    workloads: [],
    pods: [],
    budgets: [],
    autoscalers: [],
    leases: new Map(),
    events: [],
    missingRights: new Set(),
  };
}

export interface WorkloadSettings {
  readonly kind?: SimulatedWorkload["kind"];
  readonly staticMembers?: boolean;
  readonly name: string;
  readonly replicas: number;
  /** Of its pods. */
  readonly labels: Readonly<Record<string, string>>;
  /** When its pods were created; they were Ready soon after. */
  readonly created: Date;
}

/** Adds a workload with all of its pods Ready. */
export function addWorkload(world: KubernetesWorld, settings: WorkloadSettings): SimulatedWorkload {
  const { kind = "Deployment", name, replicas, labels, created, staticMembers = false } = settings;
  const workload: SimulatedWorkload = {
    kind,
    name,
    uid: randomUuid(world.random),
    replicas,
    minReadySeconds: 0,
    annotations: {},
    updatedReplicas: replicas,
    staticMembers,
  };
  world.workloads.push(workload);
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    addPod(world, { name: podName(world, workload, ordinal), workload, labels, created });
  }
  return workload;
}

const NODES = 3;

/** Adds a pod that runs, Ready as long after it was created as a new one takes, unless `changes` say otherwise. */
export function addPod(
  world: KubernetesWorld,
  changes: Pick<SimulatedPod, "name" | "created" | "labels"> & Partial<SimulatedPod>,
): SimulatedPod {
  const pod: SimulatedPod = {
    uid: randomUuid(world.random),
    node: `node-${(world.pods.length % NODES) + 1}`,
    workload: undefined,
    annotations: {},
    graceSeconds: 30,
    phase: "Running",
    readyAt: after(changes.created, world.bootSeconds),
    terminatingAt: undefined,
    goneAt: undefined,
    ...changes,
  };
  world.pods.push(pod);
  return pod;
}

/** The pods that are there, those that are stopping included, in name order. */
export function livingPods(world: KubernetesWorld, now: Date): SimulatedPod[] {
  return world.pods.filter((pod) => isThere(pod, now)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Created, and not gone yet. */
export function isThere({ created, goneAt }: SimulatedPod, now: Date): boolean {
  return created <= now && !reached(goneAt, now);
}

export function isReady(pod: SimulatedPod, now: Date): boolean {
  return pod.phase === "Running" && reached(pod.readyAt, now) && !isTerminating(pod, now);
}

export function isTerminating({ terminatingAt }: SimulatedPod, now: Date): boolean {
  return reached(terminatingAt, now);
}

/**
 * The pod stops, and its controller sees to another: a Deployment at once, a StatefulSet under the same name once the pod is
 * gone, nobody for a pod without a controller. Nothing happens to a pod that is stopping already.
 */
export function stopPod(world: KubernetesWorld, pod: SimulatedPod, now: Date): void {
  if (pod.terminatingAt !== undefined) return;
  const goneAt = endPod(world, pod, now);
  if (pod.workload !== undefined) addSuccessor(world, pod, pod.workload.kind === "StatefulSet" ? goneAt : now);
}

/** The pod stops, and nobody sees to another. @returns when it is gone. */
export function endPod(world: KubernetesWorld, pod: SimulatedPod, now: Date): Date {
  const goneAt = after(now, Math.min(world.stopSeconds, pod.graceSeconds));
  pod.terminatingAt = now;
  pod.goneAt = goneAt;
  return goneAt;
}

/** A new pod like this one, of the same controller. */
export function addSuccessor(
  world: KubernetesWorld,
  { workload, name, labels, graceSeconds }: SimulatedPod,
  created: Date,
): void {
  addPod(world, {
    name: workload?.kind === "Deployment" ? podName(world, workload, world.pods.length) : name,
    workload,
    labels,
    graceSeconds,
    created,
    readyAt: Number.isFinite(world.bootSeconds) ? after(created, world.bootSeconds) : undefined,
  });
}

function podName(world: KubernetesWorld, workload: SimulatedWorkload, ordinal: number): string {
  if (workload.kind === "StatefulSet") return `${workload.name}-${ordinal}`;
  return `${generateNameOf(workload)}${randomPodSuffix(world.random)}`;
}

/** What the names of its pods begin with. */
export function generateNameOf(workload: SimulatedWorkload): string {
  return workload.kind === "Deployment" ? `${replicaSetNameOf(workload)}-` : `${workload.name}-`;
}

export function replicaSetNameOf({ name, uid }: SimulatedWorkload): string {
  return `${name}-${uid.slice(-10)}`;
}

function after(date: Date, seconds: number): Date {
  return new Date(date.getTime() + seconds * 1_000);
}

function reached(date: Date | undefined, now: Date): boolean {
  return date !== undefined && date <= now;
}
