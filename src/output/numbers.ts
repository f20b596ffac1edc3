/** Numbers as people read them. */

import type { Signal } from "../types.ts";

/** From here on digits are no longer read: powers of ten are. It also bounds a column's width. */
const READABLE = 1e12;

const MEBIBYTE = 1_048_576;

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const exact = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });

/** "48,210"; "3.10e15" beyond a million millions. */
export function formatCount(value: number): string {
  return readable(value, whole);
}

/** Per second: "1,480", and below ten with one decimal ("0.4"), where a whole number would hide a trickle. */
function formatRate(perSecond: number): string {
  return readable(perSecond, perSecond < 10 ? tenths : whole);
}

/** "1.92". */
export function formatHundredths(value: number): string {
  return readable(value, hundredths);
}

/** A setting: two decimals as what it is compared with ("0.30"), more where it has more ("0.125"). */
export function formatLimit(value: number): string {
  return readable(value, exact);
}

/** A sample or a score, in the unit of its column: cores, messages, messages/s, MiB; a score has none. */
export function formatReading(name: Signal | "score", value: number): string {
  return READINGS[name](value);
}

const READINGS: Readonly<Record<Signal | "score", (value: number) => string>> = {
  cpu: formatHundredths,
  lag: formatCount,
  rate: formatRate,
  memory: formatMebibytes,
  score: formatHundredths,
};

/** "7.1×". */
export function formatMultiple(value: number): string {
  return `${readable(value, tenths)}×`;
}

/** "610", in MiB. */
function formatMebibytes(bytes: number): string {
  return readable(bytes / MEBIBYTE, whole);
}

/** "0.4 s" and "1.2 s"; from ten seconds on "84 s". */
export function formatSeconds(millis: number): string {
  return `${readable(millis / 1_000, millis < 10_000 ? tenths : whole)} s`;
}

/** One unit is enough for an age: "45s", "8m", "27h", "2d". An age below zero (clocks disagree) is "0s". */
export function formatAge(seconds: number): string {
  const { unit, length } = AGE_UNITS.find(({ upTo }) => seconds < upTo) ?? DAYS;
  return `${whole.format(Math.max(0, Math.floor(seconds / length)))}${unit}`;
}

const DAYS = { unit: "d", length: 86_400, upTo: Number.POSITIVE_INFINITY };
const AGE_UNITS = [
  { unit: "s", length: 1, upTo: 120 },
  { unit: "m", length: 60, upTo: 7_200 },
  { unit: "h", length: 3_600, upTo: 172_800 },
  DAYS,
];

function readable(value: number, format: Intl.NumberFormat): string {
  return value < READABLE ? format.format(value) : value.toExponential(2).replace("e+", "e");
}
