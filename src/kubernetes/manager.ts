import { ineligibility } from "../decision/eligible.ts";
import { firstWorldHold, readyPods, tooFewPods } from "../decision/gates.ts";
import { formatDuration } from "../durations.ts";
import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import { candidate } from "../podstate/assess.ts";
import type { Clock, Cluster, EvictReply, Lock, Narrator } from "../ports.ts";
import type { Reason } from "../reasons.ts";
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

type Ending = { readonly outcome: RemovalStep["outcome"]; readonly why: string; readonly halt?: Halt };

/**
 * The plan's pod manager: removes one target after the other under the safety rules, looking at the world again before
 * each, and waits after each until it is replaced. The first doubt ends the rotation.
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
  for (const target of plan.targets) {
    const { pod, role } = target;
    const ending: Ending = halt
      ? { outcome: "skipped", why: `not touched, because ${halt.detail}` }
      : await removeOne(target, rotation);
    steps.push({ pod: pod.name, uid: pod.uid, role, outcome: ending.outcome, why: ending.why });
    halt ??= ending.halt;
  }
  const untouched = steps.every((step) => step.outcome === "skipped");
  const { reason, detail, error } = halt ?? {
    reason: untouched ? ("target_changed" as const) : ("rotated" as const),
    detail: steps.map((step) => `${step.pod}: ${step.why}`).join("; "),
  };
  return { requested: steps.length, steps, reason, detail, error };
}

/** What all removals of one rotation share. */
interface Rotation extends RotatePorts {
  readonly seen: Snapshot;
  readonly policy: Policy;
  readonly deadline: Date;
  readonly signal: AbortSignal;
}

async function removeOne(target: Target, rotation: Rotation): Promise<Ending> {
  const { pod } = target;
  let outcome: "failed" | "evicted" = "failed";
  try {
    rotation.signal.throwIfAborted();
    const fresh = await rotation.cluster.observe(rotation.signal);
    const obstacle = obstacleTo(target, fresh, rotation);
    if (obstacle) return obstacle;

    const reply = await evictRecorded(target, rotation);
    if (reply.outcome === "gone") return skipped("it was already gone");
    if (reply.outcome === "refused") return skipped(reply.why, { reason: "blocked_by_pdb", detail: reply.why });

    outcome = "evicted";
    await replacementOf(pod, fresh, rotation);
    return { outcome: "replaced", why: reply.note ?? "evicted and replaced" };
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    return { outcome, why: error.message, halt: { reason: reasonOf(error), detail: error.message, error } };
  }
}

/** The look before each removal: the same rules as for the decision, on fresh data. */
function obstacleTo({ pod }: Target, fresh: Snapshot, { seen, policy, clock, deadline }: Rotation): Ending | undefined {
  const hold = firstWorldHold(fresh, policy);
  if (hold) return skipped(hold.detail, hold);
  if (fresh.workload?.uid !== seen.workload?.uid) {
    const detail = "the workload was deleted and created anew";
    return skipped(detail, { reason: "target_changed", detail });
  }
  const now = fresh.pods.find(({ uid }) => uid === pod.uid);
  if (now === undefined) return skipped("it was already gone");
  const why = ineligibility(candidate(now, fresh.observedAt), policy);
  if (why !== undefined) return skipped(`it is now ${why}`);
  const tooFew = tooFewPods(fresh, policy);
  if (tooFew !== undefined) return skipped(tooFew, { reason: "would_breach_minimum", detail: tooFew });
  const needed = now.graceSeconds + policy.replacementTimeoutSeconds;
  const left = Math.max(0, Math.floor((deadline.getTime() - clock.now().getTime()) / 1_000));
  if (left < needed) {
    const detail = `${formatDuration(left)} are left of RUN_DEADLINE, and one removal may take ${formatDuration(needed)}`;
    return skipped(detail, { reason: "deadline_near", detail });
  }
  return undefined;
}

/** Records the removal, sends the eviction, and strikes the record if the eviction surely did not happen. */
async function evictRecorded({ pod, role, score }: Target, rotation: Rotation): Promise<EvictReply> {
  const { cluster, lock, narrator, signal } = rotation;
  await lock.removing(pod);
  let reply: EvictReply;
  try {
    signal.throwIfAborted();
    narrator.info(`Evicting ${pod.name}: ${words(role)}, score ${score.toFixed(2)}.`, { pod: pod.name, role });
    // Not the run's signal: an eviction that was begun is followed to its end, or nobody knows what became of it.
    reply = await cluster.evict(pod, new AbortController().signal);
  } catch (thrown) {
    if (!MAY_HAVE_HAPPENED.has(asRebalancerError(thrown).code)) await lock.refused(pod);
    throw thrown;
  }
  if (reply.outcome !== "accepted") await lock.refused(pod);
  return reply;
}

/** Of an eviction; after any other error it surely did not happen. */
const MAY_HAVE_HAPPENED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "EVICTION_FAILED",
  "EVICTION_UNCLEAR",
  "INTERNAL",
]);

/** Waits until the pod is gone and as many pods are Ready as before, or as many as the workload now wants. */
async function replacementOf(pod: PodInfo, before: Snapshot, rotation: Rotation): Promise<void> {
  const { cluster, clock, narrator, policy, signal } = rotation;
  const started = clock.now().getTime();
  const patience = pod.graceSeconds + policy.replacementTimeoutSeconds;
  for (;;) {
    const now = await cluster.observe(signal);
    const wanted = Math.min(readyPods(before.pods).length, now.workload?.replicas ?? Number.POSITIVE_INFINITY);
    const settled = settledPods(before, now).length;
    const gone = !now.pods.some(({ uid }) => uid === pod.uid);
    const waited = (clock.now().getTime() - started) / 1_000;
    if (gone && settled >= wanted) {
      narrator.info(`${pod.name} is replaced: ${settled} pods are Ready.`, { pod: pod.name, ms: waited * 1_000 });
      return;
    }
    if (waited >= patience) {
      const state = gone ? `${settled} of ${wanted} pods are Ready` : "it is still terminating";
      throw new RebalancerError(
        "REPLACEMENT_LATE",
        `${pod.name} was evicted and is not replaced after ${formatDuration(Math.round(waited))}: ${state}`,
      );
    }
    await clock.sleep(LOOK_EVERY_MILLIS, signal);
  }
}

/** Pods that were Ready before and still are, and new ones that have been Ready for long enough. */
function settledPods(before: Snapshot, now: Snapshot): readonly PodInfo[] {
  const existed = new Set(before.pods.map(({ uid }) => uid));
  const wereReady = new Set(readyPods(before.pods).map(({ uid }) => uid));
  const holdMillis = Math.max(now.workload?.minReadySeconds ?? 0, LEAST_READY_SECONDS) * 1_000;
  return readyPods(now.pods).filter(({ uid, readySince }) => {
    if (existed.has(uid)) return wereReady.has(uid);
    return readySince !== undefined && now.observedAt.getTime() - readySince.getTime() >= holdMillis;
  });
}

function skipped(why: string, halt?: Halt): Ending {
  return { outcome: "skipped", why, ...(halt && { halt }) };
}

const REASON_OF_ERROR: Readonly<Partial<Record<ErrorCode, Reason>>> = {
  LOCK_LOST: "lock_lost",
  REPLACEMENT_LATE: "replacement_timeout",
  RUN_DEADLINE: "run_deadline",
  CANCELLED: "interrupted",
};

/** What ended a run that threw this. */
export function reasonOf(error: RebalancerError): Reason {
  return REASON_OF_ERROR[error.code] ?? "failed";
}

function words(role: Target["role"]): string {
  return role.replace("_", " ");
}
