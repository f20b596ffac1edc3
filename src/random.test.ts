import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { randomText, seededRandom, shuffled } from "./random.ts";

function draws(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
}

describe("seeded numbers", () => {
  it("are the same for the same seed, and others for another", () => {
    expect(draws(7, 20)).toEqual(draws(7, 20));
    expect(draws(7, 20)).not.toEqual(draws(8, 20));
  });

  it("lie in [0, 1) and spread over all of it", () => {
    const tenths = new Set(draws(1, 1_000).map((draw) => Math.floor(draw * 10)));
    expect(tenths).toEqual(new Set(Array.from(Array(10).keys())));
  });

  it("shuffle without loss", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const drawn = shuffled(items, seededRandom(seed));
        expect(drawn.toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
      }),
    );
  });

  it("make text of an alphabet", () => {
    expect(randomText(100, "ab", seededRandom(1))).toMatch(/^[ab]{100}$/);
  });
});
