/** What a run needs from outside. Adapters, the dry run, the fakes and the simulation implement these. */

import type { ConsumerGroup, GroupSourceName } from "./kafka/group.ts";
import type {
  EarlierRuns,
  PodInfo,
  PodRef,
  Rotation,
  RunReport,
  Signal,
  Signals,
  Snapshot,
  WorkloadRef,
} from "./types.ts";

/** Kubernetes, as far as a run needs it. */
export interface Cluster {
  /** @throws RebalancerError when the world cannot be seen whole. */
  observe(signal: AbortSignal): Promise<Snapshot>;
  /** Takes the workload's Lease, or says who holds it and what its record holds. */
  lock(workload: WorkloadRef, signal: AbortSignal): Promise<Lock | HeldLock>;
  /**
   * Asks for the eviction of exactly this pod (the UID counts) and finds out what became of it. Once it was sent, the signal
   * no longer counts.
   *
   * @param objection - asked of the pod as it is just before.
   * @throws RebalancerError; `ERRORS` says of its code whether the eviction may have happened all the same.
   */
  evict(pod: PodRef, objection: Objection, signal: AbortSignal): Promise<EvictReply>;
}

/**
 * Why a pod may not be removed, in a few words; undefined when it may.
 *
 * @param at - the API server's time of this look.
 */
export type Objection = (pod: PodInfo, at: Date) => string | undefined;

/**
 * - accepted: the pod is terminating or gone by this eviction; `replaced` where nobody need wait for its replacement;
 * - refused: see `EvictRefusal`;
 * - spared: there was an objection, and nothing was asked;
 * - gone: it had been replaced or removed before, by somebody else; with `perhapsByUs` the eviction was sent, and a proxy may have
 *   sent it twice.
 */
export type EvictReply =
  | { readonly outcome: "accepted"; readonly note?: string; readonly replaced?: true }
  | EvictRefusal
  | { readonly outcome: "spared"; readonly why: string }
  | { readonly outcome: "gone"; readonly perhapsByUs?: true };

/** The pod surely still runs, and `why` is a clause that names who refused: a budget, admission control, or a missing right. */
export interface EvictRefusal {
  readonly outcome: "refused";
  readonly reason: "blocked_by_pdb" | "blocked_by_admission" | "not_allowed";
  readonly why: string;
}

/** The Lease while this run holds it. */
export interface Lock extends EarlierRuns {
  readonly heldBy: undefined;
  /** Aborts once the Lease is no longer surely ours. */
  readonly lost: AbortSignal;
  /**
   * Records a removal; to be called before the eviction is sent.
   * @throws RebalancerError `LOCK_LOST` unless the Lease is ours for longer than a request's deadline.
   */
  removing(pod: PodRef): Promise<void>;
  /** To be called again where time has passed since. @throws RebalancerError `LOCK_LOST`, as `removing` does. */
  confirm(): void;
  /** Strikes the record of a removal that surely did not happen. */
  refused(pod: PodRef): Promise<void>;
  /** Keeps these rotations on record, in the place of those that were. */
  remember(rotations: readonly Rotation[]): Promise<void>;
  /** Frees the Lease, keeps the record. Never throws: an unreleased Lease expires by itself. */
  release(): Promise<void>;
}

/** Another run holds the Lease. */
export interface HeldLock extends EarlierRuns {
  readonly heldBy: string;
}

export interface MetricsSource {
  /** All signals in parallel, in a fixed number of queries. @throws RebalancerError on any doubt about a reply. */
  fetch(pods: readonly PodInfo[], signal: AbortSignal): Promise<Signals>;
  /**
   * What was looked for of signals that no pod has, and what there is instead: a clause for each, at the cost of a query for each.
   * @throws RebalancerError as `fetch` does.
   */
  searchFor?(signals: readonly Signal[], pods: readonly PodInfo[], signal: AbortSignal): Promise<readonly string[]>;
}

/** Where the consumer group behind the pods is read from. */
export interface GroupSource {
  readonly name: GroupSourceName;
  /**
   * @returns undefined where it has nothing to say of this group.
   * @throws RebalancerError that names the source and what is wrong with its answer.
   */
  read(pods: readonly PodInfo[], signal: AbortSignal): Promise<ConsumerGroup | undefined>;
}

/** How uneven the group has been. */
export interface HistorySource {
  /**
   * Busiest / mean of what the pods consumed, at moments of the past, the oldest first; none where nothing is known.
   *
   * @throws RebalancerError on any doubt about a reply.
   */
  imbalances(pods: readonly PodInfo[], signal: AbortSignal): Promise<readonly number[]>;
}

/** Where a report goes: stdout, the Event, the receiver of the metrics. */
export interface Sink {
  /** What it means that `write` failed, to go before the reason: "The Event was not written". */
  readonly failure: string;
  /** Somebody waits for what it writes: without it a run that removed nothing has failed. */
  readonly wanted?: boolean;
  /** Whether it has anything to write of this report; always, where it does not say. */
  concerns?(report: RunReport): boolean;
  write(report: RunReport, signal: AbortSignal): Promise<void>;
}

export interface Clock {
  /** Never steps back within a run. */
  now(): Date;
  /** Resolves after `millis`, or rejects with the signal's reason at once when it aborts. */
  sleep(millis: number, signal: AbortSignal): Promise<void>;
}

/** What the steps tell as they go: one sentence, with fields for machines. */
export interface Narrator {
  debug(sentence: string, fields?: NarratorFields): void;
  info(sentence: string, fields?: NarratorFields): void;
  warn(sentence: string, fields?: NarratorFields): void;
  error(sentence: string, fields?: NarratorFields): void;
}
export type NarratorFields = Readonly<Record<string, unknown>>;
