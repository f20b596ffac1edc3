/** The demo's start: a group whose partitions were dealt out badly. */

import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import { describeValues } from "../podstate/statistics.ts";
import type { Clock } from "../ports.ts";
import { createSimulation, type Simulation } from "../simulation/simulation.ts";

export const CONSUMERS = 8;
export const LABEL_SELECTOR = "app=consumer";
const PARTITIONS = 32;
/** At 0.8 the busiest partition has nearly six times the mean, and one draw in some thirty is bad enough. */
const SKEW = 0.8;
/** What a consumer can take, as a multiple of the mean load. */
const CAPACITY = 2.2;

/** @param seed - what is drawn at random is the same for the same seed. */
export function createScenario(seed: number, clock: Clock): Simulation {
  return createSimulation(
    {
      seed,
      pods: CONSUMERS,
      partitions: new Map([["orders", PARTITIONS]]),
      protocol: PROTOCOLS["java-cooperative-sticky"],
      rates: { kind: "zipf", parameter: SKEW },
      capacity: CAPACITY,
      wanted: overTheLimits,
    },
    clock,
  );
}

/** CPU passes its default threshold, also with what idles in it, and one consumer falls behind, by which lag passes its own. */
function overTheLimits(loads: readonly number[]): boolean {
  const capacity = (CAPACITY * loads.reduce((sum, load) => sum + load, 0)) / loads.length;
  const consumed = loads.map((load) => Math.min(load, capacity));
  return describeValues(consumed).relativeVariance > 0.34 && Math.max(...loads) > 1.02 * capacity;
}
