import { describe, expect, it } from "vitest";

import { expectSafeRuns } from "./any-run.ts";

describe("any run on any fleet", () => {
  it("meets the invariants, whatever the pods, the metrics and the faults", async () => {
    const endings = await expectSafeRuns(10_000);
    expect([...endings.keys()]).toEqual(
      expect.arrayContaining([
        "rotated",
        "workload_deleting",
        "scaling_in_progress",
        "target_changed",
        "blocked_by_pdb",
        "replacement_timeout",
        "interrupted",
        "lock_lost",
        "failed",
      ]),
    );
  }, 120_000);
});
