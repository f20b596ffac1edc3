import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { runCase } from "./arbitraries.ts";
import { playCase } from "./run-case.ts";

describe("any run on any fleet", () => {
  it("meets the invariants, whatever the pods, the metrics and the faults", async () => {
    const reasons = new Map<string, number>();
    let evictions = 0;
    await fc.assert(
      fc.asyncProperty(runCase, async (given) => {
        const { report, world, violations } = await playCase(given);
        reasons.set(report.reason, (reasons.get(report.reason) ?? 0) + 1);
        evictions += world.history.filter(({ what }) => what === "evicted").length;
        expect(violations).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
    // The cases must reach the interesting places, or the invariants hold for nothing.
    expect(evictions).toBeGreaterThan(100);
    expect([...reasons.keys()]).toEqual(
      expect.arrayContaining([
        "rotated",
        "blocked_by_pdb",
        "replacement_timeout",
        "interrupted",
        "lock_lost",
        "failed",
      ]),
    );
  });
});
