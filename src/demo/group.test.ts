import { describe, expect, it } from "vitest";

import { createManualClock } from "../../test/fakes/manual-clock.ts";
import { createConsumerGroup } from "./group.ts";
import { addWorkload, createWorld, livingPods, stopPod } from "./kubernetes-world.ts";

const SECOND = 1_000;

/** Two consumers: one has 300 messages/s, the other 50; each can take 200. */
function twoConsumers() {
  const clock = createManualClock();
  const world = createWorld({ namespace: "shop", bootSeconds: 8, stopSeconds: 2 });
  const created = new Date(clock.now().getTime() - 3_600 * SECOND);
  addWorkload(world, { name: "orders", replicas: 2, labels: { app: "orders" }, created });
  const [busy = "", idle = ""] = livingPods(world, clock.now()).map(({ name }) => name);
  const ownership = new Map([
    [busy, [1, 3]],
    [idle, [0, 2]],
  ]);
  const rates = [25, 100, 25, 200];
  const group = createConsumerGroup({ world, clock, rates, ownership, capacity: 200, since: clock.now() });
  const stateOf = (pod: string) => group.consumers().find((state) => state.pod === pod);
  const stop = (name: string) =>
    stopPod(
      world,
      world.pods.find((pod) => pod.name === name)!,
      clock.now(),
    );
  return { clock, world, group, busy, idle, stateOf, stop };
}

describe("the simulated consumer group", () => {
  it("lets lag grow by what is above a consumer's capacity, and nowhere else", async () => {
    const { clock, busy, idle, stateOf } = twoConsumers();
    await clock.advance(60 * SECOND);
    expect(stateOf(busy)).toMatchObject({ load: 300, consumed: 200, lag: 60 * 100 + 100 });
    expect(stateOf(idle)).toMatchObject({ load: 50, consumed: 50, lag: 25 });
  });

  it("hands a leaver's partitions and their lag to the survivors at once, and lets it drain there", async () => {
    const { clock, group, busy, idle, stateOf, stop } = twoConsumers();
    await clock.advance(60 * SECOND);
    stop(idle);
    await clock.advance(1 * SECOND);
    expect(group.consumers()).toMatchObject([{ pod: busy, partitions: [0, 1, 2, 3], load: 350 }]);
    expect(stateOf(busy)?.lag).toBe(6_000 + 150 + 100);
  });

  it("lets the replacement join once it is Ready, with as many partitions as the others", async () => {
    const { clock, group, idle, stop } = twoConsumers();
    stop(idle);
    await clock.advance(7 * SECOND);
    expect(group.consumers()).toHaveLength(1);
    await clock.advance(1 * SECOND);
    expect(group.consumers().map(({ partitions }) => partitions.length)).toEqual([2, 2]);
    expect(group.consumers().map(({ pod }) => pod)).not.toContain(idle);
  });

  it("drains what has piled up with the capacity that is left, where the partitions have gone", async () => {
    const { clock, group, busy, idle, stateOf, stop } = twoConsumers();
    await clock.advance(60 * SECOND);
    stop(busy);
    await clock.advance(8 * SECOND);
    expect(stateOf(idle)).toMatchObject({ partitions: [0, 1], load: 125, consumed: 200 });
    const lag = () => group.consumers().reduce((sum, one) => sum + one.lag, 0);
    const before = lag();
    await clock.advance(10 * SECOND);
    // One drains 75 messages/s, the newcomer with 225 messages/s falls behind by 25.
    expect(lag()).toBe(before - 500);
    expect(stateOf(idle)?.consumed).toBe(200);
    await clock.advance(3_600 * SECOND);
    expect(stateOf(idle)).toMatchObject({ consumed: 125, lag: 63 });
  });

  it("comes to the same whether it is looked at often or once", async () => {
    const often = twoConsumers();
    const once = twoConsumers();
    for (let step = 0; step < 90; step += 1) {
      if (step === 30) for (const { stop, busy } of [often, once]) stop(busy);
      await often.clock.advance(SECOND);
      await once.clock.advance(SECOND);
      often.group.consumers();
    }
    expect(once.group.consumers()).toEqual(often.group.consumers());
  });

  it("shows every signal of every member, and no rate of a pod that is too young to have one", async () => {
    const { clock, group, busy, idle, stop } = twoConsumers();
    expect(group.samples("cpu")).toEqual(
      [
        { labels: { pod: busy, namespace: "shop" }, value: 0.25 },
        { labels: { pod: idle, namespace: "shop" }, value: 0.0625 },
      ].toSorted((a, b) => (a.labels.pod < b.labels.pod ? -1 : 1)),
    );
    stop(idle);
    await clock.advance(60 * SECOND);
    expect(group.samples("rate").map(({ labels }) => labels["pod"])).toEqual([busy]);
    expect(group.samples("lag")).toHaveLength(2);
    await clock.advance(300 * SECOND);
    expect(group.samples("rate")).toHaveLength(2);
    expect(group.samples("memory").every(({ value }) => value > 400 * 2 ** 20)).toBe(true);
  });
});
