import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { groupOf, reportOf, UNEVEN, withSteps } from "../../test/fakes/report.ts";
import { RebalancerError } from "../errors.ts";
import type { RunReport } from "../types.ts";
import { type JsonReport, renderJson } from "./json.ts";

const planned = reportOf(groupOf(UNEVEN));

function parsed(report: RunReport): JsonReport {
  return JSON.parse(renderJson(report, POLICY)) as JsonReport;
}

describe("the JSON document", () => {
  it("tells the run with ISO times and units in its names", () => {
    expect(parsed(planned)).toMatchObject({
      schemaVersion: 1,
      runId: "run-1",
      dryRun: true,
      namespace: "shop",
      selector: "app=consumer",
      startedAt: "2026-11-24T10:00:00.000Z",
      durationMillis: 1_234,
      exitCode: 0,
      reason: "would_rotate",
      error: null,
      policy: { lagVarianceThreshold: 0.5, metricsWindowSeconds: 300 },
    });
  });

  it("shows every pod with its readings, its score and why it may not be removed", () => {
    expect(parsed(planned).group?.pods.at(-1)).toEqual({
      name: "consumer-5d8f7cc7b5-z5l2f",
      uid: "uid-consumer-5d8f7cc7b5-z5l2f",
      controller: "ReplicaSet/consumer-5d8f7cc7b5",
      node: "node-2",
      createdAt: "2026-11-24T09:51:40.000Z",
      ageSeconds: 500,
      ready: true,
      terminating: false,
      exempt: false,
      cpuCores: 0.33,
      lagMessages: 410,
      rateMessagesPerSecond: 260,
      memoryBytes: 475 * 1_048_576,
      score: expect.closeTo(0.228, 3) as number,
      loadMessagesPerSecond: null,
      ineligible: expect.stringContaining("too young") as string,
    });
  });

  it("describes the group with each signal's statistics", () => {
    const { statistics, samples, signalsInUse, coverage, workload } = parsed(planned).group ?? {};
    expect(Object.keys(statistics ?? {})).toEqual([
      "cpuCores",
      "lagMessages",
      "rateMessagesPerSecond",
      "memoryBytes",
      "score",
    ]);
    expect(statistics?.lagMessages).toMatchObject({ count: 8, maximum: 48_210 });
    expect([samples, signalsInUse, coverage]).toEqual([
      { cpu: 8, lag: 8, rate: 8, memory: 8 },
      ["cpu", "lag", "rate", "memory"],
      1,
    ]);
    expect(workload).toMatchObject({ kind: "Deployment", name: "consumer", rollout: null, scaling: null });
  });

  it("says why the group is uneven, and what to do about it", () => {
    expect(parsed(planned).diagnosis).toEqual({
      cause: "skewed_partitions",
      evidence: expect.stringContaining("x2k9q consumes 2.8 times the mean") as string,
      summary: expect.stringMatching(/^The partitions differ in rate, .*: consumer-.*x2k9q consumes .*\.$/) as string,
      remedy: expect.stringContaining("have more partitions") as string,
      pods: [],
      node: null,
      partition: null,
    });
    const partition = { topic: "orders", partition: 3 };
    const diagnosis = { cause: "hot_partition", evidence: "", pods: [], node: undefined, partition } as const;
    expect(parsed({ ...planned, diagnosis }).diagnosis).toMatchObject({ partition });
  });

  it("names the targets, and what became of each", () => {
    const removal = withSteps(planned.removal, { outcome: "evicted", why: "interrupted" });
    const { decision, removal: told } = parsed({ ...planned, removal });
    expect(decision).toMatchObject({
      action: "rotate",
      targets: [
        { pod: "consumer-5d8f7cc7b5-x2k9q", role: "most_busy", score: 1 },
        { pod: "consumer-5d8f7cc7b5-b7fzm", role: "least_busy" },
      ],
      passedOver: [],
    });
    expect(told?.steps[0]).toMatchObject({ pod: "consumer-5d8f7cc7b5-x2k9q", outcome: "evicted", why: "interrupted" });
  });

  it("has null for what was not measured, and the last removals with their times", () => {
    const at = new Date("2026-11-24T09:55:00Z");
    const group = groupOf([{ name: "consumer-0", node: undefined, cpu: 1 }], {
      record: { heldBy: "another", removals: [{ at, pod: "consumer-1", uid: "uid-1" }], rotations: [] },
    });
    const told = parsed(reportOf(group)).group;
    expect(told?.pods[0]).toMatchObject({ node: null, lagMessages: null, score: null, ineligible: null });
    expect(told?.leaseHeldBy).toBe("another");
    expect(told?.lastRemovals).toEqual([{ at: "2026-11-24T09:55:00.000Z", pod: "consumer-1", uid: "uid-1" }]);
  });

  it("shows an error with its code, its advice and what lies behind it", () => {
    const cause = new Error("connect ECONNREFUSED", { cause: "the port is closed" });
    const error = new RebalancerError("CONNECTION_FAILED", "list pods: no connection", { cause });
    expect(parsed(reportOf(undefined, { error, reason: "failed", detail: error.message, exitCode: 1 }))).toMatchObject({
      group: null,
      decision: null,
      removal: null,
      summary: "The run failed: list pods: no connection.",
      advice: error.advice,
      error: {
        code: "CONNECTION_FAILED",
        message: "list pods: no connection",
        advice: error.advice,
        causes: ["connect ECONNREFUSED", "the port is closed"],
      },
    });
  });

  it("keeps the same keys, however the run ended", () => {
    const failed = reportOf(undefined, { reason: "failed", exitCode: 1 });
    expect(Object.keys(parsed(failed))).toEqual(Object.keys(parsed(planned)));
  });

  it("escapes what a terminal would act on, and loses nothing by it", () => {
    const outside = "\u009b2J \u202e \u{e0041} é";
    const told = renderJson({ ...planned, detail: outside }, POLICY);
    expect(told).toContain(String.raw`"detail": "\u009b2J \u202e \udb40\udc41 é"`);
    expect((JSON.parse(told) as JsonReport).detail).toBe(outside);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (detail) => {
        const text = renderJson({ ...planned, detail }, POLICY);
        expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect((JSON.parse(text) as JsonReport).detail).toBe(detail);
      }),
    );
  });

  it("holds no number that JSON has no word for", () => {
    const value = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
    const pod = fc.record({ cpu: value, lag: value, rate: value, memory: value });
    fc.assert(
      fc.property(fc.array(pod, { maxLength: 8 }), (pods) => {
        const group = groupOf(pods.map((samples, index) => ({ name: `consumer-${index}`, ...samples })));
        for (const values of Object.values(parsed(reportOf(group)).group?.statistics ?? {})) {
          for (const number of Object.values(values)) expect(number).toEqual(expect.any(Number));
        }
      }),
    );
  });
});
