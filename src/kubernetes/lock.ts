/** The workload's Lease, so that one run at a time acts on it, and the next knows what was removed. */

import { deadlineOn } from "../clock.ts";
import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import type { Clock, HeldLock, Lock } from "../ports.ts";
import type { EarlierRuns, PodRef, Removal, RunRecord, WorkloadRef } from "../types.ts";
import { CLOCK_SKEW_MILLIS, DATE_ROUNDING_MILLIS } from "./agreed-time.ts";
import { CALL_DEADLINE_MILLIS, type KubernetesClient, type ObjectRef, type WireLease } from "./client.ts";
import {
  holderAt,
  LEASE_SECONDS,
  leaseRef,
  newLease,
  released,
  removalsOf,
  renewed,
  rotationsOf,
  taken,
  withRemovals,
  withRotations,
} from "./lease.ts";

const RENEW_EVERY_MILLIS = 15_000;

/** An eviction is two requests: the look at the pod's UID and the eviction itself. Both must end while the Lease is ours. */
const EVICTION_MILLIS = 2 * CALL_DEADLINE_MILLIS;

const RELEASE_MILLIS = 5_000;

const NEVER = new AbortController().signal;

export interface LockPorts {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  /** The identity of this run; no other run, past or present, may share it. */
  readonly holder: string;
}

/**
 * Takes the workload's Lease, or says who holds it.
 *
 * Time is the API server's: another run's Lease counts as expired once `Date` is past its end; ours counts as ours only
 * while `Date`, the second it was cut by, what the API servers' clocks may be apart, and the time since the request was sent stay before
 * its end.
 *
 * @param signal - for the taking only; the Lease is renewed until `release`.
 * @throws RebalancerError `RECORD_INVALID` when the record cannot be read, and whatever the API answers.
 */
export async function acquireLock(
  workload: WorkloadRef,
  ports: LockPorts,
  signal: AbortSignal,
): Promise<Lock | HeldLock> {
  const { client, clock, holder } = ports;
  const ref = leaseRef(workload);
  for (let left = MAX_ROUNDS; ; left -= 1) {
    const sent = clock.now();
    const { value: lease = newLease(ref), at } = await client.getLease(ref, signal);
    const record = recordIn(lease);
    const heldBy = holderAt(lease, at);
    if (heldBy !== undefined && heldBy !== holder) return { heldBy, ...record };
    signal.throwIfAborted();
    // Not the caller's signal: a write that was sent may take effect, and then the Lease must be given back.
    const lock = holdLock(ref, record, sent, ports);
    try {
      const mine = taken(lease, holder, at);
      if (lease.metadata?.resourceVersion === undefined) await client.createLease(ref, mine, NEVER);
      else await client.updateLease(ref, mine, NEVER);
      signal.throwIfAborted();
      return lock;
    } catch (thrown) {
      await lock.release();
      // Somebody was faster, or our own write went through and only its answer was lost: the next look tells which.
      if (left === 1 || !CHANGED_MEANWHILE.has(asRebalancerError(thrown).code)) throw thrown;
    }
  }
}

/** The same without taking it. */
export async function readRecord(
  workload: WorkloadRef,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<RunRecord> {
  const { value: lease, at } = await client.getLease(leaseRef(workload), signal);
  if (lease === undefined) return { heldBy: undefined, removals: [], rotations: [] };
  return { heldBy: holderAt(lease, at), ...recordIn(lease) };
}

function recordIn(lease: WireLease): EarlierRuns {
  return { removals: removalsOf(lease), rotations: rotationsOf(lease) };
}

const MAX_ROUNDS = 3;
const CHANGED_MEANWHILE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["CONFLICT", "NOT_FOUND"]);

/** After these it is not known whether the write happened; all writes may be repeated. */
const TRY_AGAIN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CONFLICT",
  "CONNECTION_FAILED",
  "DEADLINE_EXCEEDED",
  "SERVER_ERROR",
  "THROTTLED",
]);

/** @param now - the API server's time; a change that does without it succeeds where that is in doubt, too. */
type Change = (lease: WireLease, now: () => Date) => WireLease;

function holdLock(ref: ObjectRef, earlier: EarlierRuns, acquired: Date, ports: LockPorts): Lock {
  const { client, clock, holder } = ports;
  const lost = new AbortController();
  const ended = new AbortController();
  const active = AbortSignal.any([lost.signal, ended.signal]);
  /** When the request was sent whose `Date` became the Lease's renewTime; by our clock. */
  let renewedAt = acquired;
  let writing: Promise<unknown> = Promise.resolve();

  /**
   * How much longer it is surely ours. Only our clock's differences count, never its time. The server that another run asks may be ahead of
   * ours.
   */
  function millisLeft(): number {
    const elapsed = clock.now().getTime() - renewedAt.getTime();
    return LEASE_SECONDS * 1_000 - DATE_ROUNDING_MILLIS - CLOCK_SKEW_MILLIS - elapsed;
  }

  function lose(why: string): RebalancerError {
    const error = new RebalancerError("LOCK_LOST", `lease ${ref.namespace}/${ref.name} is lost: ${why}`);
    if (!ended.signal.aborted) lost.abort(error);
    return error;
  }

  async function writeOnce(change: Change, signal: AbortSignal): Promise<void> {
    const sent = clock.now();
    const told = await client.getLease(ref, signal);
    const lease = told.value;
    const other = lease?.spec?.holderIdentity;
    if (lease === undefined) throw lose("it was deleted");
    if (other !== holder) throw lose(other ? `${other} holds it` : "it was released");
    await client.updateLease(
      ref,
      change(lease, () => told.at),
      signal,
    );
    renewedAt = sent;
  }

  async function writeSurely(change: Change, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      await writeOnce(change, signal);
    } catch (thrown) {
      if (!TRY_AGAIN.has(asRebalancerError(thrown).code)) throw thrown;
      await writeOnce(change, signal);
    }
  }

  /** One write at a time; each looks first whether the Lease is still ours, and is tried once more after a doubt. */
  function write(change: Change, signal: AbortSignal): Promise<void> {
    const work = writing.then(() => writeSurely(change, signal));
    writing = work.catch(() => undefined);
    return work;
  }

  function recordRemovals(change: (removals: readonly Removal[], at: Date) => readonly Removal[]): Promise<void> {
    return write((lease, now) => {
      const at = now();
      return withRemovals(renewed(lease, at), change(removalsOf(lease), at), at);
    }, active);
  }

  function confirm(): void {
    if (millisLeft() <= EVICTION_MILLIS) throw lose("too little of its time is left for an eviction");
  }

  /** A renewal that fails for any other reason is made up for by the next; the watch below knows when it is too late. */
  function giveUpIfClocksDiffer(thrown: unknown): void {
    const error = asRebalancerError(thrown);
    if (error.code === "CLOCKS_DIFFER") lost.abort(error);
  }

  async function keepRenewing(): Promise<void> {
    for (;;) {
      await clock.sleep(RENEW_EVERY_MILLIS, active);
      await write((lease, now) => renewed(lease, now()), active).catch(giveUpIfClocksDiffer);
    }
  }

  async function watch(): Promise<void> {
    for (let left = millisLeft(); left > 0; left = millisLeft()) await clock.sleep(left, active);
    lose("no renewal succeeded in time");
  }

  keepRenewing().catch(() => undefined);
  watch().catch(() => undefined);

  return {
    heldBy: undefined,
    ...earlier,
    lost: lost.signal,
    async removing({ name, uid }) {
      await recordRemovals((removals, at) => [
        ...removals.filter((removal) => removal.uid !== uid),
        { at, pod: name, uid },
      ]);
      confirm();
    },
    confirm,
    async refused({ uid }: PodRef) {
      await recordRemovals((removals) => removals.filter((removal) => removal.uid !== uid));
    },
    async remember(rotations) {
      await write((lease, now) => withRotations(renewed(lease, now()), rotations), active);
    },
    async release() {
      if (ended.signal.aborted) return;
      ended.abort(new RebalancerError("CANCELLED", "the Lease is released"));
      const done = new AbortController();
      await write(released, deadlineOn(clock, RELEASE_MILLIS, done.signal)).catch(() => undefined);
      done.abort();
    },
  };
}
