/** The simulated Kubernetes behind the product's own interface, without a server in between. */

import type { Clock, Cluster, EvictReply, Lock } from "../ports.ts";
import type { PodInfo, Removal, Rotation, Snapshot, Workload } from "../types.ts";
import { evict } from "./kubernetes-eviction.ts";
import {
  generateNameOf,
  isReady,
  isTerminating,
  type KubernetesWorld,
  livingPods,
  type SimulatedPod,
  type SimulatedWorkload,
} from "./kubernetes-world.ts";

/**
 * All pods of the world are taken for the group's. The record outlives a run, as the Lease's does.
 *
 * @param earlier - rotations that are on record at the start.
 */
export function createSimulatedCluster(
  world: KubernetesWorld,
  clock: Clock,
  earlier: readonly Rotation[] = [],
): Cluster {
  const removals: Removal[] = [];
  let remembered = earlier;

  const lock: Lock = {
    heldBy: undefined,
    get removals() {
      return [...removals];
    },
    get rotations() {
      return remembered;
    },
    async remember(rotations) {
      remembered = rotations;
    },
    lost: new AbortController().signal,
    async removing({ name, uid }) {
      removals.push({ at: clock.now(), pod: name, uid });
    },
    confirm() {},
    async refused({ uid }) {
      removals.splice(
        removals.findLastIndex((removal) => removal.uid === uid),
        1,
      );
    },
    async release() {},
  };

  return {
    async observe(signal) {
      signal.throwIfAborted();
      return snapshotOf(world, clock.now());
    },
    async lock(_workload, signal) {
      signal.throwIfAborted();
      return lock;
    },
    async evict({ uid }, objection, signal): Promise<EvictReply> {
      signal.throwIfAborted();
      const at = clock.now();
      const pod = livingPods(world, at).find((one) => one.uid === uid);
      if (pod === undefined || isTerminating(pod, at)) return { outcome: "gone" };
      const now = pod.workload && podOf(pod, pod.workload, world, at);
      const why = now === undefined ? "without a controller" : objection(now, at);
      if (why !== undefined) return { outcome: "spared", why };
      const { code, message = "" } = evict(pod, { preconditions: { uid } }, world, at);
      return code === 201 ? { outcome: "accepted" } : { outcome: "refused", reason: "blocked_by_pdb", why: message };
    },
  };
}

function snapshotOf(world: KubernetesWorld, observedAt: Date): Snapshot {
  const living = livingPods(world, observedAt);
  const workloads = [...new Set(living.flatMap(({ workload }) => workload ?? []))];
  const [only, another] = workloads;
  return {
    observedAt,
    controllers: workloads.map(({ kind, name }) => `${kind}/${name}`).toSorted(),
    workload: only && !another ? workloadOf(only, world) : undefined,
    pods: living.flatMap((pod) => (pod.workload ? podOf(pod, pod.workload, world, observedAt) : [])),
    bare: living.filter(({ workload }) => workload === undefined).map(({ name }) => name),
  };
}

function podOf(pod: SimulatedPod, workload: SimulatedWorkload, { namespace }: KubernetesWorld, now: Date): PodInfo {
  const { name, uid, node, created, annotations, graceSeconds } = pod;
  return {
    namespace,
    name,
    uid,
    controller: { kind: workload.kind, name: workload.name, uid: workload.uid },
    namePrefix: generateNameOf(workload),
    node,
    ip: undefined,
    created,
    terminating: isTerminating(pod, now),
    readySince: isReady(pod, now) ? pod.readyAt : undefined,
    exempt: (annotations["pod-rebalancer.io/exempt"] ?? "false") !== "false",
    graceSeconds,
  };
}

function workloadOf(workload: SimulatedWorkload, { namespace, autoscalers }: KubernetesWorld): Workload | undefined {
  const { kind, name, uid, replicas, minReadySeconds, updatedReplicas, annotations } = workload;
  if (kind === "DaemonSet") return undefined;
  const scaler = autoscalers.find(
    ({ target, desiredReplicas }) => target.name === name && desiredReplicas !== replicas,
  );
  return {
    kind,
    namespace,
    name,
    uid,
    replicas,
    minReadySeconds,
    deleting: undefined,
    ordered: false,
    hindered: undefined,
    suspended: (annotations["pod-rebalancer.io/suspend"] ?? "false") !== "false",
    rollout: updatedReplicas < replicas ? `${updatedReplicas} of ${replicas} pods are new` : undefined,
    scaling: scaler && `${scaler.name} wants ${scaler.desiredReplicas}`,
  };
}
