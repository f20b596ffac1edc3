import { describe, expect, it } from "vitest";

import { createManualClock } from "../../test/fakes/manual-clock.ts";
import type { Cluster } from "../ports.ts";
import type { Snapshot } from "../types.ts";
import { withServerTime } from "./server-time.ts";

const NEVER = new AbortController().signal;
const OURS = new Date("2026-03-08T12:00:00Z");

function clusterAt(times: readonly string[]): Cluster {
  const dates = times.map((time) => new Date(time));
  const observe = async () => ({ observedAt: dates.shift() }) as unknown as Snapshot;
  return { observe } as unknown as Cluster;
}

describe("the API server's time", () => {
  it("is our own before the first look, then the server's, and goes on by our clock", async () => {
    const clock = createManualClock(OURS);
    const { cluster, now } = withServerTime(clusterAt(["2026-03-06T09:00:00Z"]), clock);
    expect(now()).toEqual(OURS);
    await cluster.observe(NEVER);
    expect(now()).toEqual(new Date("2026-03-06T09:00:00Z"));
    await clock.advance(90_000);
    expect(now()).toEqual(new Date("2026-03-06T09:01:30Z"));
  });

  it("does not step back with a later look at an earlier list", async () => {
    const clock = createManualClock(OURS);
    const seen = "2026-03-06T09:00:00Z";
    const { cluster, now } = withServerTime(clusterAt([seen, seen, "2026-03-06T09:02:05Z"]), clock);
    await cluster.observe(NEVER);
    await clock.advance(60_000);
    await cluster.observe(NEVER);
    expect(now()).toEqual(new Date("2026-03-06T09:01:00Z"));
    await clock.advance(60_000);
    await cluster.observe(NEVER);
    expect(now()).toEqual(new Date("2026-03-06T09:02:05Z"));
  });
});
