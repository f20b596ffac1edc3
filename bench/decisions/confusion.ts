/** What the product says today of the groups of the corpus. */

import { diagnose } from "../../src/forecast/cause.ts";
import { ownershipOf } from "../../src/forecast/ownership.ts";
import { assess } from "../../src/podstate/assess.ts";
import type { Simulation } from "../../src/simulation/simulation.ts";
import type { Diagnosis, Policy } from "../../src/types.ts";
import { type Case, corpus, corpusCase, type Half, type Label, LABELS } from "./corpus.ts";
import { DEFAULTS, runProduct } from "./policies.ts";
import { judge } from "./row.ts";

/** By label, then by what was said: how often. */
export type Confusion = ReadonlyMap<Label, ReadonlyMap<string, number>>;

/** Of the same cases. */
export interface Confusions {
  /** What the run ended with. A rotation is told by what it did to busiest / mean load. */
  readonly endings: Confusion;
  /** The same with STRATEGY=forecast, when it is known who owns what. */
  readonly forecastEndings: Confusion;
  /** The cause, when it is known who owns what, and when it is not. */
  readonly causes: Confusion;
  readonly causesUnowned: Confusion;
}

const NEVER = new AbortController().signal;
const SETTLE_MILLIS = 30_000;

/** A run of each case, with the product's defaults. */
export async function confusionsOf(half: Half, count: number): Promise<Confusions> {
  const said: (readonly [Label, Record<keyof Confusions, string>])[] = [];
  for (const one of corpus(half, count)) said.push([one.label, await saidOf(one)]);
  return {
    endings: counted(said.map(([label, { endings }]) => [label, endings])),
    forecastEndings: counted(said.map(([label, { forecastEndings }]) => [label, forecastEndings])),
    causes: counted(said.map(([label, { causes }]) => [label, causes])),
    causesUnowned: counted(said.map(([label, { causesUnowned }]) => [label, causesUnowned])),
  };
}

async function saidOf({ label, seed, simulation }: Case): Promise<Record<keyof Confusions, string>> {
  const consumers = await simulation.groupSource.read([], NEVER);
  const { ending, group } = await ended(simulation);
  if (group === undefined || consumers === undefined) throw new Error("the group was not seen");
  const again = corpusCase(label, seed).simulation;
  const ownership = ownershipOf(consumers, group.snapshot.pods);
  return {
    endings: ending,
    forecastEndings: (await ended(again, { strategy: "forecast" })).ending,
    causes: diagnose({ ...group, ownership }, DEFAULTS).cause,
    causesUnowned: diagnose({ ...group, ownership: undefined }, DEFAULTS).cause,
  };
}

/** A run of the product, by its reason; a rotation is told by what it did to busiest / mean load. */
async function ended(simulation: Simulation, changes: Partial<Policy> = {}) {
  const before = simulation.imbalance();
  const { reason, group } = await runProduct(simulation, changes);
  await simulation.clock.sleep(SETTLE_MILLIS, NEVER);
  const ending = reason === "rotated" ? `${ROTATED}${judge(before, simulation.imbalance())}` : reason;
  return { ending, group };
}

const ROTATED = "rotated, ";

/** Of the rotations, the share that made it better; undefined where there were none. */
export function precisionOf(endings: Confusion): {
  readonly rotations: number;
  readonly precision: number | undefined;
} {
  const all = [...endings.values()].flatMap((counts) => [...counts]).filter(([ending]) => ending.startsWith(ROTATED));
  const rotations = all.reduce((sum, [, count]) => sum + count, 0);
  const better = all.filter(([ending]) => ending.endsWith("better")).reduce((sum, [, count]) => sum + count, 0);
  return { rotations, precision: rotations === 0 ? undefined : better / rotations };
}

/** Of the group as it is now, where it is known who owns what. */
export async function diagnosisOf({ cluster, metrics, groupSource }: Simulation): Promise<Diagnosis> {
  const snapshot = await cluster.observe(NEVER);
  const signals = await metrics.fetch(snapshot.pods, NEVER);
  const consumers = await groupSource.read(snapshot.pods, NEVER);
  const groups = consumers ? [consumers] : [];
  return diagnose(assess({ snapshot, record: undefined, signals, groups }, DEFAULTS), DEFAULTS);
}

function counted(said: readonly (readonly [Label, string])[]): Confusion {
  const found = new Map<Label, Map<string, number>>(LABELS.map((label) => [label, new Map()]));
  for (const [label, what] of said) {
    const counts = found.get(label);
    counts?.set(what, (counts.get(what) ?? 0) + 1);
  }
  return found;
}
