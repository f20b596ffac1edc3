import { asRebalancerError } from "../errors.ts";
import type { Cluster, Lock } from "../ports.ts";
import type { EarlierRuns, PodInfo, Snapshot } from "../types.ts";
import type { KubernetesCluster } from "./cluster.ts";

/** How long a stand-in seems to have been Ready: longer than any run waits for a replacement to hold. */
const STAND_IN_READY_MILLIS = 3_600_000;

/**
 * The same cluster, of which nothing is changed. Evictions are asked with `dryRun=All`, and the pods that would have gone
 * are shown as replaced from then on, so that the run goes all its way and nothing waits. The Lease is only read.
 *
 * The pods are listed once: nothing that is done here changes them. Each later look reads the workload anew, and each target
 * is read anew before its eviction is asked.
 */
export function dryRun(cluster: KubernetesCluster): Cluster {
  const removed = new Set<string>();
  let seen: Snapshot | undefined;

  function standIn(pod: PodInfo, created: Date): PodInfo {
    if (!removed.has(pod.uid)) return pod;
    const readySince = new Date(created.getTime() - STAND_IN_READY_MILLIS);
    return { ...pod, uid: `dry-run:${pod.uid}`, created, terminating: false, readySince };
  }

  return {
    async observe(signal) {
      seen = seen === undefined ? await cluster.observe(signal) : await cluster.observeWorkload(seen, signal);
      const { pods, observedAt } = seen;
      return { ...seen, pods: pods.map((pod) => standIn(pod, observedAt)) };
    },
    async lock(workload, signal) {
      const { heldBy, ...record } = await cluster.readRecord(workload, signal);
      return heldBy === undefined ? unheld(record) : { heldBy, ...record };
    },
    async evict(pod, signal) {
      const reply = await cluster.probeEviction(pod, signal).catch(unchecked);
      if (reply.outcome !== "accepted") return reply;
      removed.add(pod.uid);
      return { note: "the API would accept the eviction", ...reply, replaced: true };
    },
  };
}

/** A dry run may well be made with fewer rights than a live one. A webhook's 403 is another matter: it would refuse. */
function unchecked(thrown: unknown): { readonly outcome: "accepted"; readonly note: string } {
  const error = asRebalancerError(thrown);
  if (error.code !== "FORBIDDEN" || !/cannot create resource/.test(error.message)) throw error;
  return { outcome: "accepted", note: "PDB not checked: no right to create pods/eviction" };
}

function unheld(record: EarlierRuns): Lock {
  return {
    heldBy: undefined,
    ...record,
    lost: new AbortController().signal,
    removing: nothing,
    refused: nothing,
    remember: nothing,
    release: nothing,
  };
}

async function nothing(): Promise<void> {}
