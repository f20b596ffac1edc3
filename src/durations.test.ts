import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatDuration, parseDuration } from "./durations.ts";

describe("parseDuration", () => {
  it.each([
    ["500ms", 0.5],
    ["30s", 30],
    ["1m30s", 90],
    ["1h30m", 5_400],
    ["2d", 172_800],
    ["0s", 0],
    ["1d2h3m4s5ms", 93_784.005],
  ])("reads %s as %d seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(["", "30", "5 m", "5M", "5m foo", "PT5M", "-5m", "1.5h", "30s5m", "5m5m", " 5m", "5min", "1e3s", "٣s"])(
    "does not take %j for a duration",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [0.5, "500ms"],
    [90, "1m30s"],
    [300, "5m"],
    [3_600, "1h"],
    [86_461, "1d1m1s"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it("writes what parseDuration reads", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (millis) => {
        expect(parseDuration(formatDuration(millis / 1_000))).toBe(millis / 1_000);
      }),
    );
  });
});
