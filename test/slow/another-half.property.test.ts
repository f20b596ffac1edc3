/** The same once more in another process, for the other core. */

import { describe, expect, it } from "vitest";

import { expectAllEndings, HALF_A_MILLION } from "./endings.ts";

describe("any run on any fleet", () => {
  it("meets the invariants in 500,000 other cases", async () => {
    expect(await expectAllEndings(HALF_A_MILLION)).toEqual([]);
  });
});
