import { formatDuration } from "../durations.ts";
import { asRebalancerError } from "../errors.ts";
import type { Clock, Cluster, EvictReply, Lock } from "../ports.ts";
import type { EarlierRuns, PodInfo, PodRef, Snapshot } from "../types.ts";
import type { KubernetesCluster } from "./cluster.ts";
import { LOOK_MILLIS } from "./manager.ts";
import { lacksTheRight, webhookWithoutDryRun } from "./refusal.ts";
import { type LiveRights, noRight } from "./rights.ts";
import { failureOf } from "./status.ts";

/** How long a stand-in seems to have been Ready: longer than any run waits for a replacement to hold. */
const STAND_IN_READY_MILLIS = 3_600_000;

/**
 * The same cluster, of which nothing is changed. Evictions are asked with `dryRun=All`, and the pods that would have gone
 * are shown as replaced from then on, so that the run goes all its way and nothing waits. The Lease is only read.
 *
 * The pods are listed once: nothing that is done here changes them. Each later look reads the workload anew, and each target
 * is read anew before its eviction is asked.
 */
export function dryRun(cluster: KubernetesCluster, clock: Clock): Cluster {
  const removed = new Set<string>();
  let seen: Snapshot | undefined;
  /** How long the only look at all pods took; a live run looks so before each eviction. */
  let lookMillis = 0;
  let rights: LiveRights | undefined;

  /** Asked once, when an eviction would be accepted: who cannot evict is told that first. */
  async function rightsOf(signal: AbortSignal): Promise<LiveRights> {
    const workload = seen?.workload;
    if (workload === undefined) return { missing: undefined, note: undefined };
    rights ??= await cluster.liveRights(workload, signal);
    return rights;
  }

  async function lookAtAll(signal: AbortSignal): Promise<Snapshot> {
    const asked = clock.now().getTime();
    const world = await cluster.observe(signal);
    lookMillis = clock.now().getTime() - asked;
    return world;
  }

  function standIn(pod: PodInfo, created: Date): PodInfo {
    if (!removed.has(pod.uid)) return pod;
    const readySince = new Date(created.getTime() - STAND_IN_READY_MILLIS);
    return { ...pod, uid: `dry-run:${pod.uid}`, created, terminating: false, readySince };
  }

  return {
    async observe(signal) {
      seen = seen === undefined ? await lookAtAll(signal) : await cluster.observeWorkload(seen, signal);
      const { pods, observedAt } = seen;
      return { ...seen, pods: pods.map((pod) => standIn(pod, observedAt)) };
    },
    async lock(workload, signal) {
      const { heldBy, ...record } = await cluster.readRecord(workload, signal);
      return heldBy === undefined ? unheld(record) : { heldBy, ...record };
    },
    async evict(pod, objection, signal) {
      const reply = await cluster
        .probeEviction(pod, objection, signal)
        .catch((thrown: unknown) => unasked(thrown, pod));
      if (reply.outcome !== "accepted") return reply;
      const { missing, note } = await rightsOf(signal);
      if (missing !== undefined) return { outcome: "refused", reason: "not_allowed", why: missing };
      removed.add(pod.uid);
      const notes = [reply.note ?? "the API would accept the eviction", note, slowness(lookMillis)];
      return { outcome: "accepted", note: notes.filter((one) => one !== undefined).join("; "), replaced: true };
    },
  };
}

/** That a live run would give up each of its looks before it evicts. */
function slowness(lookMillis: number): string | undefined {
  if (lookMillis <= LOOK_MILLIS) return undefined;
  const [took, limit] = [lookMillis, LOOK_MILLIS].map((millis) => formatDuration(millis / 1_000));
  return `a live run would not evict, because the look at the group took ${took} and may be ${limit} old`;
}

/** What the API server would say to a live run, where it says no word on the eviction itself. */
function unasked(thrown: unknown, { namespace }: PodRef): EvictReply {
  const error = asRebalancerError(thrown);
  const failure = failureOf(error.reply);
  if (failure === undefined) throw error;
  if (lacksTheRight(failure)) {
    const why = `not allowed to evict (${noRight({ verb: "create", resource: "pods/eviction", namespace })})`;
    return { outcome: "refused", reason: "not_allowed", why };
  }
  const webhook = webhookWithoutDryRun(failure);
  if (webhook === undefined) throw error;
  return { outcome: "accepted", note: `not checked: admission webhook "${webhook}" does not support dry runs` };
}

function unheld(record: EarlierRuns): Lock {
  return {
    heldBy: undefined,
    ...record,
    lost: new AbortController().signal,
    removing: nothing,
    confirm() {},
    refused: nothing,
    remember: nothing,
    release: nothing,
  };
}

async function nothing(): Promise<void> {}
