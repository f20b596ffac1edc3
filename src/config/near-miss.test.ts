import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isNearMiss } from "./near-miss.ts";

const name = fc.stringMatching(/^[A-Z]{5,12}$/);

describe("a near miss", () => {
  it("is a name with one character less, more, other, or two exchanged", () => {
    fc.assert(
      fc.property(name, fc.nat(11), fc.constantFrom("Q", "X", "_"), (known, where, other) => {
        const at = where % known.length;
        expect(isNearMiss(known.slice(0, at) + known.slice(at + 1), known)).toBe(true);
        expect(isNearMiss(known.slice(0, at) + other + known.slice(at), known)).toBe(true);
        expect(isNearMiss(known.slice(0, at) + other + known.slice(at + 1), known)).toBe(true);
        const [a = "", b = ""] = known.slice(at, at + 2);
        expect(isNearMiss(known.slice(0, at) + b + a + known.slice(at + 2), known)).toBe(true);
      }),
    );
  });

  it.each([
    ["DRYRUN", "DRY_RUN", true],
    ["dry-run", "DRY_RUN", true],
    ["DRY_RUNNING", "DRY_RUN", false],
    ["RUN_DRY", "DRY_RUN", false],
    ["CPU_QUERY", "LAG_QUERY", false],
    ["", "DRY_RUN", false],
    ["LOG", "LAG", false],
  ])("%s for %s: %s", (given, known, expected) => {
    expect(isNearMiss(given, known)).toBe(expected);
  });
});
