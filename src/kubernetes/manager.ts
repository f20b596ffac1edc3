/** The act of a rotation: one target after the other, each under the safety rules, until the first doubt. */

import { formatDuration } from "../durations.ts";
import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import type { Clock, Cluster, EvictReply, Lock, Narrator } from "../ports.ts";
import { reasonOf } from "../reasons.ts";
import { roleWords } from "../sentences.ts";
import type { PodInfo, Policy, RemovalResult, RemovalStep, Snapshot, Target } from "../types.ts";
import { alreadyGone, type Halt, nowOtherwise, objectionTo, obstacleTo } from "./obstacles.ts";
import { replacementOf } from "./replacement.ts";

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

/**
 * How old a look may be when an eviction is sent: by our own clock, from before it was asked for. Behind it come the Lease's record and
 * the look at the pod itself, which a slow API server may draw out.
 */
export const LOOK_MILLIS = 5_000;

/** So many evictions are given up because their look had become too old. */
const MOST_LOOKS = 3;

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

/** The newest look, and when it was asked for. */
interface Look {
  readonly world: Snapshot;
  readonly asked: Date;
  /** How long the API server took for it. */
  readonly tookMillis: number;
}

/** Targets that go together. */
interface Batch {
  readonly targets: readonly Target[];
  /** Those that are gone by us. */
  readonly evicted: PodInfo[];
  look: Look;
}

/** @returns one ending for each target, in their order. */
async function removeBatch(targets: readonly Target[], rotation: Rotation): Promise<readonly Ending[]> {
  const batch: Batch = { targets, evicted: [], look: { world: rotation.seen, asked: new Date(0), tookMillis: 0 } };
  try {
    const obstacle = await lookAgain(targets, batch, rotation);
    if (obstacle) return targets.map(() => skipped(obstacle));
  } catch (thrown) {
    return targets.map(() => failed("skipped", thrown));
  }

  const endings: Ending[] = [];
  let before = batch.look.world;
  for (const target of targets) {
    const { halt } = endings.at(-1) ?? {};
    const ending = halt ? leftAlone(halt) : await removeOne(target, batch, rotation);
    endings.push(ending);
    if (ending.outcome !== "evicted") continue;
    if (batch.evicted.length === 0) before = batch.look.world;
    batch.evicted.push(target.pod);
  }
  if (batch.evicted.length === 0) return endings;
  try {
    await replacementOf(batch.evicted, before, rotation);
    return endings.map((ending) => (ending.outcome === "evicted" ? { ...ending, outcome: "replaced" } : ending));
  } catch (thrown) {
    return endings.map((ending) => (ending.outcome === "evicted" ? failed("evicted", thrown) : ending));
  }
}

/** @returns what speaks against the removal of those that are still to go. */
async function lookAgain(targets: readonly Target[], batch: Batch, rotation: Rotation): Promise<Halt | undefined> {
  const { cluster, clock, signal } = rotation;
  signal.throwIfAborted();
  const asked = clock.now();
  const world = asIfStillThere(batch, await cluster.observe(signal));
  batch.look = { world, asked, tookMillis: clock.now().getTime() - asked.getTime() };
  return obstacleTo({ targets, together: batch.targets.length }, world, rotation);
}

/**
 * That one of a pair is gone by us is no reason to leave the other alone: whether both may go was looked at before. Nor is its successor
 * a reason to remove it.
 */
function asIfStillThere({ evicted, look }: Batch, world: Snapshot): Snapshot {
  if (evicted.length === 0) return world;
  const gone = new Set(evicted.map(({ uid }) => uid));
  const known = new Set(look.world.pods.map(({ uid }) => uid));
  return { ...world, pods: [...world.pods.filter(({ uid }) => known.has(uid) && !gone.has(uid)), ...evicted] };
}

/** Up to the eviction; its replacement is still to be waited for where it ends with `evicted`. */
async function removeOne(target: Target, batch: Batch, rotation: Rotation): Promise<Ending> {
  const { pod } = target;
  let outcome: RemovalStep["outcome"] = "skipped";
  try {
    rotation.signal.throwIfAborted();
    await record(pod, rotation);
    outcome = "failed";
    const reply = await evictSeen(target, batch, rotation).catch(async (thrown: unknown) => {
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

/** Something speaks against it that was not so when the batch was looked at. */
interface Held {
  readonly outcome: "held";
  readonly halt: Halt;
}

/**
 * Looks again, and again, until the look is young enough when the eviction is sent.
 *
 * @throws RebalancerError `DEADLINE_EXCEEDED` when that never succeeds.
 */
async function evictSeen(target: Target, batch: Batch, rotation: Rotation): Promise<EvictReply | Held> {
  const { clock, lock } = rotation;
  const isOld = () => clock.now().getTime() - batch.look.asked.getTime() > LOOK_MILLIS;
  for (let left = MOST_LOOKS; left > 0; left -= 1) {
    const halt = isOld() ? await lookAgain([target], batch, rotation) : undefined;
    if (halt) return { outcome: "held", halt };
    lock.confirm();
    const reply = await evict(target, isOld, rotation);
    // Whatever else speaks against the pod is seen when the group is looked at again.
    if (reply.outcome !== "spared" || !isOld()) return reply;
  }
  throw tooSlow(target, batch);
}

function tooSlow({ pod }: Target, { look: { world, tookMillis } }: Batch): RebalancerError {
  const [limit, took] = [LOOK_MILLIS, tookMillis].map((millis) => formatDuration(millis / 1_000));
  return new RebalancerError(
    "DEADLINE_EXCEEDED",
    `${pod.name} was not evicted: the API server is so slow that each of ${MOST_LOOKS} looks at the group was more than ${limit} old by then (the last look at its ${world.pods.length} pods took ${took})`,
    { advice: TOO_SLOW },
  );
}

/** What to do about it. */
const TOO_SLOW =
  "Run inside the cluster rather than over a VPN, and check the API server's load, its admission webhooks, and the network in between.";

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

function haltBy(reply: Exclude<EvictReply, { readonly outcome: "accepted" }> | Held, pod: PodInfo): Halt {
  if (reply.outcome === "held") return reply.halt;
  if (reply.outcome === "gone") return alreadyGone(pod);
  if (reply.outcome === "spared") return nowOtherwise(pod, reply.why);
  return { reason: reply.reason, detail: reply.why };
}

async function evict(
  { pod, role, score }: Target,
  isOld: () => boolean,
  { cluster, narrator, policy, signal }: Rotation,
): Promise<EvictReply> {
  signal.throwIfAborted();
  narrator.info(`Asking for the eviction of ${pod.name}: ${roleWords(role)}, score ${score.toFixed(2)}.`, {
    pod: pod.name,
    role,
  });
  const objection = objectionTo(pod, policy);
  return await cluster.evict(
    pod,
    (now, at) => objection(now, at) ?? (isOld() ? "seen too long ago" : undefined),
    signal,
  );
}

/** Puts a removal on record, or, after an answer that does not tell, takes it back: nothing is evicted then. */
async function record(pod: PodInfo, rotation: Rotation): Promise<void> {
  try {
    await rotation.lock.removing(pod);
  } catch (thrown) {
    const { code, retryable } = asRebalancerError(thrown);
    if (!retryable && !UNANSWERED.has(code)) await strike(pod, rotation);
    throw thrown;
  }
}

/** Nothing more is asked of a server that does not answer or fails, of a Lease that is lost, nor of servers that disagree on the time. */
const UNANSWERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["DEADLINE_EXCEEDED", "LOCK_LOST", "CLOCKS_DIFFER"]);

/** Takes back the record of a removal that surely did not happen. Where that fails, a cooldown is kept for nothing. */
async function strike(pod: PodInfo, { lock, narrator }: Rotation): Promise<void> {
  try {
    await lock.refused(pod);
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    narrator.warn(`The record may still count ${pod.name} as removed: ${error.message}.`, { pod: pod.name, error });
  }
}

function skipped(halt: Halt): Ending {
  return { outcome: "skipped", why: halt.detail, halt };
}
