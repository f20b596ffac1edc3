import { CAUSES } from "../causes.ts";
import { ineligibility } from "../decision/eligible.ts";
import { type ErrorFields, errorFields } from "../error-fields.ts";
import { REASONS, type Reason } from "../reasons.ts";
import type { ExitCode } from "../reasons.ts";
import { explainCause, summarise } from "../sentences.ts";
import type {
  Decision,
  Diagnosis,
  Group,
  PodState,
  Policy,
  RemovalResult,
  Role,
  RunReport,
  Signal,
  Statistics,
  Step,
  Workload,
} from "../types.ts";
import {
  type JsonConsumerGroup,
  jsonConsumerGroup,
  type JsonForecast,
  jsonForecast,
  type JsonRotation,
  jsonRotation,
} from "./json-forecast.ts";

/**
 * The report as one JSON document. Every key is always there: `null` stands for "not known" or "did not come to that". Times are ISO
 * 8601 in UTC, units stand in the names, shares and scores lie in 0…1. Keys may join within one `schemaVersion`; none changes its
 * meaning or leaves.
 */
export interface JsonReport {
  readonly schemaVersion: 1;
  readonly runId: string;
  readonly dryRun: boolean;
  readonly namespace: string;
  readonly selector: string;
  readonly startedAt: string;
  readonly durationMillis: number;
  /** By step that was begun: observe, lock, fetch, decide, act, check. */
  readonly stepMillis: Readonly<Partial<Record<Step, number>>>;
  readonly exitCode: ExitCode;
  readonly reason: Reason;
  readonly detail: string;
  /** The run in one or two sentences. */
  readonly summary: string;
  readonly advice: string;
  readonly error: ErrorFields | null;
  readonly group: JsonGroup | null;
  /** What makes the group uneven, whatever was decided. */
  readonly diagnosis: JsonDiagnosis | null;
  readonly decision: JsonDecision | null;
  /** In a dry run: what would have been done. */
  readonly removal: Omit<RemovalResult, "error"> | null;
  /** What was expected of the rotation, and what came; `null` where nothing was forecast or removed. */
  readonly rotation: JsonRotation | null;
  readonly policy: Policy;
}

interface JsonGroup {
  /** The API server's time when the pods were listed. */
  readonly observedAt: string;
  readonly workload:
    | (Omit<Workload, "rollout" | "scaling" | "suspendedAs"> & {
        rollout: string | null;
        scaling: string | null;
        /** The annotation's value, where it is neither true nor false. */
        suspendedAs: string | null;
        idleAutoscalers: readonly string[];
      })
    | null;
  readonly controllers: readonly string[];
  readonly podsWithoutController: readonly string[];
  readonly leaseHeldBy: string | null;
  readonly lastRemovals: readonly { readonly at: string; readonly pod: string; readonly uid: string }[];
  readonly signalsInUse: readonly Signal[];
  /** Pods with a sample, by signal in use. */
  readonly samples: Readonly<Partial<Record<Signal, number>>>;
  /** Pods whose sample was not a number or negative, by signal in use. */
  readonly rejected: Readonly<Partial<Record<Signal, readonly string[]>>>;
  readonly coverage: number;
  /** As the most trusted source has it; `null` where none was asked, or none knows it. */
  readonly consumerGroup: JsonConsumerGroup | null;
  readonly pods: readonly JsonPod[];
  /** In the unit of the name; `variance` in that unit squared, `relativeVariance` and `busiestToMean` without one. */
  readonly statistics: Readonly<Record<keyof JsonReadings | "score", Statistics>>;
}

interface JsonReadings {
  readonly cpuCores: number | null;
  readonly lagMessages: number | null;
  readonly rateMessagesPerSecond: number | null;
  readonly memoryBytes: number | null;
}

interface JsonPod extends JsonReadings {
  readonly name: string;
  readonly uid: string;
  readonly controller: string;
  readonly node: string | null;
  readonly createdAt: string;
  readonly ageSeconds: number;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly exempt: boolean;
  readonly score: number | null;
  /** What its partitions bring. */
  readonly loadMessagesPerSecond: number | null;
  /** Why it may not be removed; `null` when it may. */
  readonly ineligible: string | null;
}

interface JsonDiagnosis extends Pick<Diagnosis, "cause" | "evidence" | "pods"> {
  readonly node: string | null;
  readonly partition: Diagnosis["partition"] | null;
  /** The cause and its evidence in one sentence. */
  readonly summary: string;
  readonly remedy: string;
}

interface JsonTarget {
  readonly pod: string;
  readonly uid: string;
  readonly role: Role;
  readonly score: number;
}

type JsonPassedOver = Decision["passedOver"];
type JsonDecision =
  | {
      readonly action: "rotate";
      readonly because: readonly string[];
      readonly targets: readonly JsonTarget[];
      readonly atOnce: boolean;
      readonly passedOver: JsonPassedOver;
      readonly forecast: JsonForecast | null;
    }
  | {
      readonly action: "hold";
      readonly reason: Reason;
      readonly detail: string;
      readonly passedOver: JsonPassedOver;
      readonly forecast: JsonForecast | null;
    };

/** What a terminal may act on and JSON leaves as it is: DEL, C1 controls, bidirectional and other format characters, the invisible. */
const UNESCAPED = /[\u007F-\u009F\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;

/** The document of {@link JsonReport} with "\n" behind it. What is not printable is escaped; nothing is lost by that. */
export function renderJson(report: RunReport, policy: Policy): string {
  const json = JSON.stringify(jsonReport(report, policy), null, 2);
  return `${json.replaceAll(UNESCAPED, escapeUnits)}\n`;
}

function escapeUnits(character: string): string {
  const units = Array.from({ length: character.length }, (_unit, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

function jsonReport(report: RunReport, policy: Policy): JsonReport {
  const { runId, dryRun, namespace, selector, startedAt, durationMillis, stepMillis } = report;
  const { exitCode, reason, detail, error, group, diagnosis, decision, removal } = report;
  return {
    schemaVersion: 1,
    runId,
    dryRun,
    namespace,
    selector,
    startedAt: startedAt.toISOString(),
    durationMillis,
    stepMillis,
    exitCode,
    reason,
    detail,
    summary: summarise(report),
    advice: error?.advice ?? REASONS[reason].advice,
    error: error ? errorFields(error) : null,
    group: group ? jsonGroup(group, policy) : null,
    diagnosis: diagnosis ? jsonDiagnosis(diagnosis) : null,
    decision: decision ? jsonDecision(decision) : null,
    removal: removal ? jsonRemoval(removal) : null,
    rotation: report.rotation ? jsonRotation(report.rotation) : null,
    policy,
  };
}

function jsonWorkload(workload: Workload): NonNullable<JsonGroup["workload"]> {
  const { rollout = null, scaling = null, suspendedAs = null, idleAutoscalers = [] } = workload;
  return { ...workload, rollout, scaling, suspendedAs, idleAutoscalers };
}

function jsonGroup(group: Group, policy: Policy): JsonGroup {
  const { snapshot, record, signalsInUse, samples, rejected, coverage, statistics } = group;
  const { workload } = snapshot;
  return {
    observedAt: snapshot.observedAt.toISOString(),
    workload: workload ? jsonWorkload(workload) : null,
    controllers: snapshot.controllers,
    podsWithoutController: snapshot.bare,
    leaseHeldBy: record?.heldBy ?? null,
    lastRemovals: (record?.removals ?? []).map(({ at, pod, uid }) => ({ at: at.toISOString(), pod, uid })),
    signalsInUse,
    samples,
    rejected,
    coverage,
    consumerGroup: group.ownership ? jsonConsumerGroup(group.ownership, group.contradiction) : null,
    pods: group.pods.map((state) => jsonPod(state, group, policy)),
    statistics: { ...readings((signal) => statistics[signal]), score: statistics.score },
  };
}

function jsonPod(state: PodState, { ownership }: Group, policy: Policy): JsonPod {
  const { pod, ageSeconds, ready, signals, score } = state;
  return {
    name: pod.name,
    uid: pod.uid,
    controller: `${pod.controller.kind}/${pod.controller.name}`,
    node: pod.node ?? null,
    createdAt: pod.created.toISOString(),
    ageSeconds,
    ready,
    terminating: pod.terminating,
    exempt: pod.exempt,
    ...readings((signal) => signals[signal] ?? null),
    score: score ?? null,
    loadMessagesPerSecond: ownership?.owners.find((owner) => owner.pod === pod.name)?.load ?? null,
    ineligible: ineligibility(state, policy) ?? null,
  };
}

function readings<Value>(valueOf: (signal: Signal) => Value): Record<keyof JsonReadings, Value> {
  return {
    cpuCores: valueOf("cpu"),
    lagMessages: valueOf("lag"),
    rateMessagesPerSecond: valueOf("rate"),
    memoryBytes: valueOf("memory"),
  };
}

function jsonDiagnosis(diagnosis: Diagnosis): JsonDiagnosis {
  const { cause, evidence, pods, node = null, partition = null } = diagnosis;
  const { remedy } = CAUSES[cause];
  return { cause, evidence, summary: explainCause(diagnosis), remedy, pods, node, partition };
}

function jsonDecision(decision: Decision): JsonDecision {
  const forecast = decision.forecast ? jsonForecast(decision.forecast) : null;
  if (decision.action === "hold") {
    const { action, reason, detail, passedOver } = decision;
    return { action, reason, detail, passedOver, forecast };
  }
  const { action, because, passedOver } = decision;
  const targets = decision.targets.map(({ pod, role, score }) => ({ pod: pod.name, uid: pod.uid, role, score }));
  return { action, because, targets, atOnce: decision.atOnce, passedOver, forecast };
}

function jsonRemoval({ requested, steps, reason, detail }: RemovalResult): Omit<RemovalResult, "error"> {
  return { requested, steps, reason, detail };
}
