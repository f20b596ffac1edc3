/** The invariants that every run must meet, whatever the fleet, the metrics and the faults. Written without the product's rules. */

import { readyPods } from "../src/decision/gates.ts";
import type { Policy, RunReport, Snapshot } from "../src/types.ts";
import type { World, WorldEvent } from "./fakes/world.ts";

/** What the verifier must know of a run's start that the world no longer shows. */
export interface Beforehand {
  readonly dryRun: boolean;
  readonly policy: Policy;
  /** Age in seconds of the last removal on record; undefined when there was none. */
  readonly lastRemovalSeconds: number | undefined;
  /** Whether the run was told to stop, and when (epoch milliseconds). */
  readonly stoppedAt: number | undefined;
}

/** Every broken invariant as a sentence; empty when all hold. */
export function violations(world: World, report: RunReport, beforehand: Beforehand): string[] {
  const evictions = world.history.filter(({ what }) => what === "evicted");
  return [
    ...verifyHolds(world, evictions, beforehand),
    ...evictions.flatMap((event) => verifyVictim(event, beforehand.policy)),
    ...(goAtOnce(report) ? verifyPair(evictions, beforehand.policy) : verifySequence(world, evictions)),
    ...verifyRecord(world, evictions),
    ...verifyReport(evictions, report, beforehand),
    ...verifyExit(evictions, report),
  ];
}

/** States of the world in which nothing may be removed at all. */
function verifyHolds(world: World, evictions: readonly WorldEvent[], beforehand: Beforehand): string[] {
  const { policy, dryRun, lastRemovalSeconds } = beforehand;
  if (evictions.length === 0) return [];
  const reasons: [string, boolean][] = [
    ["a dry run removed a pod", dryRun],
    ["SUSPEND was set", policy.suspend],
    ["the workload was suspended", world.workload.suspended],
    ["a rollout was in progress", world.workload.rollout !== undefined],
    ["an autoscaler wanted another number", world.workload.scaling !== undefined],
    ["another run held the Lease", world.heldBy !== undefined],
    ["the group was ambiguous", world.foreignController !== undefined],
    ["the cooldown was not over", lastRemovalSeconds !== undefined && lastRemovalSeconds < policy.cooldownSeconds],
    ["no metrics had been read", world.metricsRead === 0],
    ["more pods were removed than allowed", evictions.length > policy.maxPodsToDelete],
    ["a pod was removed twice", new Set(evictions.map(({ uid }) => uid)).size < evictions.length],
  ];
  return reasons.filter(([, broken]) => broken).map(([sentence]) => sentence);
}

/** The pod itself, at the moment of its eviction. */
function verifyVictim({ uid, before }: WorldEvent, policy: Policy): string[] {
  const pod = before?.pods.find((one) => one.uid === uid);
  if (before === undefined || pod === undefined) return [`${uid} was removed and was not a pod of the group`];
  const ageSeconds = (before.observedAt.getTime() - pod.created.getTime()) / 1_000;
  const faults: [string, boolean][] = [
    ["was not Ready", pod.readySince === undefined],
    ["was terminating", pod.terminating],
    ["was exempt", pod.exempt],
    [`was ${ageSeconds} s old`, ageSeconds < policy.minPodAgeSeconds],
    ["left too few Ready pods", readyPods(before.pods).length - 1 < policy.minPodsRequired],
  ];
  return faults.filter(([, broken]) => broken).map(([sentence]) => `${pod.name} ${sentence}`);
}

function goAtOnce({ decision }: RunReport): boolean {
  return decision?.action === "rotate" && decision.atOnce;
}

/** Two at most, from a group that was Ready and kept its minimum without both. */
function verifyPair(evictions: readonly WorldEvent[], { minPodsRequired }: Policy): string[] {
  const [first] = evictions;
  const ready = readyPods(first?.before?.pods ?? []).length;
  const faults: [string, boolean][] = [
    ["more than a pair was removed at once", evictions.length > 2],
    ["a pair left too few Ready pods", evictions.length === 2 && ready - 2 < minPodsRequired],
    ...evictions.slice(0, 1).map(notReadyBefore),
  ];
  return faults.filter(([, broken]) => broken).map(([sentence]) => sentence);
}

function notReadyBefore({ uid, before }: WorldEvent): [string, boolean] {
  const ready = readyPods(before?.pods ?? []).length;
  return [`${uid} was removed from a group that was not Ready`, ready < 0.9 * (before?.workload?.replicas ?? 0)];
}

/**
 * One at a time: before the next eviction, the pod of the one before it is gone, and as many pods are Ready as were or are wanted
 * by then; those that were not Ready before it must have been so for 10 s.
 */
function verifySequence(world: World, evictions: readonly WorldEvent[]): string[] {
  const unready = evictions.map(notReadyBefore).filter(([, broken]) => broken);
  const hasty = evictions.slice(1).flatMap((event, index) => {
    const earlier = evictions[index];
    if (earlier?.before === undefined || event.before === undefined) return ["an eviction without its world"];
    const sentence = `${event.uid} was removed before ${earlier.uid} was replaced`;
    const stillThere = event.before.pods.some(({ uid }) => uid === earlier.uid);
    const wanted = Math.min(readyPods(earlier.before.pods).length, world.workload.replicas);
    return stillThere || steadyPods(event.before, earlier.before) < wanted ? [sentence] : [];
  });
  return [...unready.map(([sentence]) => sentence), ...hasty];
}

function steadyPods({ pods, observedAt }: Snapshot, earlier: Snapshot): number {
  const wereReady = new Set(readyPods(earlier.pods).map(({ uid }) => uid));
  return readyPods(pods).filter(({ uid, readySince = observedAt }) => {
    return wereReady.has(uid) || observedAt.getTime() - readySince.getTime() >= 10_000;
  }).length;
}

/** Every eviction was on record before it was sent, stays there, and what surely did not happen was struck. */
function verifyRecord(world: World, evictions: readonly WorldEvent[]): string[] {
  const faults: string[] = [];
  for (const { uid } of evictions) {
    const recorded = world.history.findIndex((event) => event.what === "recorded" && event.uid === uid);
    const evicted = world.history.findIndex((event) => event.what === "evicted" && event.uid === uid);
    if (recorded === -1 || recorded > evicted) faults.push(`${uid} was removed before it was recorded`);
    if (!world.removals.some((removal) => removal.uid === uid)) faults.push(`${uid} is missing from the record`);
  }
  return faults;
}

/** The report says what was done. */
function verifyReport(evictions: readonly WorldEvent[], report: RunReport, beforehand: Beforehand): string[] {
  const { removal, reason, dryRun } = report;
  const { stoppedAt = Number.POSITIVE_INFINITY } = beforehand;
  const said = removal?.steps.filter(({ outcome }) => outcome === "replaced" || outcome === "evicted").length ?? 0;
  const unclear = unclearRemovals(report);
  const faults: [string, boolean][] = [
    ["the report names removals that did not happen", !dryRun && said > evictions.length],
    ["the report hides a removal", said + unclear < evictions.length],
    ["a pod was removed after the run was told to stop", evictions.some(({ at }) => at > stoppedAt)],
    ["the run was not told to stop and says so", !Number.isFinite(stoppedAt) && reason === "interrupted"],
  ];
  return faults.filter(([, broken]) => broken).map(([sentence]) => sentence);
}

/** The exit code follows from what was done. */
function verifyExit(evictions: readonly WorldEvent[], report: RunReport): string[] {
  const faults: Readonly<Record<number, [string, boolean]>> = {
    0: ["an error ended with exit 0", report.error !== undefined],
    1: ["exit 1 says that nothing was removed", evictions.length > 0],
    3: ["exit 3 says that something was removed", evictions.length + unclearRemovals(report) === 0],
    4: ["exit 4 says that nothing was judged", evictions.length > 0],
  };
  const [sentence, broken] = faults[report.exitCode] ?? [`exit ${report.exitCode} is not that of a run`, true];
  return broken ? [sentence] : [];
}

function unclearRemovals({ removal }: RunReport): number {
  return removal?.steps.filter(({ outcome }) => outcome === "unclear").length ?? 0;
}
