import { describe, expect, it } from "vitest";

import { unevenSimulation } from "../test/fakes/uneven.ts";
import type { ConsumerGroup } from "./kafka/group.ts";
import { readAll } from "./readings.ts";

const NEVER = new AbortController().signal;

type Known = (group: ConsumerGroup) => ConsumerGroup | undefined;

/** What is read of a group of which the sources know that much, the most trusted first. */
async function readOf(known: Known, ...less: readonly Known[]) {
  const simulation = unevenSimulation();
  const { cluster, metrics, groupSource, historySource } = simulation;
  const { pods } = await cluster.observe(NEVER);
  const group = await groupSource.read(pods, NEVER);
  const groups = [known, ...less].map((one) => ({ ...groupSource, read: async () => group && one(group) }));
  return { group, read: await readAll(pods, { metrics, groups, history: historySource }, NEVER) };
}

const butOneRate: Known = ({ partitions, ...rest }) => ({
  ...rest,
  partitions: partitions.map((one, place) => (place === 0 ? { ...one, rate: undefined } : one)),
});

describe("what is read", () => {
  it("is signals and group, and no past where the group's rates are known", async () => {
    const { read, group } = await readOf((whole) => whole);
    expect(read.groups).toEqual([group]);
    expect(read.history).toEqual([]);
    expect(read.signals.cpu?.values.size).toBe(8);
  });

  it.each<[string, readonly [Known, ...Known[]]]>([
    ["nobody knows who owns what", [() => undefined]],
    ["nobody knows all its rates", [butOneRate]],
    ["only a less trusted source knows all its rates", [butOneRate, (whole) => whole]],
  ])("is the past too where %s", async (_, known) => {
    const { history } = (await readOf(...known)).read;
    expect(history).toHaveLength(336);
    expect(Math.min(...history)).toBeGreaterThan(1);
  });
});
