import { describe, expect, it } from "vitest";

import { unevenSimulation } from "../test/fakes/uneven.ts";
import type { ConsumerGroup } from "./kafka/group.ts";
import { readAll } from "./readings.ts";

const NEVER = new AbortController().signal;

/** What is read of a group of which the one source that there is knows that much. */
async function readOf(known: (group: ConsumerGroup) => ConsumerGroup | undefined) {
  const simulation = unevenSimulation();
  const { cluster, metrics, groupSource, historySource } = simulation;
  const { pods } = await cluster.observe(NEVER);
  const group = await groupSource.read(pods, NEVER);
  const source = { ...groupSource, read: async () => group && known(group) };
  return { group, read: await readAll(pods, { metrics, groups: [source], history: historySource }, NEVER) };
}

describe("what is read", () => {
  it("is signals and group, and no past where the group's rates are known", async () => {
    const { read, group } = await readOf((whole) => whole);
    expect(read.groups).toEqual([group]);
    expect(read.history).toEqual([]);
    expect(read.signals.cpu?.values.size).toBe(8);
  });

  it.each<[string, (group: ConsumerGroup) => ConsumerGroup | undefined]>([
    ["who owns what", () => undefined],
    [
      "all its rates",
      ({ partitions, ...rest }) => ({
        ...rest,
        partitions: partitions.map((one, place) => (place === 0 ? { ...one, rate: undefined } : one)),
      }),
    ],
  ])("is the past too where nobody knows %s", async (_, known) => {
    const { history } = (await readOf(known)).read;
    expect(history).toHaveLength(336);
    expect(Math.min(...history)).toBeGreaterThan(1);
  });
});
