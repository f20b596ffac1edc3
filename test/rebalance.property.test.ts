import { describe, expect, it } from "vitest";

import { expectSafeRuns } from "./any-run.ts";

/** Fewer for `npm run guards`, which plays them once for each guard. */
const RUNS = Number(process.env["RANDOM_RUNS"] ?? 10_000);

describe("any run on any fleet", () => {
  it("meets the invariants, whatever the pods, the metrics and the faults", async () => {
    const endings = await expectSafeRuns(RUNS);
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
