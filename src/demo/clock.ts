import { setTimeout as delay } from "node:timers/promises";

import type { Clock } from "../ports.ts";

/**
 * A clock on which everything happens sooner: its time runs `factor` times as fast as real time, and its sleeps are as much
 * shorter. Monotonic: a step of the system time does not show.
 *
 * @param factor - no unit, > 0; 60 makes a minute of a second.
 * @param start - what it shows first; the present by default.
 */
export function acceleratedClock(factor: number, start: Date = new Date()): Clock {
  const begun = performance.now();
  const now = () => start.getTime() + (performance.now() - begun) * factor;
  return {
    now: () => new Date(now()),
    async sleep(millis, signal) {
      signal.throwIfAborted();
      const end = now() + millis;
      try {
        // A timer may fire a little early, and a little is much on this clock.
        for (let left = millis; left > 0; left = end - now()) await delay(left / factor, undefined, { signal });
      } catch {
        signal.throwIfAborted();
      }
    },
  };
}
