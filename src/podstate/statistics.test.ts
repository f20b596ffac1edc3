import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { describeValues } from "./statistics.ts";

// Not so small that another unit makes it 0.
const positive = fc.double({ min: 1e-200, max: 1e15, noNaN: true });
const values = fc.array(fc.oneof(fc.constant(0), positive), { minLength: 1, maxLength: 50 });

describe("describeValues", () => {
  it("describes a group as a hand calculation does", () => {
    const { mean, variance, standardDeviation, relativeVariance, busiestToMean } = describeValues([
      2, 4, 4, 4, 5, 5, 7, 9,
    ]);
    expect({ mean, variance, standardDeviation }).toEqual({ mean: 5, variance: 4, standardDeviation: 2 });
    expect(relativeVariance).toBeCloseTo(0.16, 12);
    expect(busiestToMean).toBeCloseTo(1.8, 12);
  });

  it("interpolates percentiles as PromQL's quantile()", () => {
    const { p50, p90, p95, p99 } = describeValues([10, 1, 4, 3, 2, 9, 8, 7, 6, 5]);
    expect(p50).toBeCloseTo(5.5, 12);
    expect(p90).toBeCloseTo(9.1, 12);
    expect(p95).toBeCloseTo(9.55, 12);
    expect(p99).toBeCloseTo(9.91, 12);
  });

  it("has no spread for no values, one value, or zeros", () => {
    expect(describeValues([])).toMatchObject({ count: 0, mean: 0, relativeVariance: 0, busiestToMean: 1 });
    expect(describeValues([7])).toMatchObject({ count: 1, mean: 7, relativeVariance: 0, busiestToMean: 1, p99: 7 });
    expect(describeValues([0, 0])).toMatchObject({ mean: 0, relativeVariance: 0, busiestToMean: 1 });
  });

  it("does not depend on the order, nor the relative variance on the unit", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (given, unit) => {
        const described = describeValues(given);
        expect(describeValues(given.toReversed())).toEqual(described);
        const scaled = describeValues(given.map((value) => value * unit));
        expect(scaled.relativeVariance).toBeCloseTo(described.relativeVariance, 6);
      }),
    );
  });

  it("keeps every figure finite and in range, however large the values", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), { maxLength: 50 }), (given) => {
        const { relativeVariance, busiestToMean, ...rest } = describeValues(given);
        for (const figure of Object.values(rest)) expect(figure).toSatisfy(Number.isFinite);
        expect(relativeVariance).toBeGreaterThanOrEqual(0);
        expect(relativeVariance).toBeLessThanOrEqual(Math.max(given.length - 1, 0) * 1.000001);
        expect(busiestToMean).toBeLessThanOrEqual(Math.max(given.length, 1) * 1.000001);
        expect(rest.p50).toBeLessThanOrEqual(rest.p90);
        expect(rest.p99).toBeLessThanOrEqual(rest.maximum);
      }),
    );
  });
});
