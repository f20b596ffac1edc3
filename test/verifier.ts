/**
 * The invariants that every run must meet, whatever the fleet, the metrics and the faults. Written without the product's rules, of what
 * was truly so: a run may act on what it saw five seconds before, and on no more.
 */

import type { Policy, RunReport } from "../src/types.ts";
import {
  type ApiEvent,
  type ApiPod,
  type ApiWorld,
  groupAt,
  isReady,
  isRecorded,
  reached,
  replicasAt,
} from "./fakes/api-world.ts";

/** What the verifier must know of a run's start that the world no longer shows. Times are epoch milliseconds. */
export interface Beforehand {
  readonly dryRun: boolean;
  readonly policy: Policy;
  /** Whether another run held the Lease. */
  readonly held: boolean;
  /** When the last pod on record was removed; undefined when none was. */
  readonly removedAt: number | undefined;
  /** When the run was told to stop; undefined: it was not. */
  readonly stoppedAt: number | undefined;
  /** How often all metrics were read with success. */
  readonly metricsRead: number;
  /** How many pods may have gone without our doing. */
  readonly perished: number;
}

/** A statement that must not hold of a run. */
type Breach = readonly [sentence: string, broken: boolean];

/** What the run looked at before it evicted. */
interface Removal {
  readonly victim: ApiPod;
  readonly eviction: ApiEvent;
  /** The newest look at the group before the eviction was sent. */
  readonly look: ApiEvent;
  /** The look at the pod itself. */
  readonly read: ApiEvent;
  /** Those of the same run that were evicted before this look and, where two go at once, are not replaced yet. */
  readonly together: readonly ApiEvent[];
}

const LOOK_MILLIS = 5_000;
/** API servers may be so far apart, and tell whole seconds. */
const TIME_ERROR_MILLIS = 6_000;

/** Every broken invariant as a sentence; empty when all hold. */
export function violations(world: ApiWorld, report: RunReport, beforehand: Beforehand): string[] {
  const evictions = world.history.filter(({ what }) => what === "evicted");
  const atOnce = report.decision?.action === "rotate" && report.decision.atOnce;
  const removals = evictions.map((eviction, index) => {
    return removalOf(world, eviction, atOnce ? evictions.slice(0, index) : []);
  });
  const breaches: readonly Breach[] = [
    ...(evictions.length > 0 ? ofRun(evictions, beforehand) : []),
    ...removals.flatMap((removal) =>
      removal === undefined
        ? [["a pod was removed that was not looked at", true] as const]
        : [
            ...ofMoment(world, removal, beforehand),
            ...ofGroup(world, removal, beforehand),
            ...ofVictim(removal, beforehand),
          ],
    ),
    ...(atOnce
      ? [["more than a pair was removed at once", evictions.length > 2] as const]
      : ofSequence(world, removals)),
    ...evictions.flatMap((eviction) => ofRecord(world, eviction)),
    ...ofReport(evictions, report, beforehand),
    ofExit(evictions, report),
  ];
  return breaches.filter(([, broken]) => broken).map(([sentence]) => sentence);
}

function removalOf(world: ApiWorld, eviction: ApiEvent, together: readonly ApiEvent[]): Removal | undefined {
  const before = world.history.slice(0, world.history.indexOf(eviction));
  const victim = world.pods.find(({ uid }) => uid === eviction.uid);
  const look = before.findLast(({ what, at }) => what === "looked" && cameBefore(at, eviction.sent));
  const read = before.findLast(
    ({ what, uid, at }) => what === "read" && uid === eviction.uid && cameBefore(at, eviction.sent),
  );
  if (victim === undefined || look === undefined || read === undefined) return undefined;
  return { victim, eviction, look, read, together };
}

/** What happened within one millisecond is told apart by fractions of it, which the run's clock does not have. */
function cameBefore(at: number, sent: number): boolean {
  return Math.floor(at) <= sent;
}

function ofRun(evictions: readonly ApiEvent[], { dryRun, policy, held, metricsRead, stoppedAt }: Beforehand): Breach[] {
  return [
    ["a dry run removed a pod", dryRun],
    ["SUSPEND was set", policy.suspend],
    ["another run held the Lease", held],
    ["no metrics had been read", metricsRead === 0],
    ["more pods were removed than allowed", evictions.length > policy.maxPodsToDelete],
    ["a pod was removed twice", new Set(evictions.map(({ uid }) => uid)).size < evictions.length],
    ["a pod was removed after the run was told to stop", evictions.some(({ sent }) => reached(stoppedAt, sent - 1))],
  ];
}

/** States in which nothing may be removed at all, as the run last saw them. */
function ofMoment(world: ApiWorld, { look, eviction }: Removal, { policy, removedAt }: Beforehand): Breach[] {
  const { since, owned, kind } = world;
  const cooldown = policy.cooldownSeconds * 1_000 - TIME_ERROR_MILLIS;
  const living = livingAt(world, look.at);
  const named = kind === "StatefulSet" ? /^orders-\d+$/ : /^orders-5d8f7c9b-/;
  return [
    ["the look was older than five seconds", eviction.sent - look.sent > LOOK_MILLIS],
    ["the workload was suspended", reached(since.suspended, look.at)],
    ["a rollout was in progress", reached(since.rollout, look.at)],
    ["an autoscaler wanted another number", reached(since.scaling, look.at)],
    ["the workload was being deleted", reached(since.deleted, look.at)],
    ["nobody would make another pod", owned !== "usual"],
    ["the group was ambiguous", living.some(({ owner }) => owner === "another")],
    ["a pod of the group had a strange name", living.some(({ name }) => !named.test(name))],
    ["the cooldown was not over", removedAt !== undefined && eviction.at - removedAt < cooldown],
  ];
}

/** The numbers of pods. */
function ofGroup(world: ApiWorld, removal: Removal, { policy }: Beforehand): Breach[] {
  const { look, eviction, together } = removal;
  // Of a pair the first may be gone already: it counts as if it were still there.
  const gone = together.filter(({ at }) => at <= look.at).length;
  const newcomers =
    together.length > 0 ? livingAt(world, look.at).filter(({ created }) => created >= (together[0]?.at ?? 0)) : [];
  const ready = readyAt(world, look.at).filter((pod) => !newcomers.includes(pod)).length + gone;
  const wanted = Math.min(replicasAt(world, look.at), replicasAt(world, eviction.sent));
  const most = Math.max(replicasAt(world, look.at), replicasAt(world, eviction.sent));
  const share = world.kind === "StatefulSet" ? 1 : 0.9;
  const ordinals = groupAt(world, look.at).map(({ name }) => Number(name.replace("orders-", "")));
  return [
    ["too few Ready pods were left", ready - together.length - 1 < policy.minPodsRequired],
    ["the group was not Ready", ready < share * wanted],
    ["more pods were there than were asked for", livingAt(world, look.at).length - newcomers.length > most],
    ["a StatefulSet was scaled in", world.kind === "StatefulSet" && ordinals.some((ordinal) => ordinal >= most)],
  ];
}

/** The pod itself, as it was when it was looked at last. */
function ofVictim({ victim, read }: Removal, { policy }: Beforehand): Breach[] {
  const age = read.at - victim.created + TIME_ERROR_MILLIS;
  return [
    [`${victim.name} was not a pod of the group`, victim.owner !== "workload" || victim.finished === true],
    [`${victim.name} was not Ready`, !isReady(victim, read.at)],
    [`${victim.name} was exempt`, reached(victim.exemptAt, read.at)],
    [`${victim.name} was too young`, age < policy.minPodAgeSeconds * 1_000],
  ];
}

/**
 * One at a time: between two evictions there was a moment at which the run looked, the first pod was gone, and as many pods were Ready as
 * were or are wanted by then; those that were not Ready before it had been so for 10 s.
 */
function ofSequence(world: ApiWorld, removals: readonly (Removal | undefined)[]): Breach[] {
  return removals.slice(1).map((removal, index) => {
    const earlier = removals[index];
    if (removal === undefined || earlier === undefined) return ["an eviction without its look", true];
    const looks = world.history.filter(
      ({ what, at }) => what === "looked" && at > earlier.eviction.at && cameBefore(at, removal.eviction.sent),
    );
    const replaced = looks.some(({ at }) => isReplaced(world, earlier, at, removal.eviction.sent));
    return [`${removal.victim.name} was removed before ${earlier.victim.name} was replaced`, !replaced];
  });
}

function isReplaced(world: ApiWorld, { victim, look }: Removal, at: number, until: number): boolean {
  const before = readyAt(world, look.at);
  const wanted = Math.min(before.length, replicasAt(world, at), replicasAt(world, until));
  const steady = readyAt(world, at).filter((pod) => before.includes(pod) || reached(pod.readyAt, at - 10_000));
  const most = Math.max(replicasAt(world, at), replicasAt(world, until));
  return reached(victim.goneAt, at) && steady.length >= wanted && livingAt(world, at).length <= most;
}

function livingAt(world: ApiWorld, at: number): ApiPod[] {
  return groupAt(world, at).filter(({ terminatingAt }) => !reached(terminatingAt, at));
}

function readyAt(world: ApiWorld, at: number): ApiPod[] {
  return groupAt(world, at).filter((pod) => isReady(pod, at));
}

/** Every eviction was on record before it was sent, and stays there. */
function ofRecord(world: ApiWorld, { uid, sent }: ApiEvent): Breach[] {
  const recorded = world.history.some(
    (event) => event.what === "recorded" && event.uid === uid && cameBefore(event.at, sent),
  );
  return [
    [`${uid} was removed before it was recorded`, !recorded],
    [`${uid} is missing from the record`, !isRecorded(world, uid)],
  ];
}

/** The report says what was done. */
function ofReport(evictions: readonly ApiEvent[], report: RunReport, beforehand: Beforehand): Breach[] {
  const { removal, reason, dryRun } = report;
  const said = removal?.steps.filter(({ outcome }) => outcome === "replaced" || outcome === "evicted").length ?? 0;
  return [
    ["the report names removals that did not happen", !dryRun && said > evictions.length + beforehand.perished],
    ["the report hides a removal", said + unclearRemovals(report) < evictions.length],
    ["the run was not told to stop and says so", beforehand.stoppedAt === undefined && reason === "interrupted"],
    ["the run failed by a fault of its own", report.error?.code === "INTERNAL"],
  ];
}

/** The exit code follows from what was done. */
function ofExit(evictions: readonly ApiEvent[], report: RunReport): Breach {
  const faults: Readonly<Record<number, Breach>> = {
    0: ["an error ended with exit 0", report.error !== undefined],
    1: ["exit 1 says that nothing was removed", evictions.length > 0],
    3: ["exit 3 says that something was removed", saidRemovals(report) + evictions.length === 0],
    4: ["exit 4 says that nothing was judged", evictions.length > 0],
  };
  return faults[report.exitCode] ?? [`exit ${report.exitCode} is not that of a run`, true];
}

function saidRemovals({ removal }: RunReport): number {
  return removal?.steps.filter(({ outcome }) => outcome !== "skipped" && outcome !== "failed").length ?? 0;
}

function unclearRemovals({ removal }: RunReport): number {
  return removal?.steps.filter(({ outcome }) => outcome === "unclear").length ?? 0;
}
