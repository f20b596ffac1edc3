import { describe, expect, it } from "vitest";

import { fakeLease } from "../test/fakes/kubernetes-client.ts";
import { createToilingClock } from "../test/fakes/toiling-clock.ts";
import { inSlices } from "./in-slices.ts";
import { acquireLock } from "./kubernetes/lock.ts";
import { OutOfTime, type Slices } from "./slices.ts";

const NEVER = new AbortController().signal;
const WORKLOAD = { kind: "Deployment", namespace: "shop", name: "orders", uid: "uid-orders" } as const;

/** So many slices; out of time, how many there were until then. */
function* slices(most = Number.POSITIVE_INFINITY): Slices<number> {
  let done = 0;
  try {
    for (; done < most; done += 1) yield;
  } catch (thrown) {
    if (!(thrown instanceof OutOfTime)) throw thrown;
  }
  return done;
}

function* nothing(): Slices<never> {
  for (;;) yield;
}

describe("work in slices", () => {
  it("is done to its end where there is time", async () => {
    expect(await inSlices(slices(7), createToilingClock(1_000), NEVER)).toBe(7);
  });

  it("ends with what it has after 20 s", async () => {
    const done = await inSlices(slices(), createToilingClock(10), NEVER);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThanOrEqual(20_000 / 10);
  });

  it("passes on that there is nothing yet", async () => {
    await expect(inSlices(nothing(), createToilingClock(10), NEVER)).rejects.toThrow(OutOfTime);
  });

  it("hears a signal that comes while it works, and then does nothing more", async () => {
    const stop = new AbortController();
    let done = 0;
    function* counted(): Slices<void> {
      for (;;) {
        done += 1;
        yield;
      }
    }
    // Only the event loop can bring it, as a signal of the system.
    setImmediate(() => stop.abort(new Error("told to stop")));
    await expect(inSlices(counted(), createToilingClock(10), stop.signal)).rejects.toThrow("told to stop");
    const before = done;
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(before);
  });

  it("leaves time to renew the Lease", async () => {
    const clock = createToilingClock(10);
    const api = fakeLease(clock);
    const lock = await acquireLock(WORKLOAD, { client: api.client, clock, holder: "run-1" }, NEVER);
    const taken = api.lease?.spec?.renewTime;
    let renewed: unknown;
    function* planning(): Slices<void> {
      try {
        for (;;) yield;
      } catch {
        renewed = api.lease?.spec?.renewTime;
      }
    }
    await inSlices(planning(), clock, NEVER);
    expect(renewed).not.toBe(taken);
    expect(lock).toMatchObject({ heldBy: undefined, lost: { aborted: false } });
    if (lock.heldBy === undefined) await lock.release();
  });
});
