import type { Clock } from "../../src/ports.ts";

/** A clock that a test moves by hand. */
export interface ManualClock extends Clock {
  /** Lets time pass, and lets everything that was waiting run, in the order of its time. */
  advance(millis: number): Promise<void>;
  /** How many sleep. */
  sleeping(): number;
}

export function createManualClock(start = new Date("2026-03-01T12:00:00Z")): ManualClock {
  interface Sleeper {
    readonly at: number;
    readonly wake: () => void;
  }
  let now = start.getTime();
  const sleepers = new Set<Sleeper>();

  return {
    now: () => new Date(now),
    async sleep(millis, signal) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { at: now + millis, wake: resolve };
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      sleepers.add(sleeper);
      try {
        await promise;
      } finally {
        sleepers.delete(sleeper);
        signal.removeEventListener("abort", stop);
      }
    },
    sleeping: () => sleepers.size,
    async advance(millis) {
      const end = now + millis;
      for (;;) {
        await settled();
        const next = [...sleepers].toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > end) break;
        now = next.at;
        sleepers.delete(next);
        next.wake();
      }
      now = end;
      await settled();
    },
  };
}

/** Everything that needs no I/O has run by then. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
