import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { altered, EVEN, groupOf, reportOf, UNEVEN, withSteps } from "../../test/fakes/report.ts";
import { RebalancerError } from "../errors.ts";
import { REASONS } from "../reasons.ts";
import { type Group, type RemovalStep, type RunReport, SIGNALS } from "../types.ts";
import { metricsText } from "./metrics.ts";

const planned = reportOf(groupOf(UNEVEN));
const rotated: RunReport = { ...planned, dryRun: false, reason: "rotated" };
const failed = reportOf(undefined, {
  error: new RebalancerError("CONNECTION_FAILED", "no connection"),
  reason: "failed",
  exitCode: 1,
});

const GROUP = ',namespace="shop",selector="app=consumer"}';

/** Prometheus' text format, strictly: a HELP and a TYPE before each metric, each series once, each with its group. */
async function samplesOf(report: RunReport): Promise<Map<string, number>> {
  const samples = new Map<string, number>();
  let announced = "";
  for (const line of (await metricsText(report, POLICY)).split("\n").filter((text) => text !== "")) {
    const type = /^# TYPE (\w+) (?:counter|gauge)$/.exec(line);
    if (type) announced = type[1] ?? "";
    if (line.startsWith("#")) continue;
    const [, name = "", labels = "", value = ""] = /^(\w+)\{(.+)\} (\S+)$/.exec(line) ?? [];
    expect(name, line).toBe(announced);
    expect(`,${labels}}`.endsWith(GROUP), line).toBe(true);
    const own = `,${labels}}`.slice(1, -GROUP.length);
    const series = own === "" ? name : `${name}{${own}}`;
    expect(samples.has(series), line).toBe(false);
    samples.set(series, Number(value.replace("Inf", "Infinity")));
  }
  return samples;
}

describe("the run as metrics", () => {
  it("counts one execution, by exit code", async () => {
    const held = await samplesOf({ ...planned, exitCode: 0 });
    expect(held.get('rebalancer_executions_total{status="success"}')).toBe(1);
    expect(held.get('rebalancer_executions_total{status="error"}')).toBe(0);
    for (const exitCode of [1, 2, 3, 4] as const) {
      const samples = await samplesOf({ ...planned, exitCode });
      expect(samples.get('rebalancer_executions_total{status="success"}')).toBe(0);
      expect(samples.get('rebalancer_executions_total{status="error"}')).toBe(1);
    }
  });

  it("counts the pods that were removed, whether or not they were replaced in time", async () => {
    const removal = withSteps(rotated.removal, { outcome: "replaced", why: "" }, { outcome: "evicted", why: "late" });
    const samples = await samplesOf({ ...rotated, removal });
    expect(samples.get('rebalancer_pods_deleted_total{type="most_busy"}')).toBe(1);
    expect(samples.get('rebalancer_pods_deleted_total{type="least_busy"}')).toBe(1);
  });

  it("does not count pods that were skipped", async () => {
    const removal = withSteps(rotated.removal, { outcome: "failed", why: "" }, { outcome: "skipped", why: "" });
    const samples = await samplesOf({ ...rotated, removal });
    expect(samples.get('rebalancer_pods_deleted_total{type="most_busy"}')).toBe(0);
    expect(samples.get('rebalancer_pods_deleted_total{type="least_busy"}')).toBe(0);
  });

  it("counts nothing as removed by a dry run", async () => {
    const samples = await samplesOf(planned);
    expect(samples.get('rebalancer_pods_deleted_total{type="most_busy"}')).toBe(0);
    expect(samples.get("rebalancer_pods_analyzed_total")).toBe(8);
  });

  it("names the reason, and every other as zero", async () => {
    const samples = await samplesOf(rotated);
    for (const reason of Object.keys(REASONS)) {
      expect(samples.get(`rebalancer_decisions_total{reason="${reason}"}`), reason).toBe(reason === "rotated" ? 1 : 0);
    }
  });

  it("gives the duration in seconds and the relative variance of each signal in use", async () => {
    const samples = await samplesOf(reportOf(groupOf(UNEVEN, { without: ["rate"] })));
    expect(samples.get("rebalancer_execution_duration_seconds")).toBe(1.234);
    expect(samples.get('rebalancer_load_variance_current{signal="lag"}')).toBeCloseTo(5.24, 2);
    expect(samples.get('rebalancer_load_variance_current{signal="rate"}')).toBeNaN();
    for (const signal of ["cpu", "memory", "score"]) {
      expect(samples.get(`rebalancer_load_variance_current{signal="${signal}"}`), signal).toBeGreaterThan(0);
    }
  });

  it("shows a variance of zero, and NaN where nothing was measured", async () => {
    const even = groupOf(EVEN);
    expect((await samplesOf(reportOf(even))).get('rebalancer_load_variance_current{signal="cpu"}')).toBe(0);
    const blind = groupOf(altered(UNEVEN, () => ({ cpu: undefined })));
    for (const report of [reportOf(blind), failed]) {
      const samples = await samplesOf(report);
      for (const signal of [...SIGNALS, "score"]) {
        expect(samples.get(`rebalancer_load_variance_current{signal="${signal}"}`), signal).toBeNaN();
      }
      expect(samples.get("rebalancer_pods_analyzed_total")).toBe(report.group ? 8 : 0);
    }
  });

  it("gives the pods of the group, 0 included, and NaN when it never saw them", async () => {
    expect((await samplesOf(planned)).get("rebalancer_pods_analyzed")).toBe(8);
    expect((await samplesOf(reportOf(groupOf([])))).get("rebalancer_pods_analyzed")).toBe(0);
    expect((await samplesOf(failed)).get("rebalancer_pods_analyzed")).toBeNaN();
  });

  it("gives the end of the run, and that of the last success only when it is one", async () => {
    const end = planned.startedAt.getTime() / 1_000 + 1.234;
    const held = await samplesOf({ ...planned, exitCode: 0 });
    expect(held.get("rebalancer_last_run_timestamp_seconds")).toBeCloseTo(end, 3);
    expect(held.get("rebalancer_last_success_timestamp_seconds")).toBeCloseTo(end, 3);
    for (const exitCode of [1, 3, 4] as const) {
      const samples = await samplesOf({ ...planned, exitCode });
      expect(samples.get("rebalancer_last_run_timestamp_seconds")).toBeCloseTo(end, 3);
      expect([...samples.keys()]).not.toContain("rebalancer_last_success_timestamp_seconds");
    }
  });
});

async function thresholdsOf(report: RunReport): Promise<unknown[]> {
  const samples = await samplesOf(report);
  return ["cpu", "lag"].map((signal) => samples.get(`rebalancer_load_variance_threshold{signal="${signal}"}`));
}

describe("the threshold among the metrics", () => {
  it("is the one of the settings, of CPU and lag only", async () => {
    expect(await thresholdsOf(planned)).toEqual([POLICY.cpuVarianceThreshold, POLICY.lagVarianceThreshold]);
    const signals = [...(await samplesOf(planned)).keys()].filter((series) => series.includes("threshold"));
    expect(signals).toHaveLength(2);
  });

  it("is infinite while the signal's mean is below its floor: what does not count must not raise an alert", async () => {
    const idleLag = groupOf(altered(UNEVEN, (_pod, index) => ({ lag: index === 0 ? 10 : 0 })));
    expect(await thresholdsOf(reportOf(idleLag))).toEqual([POLICY.cpuVarianceThreshold, Infinity]);
  });

  it("is NaN where the signal is left out, or nothing was seen", async () => {
    expect(await thresholdsOf(reportOf(groupOf(UNEVEN, { without: ["lag"] })))).toEqual([
      POLICY.cpuVarianceThreshold,
      NaN,
    ]);
    expect(await thresholdsOf(failed)).toEqual([NaN, NaN]);
  });
});

async function shareOf(group: Group, changes: Partial<RunReport> = {}): Promise<number | undefined> {
  return (await samplesOf(reportOf(group, changes))).get("rebalancer_removed_share_1h");
}

function removalWith(...outcomes: readonly RemovalStep["outcome"][]): RunReport["removal"] {
  return withSteps(planned.removal, ...outcomes.map((outcome) => ({ outcome, why: "" })));
}

describe("the share of pods removed within the last hour", () => {
  const NOW = planned.startedAt.getTime();
  const removed = (...minutesAgo: readonly number[]) => ({
    heldBy: undefined,
    rotations: [],
    removals: minutesAgo.map((minutes) => ({ at: new Date(NOW - minutes * 60_000), pod: "a", uid: `${minutes}` })),
  });

  it("counts what is on record, of all runs, by the API server's time", async () => {
    expect(await shareOf(groupOf(EVEN, { record: removed() }))).toBe(0);
    expect(await shareOf(groupOf(EVEN, { record: removed(61, 60, 59, 16) }))).toBe(2 / 8);
  });

  it("counts what this run removed or may have removed, and nothing of a dry run", async () => {
    const group = groupOf(UNEVEN, { record: removed(16) });
    expect(await shareOf(group)).toBe(1 / 8);
    const live = { dryRun: false };
    expect(await shareOf(group, { ...live, removal: removalWith("replaced", "unclear") })).toBe(3 / 8);
    expect(await shareOf(group, { ...live, removal: removalWith("evicted", "skipped") })).toBe(2 / 8);
    expect(await shareOf(group, { ...live, removal: removalWith("failed", "skipped") })).toBe(1 / 8);
  });

  it("is of the pods that the workload wants, not of those that are there", async () => {
    const group = groupOf(EVEN, { record: removed(5, 4, 3) });
    const { snapshot } = group;
    const wanting = { ...group, snapshot: { ...snapshot, workload: { ...snapshot.workload!, replicas: 4 } } };
    expect(await shareOf(wanting)).toBe(3 / 4);
  });

  it("is NaN when nothing is known of it", async () => {
    const group = groupOf(EVEN);
    const { snapshot } = group;
    expect(await shareOf({ ...group, record: undefined })).toBeNaN();
    expect(await shareOf(groupOf([], { snapshot: { workload: undefined } }))).toBeNaN();
    const gone = { ...group, snapshot: { ...snapshot, workload: { ...snapshot.workload!, replicas: 0 } } };
    expect(await shareOf(gone)).toBeNaN();
    expect((await samplesOf(failed)).get("rebalancer_removed_share_1h")).toBeNaN();
  });
});
