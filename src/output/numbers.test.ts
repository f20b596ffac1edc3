import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  formatAge,
  formatCount,
  formatHundredths,
  formatLimit,
  formatMultiple,
  formatReading,
  formatSeconds,
} from "./numbers.ts";

describe("numbers that people read", () => {
  it.each([
    [0, "0"],
    [48_210.4, "48,210"],
    [999_999_999_999, "999,999,999,999"],
    [3.1e15, "3.10e15"],
  ])("shows the count %d as %s", (value, text) => {
    expect(formatCount(value)).toBe(text);
  });

  it.each([
    [-3, "0s"],
    [45.9, "45s"],
    [119, "119s"],
    [120, "2m"],
    [500, "8m"],
    [7_200, "2h"],
    [27 * 3_600, "27h"],
    [172_800, "2d"],
    [400 * 86_400, "400d"],
  ])("shows an age of %d s as %s", (seconds, text) => {
    expect(formatAge(seconds)).toBe(text);
  });

  it("gives each signal the decimals that tell something", () => {
    expect(formatReading("cpu", 0.754)).toBe("0.75");
    expect(formatReading("lag", 48_210)).toBe("48,210");
    expect(formatReading("rate", 0.42)).toBe("0.4");
    expect(formatReading("rate", 1_480.4)).toBe("1,480");
    expect(formatReading("memory", 640_000_000)).toBe("610");
    expect(formatReading("score", 1)).toBe("1.00");
  });

  it("shows a limit with at least the decimals of what it is compared with", () => {
    expect([0.3, 0.125, 2].map(formatLimit)).toEqual(["0.30", "0.125", "2.00"]);
    expect([formatHundredths(5.2401), formatMultiple(7.05)]).toEqual(["5.24", "7.1×"]);
  });

  it("shows seconds with a decimal only where it counts", () => {
    expect([40, 1_234, 84_400].map(formatSeconds)).toEqual(["0.0 s", "1.2 s", "84 s"]);
  });

  it("never takes more than 18 characters, however large the number is", () => {
    const value = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(value, (number) => {
        const texts = [formatCount, formatHundredths, formatMultiple].map((format) => format(number));
        for (const text of texts) expect(text.length).toBeLessThanOrEqual(18);
      }),
    );
  });
});
