/** One run, from top to bottom: observe → assess → decide → act → check → report. */

import { rotationOf, withAftermath } from "./aftermath.ts";
import { deadlineOn } from "./clock.ts";
import { withClues } from "./clues.ts";
import { decide, decideInSlices } from "./decision/decide.ts";
import { formatDuration } from "./durations.ts";
import { asRebalancerError, RebalancerError } from "./errors.ts";
import { diagnose } from "./forecast/cause.ts";
import { inSlices } from "./in-slices.ts";
import { type Limits, rotate } from "./kubernetes/manager.ts";
import {
  tellDecision,
  tellDiagnosis,
  tellEnd,
  tellLock,
  tellReadings,
  tellRemoval,
  tellSnapshot,
} from "./logging/narration.ts";
import { assess, type Observation } from "./podstate/assess.ts";
import type {
  Clock,
  Cluster,
  GroupSource,
  HeldLock,
  HistorySource,
  Lock,
  MetricsSource,
  Narrator,
  Sink,
} from "./ports.ts";
import { NOTHING_READ, readAll, type Readings } from "./readings.ts";
import { exitCodeOf, type Reason, reasonOf } from "./reasons.ts";
import { cameTo } from "./sentences.ts";
import {
  type Decision,
  type Diagnosis,
  type Group,
  NOT_REMOVED,
  type Policy,
  type RemovalResult,
  type Rotation,
  type RunIdentity,
  type RunReport,
  type Snapshot,
  type Step,
  type Workload,
} from "./types.ts";

export interface Ports {
  readonly cluster: Cluster;
  readonly metrics: MetricsSource;
  /** Where the consumer group is read from, the most trusted first; none with a strategy that does not ask. */
  readonly groups?: readonly GroupSource[];
  /** Asked where they do not say who owns what at what rate. */
  readonly history?: HistorySource;
  readonly sinks: readonly Sink[];
  readonly clock: Clock;
  readonly narrator: Narrator;
}

/** How far the run has come. */
interface Progress {
  readonly dryRun: boolean;
  stepMillis: Partial<Record<Step, number>>;
  lock?: Lock | HeldLock;
  group?: Group;
  diagnosis?: Diagnosis | undefined;
  decision?: Decision;
  removal?: RemovalResult;
  rotation?: Rotation | undefined;
  error?: RebalancerError;
}

/** Sinks are asked after the run, also after one that was told to stop; none may hold the exit up for longer. */
const SINK_MILLIS = 15_000;

/**
 * Runs once. What goes wrong is in the report, with the exit code; the Lease is released on every path.
 *
 * @param signal - aborts when the run is told to stop. An eviction that was sent is still followed to its end; its replacement is
 *   not waited for.
 * @returns the report that was written to every sink. Never throws.
 */
export async function rebalance(
  identity: RunIdentity,
  ports: Ports,
  policy: Policy,
  signal: AbortSignal,
): Promise<RunReport> {
  const startedAt = ports.clock.now();
  const run: Progress = { dryRun: identity.dryRun, stepMillis: {} };
  const ended = new AbortController();
  const limits = runLimits(ports.clock, policy, AbortSignal.any([signal, ended.signal]));
  try {
    await runSteps(run, ports, policy, limits);
  } catch (thrown) {
    run.error = asRebalancerError(thrown);
  } finally {
    ended.abort();
    if (isOurs(run.lock)) await run.lock.release();
  }
  const report = reportOf(identity, run, startedAt, ports.clock.now());
  tellEnd(report, ports.narrator);
  return await writeTo(ports, report);
}

async function runSteps(run: Progress, ports: Ports, policy: Policy, limits: Limits): Promise<void> {
  const { cluster, clock, narrator } = ports;
  const { signal } = limits;

  async function step<Value>(name: Step, work: () => Promise<Value>, tell: (value: Value) => string): Promise<Value> {
    signal.throwIfAborted();
    const begun = clock.now().getTime();
    try {
      const value = await work();
      narrator.info(tell(value), { step: name, ms: clock.now().getTime() - begun });
      return value;
    } finally {
      run.stepMillis[name] = clock.now().getTime() - begun;
    }
  }

  const snapshot = await step("observe", () => cluster.observe(signal), tellSnapshot);
  const lockable = lockableIn(snapshot, policy);
  const lock = lockable && (run.lock = await step("lock", () => cluster.lock(lockable, signal), tellLock));
  const record = lock && { heldBy: lock.heldBy, removals: lock.removals, rotations: lock.rotations };
  const read = () => step("fetch", () => readAll(snapshot.pods, ports, signal), tellReadings);
  const held = unlessHeld({ snapshot, record }, ports, policy, signal);
  const readings = snapshot.workload ? await read().catch(held) : NOTHING_READ;

  const group = (run.group = assess({ snapshot, record, ...readings }, policy));
  run.diagnosis = diagnosed(group, policy, narrator);
  await lookBackLater(group, lock, narrator);
  const decided = async () => {
    const decision = await inSlices(decideInSlices(group, policy), clock, signal);
    return withClues(decision, group, ports.metrics, signal);
  };
  const decision = (run.decision = await step("decide", decided, tellDecision));

  if (decision.action === "hold" || !isOurs(lock)) return;
  const plan = { ...decision, seen: snapshot };
  const rotatePorts = { cluster, lock, clock, narrator };
  run.removal = await step("act", () => rotate(plan, rotatePorts, policy, limits), tellRemoval);
  // Of a rotation that was not made nothing has come.
  if (run.dryRun) return;

  const check = (rotation: Rotation) =>
    step("check", () => withAftermath({ ...decision, rotation }, group, ports, signal), cameTo);
  run.rotation = await lookBack(rotationOf(group, decision, run.removal, policy), { group, check, lock, narrator });
}

/**
 * Without one workload there is no Lease to take and no query to ask, and one that is suspended or being deleted is left alone: the gates
 * name the reason.
 */
function lockableIn({ workload }: Snapshot, { suspend }: Policy): Workload | undefined {
  if (suspend || workload?.suspended || workload?.deleting !== undefined) return undefined;
  return workload;
}

function isOurs(lock: Lock | HeldLock | undefined): lock is Lock {
  return lock !== undefined && lock.heldBy === undefined;
}

/** What looking back at a rotation takes. */
interface Hindsight {
  readonly group: Group;
  readonly check: (made: Rotation) => Promise<Rotation>;
  readonly lock: Lock;
  readonly narrator: Narrator;
}

/** Holds what came of a rotation against what was expected, and keeps both on record. */
async function lookBack(made: Rotation | undefined, hindsight: Hindsight): Promise<Rotation | undefined> {
  const { group, check, lock, narrator } = hindsight;
  if (made === undefined) return undefined;
  const rotation = (await advisory(() => check(made), narrator)) ?? made;
  await advisory(() => lock.remember([...(group.record?.rotations ?? []), rotation]), narrator);
  return rotation;
}

/** Keeps what came of the last rotation on record, where its own run could not tell. */
async function lookBackLater({ record }: Group, lock: Lock | HeldLock | undefined, narrator: Narrator): Promise<void> {
  if (record === undefined || !isOurs(lock)) return;
  if (record.rotations !== lock.rotations) await advisory(() => lock.remember(record.rotations), narrator);
}

/** What a later run may learn from is no reason to fail this one. */
async function advisory<Value>(work: () => Promise<Value>, narrator: Narrator): Promise<Value | undefined> {
  try {
    return await work();
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    narrator.warn(`What came of a rotation is not known, or not on record: ${error.message}`, { error });
    return undefined;
  }
}

/** It decides nothing. Where no signal was read there is nothing to say. */
function diagnosed(group: Group, policy: Policy, narrator: Narrator): Diagnosis | undefined {
  if (group.signalsInUse.length === 0) return undefined;
  const diagnosis = diagnose(group, policy);
  narrator.info(tellDiagnosis(diagnosis), { cause: diagnosis.cause });
  return diagnosis;
}

/** What holds a run back without any metrics names the reason; that they cannot be read is then no more than a warning. */
function unlessHeld(
  seen: Pick<Observation, "snapshot" | "record">,
  { narrator }: Ports,
  policy: Policy,
  signal: AbortSignal,
) {
  return (thrown: unknown): Readings => {
    const blind = decide(assess({ ...seen, ...NOTHING_READ }, policy), policy);
    if (signal.aborted || blind.action !== "hold" || blind.reason === "insufficient_metrics") throw thrown;
    const error = asRebalancerError(thrown);
    narrator.warn(`The metrics were not read: ${error.message}`, { error });
    return NOTHING_READ;
  };
}

/** The caller's signal joined with the run's own deadline, which ends with it. */
function runLimits(clock: Clock, policy: Policy, signal: AbortSignal): Limits {
  const seconds = policy.runDeadlineSeconds;
  const expired = new AbortController();
  const expire = () =>
    expired.abort(new RebalancerError("RUN_DEADLINE", `the run took longer than ${formatDuration(seconds)}`));
  clock.sleep(seconds * 1_000, signal).then(expire, () => undefined);
  return {
    signal: AbortSignal.any([signal, expired.signal]),
    deadline: new Date(clock.now().getTime() + seconds * 1_000),
  };
}

function reportOf(identity: RunIdentity, run: Progress, startedAt: Date, endedAt: Date): RunReport {
  const { group, diagnosis, decision, removal, rotation, stepMillis } = run;
  const error = run.error ?? removal?.error;
  const { reason, detail } = endOf(run, identity.dryRun);
  return {
    ...identity,
    startedAt,
    durationMillis: endedAt.getTime() - startedAt.getTime(),
    stepMillis,
    group,
    diagnosis,
    decision,
    removal,
    rotation,
    reason,
    detail,
    error,
    exitCode: exitCodeOf(reason, !identity.dryRun && mayHaveRemoved(removal)),
  };
}

function endOf({ error, removal, decision }: Progress, dryRun: boolean): { reason: Reason; detail: string } {
  if (error) return { reason: reasonOf(error), detail: error.message };
  if (removal) {
    const reason = dryRun && removal.reason === "rotated" ? "would_rotate" : removal.reason;
    return { reason, detail: removal.detail };
  }
  if (decision?.action === "hold") return { reason: decision.reason, detail: decision.detail };
  return { reason: "failed", detail: "the run ended without a decision" };
}

function mayHaveRemoved(removal: RemovalResult | undefined): boolean {
  return removal?.steps.some(({ outcome }) => !NOT_REMOVED.includes(outcome)) ?? false;
}

/**
 * A report that cannot be written does not change what the run did.
 *
 * @returns the report, with exit code 1 where the run would have ended well, removed nothing, and somebody still waits for it.
 */
async function writeTo({ sinks, narrator, clock }: Ports, report: RunReport): Promise<RunReport> {
  const errors = await Promise.all(sinks.map((sink) => failureOf(sink, report, clock)));
  const removed = !report.dryRun && mayHaveRemoved(report.removal);
  const exitCode = report.exitCode === 0 && !removed ? 1 : report.exitCode;
  const left = `stays ${exitCode}${removed ? ", because this run removed pods" : ""}`;
  const ending = `The exit code ${exitCode === report.exitCode ? left : `is ${exitCode}`}.`;
  let ended = report;
  for (const [at, { failure, wanted }] of sinks.entries()) {
    const error = errors[at];
    if (error === undefined) continue;
    const told = `${failure}: ${error.message}`;
    if (wanted) {
      narrator.error(`${told}. ${ending}`, { error });
      ended = { ...report, exitCode };
    } else narrator.warn(told, { error });
  }
  return ended;
}

async function failureOf(sink: Sink, report: RunReport, clock: Clock): Promise<RebalancerError | undefined> {
  if (sink.concerns?.(report) === false) return undefined;
  const done = new AbortController();
  try {
    await sink.write(report, deadlineOn(clock, SINK_MILLIS, done.signal));
    return undefined;
  } catch (thrown) {
    return asRebalancerError(thrown);
  } finally {
    done.abort();
  }
}
