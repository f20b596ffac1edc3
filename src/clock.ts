import { setTimeout as delay } from "node:timers/promises";

import type { Clock } from "./ports.ts";

/** The machine's clock, made monotonic: a step of the system time must not shorten or lengthen a wait. */
export const systemClock: Clock = {
  now: () => new Date(performance.timeOrigin + performance.now()),
  async sleep(millis, signal) {
    try {
      await delay(millis, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};

/**
 * A signal that aborts once so much time has passed on a clock.
 *
 * @param ended - ends the waiting: whatever the signal is for is over.
 */
export function deadlineOn(clock: Clock, millis: number, ended: AbortSignal): AbortSignal {
  const late = new AbortController();
  clock.sleep(millis, ended).then(
    () => late.abort(),
    () => undefined,
  );
  return late.signal;
}
