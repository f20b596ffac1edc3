/** The property of whole runs once more, with a hundred times as many cases as in `npm test`. */

import { describe, expect, it } from "vitest";

import { REASONS } from "../../src/reasons.ts";
import { expectSafeRuns } from "../any-run.ts";

describe("any run on any fleet", () => {
  it("meets the invariants in 100,000 cases, which end for every reason that a live run can have", async () => {
    const endings = await expectSafeRuns(100_000);
    const never = Object.keys(REASONS).filter((reason) => !endings.has(reason as never));
    expect(never).toEqual(["would_rotate"]);
  });
});
