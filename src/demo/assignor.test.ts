import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { deal, join, leave, type Ownership } from "./assignor.ts";
import { seededRandom } from "./random.ts";

function ownershipOf(owned: Record<string, number[]>): Ownership {
  return new Map(Object.entries(owned));
}

function spread(ownership: Ownership): number {
  const counts = [...ownership.values()].map(({ length }) => length);
  return Math.max(...counts) - Math.min(...counts);
}

function all(ownership: Ownership): number[] {
  return [...ownership.values()].flat().toSorted((a, b) => a - b);
}

/** A group that was dealt to at random, and then saw members come and go. */
const history = fc.record({
  partitions: fc.integer({ min: 0, max: 60 }),
  members: fc.integer({ min: 2, max: 9 }),
  seed: fc.integer(),
  leavers: fc.array(fc.nat(), { maxLength: 6 }),
});

describe("the sticky assignor", () => {
  it("gives the orphans to whoever has the fewest, in the order of their numbers", () => {
    const left = leave(ownershipOf({ a: [0, 1, 2], b: [3], c: [4, 5] }), "a");
    expect(left).toEqual(ownershipOf({ b: [0, 1, 3], c: [2, 4, 5] }));
  });

  it("hands the newcomer the highest numbers of whoever has the most", () => {
    const joined = join(ownershipOf({ b: [0, 1, 3], c: [2, 4, 5] }), "d");
    expect(joined).toEqual(ownershipOf({ b: [0, 1], c: [2, 4], d: [3, 5] }));
  });

  it("gives the first member everything, and nobody's partitions to nobody", () => {
    expect(leave(ownershipOf({ a: [0, 1] }), "a")).toEqual(ownershipOf({}));
    expect(join(ownershipOf({}), "a")).toEqual(ownershipOf({ a: [] }));
    expect(leave(ownershipOf({ a: [0] }), "stranger")).toEqual(ownershipOf({ a: [0] }));
  });

  it("loses no partition, gives none away twice and keeps the numbers even, whoever comes and goes", () => {
    fc.assert(
      fc.property(history, ({ partitions, members, seed, leavers }) => {
        const names = Array.from({ length: members }, (_, index) => `m${index}`);
        let ownership = deal(partitions, names, seededRandom(seed));
        for (const [turn, leaver] of leavers.entries()) {
          const gone = [...ownership.keys()][leaver % ownership.size] ?? "";
          const kept = leave(ownership, gone);
          for (const [name, own] of kept) expect(own).toEqual(expect.arrayContaining([...(ownership.get(name) ?? [])]));
          expect(spread(kept)).toBeLessThanOrEqual(1);
          ownership = join(kept, `new${turn}`);
          for (const [name, own] of kept) expect(own).toEqual(expect.arrayContaining([...(ownership.get(name) ?? [])]));
          expect(spread(ownership)).toBeLessThanOrEqual(1);
          expect(all(ownership)).toEqual(Array.from(Array(partitions).keys()));
        }
      }),
    );
  });
});
