/**
 * Labelled groups for diagnosis: what is wrong with each is known, because it was made so. Drawn by seed; the even seeds are for
 * training, the odd ones are held out.
 */

import { imbalanceOf } from "../../src/forecast/imbalance.ts";
import { PROTOCOLS } from "../../src/kafka/assignors/protocols.ts";
import { drawOne, type Random, seededRandom } from "../../src/random.ts";
import type { RateShape } from "../../src/simulation/partition-rates.ts";
import {
  createSimulation,
  type Factors,
  type Simulation,
  type SimulationSettings,
} from "../../src/simulation/simulation.ts";
import { createVirtualClock } from "../../src/simulation/virtual-clock.ts";

export const LABELS = [
  "even",
  "count_imbalance",
  "hot_partition",
  "skewed_partitions",
  "slow_pod",
  "slow_node",
  "stalled_consumer",
  "downstream_slow",
  "stale_metrics",
  "rollout",
] as const;
export type Label = (typeof LABELS)[number];

export type Half = "train" | "held-out";

export interface Case {
  readonly label: Label;
  readonly seed: number;
  readonly simulation: Simulation;
}

/** @param count - of cases for each label. */
export function* corpus(half: Half, count: number): Generator<Case> {
  for (const label of LABELS) {
    for (let number = 0; number < count; number += 1) yield corpusCase(label, 2 * number + (half === "train" ? 0 : 1));
  }
}

export function corpusCase(label: Label, seed: number): Case {
  const random = seededRandom(Math.imul(seed + 1, 7_919) + LABELS.indexOf(label));
  const simulation = groupMade(MADE[label], random);
  if (label === "rollout")
    for (const workload of simulation.world.workloads)
      workload.updatedReplicas = between(1, workload.replicas - 1, random);
  return { label, seed, simulation };
}

/** How a group differs from one that is even. */
export type Made = (circumstances: Circumstances) => Partial<SimulationSettings>;

/** A group that is even but for what is made otherwise. */
export function groupMade(made: Made, random: Random): Simulation {
  const pods = between(4, 16, random);
  const clock = createVirtualClock();
  const settings: SimulationSettings = {
    seed: between(0, 2 ** 31, random),
    pods,
    // As many for each, so that nothing but the label is uneven.
    partitions: new Map([["orders", pods * between(3, 6, random)]]),
    protocol: PROTOCOLS[drawOne(["java-cooperative-sticky", "librdkafka-cooperative-sticky"] as const, random)],
    rates: EVEN,
    capacity: 1.8 + random(),
    replacedBefore: between(0, pods, random),
    scrape: { noise: 0.05 },
    ...made({ pods, random, now: clock.now() }),
  };
  return createSimulation(settings, clock);
}

export interface Circumstances {
  readonly pods: number;
  readonly random: Random;
  readonly now: Date;
}

const EVEN: RateShape = { kind: "lognormal", parameter: 0.1 };

/** How each label comes about. */
const MADE: Readonly<Record<Label, Made>> = {
  even: () => ({}),
  count_imbalance: ({ pods, random }) => ({ partitions: new Map([["orders", pods + between(1, pods - 1, random)]]) }),
  /** It alone is above the mean load of a pod: by 20 % to 150 %. */
  hot_partition: ({ pods, random }) => ({
    rates: { kind: "hot", parameter: Math.min(0.8, (1.2 + 1.3 * random()) / pods) },
  }),
  skewed_partitions: ({ random }) => ({
    rates: { kind: "zipf", parameter: 0.5 + 0.2 * random() },
    partitions: new Map([["orders", 64]]),
    pods: 8,
    wanted: (loads) => imbalanceOf(loads) >= 1.5,
  }),
  slow_pod: ({ random }) => {
    const slow = slowed(random);
    return { unlike: onePod(() => slow) };
  },
  slow_node: ({ random }) => {
    const slow = slowed(random);
    return { unlike: ({ node }) => (node === "node-1" ? slow : {}) };
  },
  stalled_consumer: ({ random, now }) => {
    const since = now.getTime() - (300 + 240 * random()) * 1_000;
    return { unlike: onePod((at) => (at.getTime() >= since ? { capacity: 0 } : {})) };
  },
  /** All consume less than comes, and use no more CPU for a message. */
  downstream_slow: ({ random }) => ({ capacity: 0.4 + 0.4 * random() }),
  stale_metrics: ({ random, now }) => ({
    scrape: { noise: 0.05, until: new Date(now.getTime() - (150 + 300 * random()) * 1_000) },
  }),
  rollout: () => ({}),
};

/** A message takes two to four times the CPU, and as much longer. */
function slowed(random: Random): Factors {
  return slowedBy(2 + 2 * random());
}

export function slowedBy(factor: number): Factors {
  return { capacity: 1 / factor, cpuPerMessage: factor };
}

/** The first that is asked about, and no other; a pod that takes its place is as good as any. */
export function onePod(factors: (at: Date) => Partial<Factors>): NonNullable<SimulationSettings["unlike"]> {
  let chosen: string | undefined;
  return ({ uid }, at) => {
    chosen ??= uid;
    return uid === chosen ? factors(at) : {};
  };
}

/** A whole number, both ends included. */
function between(least: number, most: number, random: Random): number {
  return least + Math.floor(random() * (most - least + 1));
}
