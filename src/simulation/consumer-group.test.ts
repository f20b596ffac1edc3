import { describe, expect, it } from "vitest";

import { createManualClock } from "../../test/fakes/manual-clock.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import { createConsumerGroup, memberIdOf } from "./consumer-group.ts";
import { addWorkload, createWorld, livingPods, stopPod } from "./kubernetes-world.ts";
import { constantRates } from "./partition-rates.ts";

const SECOND = 1_000;
const TIMING = { heartbeatSeconds: 3, sessionTimeoutSeconds: 45, closeSeconds: 0, leavesOnClose: true };

/** Two consumers: one has 300 messages/s, the other 50; each can take 200. */
function twoConsumers(timing = TIMING) {
  const clock = createManualClock();
  const world = createWorld({ namespace: "shop", bootSeconds: 8, stopSeconds: 2 });
  const created = new Date(clock.now().getTime() - 3_600 * SECOND);
  addWorkload(world, { name: "orders", replicas: 2, labels: { app: "orders" }, created });
  const hands = [
    [1, 3],
    [0, 2],
  ];
  const pods = livingPods(world, clock.now());
  const members = pods.map((pod, at) => ({
    id: memberIdOf(pod, world),
    topics: ["t"],
    owned: (hands[at] ?? []).map((partition) => ({ topic: "t", partition })),
    generation: 1,
  }));
  const group = createConsumerGroup({
    world,
    protocol: PROTOCOLS["java-cooperative-sticky"],
    timing,
    start: { partitions: new Map([["t", 4]]), members },
    rates: constantRates([25, 100, 25, 200]),
    consumerIn: () => ({ capacity: 200, cpuPerMessage: 0.001 }),
    since: clock.now(),
  });
  const consumers = () => {
    group.advance(clock.now());
    return group.consumers();
  };
  const stateOf = (pod: string) => consumers().find((state) => state.pod === pod);
  const [busy, idle] = pods as [(typeof pods)[0], (typeof pods)[0]];
  const stop = (pod: typeof busy) => stopPod(world, pod, clock.now());
  return { clock, group, consumers, busy, idle, stateOf, stop };
}

describe("the simulated consumer group", () => {
  it("lets lag grow by what is above a consumer's capacity, and nowhere else", async () => {
    const { clock, busy, idle, stateOf } = twoConsumers();
    await clock.advance(60 * SECOND);
    expect(stateOf(busy.name)).toMatchObject({ load: 300, consumed: 200, lag: 60 * 100 + 100 });
    expect(stateOf(idle.name)).toMatchObject({ load: 50, consumed: 50, lag: 25 });
  });

  it("adds up what each pod has consumed, and the CPU for it", async () => {
    const { clock, group, busy, idle, consumers } = twoConsumers();
    await clock.advance(60 * SECOND);
    consumers();
    expect(group.used(busy.uid)).toEqual({ messages: 60 * 200, cpuSeconds: 60 * (0.2 + 0.02) });
    expect(group.used(idle.uid).messages).toBe(60 * 50);
  });

  it("lets what a leaver had wait until the group has rebalanced, and then drain where it went", async () => {
    const { clock, group, busy, idle, consumers, stateOf, stop } = twoConsumers();
    await clock.advance(60 * SECOND);
    stop(idle);
    await clock.advance(7 * SECOND);
    expect(consumers()).toMatchObject([{ pod: busy.name, partitions: [0, 1, 2, 3], load: 350 }]);
    const [paused = 0] = group.pausedSeconds;
    expect(paused).toBeGreaterThan(0);
    expect(paused).toBeLessThanOrEqual(3);
    expect(group.pausedSeconds).toEqual([paused, 0, paused, 0]);
    // Nothing is lost: what came and was not consumed waits.
    const came = 67 * 350 - group.used(busy.uid).messages - group.used(idle.uid).messages;
    expect(group.backlog.reduce((sum, waiting) => sum + waiting, 0)).toBeCloseTo(came);
    expect(stateOf(busy.name)?.lag).toBe(Math.round(came + 100));
  });

  it("lets the replacement join once it is Ready, with as many partitions as the others", async () => {
    const { clock, idle, consumers, stop } = twoConsumers();
    stop(idle);
    await clock.advance(7 * SECOND);
    expect(consumers()).toHaveLength(1);
    await clock.advance(8 * SECOND);
    expect(consumers().map(({ partitions }) => partitions.length)).toEqual([2, 2]);
    expect(consumers().map(({ pod }) => pod)).not.toContain(idle.name);
  });

  it("comes to the same whether it is looked at often or once", async () => {
    const often = twoConsumers();
    const once = twoConsumers();
    for (let step = 0; step < 90; step += 1) {
      if (step === 30) for (const { stop, busy } of [often, once]) stop(busy);
      await often.clock.advance(SECOND);
      await once.clock.advance(SECOND);
      often.consumers();
    }
    expect(once.consumers()).toEqual(often.consumers());
  });

  it("leaves late where closing takes its time, and goes without a word where it does not tell", async () => {
    const slow = twoConsumers({ ...TIMING, closeSeconds: 1.5 });
    slow.stop(slow.idle);
    await slow.clock.advance(SECOND);
    expect(slow.stateOf(slow.idle.name)).toMatchObject({ consumed: 50 });
    const silent = twoConsumers({ ...TIMING, leavesOnClose: false });
    silent.stop(silent.idle);
    await silent.clock.advance(30 * SECOND);
    silent.consumers();
    expect(silent.group.pausedSeconds[0]).toBe(30);
    await silent.clock.advance(30 * SECOND);
    silent.consumers();
    expect(silent.group.pausedSeconds[0]).toBe(45);
  });
});
