import { describe, expect, it } from "vitest";

import { EVEN, groupOf, reportOf, UNEVEN, withSteps } from "../test/fakes/report.ts";
import { RebalancerError } from "./errors.ts";
import { explain, explainCause, summarise } from "./sentences.ts";

const planned = reportOf(groupOf(UNEVEN));
const [busy, idle] = ["consumer-5d8f7cc7b5-x2k9q", "consumer-5d8f7cc7b5-b7fzm"];
const done = { outcome: "replaced", why: "evicted and replaced" } as const;

describe("the run in a sentence", () => {
  it("says which pods were rotated, and as what", () => {
    const report = { ...planned, dryRun: false, reason: "rotated" as const };
    expect(summarise(report)).toBe(`Rotated 2 of 2 pods: ${busy} (most busy), ${idle} (least busy).`);
  });

  it("says what a live run would do", () => {
    expect(summarise(planned)).toBe(`A live run would rotate 2 of 2 pods: ${busy} (most busy), ${idle} (least busy).`);
  });

  it("says why a rotation stopped", () => {
    const detail = "budget orders allows 0 disruptions";
    const removal = withSteps(planned.removal, done, { outcome: "skipped", why: detail });
    const report = { ...planned, dryRun: false, removal, reason: "blocked_by_pdb" as const, detail };
    expect(summarise(report)).toBe(
      `Rotated 1 of 2 pods: ${busy} (most busy). A PodDisruptionBudget refuses the eviction: ${detail}.`,
    );
  });

  it("tells a pod that was evicted and not replaced from one that was rotated", () => {
    const error = new RebalancerError("REPLACEMENT_LATE", "it is still terminating");
    const removal = withSteps(
      planned.removal,
      { outcome: "evicted", why: error.message },
      { outcome: "skipped", why: "not touched" },
    );
    const report = {
      ...planned,
      dryRun: false,
      removal,
      reason: "replacement_timeout" as const,
      detail: error.message,
      error,
    };
    expect(summarise(report)).toBe(
      `Rotated 0 of 2 pods. Evicted, not yet replaced: ${busy} (most busy). ` +
        "The replacement of a removed pod did not become Ready in time: it is still terminating.",
    );
  });

  it("names a target of which nobody knows whether it was removed", () => {
    const removal = withSteps(
      planned.removal,
      { outcome: "unclear", why: "no answer" },
      { outcome: "skipped", why: "" },
    );
    const report = { ...planned, dryRun: false, removal, reason: "failed" as const, detail: "no answer" };
    expect(summarise(report)).toBe(
      `Rotated 0 of 2 pods. Perhaps removed: ${busy} (most busy). The run failed: no answer.`,
    );
  });

  it("says what held the run back", () => {
    const even = reportOf(groupOf(EVEN));
    expect(summarise(even)).toBe(
      "Held: the load is not uneven enough for a rotation: relative variance of CPU is 0, limit 0.3, busiest 1 times the mean; " +
        "relative variance of lag is 0, limit 0.5, busiest 1 times the mean.",
    );
  });

  it("says what failed", () => {
    const error = new RebalancerError("FORBIDDEN", "list pods in namespace shop: 403: pods is forbidden.");
    const report = reportOf(undefined, { error, reason: "failed", detail: error.message, exitCode: 1 });
    expect(summarise(report)).toBe("The run failed: list pods in namespace shop: 403: pods is forbidden.");
  });
});

describe("explaining a reason", () => {
  it("adds the facts of the case", () => {
    expect(explain("cooldown", "a was removed 5m ago")).toBe("The last removal is too recent: a was removed 5m ago.");
    expect(explain("idle", "lag mean 12 of 100")).toBe(
      "The group is idle: no signal reaches its floor; lag mean 12 of 100.",
    );
  });

  it("does without them where there are none", () => {
    expect(explain("rotated", "")).toBe("The chosen pods were rotated.");
  });
});

describe("the cause in a sentence", () => {
  it("has the evidence behind it", () => {
    const partition = { topic: "orders", partition: 3 };
    const diagnosis = { cause: "hot_partition", pods: [], node: undefined, partition } as const;
    expect(explainCause({ ...diagnosis, evidence: "orders-3 brings 2.4 times a pod's fair share" })).toBe(
      "One partition alone brings more than a pod's fair share: orders-3 brings 2.4 times a pod's fair share.",
    );
    expect(explainCause({ ...diagnosis, evidence: "" })).toBe(
      "One partition alone brings more than a pod's fair share.",
    );
  });
});
