import { describe, expect, it } from "vitest";

import { altered, EVEN, groupOf, reportOf, UNEVEN, withSteps } from "../../test/fakes/report.ts";
import { RebalancerError } from "../errors.ts";
import { REASONS } from "../reasons.ts";
import type { RunReport } from "../types.ts";
import { metricsText } from "./metrics.ts";

const planned = reportOf(groupOf(UNEVEN));
const rotated: RunReport = { ...planned, dryRun: false, reason: "rotated" };
const failed = reportOf(undefined, {
  error: new RebalancerError("CONNECTION_FAILED", "no connection"),
  reason: "failed",
  exitCode: 1,
});

/** Prometheus' text format, strictly: a HELP and a TYPE before each metric, each series once. */
async function samplesOf(report: RunReport): Promise<Map<string, number>> {
  const samples = new Map<string, number>();
  let announced = "";
  for (const line of (await metricsText(report)).split("\n").filter((text) => text !== "")) {
    const type = /^# TYPE (\w+) (?:counter|gauge)$/.exec(line);
    if (type) announced = type[1] ?? "";
    if (line.startsWith("#")) continue;
    const [, series = "", name, value] = /^((\w+)(?:\{\w+="\w+"(?:,\w+="\w+")*\})?) (\S+)$/.exec(line) ?? [];
    expect(name, line).toBe(announced);
    expect(samples.has(series), line).toBe(false);
    samples.set(series, Number(value));
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
    expect([...samples.keys()].filter((series) => series.includes("variance"))).toEqual(
      ["cpu", "lag", "memory", "score"].map((signal) => `rebalancer_load_variance_current{signal="${signal}"}`),
    );
  });

  it("shows a variance of zero, but none where nothing was measured", async () => {
    const even = groupOf(EVEN);
    expect((await samplesOf(reportOf(even))).get('rebalancer_load_variance_current{signal="cpu"}')).toBe(0);
    const blind = groupOf(altered(UNEVEN, () => ({ cpu: undefined })));
    for (const report of [reportOf(blind), failed]) {
      const samples = await samplesOf(report);
      expect([...samples.keys()].filter((series) => series.includes("variance"))).toEqual([]);
      expect(samples.get("rebalancer_pods_analyzed_total")).toBe(report.group ? 8 : 0);
    }
  });
});
