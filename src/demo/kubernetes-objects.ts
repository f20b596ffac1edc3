/** The simulated world as the Kubernetes API writes it down. */

import type { WireAutoscaler, WireDeployment, WirePod, WireReplicaSet, WireStatefulSet } from "../kubernetes/client.ts";
import type { Status } from "../simulation/kubernetes-eviction.ts";
import {
  generateNameOf,
  isReady,
  isTerminating,
  type KubernetesWorld,
  livingPods,
  replicaSetNameOf,
  type SimulatedAutoscaler,
  type SimulatedPod,
  type SimulatedWorkload,
} from "../simulation/kubernetes-world.ts";

export function statusObject({ code, ...rest }: Status): object {
  const status = code < 400 ? "Success" : "Failure";
  return { kind: "Status", apiVersion: "v1", metadata: {}, status, ...rest, code };
}

/** `metav1.Time` has whole seconds. */
function time(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}

const APPS = "apps/v1";

function ownerReference(kind: string, name: string, uid: string) {
  return { apiVersion: APPS, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Of the ReplicaSet that stands between a Deployment and its pods. */
function replicaSetUid({ uid }: SimulatedWorkload): string {
  return `${uid.slice(0, -4)}0000`;
}

function ownerOf(workload: SimulatedWorkload) {
  const { kind, name, uid } = workload;
  if (kind !== "Deployment") return ownerReference(kind, name, uid);
  return ownerReference("ReplicaSet", replicaSetNameOf(workload), replicaSetUid(workload));
}

export function podObject(pod: SimulatedPod, namespace: string, now: Date): WirePod {
  const { name, uid, labels, annotations, workload, graceSeconds, node } = pod;
  const terminating = isTerminating(pod, now);
  const ready = isReady(pod, now);
  const changedAt = (ready ? pod.readyAt : pod.terminatingAt) ?? pod.created;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid,
      labels,
      annotations,
      resourceVersion: "1",
      creationTimestamp: time(pod.created),
      ...(workload && { generateName: generateNameOf(workload), ownerReferences: [ownerOf(workload)] }),
      ...(terminating &&
        pod.goneAt && { deletionTimestamp: time(pod.goneAt), deletionGracePeriodSeconds: graceSeconds }),
    },
    spec: { nodeName: node, terminationGracePeriodSeconds: graceSeconds, containers: [{ name: "consumer" }] },
    status: {
      phase: pod.phase,
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: time(changedAt) }],
    },
  };
}

export function replicaSetObject(workload: SimulatedWorkload, namespace: string): WireReplicaSet {
  const { kind, name, uid } = workload;
  return {
    apiVersion: APPS,
    kind: "ReplicaSet",
    metadata: {
      name: replicaSetNameOf(workload),
      namespace,
      uid: replicaSetUid(workload),
      ownerReferences: [ownerReference(kind, name, uid)],
    },
  };
}

const GENERATION = 1;

/** A Deployment or a StatefulSet. */
export function workloadObject(
  workload: SimulatedWorkload,
  world: KubernetesWorld,
  now: Date,
): WireDeployment & WireStatefulSet {
  const { kind, name, uid, replicas, annotations, minReadySeconds, updatedReplicas } = workload;
  const own = livingPods(world, now).filter((pod) => pod.workload === workload);
  const revision = replicaSetNameOf(workload);
  return {
    apiVersion: APPS,
    kind,
    metadata: { name, namespace: world.namespace, uid, annotations, generation: GENERATION, resourceVersion: "1" },
    spec: { replicas, minReadySeconds, selector: {}, template: {} },
    status: {
      observedGeneration: GENERATION,
      replicas,
      readyReplicas: own.filter((pod) => isReady(pod, now)).length,
      updatedReplicas,
      currentRevision: revision,
      updateRevision: updatedReplicas < replicas ? `${revision}-next` : revision,
    },
  };
}

export function autoscalerObject(
  { name, target, desiredReplicas }: SimulatedAutoscaler,
  namespace: string,
): WireAutoscaler {
  return {
    metadata: { name, namespace },
    spec: { maxReplicas: 100_000, scaleTargetRef: { apiVersion: APPS, kind: target.kind, name: target.name } },
    status: { desiredReplicas },
  };
}
