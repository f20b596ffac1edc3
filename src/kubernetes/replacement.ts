/** The wait behind an eviction: until the group is as whole again as it was. */

import { readyPods } from "../decision/gates.ts";
import { formatDuration } from "../durations.ts";
import { RebalancerError } from "../errors.ts";
import type { Clock, Cluster, Narrator } from "../ports.ts";
import type { PodInfo, Policy, Snapshot } from "../types.ts";

export interface Waiting {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly narrator: Narrator;
  readonly policy: Policy;
  readonly signal: AbortSignal;
}

/** How often the pods are looked at while a replacement starts. */
const LOOK_EVERY_MILLIS = 2_000;

/** A new pod counts once it has been Ready for minReadySeconds, and for no less than this. */
const LEAST_READY_SECONDS = 10;

/** The longest of their grace periods, in seconds. */
export function graceOf(pods: readonly PodInfo[]): number {
  return Math.max(...pods.map(({ graceSeconds }) => graceSeconds));
}

/** Waits until these pods are gone and as many pods are Ready as before, or as many as the workload now wants. */
export async function replacementOf(
  evicted: readonly PodInfo[],
  before: Snapshot,
  { cluster, clock, narrator, policy, signal }: Waiting,
): Promise<void> {
  const started = clock.now().getTime();
  const patience = graceOf(evicted) + policy.replacementTimeoutSeconds;
  const pod = evicted.map(({ name }) => name).join(", ");
  const [was, is, it] = evicted.length === 1 ? ["was", "is", "it is"] : ["were", "are", "they are"];
  const uids = new Set(evicted.map(({ uid }) => uid));
  const settled = settlingPods(before);
  for (;;) {
    const asked = clock.now();
    const now = await cluster.observe(signal);
    const wanted = Math.min(readyPods(before.pods).length, now.workload?.replicas ?? Number.POSITIVE_INFINITY);
    const count = settled(now, asked, clock.now());
    const gone = !now.pods.some(({ uid }) => uids.has(uid));
    const obstacle = gone ? lacking(count, wanted, now) : `${it} still terminating`;
    const waited = (clock.now().getTime() - started) / 1_000;
    if (obstacle === undefined) {
      narrator.info(`${pod} ${is} replaced: ${count} pods are Ready.`, {
        pod,
        ms: Math.round(waited * 1_000),
      });
      return;
    }
    if (waited >= patience) {
      throw new RebalancerError(
        "REPLACEMENT_LATE",
        `${pod} ${was} evicted and ${is} not replaced after ${formatDuration(Math.round(waited))}: ${obstacle}`,
      );
    }
    await clock.sleep(LOOK_EVERY_MILLIS, signal);
  }
}

/** What keeps the group from being whole again; where more pods are there than are asked for, some are about to go. */
function lacking(count: number, wanted: number, { pods, workload }: Snapshot): string | undefined {
  if (count < wanted) return `${count} of ${wanted} pods are Ready`;
  if (workload === undefined || workload.rollout !== undefined) return undefined;
  const there = pods.filter(({ terminating }) => !terminating).length;
  return there > workload.replicas ? `${there} pods are there, ${workload.replicas} are asked for` : undefined;
}

/**
 * Counts pods that were Ready before and still are, and new ones that have been Ready for long enough: by our own clock, and since they
 * were first seen so. The time in the Ready condition is that of a node's clock, and the API servers' clocks may differ.
 *
 * @returns a function that takes one look after the other, with when it was asked for and when it came: what it shows was so at some
 *   moment in between.
 */
function settlingPods(before: Snapshot): (now: Snapshot, asked: Date, came: Date) => number {
  const existed = new Set(before.pods.map(({ uid }) => uid));
  const wereReady = new Set(readyPods(before.pods).map(({ uid }) => uid));
  let firstSeen = new Map<string, number>();
  return (now, asked, came) => {
    const earlier = firstSeen;
    firstSeen = new Map(
      readyPods(now.pods).map((pod) => {
        const key = readinessOf(pod);
        return [key, earlier.get(key) ?? came.getTime()];
      }),
    );
    const holdMillis = Math.max(now.workload?.minReadySeconds ?? 0, LEAST_READY_SECONDS) * 1_000;
    const settled = readyPods(now.pods).filter((pod) => {
      if (existed.has(pod.uid)) return wereReady.has(pod.uid);
      const since = firstSeen.get(readinessOf(pod)) ?? Number.POSITIVE_INFINITY;
      return asked.getTime() - since >= holdMillis;
    });
    return settled.length;
  };
}

/** Another time in the Ready condition is another readiness: the pod was not Ready in between. */
function readinessOf({ uid, readySince }: PodInfo): string {
  return `${uid} ${readySince?.getTime()}`;
}
