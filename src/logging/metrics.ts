import { Counter, Gauge, Registry } from "prom-client";

import { JUDGED, judgeSignals, type SignalVerdict } from "../decision/thresholds.ts";
import { type Reason, REASONS } from "../reasons.ts";
import {
  NOT_REMOVED,
  type Policy,
  type RemovalStep,
  type Role,
  type RunReport,
  type Signal,
  SIGNALS,
} from "../types.ts";

const ROLES: readonly Role[] = ["most_busy", "least_busy", "best_forecast"];
const HOUR_MILLIS = 3_600_000;

/** One metric, whole: its sample, or its sample for each value of its one label. Without a sample it is left out. */
interface Metric {
  readonly type: "counter" | "gauge";
  readonly name: string;
  readonly help: string;
  readonly value: number | { readonly label: string; readonly of: readonly (readonly [string, number])[] } | undefined;
}

/**
 * One run as Prometheus' text format (version 0.0.4): every metric with every value of its label, and each with the group's
 * `namespace` and `selector`.
 *
 * A gauge that was not measured is NaN: 0 would say "perfectly balanced" or "no pods", and without a sample a Pushgateway would repeat
 * what an earlier run said. Only the last success has no sample unless this is one.
 *
 * The duration is a gauge, since one process makes one run: a histogram would spread one observation over buckets that never grow.
 */
export async function metricsText(report: RunReport, policy: Policy): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels({ namespace: report.namespace, selector: report.selector });
  for (const { type, name, help, value } of metricsOf(report, policy)) {
    if (value === undefined) continue;
    const labelNames = typeof value === "number" ? [] : [value.label];
    const metric = new (type === "counter" ? Counter : Gauge)({ name, help, labelNames, registers: [registry] });
    if (typeof value === "number") metric.inc(value);
    else for (const [text, sample] of value.of) metric.inc({ [value.label]: text }, sample);
  }
  return registry.metrics();
}

function metricsOf(report: RunReport, policy: Policy): readonly Metric[] {
  const succeeded = report.exitCode === 0;
  const endedAtSeconds = (report.startedAt.getTime() + report.durationMillis) / 1_000;
  const pods = report.group?.pods.length;
  const verdicts = report.group ? judgeSignals(report.group, policy) : [];
  return [
    {
      type: "counter",
      name: "rebalancer_executions_total",
      help: "Runs by how they ended; exit code 0 is success.",
      value: {
        label: "status",
        of: [
          ["success", Number(succeeded)],
          ["error", Number(!succeeded)],
        ],
      },
    },
    {
      type: "gauge",
      name: "rebalancer_last_run_timestamp_seconds",
      help: "When the last run ended, in Unix time.",
      value: endedAtSeconds,
    },
    {
      type: "gauge",
      name: "rebalancer_last_success_timestamp_seconds",
      help: "When the last run with exit code 0 ended, in Unix time; other runs do not send it.",
      value: succeeded ? endedAtSeconds : undefined,
    },
    {
      type: "gauge",
      name: "rebalancer_execution_duration_seconds",
      help: "How long the run took.",
      value: report.durationMillis / 1_000,
    },
    {
      type: "counter",
      name: "rebalancer_pods_analyzed_total",
      help: "Pods of the group that were looked at.",
      value: pods ?? 0,
    },
    {
      type: "gauge",
      name: "rebalancer_pods_analyzed",
      help: "Pods of the group; NaN when the run ended before it knew them.",
      value: pods ?? NaN,
    },
    {
      type: "counter",
      name: "rebalancer_pods_deleted_total",
      help: "Pods that were removed, by role.",
      value: { label: "type", of: ROLES.map((role) => [role, removedAs(report, role)]) },
    },
    {
      type: "gauge",
      name: "rebalancer_removed_share_1h",
      help: "Removals of all runs within the last hour / wanted pods; NaN when the record was not read.",
      value: removedShare(report),
    },
    {
      type: "gauge",
      name: "rebalancer_load_variance_current",
      help: "Relative variance (variance / mean^2) of a signal over the scored pods; NaN when it was not measured.",
      value: { label: "signal", of: [...SIGNALS, "score" as const].map((name) => [name, varianceOf(report, name)]) },
    },
    {
      type: "gauge",
      name: "rebalancer_load_variance_threshold",
      help: "Above which relative variance counts as uneven; +Inf while the signal's mean is below its floor.",
      value: { label: "signal", of: JUDGED.map((signal) => [signal, thresholdOf(verdicts, signal)]) },
    },
    {
      type: "counter",
      name: "rebalancer_decisions_total",
      help: "Runs by the reason they ended with.",
      value: {
        label: "reason",
        of: (Object.keys(REASONS) as Reason[]).map((reason) => [reason, Number(reason === report.reason)]),
      },
    },
  ];
}

/** Gone by this run, whether or not the replacement is there. */
function removedAs(report: RunReport, role: Role): number {
  const gone = stepsOf(report).filter(({ outcome }) => outcome === "replaced" || outcome === "evicted");
  return gone.filter((step) => step.role === role).length;
}

/** A dry run removes nothing. */
function stepsOf({ dryRun, removal }: RunReport): readonly RemovalStep[] {
  return dryRun ? [] : (removal?.steps ?? []);
}

/** Like the record, it counts an eviction of which nobody knows what became. */
function removedShare(report: RunReport): number {
  const { record, snapshot } = report.group ?? {};
  const wanted = snapshot?.workload?.replicas ?? 0;
  if (record === undefined || snapshot === undefined || wanted === 0) return NaN;
  const since = snapshot.observedAt.getTime() - HOUR_MILLIS;
  const earlier = record.removals.filter(({ at }) => at.getTime() > since);
  const own = stepsOf(report).filter(({ outcome }) => !NOT_REMOVED.includes(outcome));
  return (earlier.length + own.length) / wanted;
}

function varianceOf({ group }: RunReport, name: Signal | "score"): number {
  const measured = group !== undefined && group.statistics.score.count > 0;
  const used = name === "score" || group?.signalsInUse.includes(name);
  return measured && used ? group.statistics[name].relativeVariance : NaN;
}

function thresholdOf(verdicts: readonly SignalVerdict[], signal: Signal): number {
  const verdict = verdicts.find((one) => one.signal === signal);
  if (verdict === undefined) return NaN;
  return verdict.loaded ? verdict.threshold : Infinity;
}
