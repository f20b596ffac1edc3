import type { Clock } from "../ports.ts";

/**
 * A clock whose time passes only when everybody waits: it then jumps to the earliest sleeper. For runs against fakes that
 * answer without real I/O.
 */
export function createVirtualClock(start = new Date("2026-03-01T12:00:00Z")): Clock {
  interface Sleeper {
    readonly at: number;
    readonly wake: () => void;
  }
  let now = start.getTime();
  let sleepers: Sleeper[] = [];
  let pumping = false;

  function pump(): void {
    const next = sleepers.toSorted((a, b) => a.at - b.at)[0];
    pumping = next !== undefined;
    if (next === undefined) return;
    sleepers = sleepers.filter((sleeper) => sleeper !== next);
    now = Math.max(now, next.at);
    next.wake();
    setImmediate(pump);
  }

  return {
    now: () => new Date(now),
    sleep: (millis, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        const stop = () => {
          sleepers = sleepers.filter((sleeper) => sleeper !== mine);
          reject(signal.reason);
        };
        const mine: Sleeper = {
          at: now + millis,
          wake: () => {
            signal.removeEventListener("abort", stop);
            resolve();
          },
        };
        signal.addEventListener("abort", stop, { once: true });
        sleepers.push(mine);
        if (!pumping) {
          pumping = true;
          setImmediate(pump);
        }
      }),
  };
}
