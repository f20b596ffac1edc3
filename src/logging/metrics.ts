import { Counter, Gauge, Registry } from "prom-client";

import { type Reason, REASONS } from "../reasons.ts";
import { type Role, type RunReport, SIGNALS } from "../types.ts";

const ROLES: readonly Role[] = ["most_busy", "least_busy"];

/**
 * One run as Prometheus' text format (version 0.0.4), every metric with every label value, also when it is zero.
 *
 * - `rebalancer_executions_total{status}`: 1 for how it ended; exit code 0 is `success`, the rest `error`.
 * - `rebalancer_pods_analyzed_total`: pods of the group, 0 when the run ended before it was seen.
 * - `rebalancer_pods_deleted_total{type}`: pods that are gone by this run, by role; a dry run deletes nothing.
 * - `rebalancer_execution_duration_seconds`: a gauge, since one process makes one run: a histogram would spread one observation over
 *   buckets that never grow.
 * - `rebalancer_load_variance_current{signal}`: relative variance (no unit) of each signal in use and of the score. No sample where nothing
 *   was measured: 0 would say "perfectly balanced".
 * - `rebalancer_decisions_total{reason}`: 1 for the reason the run ended with.
 */
export async function metricsText(report: RunReport): Promise<string> {
  const registry = new Registry();
  const registers = [registry];

  const executions = new Counter({
    name: "rebalancer_executions_total",
    help: "Runs by how they ended; exit code 0 is success.",
    labelNames: ["status"],
    registers,
  });
  for (const status of ["success", "error"]) executions.inc({ status }, 0);
  executions.inc({ status: report.exitCode === 0 ? "success" : "error" });

  const analyzed = new Counter({
    name: "rebalancer_pods_analyzed_total",
    help: "Pods of the group that were looked at.",
    registers,
  });
  analyzed.inc(report.group?.pods.length ?? 0);

  const deleted = new Counter({
    name: "rebalancer_pods_deleted_total",
    help: "Pods that were removed, by role.",
    labelNames: ["type"],
    registers,
  });
  for (const role of ROLES) deleted.inc({ type: role }, removedPods(report, role));

  const duration = new Gauge({
    name: "rebalancer_execution_duration_seconds",
    help: "How long the run took.",
    registers,
  });
  duration.set(report.durationMillis / 1_000);

  const variance = new Gauge({
    name: "rebalancer_load_variance_current",
    help: "Relative variance (variance / mean^2) of a signal over the scored pods.",
    labelNames: ["signal"],
    registers,
  });
  for (const [signal, value] of variances(report)) variance.set({ signal }, value);

  const decisions = new Counter({
    name: "rebalancer_decisions_total",
    help: "Runs by the reason they ended with.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of Object.keys(REASONS) as Reason[]) decisions.inc({ reason }, reason === report.reason ? 1 : 0);

  return registry.metrics();
}

function removedPods({ dryRun, removal }: RunReport, role: Role): number {
  if (dryRun) return 0;
  const gone = removal?.steps.filter(({ outcome }) => outcome === "replaced" || outcome === "evicted") ?? [];
  return gone.filter((step) => step.role === role).length;
}

function variances({ group }: RunReport): readonly (readonly [string, number])[] {
  if (group === undefined || group.statistics.score.count === 0) return [];
  const names = [...SIGNALS.filter((signal) => group.signalsInUse.includes(signal)), "score"] as const;
  return names.map((name) => [name, group.statistics[name].relativeVariance]);
}
