/** The API server's time, by which ages, the cooldown and the Lease are judged: as far as all that answer agree on it. */

import { formatDuration } from "../durations.ts";
import { RebalancerError } from "../errors.ts";

/** How far the clocks of the API servers behind one address may be apart. Those that are set by NTP are within a second. */
export const CLOCK_SKEW_MILLIS = 5_000;

/** `Date` is cut to whole seconds (RFC 9110, 5.6.7): the server may be this much further on. */
export const DATE_ROUNDING_MILLIS = 1_000;

/** The `Date` of a reply, and when its request was sent and the reply came, by our own monotonic clock. */
export interface Reading {
  readonly what: string;
  readonly date: Date;
  readonly sent: Date;
  readonly came: Date;
}

/** @throws RebalancerError `CLOCKS_DIFFER` when no two clocks within {@link CLOCK_SKEW_MILLIS} explain this `Date` and an earlier one. */
export type AgreedTime = (reading: Reading) => Date;

/**
 * Each reading says between which bounds the server's clock is ahead of ours: it was looked at between the request and the reply. So a slow
 * reply says little, and those of one clock always agree. The narrowest bounds are kept.
 */
export function createAgreedTime(): AgreedTime {
  let [ahead, behind]: [Reading | undefined, Reading | undefined] = [undefined, undefined];
  return (reading) => {
    if (ahead && leastAhead(ahead) - mostAhead(reading) > CLOCK_SKEW_MILLIS) throw disagreement(reading, ahead);
    if (behind && leastAhead(reading) - mostAhead(behind) > CLOCK_SKEW_MILLIS) throw disagreement(reading, behind);
    if (ahead === undefined || leastAhead(reading) > leastAhead(ahead)) ahead = reading;
    if (behind === undefined || mostAhead(reading) < mostAhead(behind)) behind = reading;
    return reading.date;
  };
}

function leastAhead({ date, came }: Reading): number {
  return date.getTime() - came.getTime();
}

function mostAhead({ date, sent }: Reading): number {
  return date.getTime() + DATE_ROUNDING_MILLIS - sent.getTime();
}

function disagreement(reading: Reading, earlier: Reading): RebalancerError {
  const passed = (reading.came.getTime() - earlier.came.getTime()) / 1_000;
  return new RebalancerError(
    "CLOCKS_DIFFER",
    `${reading.what}: the reply's Date is ${told(reading)}, and ${passed.toFixed(1)} s before that of another (${earlier.what}) was ${told(earlier)}: the API servers' clocks are more than ${formatDuration(CLOCK_SKEW_MILLIS / 1_000)} apart`,
  );
}

function told({ date }: Reading): string {
  return date.toISOString().replace(".000Z", "Z");
}
