/** Durations as people write them in settings: "500ms", "30s", "1m30s", "2d". */

const UNITS = [
  { unit: "d", millis: 86_400_000 },
  { unit: "h", millis: 3_600_000 },
  { unit: "m", millis: 60_000 },
  { unit: "s", millis: 1_000 },
  { unit: "ms", millis: 1 },
] as const;

/** Whole numbers, each unit once, from the longest to the shortest, as Prometheus has them. */
const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/**
 * @returns seconds, >= 0; undefined for anything else, a number without a unit included.
 * @see https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations
 */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text);
  if (text === "" || parts === null) return undefined;
  const millis = UNITS.reduce((sum, { millis: length }, index) => sum + Number(parts[index + 1] ?? 0) * length, 0);
  return millis / 1_000;
}

/**
 * "5m", "1m30s", "0s"; what is below a millisecond is lost.
 *
 * @param seconds - finite, >= 0.
 */
export function formatDuration(seconds: number): string {
  let left = Math.round(seconds * 1_000);
  let text = "";
  for (const { unit, millis } of UNITS) {
    const count = Math.floor(left / millis);
    left -= count * millis;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
