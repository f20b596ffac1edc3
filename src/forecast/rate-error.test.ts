import { describe, expect, it } from "vitest";

import type { PodState } from "../types.ts";
import { rateErrorOf } from "./rate-error.ts";

function errorOf(pairs: readonly (readonly [load: number | undefined, rate: number | undefined])[]): number {
  const owners = pairs.map(([load], at) => ({ pod: `p${at}`, members: [], partitions: [], load }));
  const pods = pairs.map(([, rate], at) => ({ pod: { name: `p${at}` }, signals: rate === undefined ? {} : { rate } }));
  return rateErrorOf(owners, pods as unknown as PodState[]);
}

describe("the error in the rates", () => {
  it("is small where what the partitions bring is what the pods consume, lag that all catch up with apart", () => {
    expect(
      errorOf([
        [100, 100],
        [200, 200],
        [300, 300],
      ]),
    ).toBe(0.01);
    expect(
      errorOf([
        [100, 150],
        [200, 300],
        [300, 450],
      ]),
    ).toBe(0.01);
  });

  it("follows the deviation between the two, up to a limit", () => {
    expect(
      errorOf([
        [102, 100],
        [200, 200],
        [294, 300],
      ]),
    ).toBeCloseTo(0.04);
    expect(
      errorOf([
        [150, 100],
        [200, 200],
        [150, 300],
      ]),
    ).toBe(0.05);
  });

  it("is the limit where no pod shows both", () => {
    expect(
      errorOf([
        [100, undefined],
        [undefined, 100],
        [0, 0],
      ]),
    ).toBe(0.05);
    expect(errorOf([])).toBe(0.05);
  });
});
