import { describe, expect, it } from "vitest";

import { fakeClient } from "../../test/fakes/kubernetes-client.ts";
import type { Group, RemovalResult, RemovalStep, RunReport } from "../types.ts";
import type { WireEvent } from "./client.ts";
import { eventSink } from "./events.ts";

const WORKLOAD = { kind: "Deployment", namespace: "shop", name: "orders", uid: "uid-orders" };
const STEP: RemovalStep = {
  pod: "orders-a",
  uid: "a",
  role: "most_busy",
  outcome: "replaced",
  why: "evicted and replaced",
};

function reportWith(steps: readonly RemovalStep[] | undefined, changes: Partial<RunReport> = {}): RunReport {
  const group = { snapshot: { workload: WORKLOAD } } as unknown as Group;
  const removal = steps && ({ steps } as RemovalResult);
  const report = {
    runId: "run-1",
    dryRun: false,
    group,
    removal,
    reason: "rotated",
    detail: "all well",
    exitCode: 0,
    ...changes,
  };
  return report as RunReport;
}

async function eventsOf(report: RunReport): Promise<WireEvent[]> {
  const written: WireEvent[] = [];
  const client = fakeClient({
    createEvent: async (_namespace, event) => {
      written.push(event);
    },
  });
  const sink = eventSink(client, () => new Date("2026-03-01T12:00:00.5Z"), "run-1");
  if (sink.concerns?.(report)) await sink.write(report, new AbortController().signal);
  return written;
}

describe("eventSink", () => {
  it("writes one Event on the workload of a run that acted", async () => {
    expect(await eventsOf(reportWith([STEP, { ...STEP, pod: "orders-b", role: "least_busy" }]))).toEqual([
      {
        apiVersion: "v1",
        kind: "Event",
        metadata: { namespace: "shop", name: "pod-rebalancer-run-1" },
        involvedObject: { apiVersion: "apps/v1", ...WORKLOAD },
        type: "Normal",
        reason: "Rotated",
        message: "The chosen pods were rotated. Pods: replaced orders-a (most busy), replaced orders-b (least busy).",
        count: 1,
        reportingComponent: "pod-rebalancer",
        reportingInstance: "run-1",
        source: { component: "pod-rebalancer" },
        firstTimestamp: "2026-03-01T12:00:00Z",
        lastTimestamp: "2026-03-01T12:00:00Z",
      },
    ]);
  });

  it("says why the pods were chosen, and what came of it", async () => {
    const decision = { action: "rotate", because: ["CPU is uneven (0.53 > 0.3)", "lag is uneven (5.24 > 0.5)"] };
    const rotation = { before: 1.82, expected: { p10: 1.1, p50: 1.2, p90: 1.4 }, after: 1.25, order: undefined };
    const [event] = await eventsOf(reportWith([STEP], { decision, rotation } as unknown as Partial<RunReport>));
    expect(event!.message).toBe(
      "The chosen pods were rotated. Pods: replaced orders-a (most busy). Why: CPU is uneven (0.53 > 0.3); lag is uneven (5.24 > 0.5). " +
        "Busiest / mean was 1.82; 1.2 was expected (1.1 to 1.4), it came to 1.25.",
    );
  });

  it("warns, and says why, when the run ended with an error", async () => {
    const steps: RemovalStep[] = [
      { ...STEP, outcome: "evicted" },
      { ...STEP, pod: "orders-b", outcome: "skipped" },
    ];
    const changes = { reason: "replacement_timeout", detail: "7 of 8 pods are Ready", exitCode: 3 } as const;
    const [event] = await eventsOf(reportWith(steps, changes));
    expect(event).toMatchObject({
      type: "Warning",
      reason: "ReplacementTimeout",
      message:
        "The replacement of a removed pod did not become Ready in time: 7 of 8 pods are Ready. Pods: evicted orders-a (most busy).",
    });
  });

  it.each<[string, RunReport]>([
    ["held", reportWith(undefined)],
    ["touched no pod", reportWith([{ ...STEP, outcome: "skipped" }])],
    ["was a dry run", reportWith([STEP], { dryRun: true })],
    ["found no workload", reportWith([STEP], { group: undefined })],
  ])("writes nothing for a run that %s", async (_name, report) => {
    expect(await eventsOf(report)).toEqual([]);
  });

  it("has nothing in its message that a terminal acts on", async () => {
    const steps = [{ ...STEP, pod: "orders\u001b[31m-a\u202e\n" }];
    const [event] = await eventsOf(reportWith(steps, { reason: "failed", detail: "said \u009b2J\u200b" }));
    expect(event!.message).toMatch(/replaced orders-a/);
    expect(event!.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("cuts a long message to what the API takes, not inside a character", async () => {
    const [event] = await eventsOf(reportWith([STEP], { reason: "failed", detail: "ü".repeat(2_000) }));
    expect(Buffer.byteLength(event!.message!)).toBeLessThanOrEqual(1_024);
    expect(Buffer.byteLength(event!.message!)).toBeGreaterThan(1_020);
    expect(event!.message).toMatch(/ü…$/);
  });
});
