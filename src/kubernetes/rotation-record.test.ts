import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Rotation } from "../types.ts";
import { readRotations, writeRotations } from "./rotation-record.ts";

function rotationAt(minutes: number, changes: Partial<Rotation> = {}): Rotation {
  return {
    at: new Date(Date.UTC(2026, 2, 1, 12, minutes)),
    pods: ["orders-x2k9q"],
    group: "orders-5d8f7c9b 8 32 cooperative-sticky",
    before: 1.7,
    expected: { p10: 1.4, p50: 1.45, p90: 1.5 },
    after: 1.46,
    order: "leave-first",
    ...changes,
  };
}

describe("the record of rotations", () => {
  it("comes back as it was written, what is not known included", () => {
    const rotations = [rotationAt(0), rotationAt(20, { expected: undefined, after: undefined, order: undefined })];
    expect(readRotations(writeRotations(rotations))).toEqual(rotations);
  });

  it("keeps the newest ten, within a few kilobytes", () => {
    const text = writeRotations(Array.from({ length: 25 }, (_, at) => rotationAt(at)));
    expect(readRotations(text).map(({ at }) => at.getUTCMinutes())).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect(text.length).toBeLessThan(4_000);
  });

  it.each([
    ["there is none", undefined],
    ["it is no JSON", "{"],
    ["it is another version's", writeRotations([rotationAt(0)]).replace('"version":1', '"version":2')],
    ["it is a list of its own", "[]"],
    ["it is nothing", "null"],
  ])("is empty where %s", (_, text) => {
    expect(readRotations(text)).toEqual([]);
  });

  it("forgets what of it cannot be read, and only that", () => {
    const { rotations } = JSON.parse(writeRotations([rotationAt(0), rotationAt(1), rotationAt(2)])) as {
      rotations: Record<string, unknown>[];
    };
    const [first, second, third] = rotations;
    const damaged = [
      { ...first, before: "much" },
      { ...second, order: "sideways", after: null },
      7,
      null,
      { ...third, at: "1970-01-01T00:00:00.001Z" },
    ];
    const read = readRotations(JSON.stringify({ version: 1, rotations: damaged }));
    expect(read).toEqual([
      { ...rotationAt(2), at: new Date(1) },
      { ...rotationAt(1), after: undefined, order: undefined },
    ]);
  });

  it("never throws", () => {
    const rotations = fc.array(fc.oneof(fc.anything(), fc.object({ key: fc.constantFrom("at", "pods", "before") })));
    fc.assert(
      fc.property(rotations, (anything) => {
        const text = JSON.stringify({ version: 1, rotations: anything }, (_key, value: unknown) =>
          typeof value === "bigint" ? String(value) : value,
        );
        expect(Array.isArray(readRotations(text))).toBe(true);
      }),
    );
  });
});
