/** The corpus of labelled groups: each is what its label says, and nothing else. */

import { describe, expect, it } from "vitest";

import { confusionOf } from "../bench/decisions/confusion.ts";
import { type Case, corpus, corpusCase, type Half, type Label, LABELS } from "../bench/decisions/corpus.ts";
import { imbalanceOf } from "../src/simulation/imbalance.ts";

const CASES = 12;

/** What can be seen of a case from within the simulation. */
function truthOf({ simulation }: Case) {
  const { rates } = simulation.group();
  const consumers = simulation.consumers();
  const total = rates.reduce((sum, rate) => sum + rate, 0);
  const counts = consumers.map(({ partitions }) => partitions.length);
  const cpu = [...simulation.readings("cpu").values()];
  const rate = [...simulation.readings("rate").values()];
  return {
    /** 1: as much as a pod has on average. */
    hottest: (Math.max(...rates) * consumers.length) / total,
    /** Of the loads, and of what is consumed, and of CPU for a message. */
    load: imbalanceOf(consumers.map(({ load }) => load)),
    consumed: imbalanceOf(consumers.map(({ consumed }) => consumed)),
    cost: imbalanceOf(cpu.map((cores, at) => cores / (rate[at] ?? 0))),
    counts: Math.max(...counts) - Math.min(...counts),
    fewest: Math.min(...counts),
    stalled: consumers.filter(({ consumed }) => consumed === 0).length,
    behind: consumers.filter(({ load, consumed }) => consumed < load).length / consumers.length,
    measured: cpu.length,
    rollout: simulation.world.workloads.some(({ updatedReplicas, replicas }) => updatedReplicas < replicas),
  };
}

type Truth = ReturnType<typeof truthOf>;

const IS: Readonly<Record<Label, (truth: Truth) => boolean>> = {
  even: ({ load, counts, cost, behind }) => load < 1.25 && counts === 0 && cost < 1.3 && behind === 0,
  count_imbalance: ({ counts, fewest, hottest }) => counts === 1 && fewest === 1 && hottest < 1.2,
  hot_partition: ({ hottest }) => hottest > 1.15,
  skewed_partitions: ({ load, hottest, counts }) => load >= 1.5 && hottest < 1.15 && counts === 0,
  slow_pod: ({ cost, load }) => cost > 1.5 && load < 1.25,
  slow_node: ({ cost, load }) => cost > 1.2 && load < 1.25,
  stalled_consumer: ({ stalled, load }) => stalled === 1 && load < 1.25,
  downstream_slow: ({ behind, cost, load }) => behind > 0.9 && cost < 1.3 && load < 1.25,
  stale_metrics: ({ measured }) => measured === 0,
  rollout: ({ rollout, load }) => rollout && load < 1.25,
};

function named(half: Half): string[] {
  return [...corpus(half, 3)].map(({ label, seed }) => `${label} ${seed}`);
}

describe("the corpus", () => {
  it.each(LABELS)("has groups that are what their label says: %s", (label) => {
    for (let seed = 0; seed < CASES; seed += 1) {
      const one = truthOf(corpusCase(label, seed));
      expect({ seed, ...one, as: IS[label](one) }).toMatchObject({ as: true });
      if (label !== "rollout") expect(one.rollout).toBe(false);
    }
  });

  it("has two halves without a case in common, and the same cases each time", () => {
    const [train, heldOut] = [named("train"), named("held-out")];
    expect(train).toHaveLength(3 * LABELS.length);
    expect(train.filter((name) => heldOut.includes(name))).toEqual([]);
    expect(truthOf(corpusCase("slow_node", 5))).toEqual(truthOf(corpusCase("slow_node", 5)));
    expect(truthOf(corpusCase("slow_node", 5))).not.toEqual(truthOf(corpusCase("slow_node", 7)));
  });

  it("shows what the product says of each label", async () => {
    const confusion = await confusionOf("train", 4);
    const endings = (label: Label) => [...(confusion.get(label) ?? [])];
    for (const label of LABELS) expect(endings(label).reduce((sum, [, count]) => sum + count, 0)).toBe(4);
    expect(endings("rollout")).toEqual([["rollout_in_progress", 4]]);
    expect(endings("stale_metrics")).toEqual([["insufficient_metrics", 4]]);
    expect(endings("even")).toEqual([["balanced", 4]]);
  });
});
