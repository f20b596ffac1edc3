import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { scorePod } from "./score.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });
const shares = fc.record({ cpu: share, lag: share, memory: share }, { requiredKeys: [] });

describe("scorePod", () => {
  it.each([
    [{ cpu: 1, lag: 1, memory: 1 }, 1],
    [{ cpu: 0, lag: 0, memory: 0 }, 0],
    [{ cpu: 0.5, lag: 0.25, memory: 1 }, 0.5],
    [{ cpu: 0.5, memory: 0.5 }, 0.5],
    [{ lag: 0.3 }, 0.3],
    [{}, 0],
  ])("weighs %j as %d", (given, expected) => {
    expect(scorePod(given)).toBeCloseTo(expected, 12);
  });

  it("scales the other weights up when a signal is left out", () => {
    // 0.4 and 0.2 of 0.6 remain: two thirds and one third.
    expect(scorePod({ cpu: 0.9, memory: 0.3 })).toBeCloseTo(0.7, 12);
  });

  it("stays in [0, 1] and never falls when a signal rises", () => {
    fc.assert(
      fc.property(shares, fc.constantFrom("cpu", "lag", "memory"), share, (given, signal, other) => {
        const score = scorePod(given);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
        const before = given[signal];
        if (before === undefined) return;
        const risen = scorePod({ ...given, [signal]: Math.max(before, other) });
        expect(risen).toBeGreaterThanOrEqual(score);
      }),
    );
  });

  it.each([Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY])("refuses a share of %d", (bad) => {
    expect(() => scorePod({ cpu: bad })).toThrow(/share of cpu is .*expected a number in \[0, 1\]/);
  });
});
