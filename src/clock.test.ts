import { describe, expect, it } from "vitest";

import { systemClock } from "./clock.ts";

describe("the machine's clock", () => {
  it("tells the time, and never steps back", () => {
    const [first, second] = [systemClock.now(), systemClock.now()];
    expect(second.getTime()).toBeGreaterThanOrEqual(first.getTime());
    expect(Math.abs(first.getTime() - new Date().getTime())).toBeLessThan(60_000);
  });

  it("sleeps, and wakes with the signal's reason when it aborts", async () => {
    await systemClock.sleep(1, new AbortController().signal);
    const stop = new AbortController();
    const sleeping = systemClock.sleep(60_000, stop.signal);
    stop.abort(new Error("told to stop"));
    await expect(sleeping).rejects.toThrow("told to stop");
    await expect(systemClock.sleep(60_000, AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
  });
});
