/** The property of whole runs, for as many random cases as there is time for: `npm test` plays some, the slow suite many. */

import fc from "fast-check";
import { expect } from "vitest";

import type { Reason } from "../src/reasons.ts";
import { runCase } from "./arbitraries.ts";
import { playCase } from "./run-case.ts";

/** How often the runs ended for which reason; every reason is there that was reached. */
export type Endings = ReadonlyMap<Reason, number>;

/** Plays random fleets, metrics, policies and faults through the whole run, and holds each to the verifier's invariants. */
export async function expectSafeRuns(cases: number): Promise<Endings> {
  const endings = new Map<Reason, number>();
  let evictions = 0;
  await fc.assert(
    fc.asyncProperty(runCase, async (given) => {
      const { report, world, violations } = await playCase(given);
      endings.set(report.reason, (endings.get(report.reason) ?? 0) + 1);
      evictions += world.history.filter(({ what }) => what === "evicted").length;
      expect(violations).toEqual([]);
    }),
    { numRuns: cases },
  );
  // The cases must reach the interesting places, or the invariants hold for nothing.
  expect(evictions).toBeGreaterThan(cases / 10);
  return endings;
}
