import { describe, expect, it } from "vitest";

import { seededRandom } from "../random.ts";
import { percentileOf } from "./deals.ts";

const RATES = Array.from({ length: 32 }, (_, place) => (place + 1) ** -0.6);

describe("the percentile among random deals", () => {
  it("is 0 of what no deal falls below, 1 of what every deal does, and rises with the imbalance", () => {
    expect(percentileOf(1, RATES, 8, seededRandom(1))).toBe(0);
    expect(percentileOf(8, RATES, 8, seededRandom(1))).toBe(1);
    const some = [1.4, 1.6, 1.8, 2, 2.4].map((imbalance) => percentileOf(imbalance, RATES, 8, seededRandom(1)));
    expect(some).toEqual(some.toSorted((a, b) => a - b));
    expect(some[0]).toBeLessThan(0.2);
    expect(some.at(-1)).toBeGreaterThan(0.95);
  });

  it("is 0 where all deals are the same", () => {
    expect(
      percentileOf(
        1,
        Array.from({ length: 16 }, () => 5),
        4,
        seededRandom(1),
      ),
    ).toBe(0);
  });
});
