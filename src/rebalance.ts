/** One run, from top to bottom: observe → assess → decide → act → report. */

import { decide } from "./decision/decide.ts";
import { formatDuration } from "./durations.ts";
import { asRebalancerError, RebalancerError } from "./errors.ts";
import { type Limits, rotate } from "./kubernetes/manager.ts";
import { tellDecision, tellEnd, tellLock, tellRemoval, tellSignals, tellSnapshot } from "./logging/narration.ts";
import { assess, type Observation } from "./podstate/assess.ts";
import type { Clock, Cluster, HeldLock, Lock, MetricsSource, Narrator, Sink } from "./ports.ts";
import { exitCodeOf, type Reason, reasonOf } from "./reasons.ts";
import {
  type Decision,
  type Group,
  NOT_REMOVED,
  type Policy,
  type RemovalResult,
  type RunIdentity,
  type RunReport,
  type Signals,
  type Step,
} from "./types.ts";

export interface Ports {
  readonly cluster: Cluster;
  readonly metrics: MetricsSource;
  readonly sinks: readonly Sink[];
  readonly clock: Clock;
  readonly narrator: Narrator;
}

/** How far the run has come. */
interface Progress {
  stepMillis: Partial<Record<Step, number>>;
  lock?: Lock | HeldLock;
  group?: Group;
  decision?: Decision;
  removal?: RemovalResult;
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
  const run: Progress = { stepMillis: {} };
  const ended = new AbortController();
  const limits = runLimits(ports.clock, policy, AbortSignal.any([signal, ended.signal]));
  try {
    await runSteps(run, ports, policy, limits);
  } catch (thrown) {
    run.error = asRebalancerError(thrown);
  } finally {
    ended.abort();
    if (run.lock?.heldBy === undefined) await run.lock?.release();
  }
  const report = reportOf(identity, run, startedAt, ports.clock.now());
  tellEnd(report, ports.narrator);
  await Promise.all(ports.sinks.map((sink) => writeTo(sink, report, ports.narrator)));
  return report;
}

async function runSteps(run: Progress, ports: Ports, policy: Policy, limits: Limits): Promise<void> {
  const { cluster, metrics, clock, narrator } = ports;
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
  const { workload } = snapshot;
  // Without one workload there is no Lease to take and no query to ask, and one that is suspended is left alone: the gates name
  // the reason.
  const lockable = policy.suspend || workload?.suspended ? undefined : workload;
  const lock = lockable && (run.lock = await step("lock", () => cluster.lock(lockable, signal), tellLock));
  const record = lock && { heldBy: lock.heldBy, removals: lock.removals };
  const fetch = () => step("fetch", () => metrics.fetch(snapshot.pods, signal), tellSignals);
  const signals = workload ? await fetch().catch(unlessHeld({ snapshot, record }, ports, policy, signal)) : NO_SIGNALS;

  const group = (run.group = assess({ snapshot, record, signals }, policy));
  const decision = (run.decision = await step("decide", async () => decide(group, policy), tellDecision));

  if (decision.action === "hold" || lock === undefined || lock.heldBy !== undefined) return;
  const plan = { targets: decision.targets, seen: snapshot };
  const rotatePorts = { cluster, lock, clock, narrator };
  run.removal = await step("act", () => rotate(plan, rotatePorts, policy, limits), tellRemoval);
}

/** What holds a run back without any metrics names the reason; that they cannot be read is then no more than a warning. */
function unlessHeld(
  seen: Pick<Observation, "snapshot" | "record">,
  { narrator }: Ports,
  policy: Policy,
  signal: AbortSignal,
) {
  return (thrown: unknown): Signals => {
    const blind = decide(assess({ ...seen, signals: NO_SIGNALS }, policy), policy);
    if (signal.aborted || blind.action !== "hold" || blind.reason === "insufficient_metrics") throw thrown;
    const error = asRebalancerError(thrown);
    narrator.warn(`The metrics were not read: ${error.message}`, { error });
    return NO_SIGNALS;
  };
}

const NO_SIGNALS: Signals = { cpu: undefined, lag: undefined, rate: undefined, memory: undefined };

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
  const { group, decision, removal, stepMillis } = run;
  const error = run.error ?? removal?.error;
  const { reason, detail } = endOf(run, identity.dryRun);
  return {
    ...identity,
    startedAt,
    durationMillis: endedAt.getTime() - startedAt.getTime(),
    stepMillis,
    group,
    decision,
    removal,
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

/** A report that cannot be written does not change what the run did. */
async function writeTo(sink: Sink, report: RunReport, narrator: Narrator): Promise<void> {
  try {
    await sink.write(report, AbortSignal.timeout(SINK_MILLIS));
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    narrator.warn(`${sink.failure}: ${error.message}`, { error });
  }
}
