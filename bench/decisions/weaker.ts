/** How weak a fault may be until the diagnosis no longer finds it, and what it says then. */

import { seededRandom } from "../../src/random.ts";
import { diagnosisOf } from "./confusion.ts";
import { type Circumstances, groupMade, type Label, type Made, onePod, slowedBy } from "./corpus.ts";

interface Ladder {
  readonly label: Label;
  /** What the strengths are. */
  readonly of: string;
  readonly strengths: readonly number[];
  readonly made: (strength: number, circumstances: Circumstances) => ReturnType<Made>;
}

const PODS = 8;
const PARTITIONS = new Map([["orders", 4 * PODS]]);

const LADDERS: readonly Ladder[] = [
  {
    label: "slow_pod",
    of: "times the CPU for a message",
    strengths: [1.2, 1.4, 1.6, 1.8],
    made: (factor) => ({ unlike: onePod(() => slowedBy(factor)) }),
  },
  {
    label: "slow_node",
    of: "times the CPU for a message",
    strengths: [1.2, 1.4, 1.6, 1.8],
    made: (factor) => ({ unlike: ({ node }) => (node === "node-1" ? slowedBy(factor) : {}) }),
  },
  {
    label: "stalled_consumer",
    of: "s since it stalled",
    strengths: [30, 60, 120, 180],
    made: (seconds, { now }) => ({
      unlike: onePod((at) => (now.getTime() - at.getTime() <= seconds * 1_000 ? { capacity: 0 } : {})),
    }),
  },
  {
    label: "downstream_slow",
    of: "of what comes in is consumed",
    strengths: [0.95, 0.9, 0.85],
    made: (capacity) => ({ capacity }),
  },
  {
    label: "hot_partition",
    of: "times a pod's fair share",
    strengths: [0.9, 1, 1.1],
    made: (shares) => ({ rates: { kind: "hot", parameter: shares / PODS } }),
  },
  {
    label: "skewed_partitions",
    of: "standard deviation of the logarithm",
    strengths: [0.2, 0.3, 0.4],
    made: (parameter) => ({ rates: { kind: "lognormal", parameter } }),
  },
];

/** Each reading is off by up to this share. */
export const NOISES = [0.05, 0.1, 0.2];

export interface Rung {
  readonly label: Label;
  readonly strength: string;
  /** By noise: cause → how often. */
  readonly said: readonly ReadonlyMap<string, number>[];
}

/** @param count - of groups for each strength and noise. */
export async function weakerFaults(count: number): Promise<Rung[]> {
  const rungs: Rung[] = [];
  for (const { label, of, strengths, made } of LADDERS) {
    for (const strength of strengths) {
      const said = [];
      for (const noise of NOISES)
        said.push(await saidOf((circumstances) => made(strength, circumstances), noise, count));
      rungs.push({ label, strength: `${strength} ${of}`, said });
    }
  }
  return rungs;
}

async function saidOf(made: Made, noise: number, count: number): Promise<ReadonlyMap<string, number>> {
  const said = new Map<string, number>();
  for (let seed = 0; seed < count; seed += 1) {
    const fixed = { pods: PODS, partitions: PARTITIONS, scrape: { noise } };
    const group = groupMade((circumstances) => ({ ...fixed, ...made(circumstances) }), seededRandom(seed));
    const { cause } = await diagnosisOf(group);
    said.set(cause, (said.get(cause) ?? 0) + 1);
  }
  return said;
}
