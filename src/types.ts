/** The shapes that one run passes along: what was observed, assessed, decided, done and reported. No I/O here. */

import type { Cause } from "./causes.ts";
import type { RebalancerError } from "./errors.ts";
import type { LikelyOrder, OrderWeights } from "./forecast/likely-orders.ts";
import type { Ownership } from "./forecast/ownership.ts";
import type { TopicPartition } from "./kafka/assignors/assignor.ts";
import type { ExitCode, HoldReason, Reason } from "./reasons.ts";

/** Every signal that is read for a pod; units: cpu cores, lag messages, rate messages/s, memory bytes. */
export const SIGNALS = ["cpu", "lag", "rate", "memory"] as const;
export type Signal = (typeof SIGNALS)[number];

/** What a pod is removed for: it has the highest or the lowest composite score of its group, or the best forecast. */
export type Role = "most_busy" | "least_busy" | "best_forecast";

/** One pod, told apart from a later pod of the same name (StatefulSets) by its UID. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** The owner reference with `controller: true`. */
export interface ControllerRef {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** One unfinished pod as the API server shows it. */
export interface PodInfo extends PodRef {
  readonly controller: ControllerRef;
  /** What the pod's name begins with, before the random or ordinal suffix ("consumer-5d8f7c9b-"). */
  readonly namePrefix: string;
  /** The node it is bound to; undefined while it waits for one. */
  readonly node: string | undefined;
  /** status.podIP; undefined until it has one. */
  readonly ip: string | undefined;
  /** The others of status.podIPs (dual stack). */
  readonly otherIps?: readonly string[];
  readonly created: Date;
  readonly terminating: boolean;
  /** When its Ready condition turned True; undefined while it is not Ready or terminating. */
  readonly readySince: Date | undefined;
  /** Carries `pod-rebalancer.io/exempt`, and not as "false". */
  readonly exempt: boolean;
  /** Its value, in quotes, where that is neither "true" nor "false". */
  readonly exemptAs?: string | undefined;
  /** The StatefulSet's revision that it was made from; undefined for any other pod, and where its label is missing. */
  readonly revision?: string | undefined;
  /** terminationGracePeriodSeconds, >= 0. */
  readonly graceSeconds: number;
}

/** The controller whose pods form the group. */
export interface WorkloadRef {
  readonly kind: "Deployment" | "StatefulSet";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface Workload extends WorkloadRef {
  /** spec.replicas. */
  readonly replicas: number;
  /** spec.minReadySeconds, >= 0. */
  readonly minReadySeconds: number;
  /** Since when it, or its ReplicaSet, is being deleted, as part of a sentence; undefined when it is not. */
  readonly deleting: string | undefined;
  /** Makes no pod while one of a lower ordinal is not Ready (a StatefulSet's podManagementPolicy OrderedReady). */
  readonly ordered: boolean;
  /** Why its controller cannot make pods now (a quota, say), as part of a sentence; undefined when it can. */
  readonly hindered: string | undefined;
  /** Carries `pod-rebalancer.io/suspend`, and not as "false". */
  readonly suspended: boolean;
  /** Its value, in quotes, where that is neither "true" nor "false". */
  readonly suspendedAs?: string | undefined;
  /** Why a rollout counts as in progress, as part of a sentence; undefined when there is none. */
  readonly rollout: string | undefined;
  /** Which autoscaler wants another number, or which pods are too many, as part of a sentence; undefined when none are. */
  readonly scaling: string | undefined;
  /** Autoscalers that do not scale, and why, as sentences without a full stop. */
  readonly idleAutoscalers?: readonly string[];
}

/** The world at one moment: the group's pods, its workload, its rollout and scaling state. */
export interface Snapshot {
  /** The API server's time (`Date` header): ages and holds are judged by it, never by our clock. */
  readonly observedAt: Date;
  /** Every controller that owns pods of the selector, as "Deployment/orders", with what rules it out; more than one is ambiguous. */
  readonly controllers: readonly string[];
  /** Set when the pods have exactly one controller, and it is a Deployment or a StatefulSet. */
  readonly workload: Workload | undefined;
  /** Unfinished pods that have a controller, in name order. */
  readonly pods: readonly PodInfo[];
  /** Names of unfinished pods without a controller: named, never counted, scored or targeted. */
  readonly bare: readonly string[];
}

/** One removal as the Lease records it. */
export interface Removal {
  /** API server's time, just before the eviction was sent. */
  readonly at: Date;
  readonly pod: string;
  readonly uid: string;
}

/** What one rotation was expected to bring, and what came of it. Imbalance is busiest / mean load, no unit, >= 1. */
export interface Rotation {
  /** API server's time, when the first pod was removed. */
  readonly at: Date;
  readonly pods: readonly string[];
  /** What would make this another group: its pods' controller, the numbers of pods and partitions, the assignor. */
  readonly group: string;
  readonly before: number;
  /** Of the imbalance after it; undefined where nothing could be forecast. */
  readonly expected: Spread | undefined;
  /** undefined until it was looked at. */
  readonly after: number | undefined;
  /** In which the members left and joined; undefined where that cannot be told. */
  readonly order: LikelyOrder | undefined;
}

/** Percentiles of a distribution. */
export interface Spread {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
}

/** What the Lease keeps of earlier runs on the workload, each list with the oldest first. */
export interface EarlierRuns {
  readonly removals: readonly Removal[];
  /** What was expected of the last rotations, and what came. */
  readonly rotations: readonly Rotation[];
}

/** What is known of other runs. */
export interface RunRecord extends EarlierRuns {
  /** The identity of the run that holds the Lease; undefined when it is ours or free. */
  readonly heldBy: string | undefined;
}

/** The samples of one signal, joined to nothing yet. */
export interface SignalSamples {
  /** Pod name → value: finite and >= 0, in the signal's unit. */
  readonly values: ReadonlyMap<string, number>;
  /** Pods whose sample was NaN, infinite or negative: it counts as missing, never as zero. */
  readonly rejected: readonly string[];
}

/** undefined: the signal was left out on purpose (`none`). */
export type Signals = Readonly<Record<Signal, SignalSamples | undefined>>;

/** One pod and its signals. */
export interface PodState {
  readonly pod: PodInfo;
  /** By the API server's time. */
  readonly ageSeconds: number;
  readonly ready: boolean;
  /** Only what was measured; a hole stays a hole. */
  readonly signals: Readonly<Partial<Record<Signal, number>>>;
  /** 0…1; undefined when a signal in use is missing. */
  readonly score: number | undefined;
}

/** Of the scored pods; all zero when there are none. */
export interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly maximum: number;
  /** Population variance, in the unit squared. */
  readonly variance: number;
  readonly standardDeviation: number;
  /** variance / mean²; no unit; 0 when the mean is 0. */
  readonly relativeVariance: number;
  /** maximum / mean; no unit; 1 when the mean is 0. */
  readonly busiestToMean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

/** What `decide` judges: pods with their scores, the group's statistics, and what holds a run back. */
export interface Group {
  readonly snapshot: Snapshot;
  /** undefined: it was not read, since there is no workload, or it is to be left alone. */
  readonly record: RunRecord | undefined;
  /** Same order as `snapshot.pods`. */
  readonly pods: readonly PodState[];
  /** Signals in use (not left out with `none`), in the order of SIGNALS. */
  readonly signalsInUse: readonly Signal[];
  /** Pods with a sample, by signal in use. */
  readonly samples: Readonly<Partial<Record<Signal, number>>>;
  /** Pods whose sample was rejected, by signal. */
  readonly rejected: Readonly<Partial<Record<Signal, readonly string[]>>>;
  /** Share (0…1) of the Ready pods older than the query window that have every signal in use. */
  readonly coverage: number;
  readonly statistics: Readonly<Record<Signal | "score", Statistics>>;
  /** Who owns which partitions; undefined where no source says so. */
  readonly ownership: Ownership | undefined;
  /** In what two sources differ, as a clause; undefined where none contradicts another. */
  readonly contradiction: string | undefined;
  /** Busiest / mean of what the pods consumed in the past; read only where nobody says who owns what at what rate. */
  readonly history: readonly number[];
}

/** What makes the group uneven, as far as its figures say. */
export interface Diagnosis {
  readonly cause: Cause;
  /** The figures behind it, as a clause: "orders-3 brings 2.4 times a pod's fair share". */
  readonly evidence: string;
  /** Names of the pods to blame, the worst first; empty where no pod is. */
  readonly pods: readonly string[];
  /** The node to blame. */
  readonly node: string | undefined;
  /** The partition to blame. */
  readonly partition: TopicPartition | undefined;
}

export interface Target {
  readonly pod: PodInfo;
  readonly role: Role;
  /** 0…1. */
  readonly score: number;
}

/** An extreme of the group that may not be removed, and why; it is not substituted by the next. */
export interface PassedOver {
  readonly pod: string;
  readonly role: Role;
  readonly why: string;
}

export interface RotateDecision {
  readonly action: "rotate";
  /** What it rests on; undefined where the thresholds decided. */
  readonly forecast?: Forecast;
  /** One clause per threshold that was passed: "lag is uneven (5.24 > 0.5)". */
  readonly because: readonly string[];
  /** In the order of removal; never empty. */
  readonly targets: readonly Target[];
  /** Whether they are removed at once, or each when the one before is replaced. */
  readonly atOnce: boolean;
  readonly passedOver: readonly PassedOver[];
}

export interface HoldDecision {
  readonly action: "hold";
  /** As far as it was made. */
  readonly forecast?: Forecast;
  readonly reason: HoldReason;
  /** The facts behind the reason, as a clause: "3 of 8 pods are Ready". */
  readonly detail: string;
  readonly passedOver: readonly PassedOver[];
}

export type Decision = RotateDecision | HoldDecision;

/** What rotating may bring. Imbalance is busiest / mean load, no unit, >= 1. */
export interface Forecast {
  /** Today's. */
  readonly imbalance: number;
  /** Share (0…1) of random deals of these partitions that are more even. */
  readonly percentile: number;
  /** The least of all deals that give equal numbers of partitions. */
  readonly floor: number;
  readonly orders: OrderWeights;
  /** Everything that was tried, the best first. */
  readonly candidates: readonly CandidateForecast[];
  /** How many were to be tried; more than the candidates where the time was up before. */
  readonly planned: number;
  /** One of the candidates; undefined where none is good enough. */
  readonly chosen: CandidateForecast | undefined;
}

/** What comes of rotating these pods, over the orders of leaving and joining and the errors in the rates. */
export interface CandidateForecast {
  /** In the order of removal. */
  readonly pods: readonly string[];
  /** Whether all go at once, or the second once the first is replaced. */
  readonly atOnce: boolean;
  /** Of the imbalance after it, and its mean. */
  readonly after: Spread;
  readonly expected: number;
  /** Its median, by order; of those that are likely enough. */
  readonly afterBy: Readonly<Partial<Record<LikelyOrder, number>>>;
  /** Chance (0…1) that it is worse by more than 2 %. */
  readonly worse: number;
  /** By how much the pessimistic end (p90) is better: share of what could be removed (imbalance - floor); may be negative. */
  readonly improvement: number;
  /** Messages that wait while their partitions change hands, and for how long the busiest pod must be relieved to make up for it. */
  readonly delayed: number;
  readonly paybackSeconds: number;
}

/** What became of one target. */
export interface RemovalStep {
  readonly pod: string;
  readonly uid: string;
  readonly role: Role;
  /**
   * replaced: evicted, and its successor Ready; evicted: removed, successor not (yet) Ready; unclear: nobody knows whether it
   * was, or will be, removed; failed: it surely was not; skipped: not asked for.
   */
  readonly outcome: "replaced" | "evicted" | "unclear" | "skipped" | "failed";
  readonly why: string;
}

/** Outcomes of a pod that this run surely did not remove; of any other it is gone, or may be. */
export const NOT_REMOVED: readonly RemovalStep["outcome"][] = ["skipped", "failed"];

/** Every target that was asked for, what became of it, and why the rotation ended. */
export interface RemovalResult {
  readonly requested: number;
  readonly steps: readonly RemovalStep[];
  /** `rotated` when every target was dealt with; otherwise what stopped the rest. */
  readonly reason: Reason;
  readonly detail: string;
  /** Set when an error stopped it. */
  readonly error: RebalancerError | undefined;
}

/** The names of the steps, as logged and timed. */
export type Step = "observe" | "lock" | "fetch" | "decide" | "act" | "check";

/** Which run this is, and of what. */
export interface RunIdentity {
  readonly runId: string;
  readonly dryRun: boolean;
  readonly namespace: string;
  readonly selector: string;
}

/** All there is to say about one run. */
export interface RunReport extends RunIdentity {
  readonly startedAt: Date;
  readonly durationMillis: number;
  readonly stepMillis: Readonly<Partial<Record<Step, number>>>;
  /** undefined when the run ended before the group was assessed. */
  readonly group: Group | undefined;
  /** Also undefined where no signals were read. */
  readonly diagnosis: Diagnosis | undefined;
  readonly decision: Decision | undefined;
  readonly removal: RemovalResult | undefined;
  /** What was expected of the rotation and what came of it; undefined where nothing was forecast or removed. */
  readonly rotation: Rotation | undefined;
  /** Why the run ended as it did. */
  readonly reason: Reason;
  readonly detail: string;
  readonly error: RebalancerError | undefined;
  readonly exitCode: ExitCode;
}

/** The limits a decision and a run obey. Durations in seconds, > 0 unless said otherwise. */
export interface Policy {
  readonly strategy: "balanced" | "forecast";
  /** Of the imbalance that could be removed, as a share, 0…1: a forecast must promise that at its pessimistic end. */
  readonly minimumImprovement: number;
  /** Relative variance, no unit, >= 0. */
  readonly cpuVarianceThreshold: number;
  readonly lagVarianceThreshold: number;
  /** Means below these floors (cores, messages; >= 0) do not count. */
  readonly cpuFloor: number;
  readonly lagFloor: number;
  /** Pods that one run removes at most, >= 1. */
  readonly maxPodsToDelete: number;
  /** Ready pods that must stay while one is replaced, >= 1. */
  readonly minPodsRequired: number;
  /** Share, 0…1. */
  readonly minMetricsCoverage: number;
  readonly metricsWindowSeconds: number;
  readonly minPodAgeSeconds: number;
  readonly cooldownSeconds: number;
  readonly replacementTimeoutSeconds: number;
  readonly runDeadlineSeconds: number;
  readonly suspend: boolean;
}
