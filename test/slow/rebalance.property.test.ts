/** The property of whole runs once more, with fifty times as many cases as in `npm test`; another-half.property.test.ts has as many. */

import { describe, expect, it } from "vitest";

import { expectAllEndings, HALF_A_MILLION } from "./endings.ts";

describe("any run on any fleet", () => {
  it("meets the invariants in 500,000 cases, which end for every reason that a live run can have", async () => {
    expect(await expectAllEndings(HALF_A_MILLION)).toEqual([]);
  });
});
