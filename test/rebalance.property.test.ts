import { describe, expect, it } from "vitest";

import { expectSafeRuns } from "./any-run.ts";

describe("any run on any fleet", () => {
  it("meets the invariants, whatever the pods, the metrics and the faults", async () => {
    const endings = await expectSafeRuns(1_000);
    expect([...endings.keys()]).toEqual(
      expect.arrayContaining([
        "rotated",
        "blocked_by_pdb",
        "replacement_timeout",
        "interrupted",
        "lock_lost",
        "failed",
      ]),
    );
  });
});
