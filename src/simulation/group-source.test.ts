import { describe, expect, it } from "vitest";

import { ownershipOf } from "../forecast/ownership.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import { stopPod } from "./kubernetes-world.ts";
import { createSimulation, type SimulationSettings } from "./simulation.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const NEVER = new AbortController().signal;

const SETTINGS: SimulationSettings = {
  seed: 3,
  pods: 4,
  partitions: new Map([
    ["orders", 12],
    ["payments", 4],
  ]),
  protocol: PROTOCOLS["java-cooperative-sticky"],
  rates: { kind: "zipf", parameter: 0.6 },
};

function simulate(changes: Partial<SimulationSettings> = {}) {
  return createSimulation({ ...SETTINGS, ...changes }, createVirtualClock());
}

async function read(simulation: ReturnType<typeof simulate>) {
  const group = await simulation.groupSource.read([], NEVER);
  if (group === undefined) throw new Error("there is a group");
  return group;
}

describe("the group of a simulation", () => {
  it("is what its consumers have: members found by their client ids, partitions, what comes in and what waits", async () => {
    const simulation = simulate({ capacity: 1.1 });
    const group = await read(simulation);
    const { pods } = await simulation.cluster.observe(NEVER);
    const { owners, podsWithoutMember } = ownershipOf(group, pods);
    const consumers = simulation.consumers();
    expect(new Set(group.members.map(({ clientId }) => clientId))).toEqual(new Set(pods.map(({ name }) => name)));
    expect(podsWithoutMember).toEqual([]);
    expect(owners.map(({ pod, load }) => [pod, load?.toFixed(6)])).toEqual(
      consumers.map(({ pod, load }) => [pod, load.toFixed(6)]),
    );
    expect(owners.map(({ partitions }) => partitions.length)).toEqual([4, 4, 4, 4]);
    const { backlog } = simulation.group();
    expect(Math.max(...backlog)).toBeGreaterThan(1_000);
    expect(group.partitions.map(({ lag }) => lag)).toEqual(backlog.map(Math.round));
    expect(group).toMatchObject({ state: "Stable", type: "classic", protocol: "java-cooperative-sticky" });
    expect([...group.topicIds.keys()]).toEqual(["orders", "payments"]);
  });

  it("has rates as noisy as the metrics, and draws them from a stream of its own", async () => {
    const [quiet, noisy, unread] = [
      simulate(),
      simulate({ scrape: { noise: 0.1 } }),
      simulate({ scrape: { noise: 0.1 } }),
    ];
    const exact = (await read(quiet)).partitions;
    const off = (await read(noisy)).partitions.map(({ rate = 0 }, at) => rate / (exact[at]?.rate ?? 0));
    expect(new Set(off).size).toBe(16);
    for (const one of off) expect(Math.abs(one - 1)).toBeLessThanOrEqual(0.1);
    expect(noisy.readings("cpu")).toEqual(unread.readings("cpu"));
  });

  it("says while it rebalances", async () => {
    const simulation = simulate();
    const [pod] = simulation.world.pods;
    stopPod(simulation.world, pod!, simulation.clock.now());
    await simulation.clock.sleep(500, NEVER);
    expect((await read(simulation)).state).toBe("PreparingRebalance");
    await simulation.clock.sleep(60_000, NEVER);
    expect((await read(simulation)).state).toBe("Stable");
  });
});
