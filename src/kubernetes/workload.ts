/** A Deployment or StatefulSet: what it asks for, and whether it is at rest. */

import { printable } from "../text.ts";
import type { PodInfo, Workload, WorkloadRef } from "../types.ts";
import { idleAutoscalersOf, scalingOf } from "./autoscaler.ts";
import type { KubernetesClient, ObjectRef, WireDeployment, WireReplicaSet, WireStatefulSet } from "./client.ts";
import { markOf } from "./mark.ts";
import { isBeingDeleted } from "./pods.ts";

const SUSPEND = "pod-rebalancer.io/suspend";

const FOLLOWED: ReadonlySet<string> = new Set(["Deployment", "StatefulSet"] satisfies Workload["kind"][]);

export function isFollowed(kind: string): kind is Workload["kind"] {
  return FOLLOWED.has(kind);
}

/** @returns what rules it out, as a clause, where it is not there any more. */
export async function readWorkload(
  ref: WorkloadRef,
  pods: readonly PodInfo[],
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<Workload | { readonly unfit: string }> {
  const { kind, namespace, uid } = ref;
  const [found, autoscalers] = await Promise.all([
    kind === "Deployment" ? readDeployment(ref, client, signal) : readStatefulSet(ref, pods, client, signal),
    client.listAutoscalers({ namespace, keep: (autoscaler) => autoscaler }, signal),
  ]);
  if (found === undefined) return { unfit: "which no longer exists" };
  const { object, ...state } = found;
  // Deleted and created anew in the meantime: these pods belong to nobody who would replace them.
  if (object.metadata?.uid !== uid) return { unfit: "deleted and created anew" };
  const wanted = { ...ref, ...wantedBy(object) };
  return {
    ...wanted,
    ...state,
    deleting: deletionOf(kind, object),
    ...suspensionOf(object),
    idleAutoscalers: idleAutoscalersOf(autoscalers.value, wanted),
    scaling: state.scaling ?? surplusOf(pods, object) ?? scalingOf(autoscalers.value, wanted),
  };
}

function suspensionOf({ metadata }: Rollable): Pick<Workload, "suspended" | "suspendedAs"> {
  const { set, odd } = markOf(metadata?.annotations?.[SUSPEND]);
  return { suspended: set, suspendedAs: odd };
}

/** With the defaults that Kubernetes assumes. */
function wantedBy({ spec }: WireDeployment | WireStatefulSet): Pick<Workload, "replicas" | "minReadySeconds"> {
  const { replicas = 1, minReadySeconds = 0 } = spec ?? {};
  return { replicas, minReadySeconds };
}

/** Since when an object is being deleted, as a clause. */
export function deletionOf(kind: string, { metadata }: Pick<WireReplicaSet, "metadata">): string | undefined {
  const { deletionTimestamp: since, name } = metadata ?? {};
  return isBeingDeleted(metadata) ? `${kind}/${name} is being deleted since ${printable(String(since))}` : undefined;
}

/** The number behind a StatefulSet's name; undefined where the pod bears another name. */
export function ordinalOf({ name }: Pick<PodInfo, "name">, statefulSet: string): number | undefined {
  const [, ordinal] = /^-(0|[1-9]\d*)$/.exec(name.startsWith(statefulSet) ? name.slice(statefulSet.length) : "") ?? [];
  return ordinal === undefined ? undefined : Number(ordinal);
}

async function readDeployment(ref: ObjectRef, client: KubernetesClient, signal: AbortSignal) {
  const object = await client.getDeployment(ref, signal);
  if (object === undefined) return undefined;
  const hindered = podFailure(object);
  return { object, rollout: deploymentRollout(object), scaling: undefined, ordered: false, hindered };
}

async function readStatefulSet(
  ref: ObjectRef,
  pods: readonly PodInfo[],
  client: KubernetesClient,
  signal: AbortSignal,
) {
  const object = await client.getStatefulSet(ref, signal);
  if (object === undefined) return undefined;
  const ordered = object.spec?.podManagementPolicy !== "Parallel";
  const scaling = condemnedPod(object, ref.name, pods);
  return { object, rollout: statefulSetRollout(object, pods), scaling, ordered, hindered: undefined };
}

/** Why a Deployment's ReplicaSet could not make the last pod that it wanted to make. */
function podFailure({ status }: WireDeployment): string | undefined {
  const failure = status?.conditions?.find(({ type, status: value }) => type === "ReplicaFailure" && value === "True");
  return (
    failure && `its controller cannot make pods (${printable(failure.message ?? failure.reason ?? "ReplicaFailure")})`
  );
}

/** A pod that a StatefulSet is about to remove, or is removing: it wants other ordinals. */
function condemnedPod({ spec }: WireStatefulSet, name: string, pods: readonly PodInfo[]): string | undefined {
  const start = spec?.ordinals?.start ?? 0;
  const end = start + (spec?.replicas ?? 1);
  const condemned = pods.find((pod) => {
    const ordinal = ordinalOf(pod, name) ?? start;
    return ordinal < start || ordinal >= end;
  });
  if (condemned === undefined) return undefined;
  const wanted = end > start ? `the pods ${name}-${start} to ${name}-${end - 1} are` : "no pod is";
  return `${condemned.name} is about to go: ${wanted} asked for`;
}

/**
 * More pods than are asked for: the rest is about to go. In a rollout more may be there for a while (maxSurge), so that is to be asked for
 * first. A selector may match a part of them only; the workload's own count shows the others.
 */
function surplusOf(pods: readonly PodInfo[], { spec, status }: WireDeployment | WireStatefulSet): string | undefined {
  const replicas = spec?.replicas ?? 1;
  const there = Math.max(pods.filter(({ terminating }) => !terminating).length, status?.replicas ?? 0);
  return there > replicas ? `${there} pods are there, ${replicas} are asked for` : undefined;
}

type Rollable = Pick<WireDeployment | WireStatefulSet, "metadata" | "status">;

/**
 * A Deployment rolls out until all its pods run the newest template. A paused one counts only while its pods differ: with
 * equal pods, a replacement is like the pod it replaces.
 */
export function deploymentRollout(deployment: Rollable): string | undefined {
  return unseenChange(deployment) ?? oldPods(deployment);
}

/**
 * A StatefulSet rolls out while its update revision is not the current one; one that is held (a partition, OnDelete) counts
 * too, because a removed pod may come back as another revision. With OnDelete the controller never moves the current
 * revision up, so there only the pods tell. After a change that was taken back both revisions are the same from the beginning, while pods
 * still run the other: their label tells.
 */
export function statefulSetRollout(statefulSet: WireStatefulSet, pods: readonly PodInfo[]): string | undefined {
  const { currentRevision, updateRevision } = statefulSet.status ?? {};
  const unseen = unseenChange(statefulSet);
  if (unseen !== undefined) return unseen;
  if (currentRevision === updateRevision) return podsOfAnother(updateRevision, pods);
  const old = oldPods(statefulSet);
  if (old !== undefined || statefulSet.spec?.updateStrategy?.type === "OnDelete") return old;
  return `revision ${updateRevision} is not yet the current one`;
}

function unseenChange({ metadata, status }: Rollable): string | undefined {
  const newest = metadata?.generation ?? 0;
  return newest > (status?.observedGeneration ?? 0) ? "its newest specification is not yet acted upon" : undefined;
}

/** Pods that go come back as the newest revision, and are no doubt. */
function podsOfAnother(revision: string | undefined, pods: readonly PodInfo[]): string | undefined {
  if (revision === undefined) return undefined;
  const staying = pods.filter(({ terminating }) => !terminating);
  const others = staying.filter((pod) => pod.revision !== undefined && pod.revision !== revision);
  return others.length === 0
    ? undefined
    : `${others.length} of ${staying.length} pods run another revision than ${printable(revision)}`;
}

function oldPods({ status }: Rollable): string | undefined {
  const { replicas = 0, updatedReplicas = 0 } = status ?? {};
  return updatedReplicas < replicas ? `${updatedReplicas} of ${replicas} pods run the newest template` : undefined;
}
