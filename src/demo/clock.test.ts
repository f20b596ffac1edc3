import { describe, expect, it } from "vitest";

import { acceleratedClock } from "./clock.ts";

const NEVER = new AbortController().signal;
const DAY = 86_400_000;

describe("the accelerated clock", () => {
  it("begins where it is told to", () => {
    const start = new Date("2026-03-01T12:00:00Z");
    const clock = acceleratedClock(1, start);
    expect(clock.now().getTime()).toBeGreaterThanOrEqual(start.getTime());
    expect(clock.now().getTime()).toBeLessThan(start.getTime() + DAY);
  });

  it("lets a day pass within a test, and all of it", async () => {
    const clock = acceleratedClock(DAY);
    const before = clock.now().getTime();
    await clock.sleep(DAY, NEVER);
    expect(clock.now().getTime() - before).toBeGreaterThanOrEqual(DAY);
  });

  it("never steps back", async () => {
    const clock = acceleratedClock(1_000);
    let last = clock.now().getTime();
    for (let turn = 0; turn < 1_000; turn += 1) {
      const now = clock.now().getTime();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it("does not count a pause of the process", () => {
    const clock = acceleratedClock(20);
    const before = clock.now().getTime();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    // Four seconds of its own, of which a fifth of a second counts.
    expect(clock.now().getTime() - before).toBeLessThanOrEqual(200);
  });

  it("wakes a sleeper with the signal's reason", async () => {
    const stop = new AbortController();
    const sleeping = acceleratedClock(1).sleep(DAY, stop.signal);
    const reason = new Error("told to stop");
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(acceleratedClock(1).sleep(DAY, stop.signal)).rejects.toBe(reason);
  });
});
