import { describe, expect, it } from "vitest";

import { describeClusterContract, type World } from "../../test/contract/cluster-contract.ts";
import { POLICY } from "../../test/fakes/policy.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import type { Narrator } from "../ports.ts";
import { rebalance } from "../rebalance.ts";
import type { Policy } from "../types.ts";
import { createSimulatedCluster } from "./cluster.ts";
import { addPod, addWorkload, createWorld, stopPod } from "./kubernetes-world.ts";
import { createSimulation, type SimulationSettings } from "./simulation.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const NEVER = new AbortController().signal;
const SILENT: Narrator = { debug() {}, info() {}, warn() {}, error() {} };
const IDENTITY = { runId: "test", dryRun: false, namespace: "shop", selector: "app=consumer" };
/** So that it acts whatever the state. */
const EAGER: Policy = { ...POLICY, cpuVarianceThreshold: 0, lagVarianceThreshold: 0 };

const SETTINGS: SimulationSettings = {
  seed: 1,
  pods: 8,
  partitions: new Map([["orders", 32]]),
  protocol: PROTOCOLS["java-cooperative-sticky"],
  rates: { kind: "zipf", parameter: 0.6 },
};

async function played(changes: Partial<SimulationSettings>, policy: Policy = EAGER) {
  const clock = createVirtualClock();
  const simulation = createSimulation({ ...SETTINGS, ...changes }, clock);
  const { cluster, metrics } = simulation;
  const before = simulation.imbalance();
  const report = await rebalance(IDENTITY, { cluster, metrics, clock, narrator: SILENT, sinks: [] }, policy, NEVER);
  await clock.sleep(60_000, NEVER);
  return { simulation, report, before, after: simulation.imbalance() };
}

function outcomeOf({ report, before, after, simulation }: Awaited<ReturnType<typeof played>>) {
  return { removed: report.removal?.steps, before, after, consumers: simulation.consumers() };
}

describe("a simulation", () => {
  it("lets the product's own run remove the busiest and the least busy pod, one after the other", async () => {
    const { report, simulation } = await played({});
    expect(report.reason).toBe("rotated");
    const loads = new Map(report.group?.pods.map(({ pod, signals }) => [pod.name, signals.rate ?? 0]));
    const [most = "", least = ""] = report.removal?.steps.map(({ pod }) => pod) ?? [];
    expect(loads.get(most)).toBe(Math.max(...loads.values()));
    expect(loads.get(least)).toBe(Math.min(...loads.values()));
    expect(simulation.consumers()).toHaveLength(8);
    expect(simulation.consumers().flatMap(({ partitions }) => partitions)).toHaveLength(32);
  });

  it("is the same again for the same seed, and another for another", async () => {
    const first = outcomeOf(await played({ seed: 7 }));
    expect(outcomeOf(await played({ seed: 7 }))).toEqual(first);
    expect(outcomeOf(await played({ seed: 8 }))).not.toEqual(first);
  });

  it("changes nothing in a group whose assignor does not look at what was", async () => {
    for (const protocol of [PROTOCOLS["java-range"], PROTOCOLS["librdkafka-roundrobin"]]) {
      const { report, before, after } = await played({ protocol });
      expect(report.removal?.steps).toHaveLength(2);
      expect(after).toBeCloseTo(before);
    }
  });

  it("changes nothing where a pod comes back within one rebalance, or as a static member", async () => {
    const barrier = await played({ bootSeconds: 1, timing: { heartbeatSeconds: 10 } });
    expect(barrier.report.removal?.steps).toHaveLength(2);
    expect(barrier.after).toBeCloseTo(barrier.before);
    const fixed = await played({ workload: "StatefulSet", staticMembers: true });
    expect(fixed.report.removal?.steps).toHaveLength(2);
    expect(fixed.after).toBeCloseTo(fixed.before);
    expect(Math.max(...fixed.simulation.group().pausedSeconds)).toBeGreaterThan(8);
  });

  it("starts from loads as they were wanted", async () => {
    const { before, simulation } = await played({ wanted: (loads) => Math.max(...loads) > 2 * (4_000 / 8) });
    expect(before).toBeGreaterThan(2);
    expect(simulation.draws).toBeGreaterThan(1);
    const impossible = await played({ wanted: () => false });
    expect(impossible.simulation.draws).toBe(5_000);
    expect(impossible.before).toBeGreaterThan(2);
  });

  it("deals several topics, and follows what is different in a pod", async () => {
    const partitions = new Map([
      ["orders", 20],
      ["clicks", 12],
    ]);
    const { simulation } = await played({
      partitions,
      unlike: ({ node }) => (node === "node-1" ? { cpuPerMessage: 3, capacity: 1 / 3 } : {}),
    });
    expect(simulation.consumers().flatMap(({ partitions: own }) => own)).toHaveLength(32);
    const slow = simulation.world.pods.filter(({ node, goneAt }) => node === "node-1" && goneAt === undefined);
    for (const { name } of slow) expect(simulation.readings("rate").get(name) ?? 0).toBeLessThanOrEqual(334);
  });
});

/** The simulated cluster, which is one run's after the other. */
async function simulatedWorld(): Promise<World> {
  const clock = createVirtualClock();
  const world = createWorld({ namespace: "shop" });
  const cluster = createSimulatedCluster(world, clock);
  const labels = { app: "orders" };
  const hourAgo = new Date(clock.now().getTime() - 3_600_000);
  const podNamed = (name: string) => world.pods.findLast((pod) => pod.name === name)!;
  return {
    clock,
    connect: () => cluster,
    async createGroup(replicas) {
      addWorkload(world, { name: "orders", replicas, labels, created: hourAgo });
    },
    async markNotReady(pod) {
      podNamed(pod).readyAt = undefined;
    },
    async deletePod(pod) {
      stopPod(world, podNamed(pod), clock.now());
    },
    async createBarePod(name) {
      addPod(world, { name, labels, created: hourAgo });
    },
    async setBudget(maxUnavailable) {
      world.budgets.push({ name: "orders", matchLabels: labels, maxUnavailable, charges: [] });
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeClusterContract("the simulated cluster", simulatedWorld);
