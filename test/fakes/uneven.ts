import { imbalanceOf } from "../../src/forecast/imbalance.ts";
import { PROTOCOLS } from "../../src/kafka/assignors/protocols.ts";
import { createSimulation, type Simulation, type SimulationSettings } from "../../src/simulation/simulation.ts";
import { createVirtualClock } from "../../src/simulation/virtual-clock.ts";

/** Eight consumers of 32 partitions, the busiest with half as much again as the mean, one of which a rotation can help. */
export function unevenSimulation(changes: Partial<SimulationSettings> = {}): Simulation {
  return createSimulation(
    {
      seed: 1_000_003,
      pods: 8,
      partitions: new Map([["orders", 32]]),
      protocol: PROTOCOLS["java-cooperative-sticky"],
      rates: { kind: "zipf", parameter: 0.6 },
      wanted: (loads) => imbalanceOf(loads) >= 1.5,
      ...changes,
    },
    createVirtualClock(),
  );
}
