import { labelMatcher } from "../config/label-selector.ts";
import type { Clock, Cluster, EvictReply, Objection } from "../ports.ts";
import type { PodInfo, PodRef, RunRecord, Snapshot, WorkloadRef } from "../types.ts";
import type { KubernetesClient, ListQuery, WirePod } from "./client.ts";
import { evictPod } from "./evict.ts";
import { acquireLock, readRecord } from "./lock.ts";
import { findOwners } from "./owners.ts";
import { type BarePod, readPod } from "./pods.ts";
import { type LiveRights, liveRights } from "./rights.ts";

/** The live cluster, and what a dry run needs of it instead. */
export interface KubernetesCluster extends Cluster {
  /** The pods of an earlier look under their workload as it is now: a list of many pods is costly, for the API server too. */
  observeWorkload(seen: Snapshot, signal: AbortSignal): Promise<Snapshot>;
  /** Asks whether the API server would evict this pod; budget included, nothing changes. */
  probeEviction(pod: PodRef, objection: Objection, signal: AbortSignal): Promise<EvictReply>;
  /** Reads the workload's Lease without taking it. */
  readRecord(workload: WorkloadRef, signal: AbortSignal): Promise<RunRecord>;
  /** Asks whether this account may do what only a live run does. */
  liveRights(workload: WorkloadRef, signal: AbortSignal): Promise<LiveRights>;
}

export interface ClusterOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly labelSelector: string;
  /** The identity of this run in the Lease; no other run, past or present, may share it. */
  readonly holder: string;
}

/** Kubernetes as a run sees it: the pods of one selector in one namespace, their workload, and its Lease. */
export function createKubernetesCluster(options: ClusterOptions): KubernetesCluster {
  const { client, clock, namespace, labelSelector, holder } = options;
  const query: ListQuery<WirePod, PodInfo | BarePod | undefined> = { namespace, labelSelector, keep: readPod };
  const isOfGroup = labelMatcher(labelSelector);
  return {
    async observe(signal) {
      const { value: listed, at: observedAt } = await client.listPods(query, signal);
      const unfinished = listed.filter((pod) => pod !== undefined).toSorted(byName);
      const pods = unfinished.filter((pod): pod is PodInfo => pod.controller !== undefined);
      const bare = unfinished.filter((pod) => pod.controller === undefined).map(({ name }) => name);
      const { names, workload } = await findOwners(pods, namespace, client, signal);
      return { observedAt, controllers: names, workload, pods, bare };
    },
    async observeWorkload(seen, signal) {
      const { names, workload } = await findOwners(seen.pods, namespace, client, signal);
      return { ...seen, controllers: names, workload };
    },
    lock: (workload, signal) => acquireLock(workload, { client, clock, holder }, signal),
    evict: (pod, objection, signal) => evictPod(client, { pod, objection, isOfGroup, dryRun: false }, signal),
    probeEviction: (pod, objection, signal) => evictPod(client, { pod, objection, isOfGroup, dryRun: true }, signal),
    readRecord: (workload, signal) => readRecord(workload, client, signal),
    liveRights: (workload, signal) => liveRights(workload, client, signal),
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
