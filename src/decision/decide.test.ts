import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { createWorld, type FakePod, fakeMetrics, snapshotOf, steadyPod, type World } from "../../test/fakes/world.ts";
import { assess } from "../podstate/assess.ts";
import { HOLD_REASONS, type HoldReason } from "../reasons.ts";
import { createVirtualClock } from "../simulation/virtual-clock.ts";
import type { Decision, Policy, RunRecord, Signal } from "../types.ts";
import { decide } from "./decide.ts";

const NONE: RunRecord = { heldBy: undefined, removals: [], rotations: [] };

async function decideIn(world: World, policy: Policy = POLICY, leftOut: readonly Signal[] = []): Promise<Decision> {
  const signals = await fakeMetrics(world, leftOut).fetch([], new AbortController().signal);
  const record = { ...NONE, ...(world.heldBy && { heldBy: world.heldBy }), removals: world.removals };
  return decide(assess({ snapshot: snapshotOf(world), record, signals }, policy), policy);
}

/** Twelve pods; "h" is hot and "c" is cold, so that both thresholds are passed. */
function unevenWorld(changes: Record<string, Partial<FakePod>> = {}): World {
  const clock = createVirtualClock();
  const pods = Array.from("abcdefghijkl").map((name) => {
    const samples = { cpu: 0.4, lag: 500, rate: 300, memory: 5e8 };
    if (name === "h") Object.assign(samples, { cpu: 2, lag: 20_000 });
    if (name === "c") Object.assign(samples, { cpu: 0.1, lag: 10, memory: 4e8 });
    return steadyPod(clock, name, { samples, ...changes[name] });
  });
  return createWorld(clock, pods);
}

describe("decide", () => {
  it("rotates the most busy pod, then the least busy one, and says which thresholds were passed", async () => {
    const decision = await decideIn(unevenWorld());
    expect(decision).toMatchObject({
      action: "rotate",
      targets: [
        { pod: { name: "h" }, role: "most_busy" },
        { pod: { name: "c" }, role: "least_busy" },
      ],
    });
    expect(decision.action === "rotate" && decision.because).toEqual([
      "CPU is uneven (0.81 > 0.3)",
      "lag is uneven (6.72 > 0.5)",
    ]);
  });

  it.each([
    [1, ["h"]],
    [2, ["h", "c"]],
    [3, ["h", "c", "a"]],
    [4, ["h", "c", "a", "b"]],
    [50, ["h", "c", "a", "b", "d", "e", "f", "g", "i", "j", "k", "l"]],
  ])("takes %i pods at most, in pairs from the outside, ties by name", async (maxPodsToDelete, names) => {
    const decision = await decideIn(unevenWorld(), { ...POLICY, maxPodsToDelete });
    const targets = decision.action === "rotate" ? decision.targets.map(({ pod }) => pod.name) : [];
    expect(targets).toEqual(names);
  });

  const young = createVirtualClock().now().getTime() - 60_000;
  it.each<[string, Partial<FakePod>, string]>([
    ["exempt", { exempt: true }, "exempt"],
    ["exempt by an odd word", { exempt: true, exemptAs: '"yes"' }, 'exempt (as "yes", neither "true" nor "false")'],
    ["not Ready", { readyAt: Number.POSITIVE_INFINITY }, "not Ready"],
    ["terminating", { terminatingAt: 0 }, "terminating"],
    ["young", { created: young, readyAt: young }, "too young (10m)"],
  ])("passes over an extreme that is %s, and does not take the next one instead", async (_, state, why) => {
    const decision = await decideIn(unevenWorld({ h: state }));
    expect(decision).toMatchObject({
      action: "rotate",
      targets: [{ pod: { name: "c" }, role: "least_busy" }],
      passedOver: [{ pod: "h", role: "most_busy", why }],
    });
  });

  it("neither scores nor chooses a pod that lacks a signal", async () => {
    const decision = await decideIn(unevenWorld({ h: { samples: { cpu: 2, lag: 20_000, memory: 5e8 } } }));
    expect(decision).toMatchObject({ action: "hold", reason: "balanced" });
  });

  it("never sees a pod without a controller", async () => {
    const decision = await decideIn(unevenWorld({ h: { controlled: false } }));
    expect(decision).toMatchObject({ action: "hold", reason: "balanced" });
  });

  const holds: Partial<Record<HoldReason, (world: World) => Partial<Policy> | void>> = {
    no_pods: (world) => void (world.pods = []),
    ambiguous_group: (world) => void (world.foreignController = { kind: "Rollout", name: "other", uid: "x" }),
    suspended: () => ({ suspend: true }),
    locked: (world) => void (world.heldBy = "pod-rebalancer-1"),
    rollout_in_progress: (world) => void (world.workload = { ...world.workload, rollout: "3 of 12 pods are new" }),
    scaling_in_progress: (world) => void (world.workload = { ...world.workload, scaling: "hpa/orders wants 14" }),
    pods_not_ready: (world) => void (world.workload = { ...world.workload, replicas: 14 }),
    too_few_pods: () => ({ minPodsRequired: 12 }),
    cooldown: (world) =>
      void world.removals.push({ at: new Date(world.clock.now().getTime() - 899_000), pod: "z", uid: "z" }),
    insufficient_metrics: (world) => world.pods.slice(0, 3).forEach((pod) => delete pod.samples.rate),
    idle: () => ({ cpuFloor: 9, lagFloor: 1e6 }),
    balanced: () => ({ cpuVarianceThreshold: 2, lagVarianceThreshold: 9 }),
    no_eligible_target: () => ({ minPodAgeSeconds: 1e7 }),
  };
  const order = (Object.keys(HOLD_REASONS) as HoldReason[]).filter((reason) => reason in holds);

  it.each(order)("holds with %s", async (reason) => {
    const world = unevenWorld();
    const changes = holds[reason]?.(world) ?? {};
    expect(await decideIn(world, { ...POLICY, ...changes })).toMatchObject({ action: "hold", reason });
  });

  it("names the first gate that is closed, in the order of the table", async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(order, { minLength: 1 }), async (closed) => {
        const world = unevenWorld();
        const policy = Object.assign({}, POLICY, ...closed.map((reason) => holds[reason]?.(world)));
        // Without pods there is nothing else to see; a floor above every mean hides the spread.
        expect(await decideIn(world, policy)).toMatchObject({ action: "hold", reason: closed[0] });
      }),
      { numRuns: 300 },
    );
  });

  it("does not count a spread below the floor: one message among zeros is no imbalance", async () => {
    const world = unevenWorld();
    for (const pod of world.pods) pod.samples = { cpu: 0.4, lag: pod.name === "h" ? 1 : 0, rate: 1, memory: 5e8 };
    expect(await decideIn(world)).toMatchObject({
      action: "hold",
      reason: "balanced",
      detail: expect.stringMatching(/; lag does not count, its mean \S+ is below the floor of 100$/),
    });
  });

  it("judges the rest when a signal is left out on purpose", async () => {
    const decision = await decideIn(unevenWorld(), POLICY, ["lag", "rate"]);
    expect(decision).toMatchObject({ action: "rotate", because: ["CPU is uneven (0.81 > 0.3)"] });
  });

  it("is the same for the same group, whatever the order of the pods", async () => {
    const world = unevenWorld();
    const first = await decideIn(world);
    world.pods.reverse();
    expect(await decideIn(world)).toEqual(first);
  });

  it("counts a removal that was recorded after the pods were listed as recent", async () => {
    const world = unevenWorld();
    world.removals.push({ at: new Date(world.clock.now().getTime() + 5_000), pod: "z", uid: "z" });
    expect(await decideIn(world)).toMatchObject({ action: "hold", reason: "cooldown" });
  });

  it("counts only pods older than the query window against the metrics", async () => {
    const world = unevenWorld();
    const created = world.clock.now().getTime() - 120_000;
    for (let n = 0; n < 4; n += 1) {
      world.pods.push(steadyPod(world.clock, `new${n}`, { created, readyAt: created + 1_000, samples: {} }));
    }
    world.workload = { ...world.workload, replicas: 16 };
    expect(await decideIn(world)).toMatchObject({ action: "rotate" });
  });
});
