import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../random.ts";
import { createRates, drawRates, parseRateShape, type RateProcess } from "./partition-rates.ts";

const SINCE = 1_000_000;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function rates(text: string, seed = 1): RateProcess {
  return createRates({ shape: parseRateShape(text), count: 32, mean: 125, since: SINCE }, seededRandom(seed));
}

describe("the shape of rates", () => {
  it.each([
    ["zipf:0.6", "zipf", 0.6],
    ["hot:0.22", "hot", 0.22],
    ["even", "even", 0],
    ["lognormal:1", "lognormal", 1],
  ])("is read from %s", (text, kind, parameter) => {
    expect(parseRateShape(text)).toEqual({ kind, parameter });
  });

  it.each(["", "zipf", "zipf:", "zipf:-1", "zipf:x", "zipf:1:2", "even:1", "hot:1", "hot:0", "toString:1", "zipf:1e9"])(
    "is refused as %j, with what is expected",
    (text) => {
      expect(() => parseRateShape(text)).toThrow(
        `rates are ${JSON.stringify(text)}, expected one of even, zipf:<skew>, lognormal:<standard deviation`,
      );
    },
  );
});

function falling(some: readonly number[] = []): number[] {
  return some.toSorted((a, b) => b - a);
}

describe("rates", () => {
  it("have the mean that was asked for, whatever their shape", () => {
    const texts = fc.constantFrom("even", "zipf:0.6", "zipf:1.2", "lognormal:1", "hot:0.22", "drifting:0.6");
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 64 }), fc.nat(), (text, count, seed) => {
        const { rates: drawn } = createRates(
          { shape: parseRateShape(text), count, mean: 125, since: SINCE },
          seededRandom(seed),
        );
        if (count === 1 && text.startsWith("hot")) return;
        expect(sum(drawn)).toBeCloseTo(125 * count);
        expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("of a Zipf law fall with the place, in random order", () => {
    const [first, second] = [1, 2].map((seed) => rates("zipf:0.6", seed).rates);
    const sorted = falling(first);
    expect(falling(second)).toEqual(sorted);
    expect(second).not.toEqual(first);
    expect((sorted[0] ?? 0) / (sorted[9] ?? 1)).toBeCloseTo(10 ** 0.6);
  });

  it("with a hot partition give it its share", () => {
    expect(Math.max(...rates("hot:0.22").rates) / (125 * 32)).toBeCloseTo(0.22);
  });

  it("stay, unless they drift or burst", () => {
    for (const text of ["even", "zipf:0.6", "lognormal:0.5", "hot:0.3"]) {
      expect(rates(text).changesAt).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it("that drift keep their sum, move a little in a minute and much in hours, and come back", () => {
    const process = rates("drifting:0.6");
    const base = drawRates(parseRateShape("zipf:0.6"), 32, 125, seededRandom(1));
    const [minute = 0, hours = 0] = [1, 180].map((changes) => {
      const before = process.rates;
      for (let turn = 0; turn < changes; turn += 1) process.change();
      expect(sum(process.rates)).toBeCloseTo(125 * 32);
      return sum(process.rates.map((rate, at) => Math.abs(rate - (before[at] ?? 0)))) / sum(before);
    });
    expect(process.changesAt).toBe(SINCE + 182 * 60_000);
    expect(minute).toBeLessThan(0.1);
    expect(hours).toBeGreaterThan(2 * minute);
    // Over many hours each partition's mean is the one it began with.
    const means = base.map(() => 0);
    for (let turn = 0; turn < 5_000; turn += 1) {
      process.change();
      for (const [at, rate] of process.rates.entries()) means[at] = (means[at] ?? 0) + rate / 5_000;
    }
    const largest = means.indexOf(Math.max(...means));
    expect(base.indexOf(Math.max(...base))).toBe(largest);
  });

  it("that burst are four times as high for a twentieth of the time", () => {
    const process = rates("bursty:0.6");
    const base = drawRates(parseRateShape("zipf:0.6"), 32, 125, seededRandom(1));
    let bursts = 0;
    for (let turn = 0; turn < 3_000; turn += 1) {
      process.change();
      for (const [at, rate] of process.rates.entries()) {
        const factor = rate / (base[at] ?? 1);
        expect([1, 4]).toContain(Math.round(factor * 1e6) / 1e6);
        if (factor > 2) bursts += 1;
      }
    }
    expect(bursts / (3_000 * 32)).toBeGreaterThan(0.04);
    expect(bursts / (3_000 * 32)).toBeLessThan(0.06);
  });
});
