import { describe, expect, it } from "vitest";

import { POLICY } from "../test/fakes/policy.ts";
import { unevenSimulation } from "../test/fakes/uneven.ts";
import { RebalancerError } from "./errors.ts";
import { imbalanceOf } from "./forecast/imbalance.ts";
import { dryRun } from "./kubernetes/dry-run.ts";
import type { GroupSource, NarratorFields } from "./ports.ts";
import { rebalance } from "./rebalance.ts";
import type { Simulation } from "./simulation/simulation.ts";
import type { Policy, Rotation, RunReport } from "./types.ts";

const NEVER = new AbortController().signal;
const IDENTITY = { runId: "run-1", dryRun: false, namespace: "shop", selector: "app=consumer" };
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const FORECAST: Policy = { ...POLICY, strategy: "forecast" };

function simulate(): Simulation {
  return unevenSimulation({ wanted: (loads) => imbalanceOf(loads) >= 1.6 });
}

const warnings: string[] = [];

async function run(
  simulation: Simulation,
  groups: readonly GroupSource[] = [simulation.groupSource],
  policy = FORECAST,
) {
  warnings.length = 0;
  const { cluster, metrics, clock } = simulation;
  const narrator = { debug() {}, info() {}, warn: (sentence: string) => void warnings.push(sentence), error() {} };
  return await rebalance(IDENTITY, { cluster, metrics, groups, clock, narrator, sinks: [] }, policy, NEVER);
}

async function onRecord(simulation: Simulation): Promise<readonly Rotation[]> {
  const { workload } = await simulation.cluster.observe(NEVER);
  return (await simulation.cluster.lock(workload!, NEVER)).rotations;
}

function chosenIn({ decision }: RunReport) {
  return decision?.forecast?.chosen;
}

describe("behind a rotation", () => {
  it("the run waits until the group is at rest, and holds what came against what was expected", async () => {
    const simulation = simulate();
    const before = simulation.imbalance();
    const report = await run(simulation);
    expect(report).toMatchObject({ reason: "rotated", exitCode: 0 });
    const { rotation } = report;
    expect(rotation).toMatchObject({
      pods: chosenIn(report)?.pods,
      expected: chosenIn(report)?.after,
      order: "leave-first",
    });
    expect(rotation?.before).toBeCloseTo(before);
    expect(rotation?.after).toBeCloseTo(simulation.imbalance());
    expect(await onRecord(simulation)).toEqual([rotation]);
  });

  it("the next run has learned the order, and forecasts with it", async () => {
    const simulation = simulate();
    const first = await run(simulation);
    await simulation.clock.sleep(900_000, NEVER);
    const second = await run(simulation);
    const [unsure, surer] = [first, second].map(({ decision }) => decision?.forecast?.orders["leave-first"] ?? 0);
    expect(surer).toBeGreaterThan(unsure!);
  });

  it("a group that does not come to rest leaves the outcome open, and a later run tells it", async () => {
    const simulation = simulate();
    let reads = 0;
    const restless: GroupSource = {
      name: "kafka",
      async read(pods, signal) {
        reads += 1;
        const group = await simulation.groupSource.read(pods, signal);
        return group && reads > 1 ? { ...group, state: "PreparingRebalance" } : group;
      },
    };
    const report = await run(simulation, [restless]);
    expect(report).toMatchObject({ reason: "rotated", exitCode: 0, rotation: { after: undefined, order: undefined } });
    await simulation.clock.sleep(60_000, NEVER);
    await run(simulation);
    expect((await onRecord(simulation))[0]).toMatchObject({ after: undefined });
    await simulation.clock.sleep(900_000, NEVER);
    const later = await run(simulation, [simulation.groupSource], { ...FORECAST, minimumImprovement: 1 });
    expect(later.reason).toMatch(/no_gain|balanced/);
    const [told] = await onRecord(simulation);
    expect(told?.after).toBeCloseTo(simulation.imbalance());
  });

  it("a source that fails meanwhile fails nothing: the rotation is done", async () => {
    const simulation = simulate();
    let reads = 0;
    const failing: GroupSource = {
      name: "kafka",
      async read(pods, signal) {
        reads += 1;
        if (reads > 1) throw new RebalancerError("CONNECTION_FAILED", "kafka is gone");
        return simulation.groupSource.read(pods, signal);
      },
    };
    const report = await run(simulation, [failing]);
    expect(report).toMatchObject({ reason: "rotated", exitCode: 0, error: undefined });
    expect(warnings).toEqual(["What came of a rotation is not known, or not on record: kafka is gone"]);
    expect(await onRecord(simulation)).toMatchObject([{ pods: chosenIn(report)?.pods, after: undefined }]);
  });

  it("a dry run has nothing to look back at: the group is read once, and nothing is said to have come of it", async () => {
    const simulation = simulate();
    let reads = 0;
    const counted: GroupSource = {
      name: "kafka",
      async read(pods, signal) {
        reads += 1;
        return await simulation.groupSource.read(pods, signal);
      },
    };
    const { clock, metrics, cluster: live } = simulation;
    const cluster = dryRun(
      {
        ...live,
        observeWorkload: async (seen) => seen,
        probeEviction: async () => ({ outcome: "accepted" }),
        readRecord: async () => ({ heldBy: undefined, removals: [], rotations: [] }),
        liveRights: async () => ({ missing: undefined, note: undefined }),
      },
      clock,
    );
    const steps: unknown[] = [];
    const info = (_sentence: string, fields?: NarratorFields) => void steps.push(fields?.["step"]);
    const ports = { cluster, metrics, groups: [counted], clock, narrator: { ...SILENT, info }, sinks: [] };
    const report = await rebalance({ ...IDENTITY, dryRun: true }, ports, FORECAST, NEVER);
    expect(report).toMatchObject({ reason: "would_rotate", exitCode: 0, rotation: undefined });
    expect(report.decision?.forecast?.chosen).toBeDefined();
    expect(steps).not.toContain("check");
    expect(reads).toBe(1);
  });

  it("nothing is recorded with STRATEGY=balanced", async () => {
    const simulation = simulate();
    const ungated = { ...POLICY, cpuVarianceThreshold: 0, lagVarianceThreshold: 0 };
    expect(await run(simulation, [], ungated)).toMatchObject({ reason: "rotated", rotation: undefined });
    expect(await onRecord(simulation)).toEqual([]);
  });
});

describe("a group that cannot be read", () => {
  it("fails the run, and nothing is removed", async () => {
    const failing: GroupSource = {
      name: "kafka",
      read: async () => {
        throw new RebalancerError("CONNECTION_FAILED", "no broker");
      },
    };
    const report = await run(simulate(), [failing]);
    expect(report).toMatchObject({
      reason: "failed",
      exitCode: 1,
      removal: undefined,
      error: { code: "CONNECTION_FAILED" },
    });
  });
});
