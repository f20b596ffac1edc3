import { describe, expect, it } from "vitest";

import { EVEN, groupOf } from "../test/fakes/report.ts";
import { withClues } from "./clues.ts";
import { RebalancerError } from "./errors.ts";
import type { MetricsSource } from "./ports.ts";
import type { HoldReason } from "./reasons.ts";
import type { Group, HoldDecision, Signal } from "./types.ts";

const NEVER = new AbortController().signal;

function hold(reason: HoldReason, detail: string): HoldDecision {
  return { action: "hold", reason, detail, passedOver: [] };
}

const HOLD = hold("insufficient_metrics", "0 % of the Ready pods have every signal");

function source(answer: () => Promise<readonly string[]>, asked: (readonly Signal[])[] = []): MetricsSource {
  return {
    fetch: () => Promise.reject(new Error("not asked")),
    searchFor(signals) {
      asked.push(signals);
      return answer();
    },
  };
}

/** Lag is missing everywhere, and of CPU every sample was rejected. */
const GROUP: Group = {
  ...groupOf(EVEN),
  signalsInUse: ["cpu", "lag", "memory"],
  samples: { cpu: 0, lag: 0, memory: 8 },
  rejected: { cpu: ["a"] },
};

describe("clues", () => {
  it("are looked for of signals that no pod has, and join the detail", async () => {
    const asked: (readonly Signal[])[] = [];
    const told = await withClues(
      HOLD,
      GROUP,
      source(async () => ["lag: none"], asked),
      NEVER,
    );
    expect(asked).toEqual([["lag"]]);
    expect(told).toEqual({ ...HOLD, detail: `${HOLD.detail}; lag: none` });
  });

  it("are not looked for with any other decision, or where nothing is missing", async () => {
    const never = source(() => Promise.reject(new Error("asked")));
    const balanced = hold("balanced", "");
    expect(await withClues(balanced, GROUP, never, NEVER)).toBe(balanced);
    const complete: Group = { ...GROUP, samples: { cpu: 8, lag: 3, memory: 8 } };
    expect(await withClues(HOLD, complete, never, NEVER)).toBe(HOLD);
    const without: MetricsSource = { fetch: () => Promise.reject(new Error("asked")) };
    expect(await withClues(HOLD, GROUP, without, NEVER)).toBe(HOLD);
  });

  it("that cannot be had say so, and change no reason", async () => {
    const failing = source(() => Promise.reject(new RebalancerError("SERVER_ERROR", "HTTP 503")));
    const told = await withClues(HOLD, GROUP, failing, NEVER);
    expect(told).toMatchObject({
      reason: "insufficient_metrics",
      detail: expect.stringMatching(/not known: HTTP 503$/),
    });
  });

  it("do not keep a run from stopping", async () => {
    const stop = AbortSignal.abort(new RebalancerError("CANCELLED", "told to stop"));
    const stopped = source(() => Promise.reject(new Error("cut off")));
    await expect(withClues(HOLD, GROUP, stopped, stop)).rejects.toThrow("told to stop");
  });
});
