/** From pods to the one controller that owns them, and whether it is at rest. */

import type { ControllerRef, PodInfo, Workload } from "../types.ts";
import type { KubernetesClient, ObjectRef, WireAutoscaler, WireDeployment, WireStatefulSet } from "./client.ts";

/** Who owns the pods. */
export interface Owners {
  /** As "Deployment/orders", sorted, each once. */
  readonly names: readonly string[];
  /** Set when there is exactly one, and it is a Deployment or a StatefulSet. */
  readonly workload: Workload | undefined;
}

const SUSPEND = "pod-rebalancer.io/suspend";

/**
 * Finds the controllers of the pods; a ReplicaSet stands for its Deployment. Pods that terminate count only where there are no others:
 * a Deployment may have deleted their ReplicaSet already.
 */
export async function findOwners(
  pods: readonly PodInfo[],
  namespace: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<Owners> {
  const living = pods.filter(({ terminating }) => !terminating);
  const direct = distinct((living.length > 0 ? living : pods).map(({ controller }) => controller));
  const owners = distinct(await Promise.all(direct.map((owner) => ownerOf(owner, namespace, client, signal))));
  const names = [...new Set(owners.map(({ kind, name }) => `${kind}/${name}`))].toSorted();
  const [only, another] = owners;
  const workload = only && !another ? await readWorkload(only, namespace, client, signal) : undefined;
  const anew = workload === undefined && names.length === 1 && isFollowed(only?.kind ?? "");
  return { names: anew ? names.map((name) => `${name}, deleted and created anew`) : names, workload };
}

const FOLLOWED: ReadonlySet<string> = new Set(["Deployment", "StatefulSet"] satisfies Workload["kind"][]);

function isFollowed(kind: string): kind is Workload["kind"] {
  return FOLLOWED.has(kind);
}

function distinct(refs: readonly ControllerRef[]): readonly ControllerRef[] {
  return [...new Map(refs.map((ref) => [ref.uid, ref])).values()];
}

/** The Deployment behind a ReplicaSet; anything else, an orphaned ReplicaSet too, stands for itself. */
async function ownerOf(
  owner: ControllerRef,
  namespace: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<ControllerRef> {
  if (owner.kind !== "ReplicaSet") return owner;
  const replicaSet = await client.getReplicaSet({ namespace, name: owner.name }, signal);
  if (replicaSet?.metadata?.uid !== owner.uid) return owner;
  const above = replicaSet.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return above ?? owner;
}

async function readWorkload(
  { kind, name, uid }: ControllerRef,
  namespace: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<Workload | undefined> {
  if (!isFollowed(kind)) return undefined;
  const ref = { namespace, name };
  const [{ object, rollout }, autoscalers] = await Promise.all([
    kind === "Deployment" ? readDeployment(ref, client, signal) : readStatefulSet(ref, client, signal),
    client.listAutoscalers({ namespace, keep: (autoscaler) => autoscaler }, signal),
  ]);
  // Deleted and created anew in the meantime: these pods belong to nobody who would replace them.
  if (object.metadata?.uid !== uid) return undefined;
  const { replicas = 1, minReadySeconds = 0 } = object.spec ?? {};
  return {
    kind,
    namespace,
    name,
    uid,
    replicas,
    minReadySeconds,
    suspended: object.metadata.annotations?.[SUSPEND] === "true",
    rollout,
    scaling: scalingOf(autoscalers.value, { kind, name, replicas }),
  };
}

async function readDeployment(ref: ObjectRef, client: KubernetesClient, signal: AbortSignal) {
  const object = await client.getDeployment(ref, signal);
  return { object, rollout: deploymentRollout(object) };
}

async function readStatefulSet(ref: ObjectRef, client: KubernetesClient, signal: AbortSignal) {
  const object = await client.getStatefulSet(ref, signal);
  return { object, rollout: statefulSetRollout(object) };
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
 * revision up, so there only the pods tell.
 */
export function statefulSetRollout(statefulSet: WireStatefulSet): string | undefined {
  const { currentRevision, updateRevision } = statefulSet.status ?? {};
  const unseen = unseenChange(statefulSet);
  if (unseen !== undefined || currentRevision === updateRevision) return unseen;
  const old = oldPods(statefulSet);
  if (old !== undefined || statefulSet.spec?.updateStrategy?.type === "OnDelete") return old;
  return `revision ${updateRevision} is not yet the current one`;
}

function unseenChange({ metadata, status }: Rollable): string | undefined {
  const newest = metadata?.generation ?? 0;
  return newest > (status?.observedGeneration ?? 0) ? "its newest specification is not yet acted upon" : undefined;
}

function oldPods({ status }: Rollable): string | undefined {
  const { replicas = 0, updatedReplicas = 0 } = status ?? {};
  return updatedReplicas < replicas ? `${updatedReplicas} of ${replicas} pods run the newest template` : undefined;
}

/** The first autoscaler of this workload that wants another number than the workload is set to. */
export function scalingOf(
  autoscalers: readonly WireAutoscaler[],
  { kind, name, replicas }: Pick<Workload, "kind" | "name" | "replicas">,
): string | undefined {
  const found = autoscalers.find(({ spec, status }) => {
    const target = spec?.scaleTargetRef;
    const wanted = status?.desiredReplicas ?? 0;
    return target?.kind === kind && target.name === name && wanted > 0 && wanted !== replicas;
  });
  if (found === undefined) return undefined;
  return `HorizontalPodAutoscaler ${found.metadata?.name} wants ${found.status?.desiredReplicas} pods, ${replicas} are asked for`;
}
