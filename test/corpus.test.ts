/** The corpus of labelled groups: each is what its label says, and nothing else. */

import { describe, expect, it } from "vitest";

import { confusionsOf, diagnosisOf } from "../bench/decisions/confusion.ts";
import { type Case, corpus, corpusCase, type Half, type Label, LABELS } from "../bench/decisions/corpus.ts";
import { weakerFaults } from "../bench/decisions/weaker.ts";
import type { Cause } from "../src/causes.ts";
import { imbalanceOf } from "../src/forecast/imbalance.ts";
import type { SimulatedPod } from "../src/simulation/kubernetes-world.ts";

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
    const { endings, causes, causesUnowned } = await confusionsOf("train", 4);
    const said = (confusion: typeof endings, label: Label) => [...(confusion.get(label) ?? [])];
    for (const label of LABELS) {
      expect(said(endings, label).reduce((sum, [, count]) => sum + count, 0)).toBe(4);
      expect(said(causes, label)).toEqual([[CAUSE[label], 4]]);
      expect(said(causesUnowned, label)).toEqual([[CAUSE_UNOWNED[label] ?? CAUSE[label], 4]]);
    }
    expect(said(endings, "rollout")).toEqual([["rollout_in_progress", 4]]);
    expect(said(endings, "stale_metrics")).toEqual([["insufficient_metrics", 4]]);
    expect(said(endings, "even")).toEqual([["balanced", 4]]);
  });

  it("has weaker faults beside it, in which the strongest are found", async () => {
    const rungs = await weakerFaults(2);
    for (const { said } of rungs) {
      for (const counts of said) expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(2);
    }
    const strongest = new Map(rungs.map(({ label, said }) => [label, said[0]]));
    for (const label of ["slow_pod", "slow_node", "stalled_consumer"] as const) {
      expect([...(strongest.get(label) ?? [])]).toEqual([[label, 2]]);
    }
  });

  it.each(["slow_pod", "stalled_consumer", "slow_node", "hot_partition"] as const)(
    "has %s named as it is",
    async (label) => {
      for (let seed = 0; seed < 8; seed += 2) {
        const one = corpusCase(label, seed);
        const to = culpritsOf(one);
        const { pods, node, partition } = await diagnosisOf(one.simulation);
        const blamed = {
          slow_pod: pods,
          stalled_consumer: pods,
          slow_node: [node],
          hot_partition: [partition?.partition],
        };
        expect(blamed[label]).toEqual(to);
      }
    },
  );
});

const CAUSE: Readonly<Record<Label, Cause>> = {
  even: "even",
  count_imbalance: "count_imbalance",
  hot_partition: "hot_partition",
  skewed_partitions: "skewed_partitions",
  slow_pod: "slow_pod",
  slow_node: "slow_node",
  stalled_consumer: "stalled_consumer",
  downstream_slow: "downstream_slow",
  stale_metrics: "unknown",
  rollout: "unknown",
};

/** Without knowing who owns what these cannot be told from skewed partitions; the evidence says so. */
const CAUSE_UNOWNED: Readonly<Partial<Record<Label, Cause>>> = {
  count_imbalance: "skewed_partitions",
  hot_partition: "skewed_partitions",
};

/** Who or what the simulation made so. */
function culpritsOf({ label, simulation }: Case): readonly unknown[] {
  const consumers = simulation.consumers();
  const { rates } = simulation.group();
  const costOf = ({ uid }: SimulatedPod) =>
    simulation.group().used(uid).cpuSeconds / simulation.group().used(uid).messages;
  if (label === "hot_partition") return [rates.indexOf(Math.max(...rates))];
  if (label === "slow_node") return ["node-1"];
  if (label === "slow_pod") return [simulation.world.pods.toSorted((a, b) => costOf(b) - costOf(a))[0]?.name];
  return consumers.filter(({ consumed }) => consumed === 0).map(({ pod }) => pod);
}
