/** What the product says today of the groups of the corpus. */

import { corpus, type Half, type Label, LABELS } from "./corpus.ts";
import { runProduct } from "./policies.ts";
import { judge } from "./row.ts";

/** By label, then by what the run ended with: how often. */
export type Confusion = ReadonlyMap<Label, ReadonlyMap<string, number>>;

const NEVER = new AbortController().signal;
const SETTLE_MILLIS = 30_000;

/** A run of each case, with the product's defaults. A rotation is told by what it did to busiest / mean load. */
export async function confusionOf(half: Half, count: number): Promise<Confusion> {
  const found = new Map<Label, Map<string, number>>(LABELS.map((label) => [label, new Map()]));
  for (const { label, simulation } of corpus(half, count)) {
    const before = simulation.imbalance();
    const { reason } = await runProduct(simulation, { gate: "on" });
    await simulation.clock.sleep(SETTLE_MILLIS, NEVER);
    const ending = reason === "rotated" ? `rotated, ${judge(before, simulation.imbalance())}` : reason;
    const endings = found.get(label);
    endings?.set(ending, (endings.get(ending) ?? 0) + 1);
  }
  return found;
}
