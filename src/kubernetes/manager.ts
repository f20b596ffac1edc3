import { ineligibility } from "../decision/eligible.ts";
import { firstWorldHold, readyPods, tooFewPods } from "../decision/gates.ts";
import { formatDuration } from "../durations.ts";
import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import { candidate } from "../podstate/assess.ts";
import type { Clock, Cluster, EvictReply, Lock, Narrator, Objection } from "../ports.ts";
import { type Reason, reasonOf } from "../reasons.ts";
import { roleWords } from "../sentences.ts";
import type { PodInfo, Policy, RemovalResult, RemovalStep, Snapshot, Target } from "../types.ts";

export interface RotatePorts {
  readonly cluster: Cluster;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly narrator: Narrator;
}

/** What was chosen, and the world it was chosen in. */
export interface RotatePlan {
  readonly targets: readonly Target[];
  /** Whether all go at once, or each when the one before is replaced. */
  readonly atOnce: boolean;
  readonly seen: Snapshot;
}

/** When a rotation must end. */
export interface Limits {
  /** Aborts when the run is told to stop and when its deadline has passed. */
  readonly signal: AbortSignal;
  /** The run's deadline, by `Clock`. */
  readonly deadline: Date;
}

/** How often the pods are looked at while a replacement starts. */
const LOOK_EVERY_MILLIS = 2_000;

/** A new pod counts once it has been Ready for minReadySeconds, and for no less than this. */
const LEAST_READY_SECONDS = 10;

/** Why no further pod is touched. */
interface Halt {
  readonly reason: Reason;
  readonly detail: string;
  readonly error?: RebalancerError;
}

const ALL_ROTATED: Halt = { reason: "rotated", detail: "" };

type Ending = { readonly outcome: RemovalStep["outcome"]; readonly why: string; readonly halt?: Halt };

/**
 * Removes one target after the other under the safety rules, looking at the world again before
 * each, and waits after each until it is replaced. Of those that go at once, all are looked at before the first, and waited for behind
 * the last. The first doubt ends the rotation.
 *
 * @returns one step for each target, and why the rotation ended. Never throws.
 */
export async function rotate(
  plan: RotatePlan,
  ports: RotatePorts,
  policy: Policy,
  limits: Limits,
): Promise<RemovalResult> {
  const rotation: Rotation = {
    ...ports,
    seen: plan.seen,
    policy,
    deadline: limits.deadline,
    signal: AbortSignal.any([limits.signal, ports.lock.lost]),
  };
  const steps: RemovalStep[] = [];
  let halt: Halt | undefined;
  const batches = plan.atOnce ? [plan.targets] : plan.targets.map((target) => [target]);
  for (const batch of batches) {
    const endings = halt ? batch.map(() => leftAlone(halt)) : await removeBatch(batch, rotation);
    for (const [at, { pod, role }] of batch.entries()) {
      const { outcome, why } = endings[at] ?? leftAlone(halt);
      steps.push({ pod: pod.name, uid: pod.uid, role, outcome, why });
    }
    halt ??= endings.find((ending) => ending.halt)?.halt;
  }
  const { reason, detail, error } = halt ?? ALL_ROTATED;
  return { requested: steps.length, steps, reason, detail, error };
}

/** What all removals of one rotation share. */
interface Rotation extends RotatePorts {
  readonly seen: Snapshot;
  readonly policy: Policy;
  readonly deadline: Date;
  readonly signal: AbortSignal;
}

function leftAlone(halt: Halt | undefined): Ending {
  return { outcome: "skipped", why: `not touched, because ${halt?.detail}` };
}

/** @returns one ending for each target, in their order. */
async function removeBatch(targets: readonly Target[], rotation: Rotation): Promise<readonly Ending[]> {
  let fresh: Snapshot;
  try {
    rotation.signal.throwIfAborted();
    fresh = await rotation.cluster.observe(rotation.signal);
  } catch (thrown) {
    return targets.map(() => failed("skipped", thrown));
  }
  const obstacle = obstacleTo(targets, fresh, rotation);
  if (obstacle) return targets.map(() => skipped(obstacle));

  const endings: Ending[] = [];
  for (const target of targets) {
    const { halt } = endings.at(-1) ?? {};
    endings.push(halt ? leftAlone(halt) : await removeOne(target, rotation));
  }
  const evicted = targets.filter((_target, at) => endings[at]?.outcome === "evicted").map(({ pod }) => pod);
  if (evicted.length === 0) return endings;
  try {
    await replacementOf(evicted, fresh, rotation);
    return endings.map((ending) => (ending.outcome === "evicted" ? { ...ending, outcome: "replaced" } : ending));
  } catch (thrown) {
    return endings.map((ending) => (ending.outcome === "evicted" ? failed("evicted", thrown) : ending));
  }
}

/** Up to the eviction; its replacement is still to be waited for where it ends with `evicted`. */
async function removeOne({ pod, ...target }: Target, rotation: Rotation): Promise<Ending> {
  let outcome: RemovalStep["outcome"] = "skipped";
  try {
    rotation.signal.throwIfAborted();
    await record(pod, rotation);
    outcome = "failed";
    const reply = await evict({ pod, ...target }, rotation).catch(async (thrown: unknown) => {
      if (asRebalancerError(thrown).mayHaveEvicted) outcome = "unclear";
      else await strike(pod, rotation);
      throw thrown;
    });
    if (reply.outcome === "gone" && reply.perhapsByUs) return perhapsGone(pod);
    if (reply.outcome !== "accepted") {
      await strike(pod, rotation);
      return skipped(haltBy(reply, pod));
    }
    return { outcome: reply.replaced ? "replaced" : "evicted", why: reply.note ?? "evicted and replaced" };
  } catch (thrown) {
    return failed(outcome, thrown);
  }
}

function failed(outcome: RemovalStep["outcome"], thrown: unknown): Ending {
  const error = asRebalancerError(thrown);
  return { outcome, why: error.message, halt: { reason: reasonOf(error), detail: error.message, error } };
}

/** It stays on record: a cooldown for nothing does no harm. */
function perhapsGone({ name }: PodInfo): Ending {
  const detail = `${name} was already gone when its eviction arrived`;
  const why = `${detail}, by somebody else or by a proxy that sent it twice`;
  return { outcome: "unclear", why, halt: { reason: "target_changed", detail } };
}

function haltBy(reply: Exclude<EvictReply, { readonly outcome: "accepted" }>, pod: PodInfo): Halt {
  if (reply.outcome === "gone") return alreadyGone(pod);
  if (reply.outcome === "spared") return nowOtherwise(pod, reply.why);
  return { reason: reply.reason, detail: reply.why };
}

function nowOtherwise({ name }: PodInfo, why: string): Halt {
  return { reason: "target_changed", detail: `${name} is now ${why}` };
}

function alreadyGone({ name }: PodInfo): Halt {
  return { reason: "target_changed", detail: `${name} was already gone` };
}

/** The look before each removal: the same rules as for the decision, on fresh data. */
function obstacleTo(targets: readonly Target[], fresh: Snapshot, rotation: Rotation): Halt | undefined {
  const { seen, policy } = rotation;
  const hold = firstWorldHold(fresh, policy);
  if (hold) return hold;
  if (fresh.workload?.uid !== seen.workload?.uid) {
    return { reason: "target_changed", detail: "the workload was deleted and created anew" };
  }
  for (const { pod } of targets) {
    const now = fresh.pods.find(({ uid }) => uid === pod.uid);
    if (now === undefined) return alreadyGone(pod);
    const why = objectionTo(pod, policy)(now, fresh.observedAt);
    if (why !== undefined) return nowOtherwise(pod, why);
  }
  const tooFew = tooFewPods(fresh, policy, targets.length);
  if (tooFew !== undefined) return { reason: "would_breach_minimum", detail: tooFew };
  return tooLate(targets, rotation);
}

/** What speaks against the removal of this target, whenever it is looked at: the rule by which it was chosen. */
function objectionTo({ controller }: PodInfo, policy: Policy): Objection {
  return (now, at) => {
    if (now.controller.uid !== controller.uid) return `a pod of ${now.controller.kind}/${now.controller.name}`;
    return ineligibility(candidate(now, at), policy);
  };
}

function tooLate(targets: readonly Target[], { policy, clock, deadline }: Rotation): Halt | undefined {
  const needed = graceOf(targets.map(({ pod }) => pod)) + policy.replacementTimeoutSeconds;
  const left = Math.max(0, Math.floor((deadline.getTime() - clock.now().getTime()) / 1_000));
  if (left >= needed) return undefined;
  const [rest, whole] = [formatDuration(left), formatDuration(needed)];
  return { reason: "deadline_near", detail: `${rest} are left of RUN_DEADLINE, and one removal may take ${whole}` };
}

/** The longest of their grace periods, in seconds. */
function graceOf(pods: readonly PodInfo[]): number {
  return Math.max(...pods.map(({ graceSeconds }) => graceSeconds));
}

async function evict({ pod, role, score }: Target, rotation: Rotation): Promise<EvictReply> {
  const { cluster, narrator, policy, signal } = rotation;
  signal.throwIfAborted();
  narrator.info(`Asking for the eviction of ${pod.name}: ${roleWords(role)}, score ${score.toFixed(2)}.`, {
    pod: pod.name,
    role,
  });
  return await cluster.evict(pod, objectionTo(pod, policy), signal);
}

/** Puts a removal on record, or, after an answer that does not tell, takes it back: nothing is evicted then. */
async function record(pod: PodInfo, rotation: Rotation): Promise<void> {
  try {
    await rotation.lock.removing(pod);
  } catch (thrown) {
    if (!UNANSWERED.has(asRebalancerError(thrown).code)) await strike(pod, rotation);
    throw thrown;
  }
}

/** Nothing more is asked of a server that does not answer, nor of a Lease that is lost. */
const UNANSWERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["DEADLINE_EXCEEDED", "LOCK_LOST"]);

/** Takes back the record of a removal that surely did not happen. Where that fails, a cooldown is kept for nothing. */
async function strike(pod: PodInfo, { lock, narrator }: Rotation): Promise<void> {
  try {
    await lock.refused(pod);
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    narrator.warn(`The record may still count ${pod.name} as removed: ${error.message}.`, { pod: pod.name, error });
  }
}

/** Waits until these pods are gone and as many pods are Ready as before, or as many as the workload now wants. */
async function replacementOf(evicted: readonly PodInfo[], before: Snapshot, rotation: Rotation): Promise<void> {
  const { cluster, clock, narrator, policy, signal } = rotation;
  const started = clock.now().getTime();
  const patience = graceOf(evicted) + policy.replacementTimeoutSeconds;
  const pod = evicted.map(({ name }) => name).join(", ");
  const [was, is, it] = evicted.length === 1 ? ["was", "is", "it is"] : ["were", "are", "they are"];
  const uids = new Set(evicted.map(({ uid }) => uid));
  const settled = settlingPods(before);
  for (;;) {
    const now = await cluster.observe(signal);
    const wanted = Math.min(readyPods(before.pods).length, now.workload?.replicas ?? Number.POSITIVE_INFINITY);
    const count = settled(now);
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
 * Counts pods that were Ready before and still are, and new ones that have been Ready for long enough: since they were first seen
 * so, because the time in the Ready condition is that of a node's clock.
 *
 * @returns a function that takes one look after the other.
 */
function settlingPods(before: Snapshot): (now: Snapshot) => number {
  const existed = new Set(before.pods.map(({ uid }) => uid));
  const wereReady = new Set(readyPods(before.pods).map(({ uid }) => uid));
  let firstSeen = new Map<string, number>();
  return (now) => {
    const at = now.observedAt.getTime();
    const earlier = firstSeen;
    firstSeen = new Map(
      readyPods(now.pods).map((pod) => {
        const key = readinessOf(pod);
        return [key, earlier.get(key) ?? at];
      }),
    );
    // Both times are cut to whole seconds: their difference may be one too large.
    const holdMillis = (Math.max(now.workload?.minReadySeconds ?? 0, LEAST_READY_SECONDS) + 1) * 1_000;
    const settled = readyPods(now.pods).filter((pod) => {
      if (existed.has(pod.uid)) return wereReady.has(pod.uid);
      return at - (firstSeen.get(readinessOf(pod)) ?? at) >= holdMillis;
    });
    return settled.length;
  };
}

/** Another time in the Ready condition is another readiness: the pod was not Ready in between. */
function readinessOf({ uid, readySince }: PodInfo): string {
  return `${uid} ${readySince?.getTime()}`;
}

function skipped(halt: Halt): Ending {
  return { outcome: "skipped", why: halt.detail, halt };
}
