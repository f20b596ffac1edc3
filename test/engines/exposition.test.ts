/** The product's own metrics are what Prometheus' own tool takes for well-formed. */

import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { metricsText } from "../../src/logging/metrics.ts";
import { POLICY } from "../fakes/policy.ts";
import { EVEN, groupOf, reportOf, UNEVEN, withSteps } from "../fakes/report.ts";
import { enginesMissing } from "../harness/prometheus.ts";

const missing = enginesMissing();

const planned = reportOf(groupOf(UNEVEN));
const rotated = withSteps(planned.removal, { outcome: "replaced", why: "" }, { outcome: "evicted", why: "" });

describe.skipIf(missing)(`the metrics of a run${missing ? ` (${missing})` : ""}`, () => {
  it.each([
    ["rotated", { ...planned, dryRun: false, removal: rotated, reason: "rotated" as const }],
    ["held", reportOf(groupOf(EVEN))],
    ["failed before it saw a pod", reportOf(undefined, { reason: "failed", exitCode: 1 })],
  ])("pass promtool's check when it has %s", async (_how, report) => {
    const input = await metricsText(report, POLICY);
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
