/** Looking ahead without falling asleep: meanwhile the Lease is renewed, a signal is heard, and the deadline counts. */

import { PLANNING_SECONDS } from "./forecast/budget.ts";
import type { Clock } from "./ports.ts";
import { OutOfTime, type Slices } from "./slices.ts";

/** After so much work at a stretch the event loop has its turn. */
const STRETCH_MILLIS = 50;

/**
 * Does such work to its end, or until it has taken {@link PLANNING_SECONDS}: then it ends with what it has.
 *
 * @throws the signal's reason, at the end of the slice in which it aborts.
 */
export async function inSlices<Value>(work: Slices<Value>, clock: Clock, signal: AbortSignal): Promise<Value> {
  const begun = clock.now().getTime();
  let rested = begun;
  for (let next = work.next(); ;) {
    if (next.done) return next.value;
    const now = clock.now().getTime();
    if (now - rested >= STRETCH_MILLIS) {
      await clock.sleep(0, signal);
      rested = clock.now().getTime();
    }
    next = now - begun < PLANNING_SECONDS * 1_000 ? work.next() : work.throw(new OutOfTime("the time is up"));
  }
}
