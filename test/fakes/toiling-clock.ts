import type { Clock } from "../../src/ports.ts";

/**
 * A clock that goes on by so much at each look, so that work takes time by it, however fast the machine. Who sleeps wakes once the time has
 * come and the event loop has its turn.
 */
export function createToilingClock(millis: number, start = new Date("2026-03-01T12:00:00Z")): Clock {
  let now = start.getTime();
  const look = () => (now += millis);
  return {
    now: () => new Date(look()),
    async sleep(wait, signal) {
      const until = now + wait;
      do {
        signal.throwIfAborted();
        await new Promise((resolve) => setImmediate(resolve));
      } while (look() < until);
      signal.throwIfAborted();
    },
  };
}
