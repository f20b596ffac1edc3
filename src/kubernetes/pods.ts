import { RebalancerError } from "../errors.ts";
import type { ControllerRef, PodInfo, PodRef } from "../types.ts";
import type { WirePod } from "./client.ts";
import { markOf } from "./mark.ts";

/** A pod without a controller: once removed it never returns. */
export interface BarePod {
  readonly name: string;
  readonly controller: undefined;
}

/** Kubernetes' default where the pod names none (core/v1 PodSpec). */
const DEFAULT_GRACE_SECONDS = 30;

/** Random characters behind generateName (apiserver's name generator); long prefixes are cut, the suffix never is. */
const RANDOM_SUFFIX_LENGTH = 5;

const FINISHED: ReadonlySet<string> = new Set(["Succeeded", "Failed"]);

/** A StatefulSet's pod bears the name of the revision that it was made from (apps/v1 StatefulSetRevisionLabel). */
const REVISION = "controller-revision-hash";

const EXEMPT = "pod-rebalancer.io/exempt";

/**
 * What a run needs to know of one pod.
 *
 * @returns undefined for a pod that has finished (phase Succeeded or Failed).
 * @throws RebalancerError `REPLY_INVALID` when the pod lacks what every pod has.
 */
export function readPod(pod: WirePod): PodInfo | BarePod | undefined {
  const { metadata = {}, spec, status = {} } = pod;
  if (FINISHED.has(status.phase ?? "")) return undefined;
  const identity = identityOf(metadata);
  const controller = controllerOf(metadata);
  if (controller === undefined) return { name: identity.name, controller };
  const terminating = isTerminating(pod);
  return {
    ...identity,
    controller,
    namePrefix: namePrefix(identity.name, metadata.generateName, controller),
    node: spec?.nodeName,
    ip: status.podIP,
    ...otherIpsOf(status),
    terminating,
    readySince: terminating ? undefined : readySince(pod),
    ...exemptionOf(metadata),
    ...revisionOf(metadata, controller),
    graceSeconds: spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
  };
}

type Metadata = NonNullable<WirePod["metadata"]>;

function otherIpsOf({ podIP, podIPs }: NonNullable<WirePod["status"]>): Pick<PodInfo, "otherIps"> {
  const otherIps = (podIPs ?? []).flatMap(({ ip }) => (ip && ip !== podIP ? [ip] : []));
  return otherIps.length === 0 ? {} : { otherIps };
}

function identityOf({ name, namespace, uid, creationTimestamp }: Metadata): PodRef & Pick<PodInfo, "created"> {
  const created = new Date(String(creationTimestamp));
  if (!name || !namespace || !uid || Number.isNaN(created.getTime())) {
    throw new RebalancerError("REPLY_INVALID", `pod ${name ?? "without a name"}: expected a UID and a creation time`);
  }
  return { namespace, name, uid, created };
}

function exemptionOf({ annotations, labels }: Metadata): Pick<PodInfo, "exempt" | "exemptAs"> {
  const { set, odd } = markOf(annotations?.[EXEMPT], labels?.[EXEMPT]);
  return { exempt: set, exemptAs: odd };
}

function revisionOf({ labels }: Metadata, { kind }: ControllerRef): Pick<PodInfo, "revision"> {
  return kind === "StatefulSet" ? { revision: labels?.[REVISION] } : {};
}

export function isTerminating(pod: WirePod): boolean {
  return isBeingDeleted(pod.metadata);
}

/** A server may write null where nobody deletes it. */
export function isBeingDeleted({ deletionTimestamp }: Pick<Metadata, "deletionTimestamp"> = {}): boolean {
  return typeof deletionTimestamp === "string";
}

/** Kinds that are followed; another group's kind of the same name (OpenKruise has a StatefulSet) must not be mistaken. */
const APPS_KINDS: ReadonlySet<string> = new Set(["Deployment", "ReplicaSet", "StatefulSet"]);

/** The owner that acts: of a pod, or of a ReplicaSet. */
export function controllerOf({ ownerReferences }: Pick<Metadata, "ownerReferences">): ControllerRef | undefined {
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  const { kind, name, uid, apiVersion } = owner;
  const [group = ""] = apiVersion.split("/");
  return { kind: APPS_KINDS.has(kind) && group !== "apps" ? `${kind}.${group}` : kind, name, uid };
}

/** A StatefulSet's pods carry generateName too, though an ordinal stands behind it. */
function namePrefix(name: string, generateName: string | undefined, controller: ControllerRef): string {
  if (controller.kind === "StatefulSet") return `${controller.name}-`;
  return generateName ? name.slice(0, -RANDOM_SUFFIX_LENGTH) : name;
}

function readySince({ status }: WirePod): Date | undefined {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const since = new Date(String(ready?.lastTransitionTime));
  return ready?.status === "True" && !Number.isNaN(since.getTime()) ? since : undefined;
}
