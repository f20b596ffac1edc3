import { setTimeout as delay } from "node:timers/promises";

import type { Clock } from "../ports.ts";

/** Milliseconds of real time: how often a sleeper looks at the clock, and how much passes at most from one look to the next. */
const TICK_MILLIS = 5;
const LONGEST_TICK_MILLIS = 10;

/**
 * A clock on which everything happens sooner: its time runs `factor` times as fast as real time, and its sleeps are as much
 * shorter. Monotonic: a step of the system time does not show. Nor does a pause of the process, which on a busy machine would
 * be long enough for a Lease to run out: time passes only where somebody looks, and never more than a tick or two at once.
 *
 * @param factor - no unit, > 0; 60 makes a minute of a second.
 * @param start - what it shows first; the present by default.
 */
export function acceleratedClock(factor: number, start: Date = new Date()): Clock {
  let shown = start.getTime();
  let looked = performance.now();
  function now(): number {
    const real = performance.now();
    shown += Math.min(real - looked, LONGEST_TICK_MILLIS) * factor;
    looked = real;
    return shown;
  }
  return {
    now: () => new Date(now()),
    async sleep(millis, signal) {
      signal.throwIfAborted();
      const end = now() + millis;
      try {
        for (let left = millis; left > 0; left = end - now()) {
          await delay(Math.min(left / factor, TICK_MILLIS), undefined, { signal });
        }
      } catch {
        signal.throwIfAborted();
      }
    },
  };
}
