import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../random.ts";
import { drawRates } from "../simulation/partition-rates.ts";
import { imbalanceOf, lowestImbalance } from "./imbalance.ts";

const rates = fc.array(fc.double({ min: 0, max: 1_000, noNaN: true }), { minLength: 1, maxLength: 24 });

/** The least imbalance of all ways to share out six partitions among two. */
function exactForTwo(six: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let mask = 0; mask < 64; mask += 1) {
    const first = six.filter((_, index) => (mask >> index) & 1);
    if (first.length !== 3) continue;
    const second = six.filter((_, index) => !((mask >> index) & 1));
    best = Math.min(best, imbalanceOf([first, second].map((hand) => hand.reduce((sum, rate) => sum + rate, 0))));
  }
  return best;
}

describe("the imbalance of a group", () => {
  it("is the busiest member's load over the mean", () => {
    expect(imbalanceOf([1, 2, 3])).toBe(1.5);
    expect(imbalanceOf([2, 2])).toBe(1);
    expect(imbalanceOf([0, 0])).toBe(1);
  });
});

describe("the lowest imbalance", () => {
  it("is one where the rates can be shared out evenly", () => {
    expect(lowestImbalance([3, 1, 1, 3], 2)).toBeCloseTo(1);
    expect(lowestImbalance([6, 5, 4, 3, 2, 1, 1, 2], 2)).toBeCloseTo(1);
  });

  it("is bound by a partition that is busier than the mean", () => {
    expect(lowestImbalance([10, 1, 1, 1, 1, 1], 3)).toBeCloseTo((11 * 3) / 15);
  });

  it("is the exact one, or very near, where that can be counted out", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 6, maxLength: 6 }), (six) => {
        const exact = exactForTwo(six);
        const found = lowestImbalance(six, 2);
        expect(found).toBeGreaterThanOrEqual(exact - 1e-9);
        expect(found).toBeLessThanOrEqual(exact * 1.1);
      }),
    );
  });

  it("is never below one, nor below what the busiest partition alone asks for", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 8 }), (some, members) => {
        const total = some.reduce((sum, rate) => sum + rate, 0);
        const least = total === 0 ? 1 : Math.max(1, (Math.max(...some) * members) / total);
        expect(lowestImbalance(some, members)).toBeGreaterThanOrEqual(least * (1 - 1e-9));
      }),
    );
  });

  it("is not beaten by random deals", () => {
    const random = seededRandom(1);
    const draw = () => drawRates({ kind: "zipf", parameter: 0.7 }, 32, 125, random);
    const floor = lowestImbalance(draw(), 8);
    for (let deals = 0; deals < 2_000; deals += 1) {
      const dealt = draw();
      const loads = Array.from({ length: 8 }, (_, at) =>
        dealt.slice(at * 4, at * 4 + 4).reduce((sum, rate) => sum + rate, 0),
      );
      expect(imbalanceOf(loads)).toBeGreaterThanOrEqual(floor * (1 - 1e-9));
    }
  });
});
