/** From pods to the one controller that owns them, and that would replace them. */

import type { ControllerRef, PodInfo, Workload } from "../types.ts";
import type { KubernetesClient } from "./client.ts";
import { controllerOf } from "./pods.ts";
import { deletionOf, isFollowed, ordinalOf, readWorkload } from "./workload.ts";

/** Who owns the pods. */
export interface Owners {
  /** As "Deployment/orders", sorted, each once; behind a comma what rules it out. */
  readonly names: readonly string[];
  /** Set when there is exactly one, and it is a Deployment or a StatefulSet that would replace each of the pods. */
  readonly workload: Workload | undefined;
}

/**
 * Finds the controllers of the pods; a ReplicaSet stands for its Deployment. Pods that terminate count only where there are no others:
 * a Deployment may have deleted their ReplicaSet already.
 *
 * An owner reference is written by whoever makes the pod. That the named controller would make another follows from how it makes its
 * own: a Deployment through a ReplicaSet, a StatefulSet under its name and an ordinal.
 */
export async function findOwners(
  pods: readonly PodInfo[],
  namespace: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<Owners> {
  const living = pods.filter(({ terminating }) => !terminating);
  const counted = living.length > 0 ? living : pods;
  const direct = [...new Map(counted.map(({ controller }) => [controller.uid, controller])).values()];
  const found = await Promise.all(direct.map((owner) => ownerOf(owner, counted, { namespace, client, signal })));
  const owners = [...new Map(found.map((owner) => [`${owner.uid} ${owner.unfit}`, owner])).values()];
  const names = [...new Set(owners.map(named))].toSorted();
  const [only, another] = owners;
  if (only === undefined || another !== undefined || !isFit(only)) return { names, workload: undefined };
  const { kind, name, uid } = only;
  const read = await readWorkload({ kind, namespace, name, uid }, pods, client, signal);
  if ("unfit" in read) return { names: [named({ ...only, ...read })], workload: undefined };
  const between = found.find(({ deleting }) => deleting !== undefined);
  return { names, workload: { ...read, deleting: read.deleting ?? between?.deleting } };
}

/** A controller, with what speaks against it as a clause. */
interface Owner extends ControllerRef {
  readonly unfit?: string;
  /** See `Workload`. */
  readonly deleting?: string | undefined;
}

function named({ kind, name, unfit }: Owner): string {
  return [`${kind}/${name}`, ...(unfit === undefined ? [] : [unfit])].join(", ");
}

function isFit(owner: Owner): owner is Owner & Pick<Workload, "kind"> {
  return owner.unfit === undefined && isFollowed(owner.kind);
}

interface Sight {
  readonly namespace: string;
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
}

/** The Deployment behind a ReplicaSet; anything else, an orphaned ReplicaSet too, stands for itself. */
async function ownerOf(
  owner: ControllerRef,
  pods: readonly PodInfo[],
  { namespace, client, signal }: Sight,
): Promise<Owner> {
  const { kind, name, uid } = owner;
  if (kind === "Deployment")
    return { ...owner, unfit: "which owns pods without a ReplicaSet and replaces none of them" };
  if (kind === "StatefulSet") {
    const stranger = pods.find((pod) => pod.controller.uid === uid && ordinalOf(pod, name) === undefined);
    return stranger ? { ...owner, unfit: `which makes no pod of the name ${stranger.name}` } : owner;
  }
  if (kind !== "ReplicaSet") return owner;
  const replicaSet = await client.getReplicaSet({ namespace, name }, signal);
  if (replicaSet?.metadata?.uid !== uid) return owner;
  const above = controllerOf(replicaSet.metadata);
  return above === undefined ? owner : { ...above, deleting: deletionOf("ReplicaSet", replicaSet) };
}
