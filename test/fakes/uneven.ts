import { imbalanceOf } from "../../src/forecast/imbalance.ts";
import { PROTOCOLS } from "../../src/kafka/assignors/protocols.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import { assess } from "../../src/podstate/assess.ts";
import { createSimulation, type Simulation, type SimulationSettings } from "../../src/simulation/simulation.ts";
import { createVirtualClock } from "../../src/simulation/virtual-clock.ts";
import type { Group } from "../../src/types.ts";
import { POLICY } from "./policy.ts";

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

/** What of the Kafka side of a group is known to whom, the most trusted first. */
export type Known = (group: ConsumerGroup) => readonly (ConsumerGroup | undefined)[];

const NEVER = new AbortController().signal;

/** The same as a run sees it that looks ahead. */
export async function unevenGroup(
  known: Known = (group) => [group],
  changes: Partial<SimulationSettings> = {},
): Promise<Group> {
  const simulation = unevenSimulation(changes);
  const snapshot = await simulation.cluster.observe(NEVER);
  const signals = await simulation.metrics.fetch(snapshot.pods, NEVER);
  const group = await simulation.groupSource.read(snapshot.pods, NEVER);
  if (group === undefined) throw new Error("no group");
  const record = { heldBy: undefined, removals: [], rotations: changes.rotations ?? [] };
  const groups = known(group).flatMap((one) => one ?? []);
  return assess({ snapshot, record, signals, groups }, { ...POLICY, strategy: "forecast" });
}
