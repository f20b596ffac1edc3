import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { CLOCK_SKEW_MILLIS, createAgreedTime, DATE_ROUNDING_MILLIS, type Reading } from "./agreed-time.ts";

const START = Date.parse("2026-03-01T12:00:00Z");

/** A request that is sent after so many milliseconds, and at which a server looks at its clock at some moment before the reply comes. */
interface Exchange {
  readonly after: number;
  readonly there: number;
  readonly back: number;
}

function readings(exchanges: readonly Exchange[], aheadOf: (index: number) => number): Reading[] {
  let now = START;
  return exchanges.map(({ after, there, back }, index) => {
    const sent = now + after;
    now = sent + there + back;
    const date = Math.floor((sent + there + aheadOf(index)) / 1_000) * 1_000;
    return { what: `call ${index}`, date: new Date(date), sent: new Date(sent), came: new Date(now) };
  });
}

const millis = fc.integer({ min: 0, max: 10_000 });
const exchanges = fc.array(fc.record({ after: millis, there: millis, back: millis }), { minLength: 2, maxLength: 20 });
const skew = fc.integer({ min: -1e9, max: 1e9 });

function at(seconds: number): Date {
  return new Date(START + seconds * 1_000);
}

describe("the time that replies agree on", () => {
  it("is told as it is, whatever it is ahead of ours and however long replies take", () => {
    fc.assert(
      fc.property(exchanges, skew, (made, ahead) => {
        const time = createAgreedTime();
        const given = readings(made, () => ahead);
        expect(given.map(time)).toEqual(given.map(({ date }) => date));
      }),
    );
  });

  it("may be that of several servers within a few seconds", () => {
    const apart = fc.array(fc.integer({ min: 0, max: CLOCK_SKEW_MILLIS }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(exchanges, skew, apart, (made, ahead, skews) => {
        const time = createAgreedTime();
        for (const reading of readings(made, (index) => ahead + (skews[index] ?? 0))) time(reading);
      }),
    );
  });

  it.each([1, -1])("is not that of servers further apart than their requests took (%d)", (sign) => {
    fc.assert(
      fc.property(exchanges, fc.integer({ min: 0, max: 1e9 }), fc.nat({ max: 19 }), (made, more, which) => {
        const other = which % made.length;
        const took = Math.max(...made.map(({ there, back }) => there + back));
        const apart = CLOCK_SKEW_MILLIS + DATE_ROUNDING_MILLIS + 2 * took + 1 + more;
        const time = createAgreedTime();
        const given = readings(made, (index) => (index === other ? sign * apart : 0));
        expect(() => given.forEach((reading) => time(reading))).toThrow(
          expect.objectContaining({ code: "CLOCKS_DIFFER" }),
        );
      }),
    );
  });

  it("names both replies, their times and what passed between", () => {
    const time = createAgreedTime();
    time({ what: "list pods in namespace shop", date: at(10_800), sent: at(0), came: at(0.5) });
    expect(() => time({ what: "get lease shop/x", date: at(1), sent: at(1), came: at(1.5) })).toThrow(
      "get lease shop/x: the reply's Date is 2026-03-01T12:00:01Z, and 1.0 s before that of another (list pods in namespace shop) was 2026-03-01T15:00:00Z: the API servers' clocks are more than 5s apart",
    );
  });
});
