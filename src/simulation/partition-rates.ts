/** What producers write to the partitions of a simulated group: how uneven, and how it changes. */

import { drawNormal, type Random, shuffled } from "../random.ts";

/** How rates differ between partitions, and whether they stay. */
const SHAPES = {
  /** All alike; the parameter counts for nothing. */
  even: "",
  /** The k-th largest is proportional to k^-parameter (Zipf's law). */
  zipf: "skew",
  /** exp(parameter · normal). */
  lognormal: "standard deviation of the logarithm",
  /** One partition has this share of all; the others follow Zipf's law with skew 0.6. */
  hot: "share",
  /** As zipf, and each wanders about its own mean: an hour later little is as it was. */
  drifting: "skew",
  /** As zipf, and each bursts to four times its rate now and then, for a minute on average. */
  bursty: "skew",
} as const satisfies Record<string, string>;

export interface RateShape {
  readonly kind: keyof typeof SHAPES;
  /** No unit, >= 0; what it means stands beside each kind. */
  readonly parameter: number;
}

/**
 * @param text - as "zipf:0.6", "hot:0.22", "even".
 * @throws Error that names what is expected.
 */
export function parseRateShape(text: string): RateShape {
  const { kind = "", number } = /^(?<kind>[a-z]+)(?::(?<number>\d+(?:\.\d+)?))?$/.exec(text)?.groups ?? {};
  const known = Object.hasOwn(SHAPES, kind) ? (kind as keyof typeof SHAPES) : undefined;
  const parameter = Number(number ?? 0);
  if (known === undefined || (number === undefined) !== (known === "even") || !isSound(known, parameter)) {
    const kinds = Object.entries(SHAPES).map(([name, meaning]) => (meaning === "" ? name : `${name}:<${meaning}>`));
    throw new Error(`rates are ${JSON.stringify(text)}, expected one of ${kinds.join(", ")}`);
  }
  return { kind: known, parameter };
}

function isSound(kind: RateShape["kind"], parameter: number): boolean {
  return kind !== "hot" || (parameter > 0 && parameter < 1);
}

/** Rates that may change as time passes. */
export interface RateProcess {
  /** By partition: messages/s, >= 0. The same array until they change. */
  readonly rates: readonly number[];
  /** When they change next, epoch milliseconds; Infinity where they never do. */
  readonly changesAt: number;
  /** Goes on to the change at `changesAt`. */
  change(): void;
}

export interface RateSettings {
  readonly shape: RateShape;
  /** Of partitions. */
  readonly count: number;
  /** Of a partition, messages/s. */
  readonly mean: number;
  /** Epoch milliseconds. */
  readonly since: number;
}

/** Which partition has which rate is drawn at random. */
export function createRates({ shape, count, mean, since }: RateSettings, random: Random): RateProcess {
  const base = drawRates(shape, count, mean, random);
  if (shape.kind === "drifting") return drifting(base, since, random);
  if (shape.kind === "bursty") return bursty(base, since, random);
  return constantRates(base);
}

/** Rates that stay as they are. */
export function constantRates(rates: readonly number[]): RateProcess {
  return { rates, changesAt: Number.POSITIVE_INFINITY, change() {} };
}

const SKEW_BESIDE_HOT = 0.6;

/**
 * The rates at one moment, in random order.
 *
 * @param mean - of a partition, messages/s.
 */
export function drawRates(shape: RateShape, count: number, mean: number, random: Random): number[] {
  return scaled(shuffled(weightsOf(shape, count, random), random), mean * count);
}

function weightsOf({ kind, parameter }: RateShape, count: number, random: Random): number[] {
  const places = Array.from({ length: count }, (_, place) => place + 1);
  if (kind === "even") return places.map(() => 1);
  if (kind === "lognormal") return places.map(() => Math.exp(parameter * drawNormal(random)));
  if (kind !== "hot") return places.map((place) => place ** -parameter);
  const others = places.slice(0, -1).map((place) => place ** -SKEW_BESIDE_HOT);
  return [parameter, ...scaled(others, 1 - parameter)];
}

function scaled(weights: readonly number[], total: number): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => (weight * total) / sum);
}

const DRIFT_MILLIS = 60_000;
/** What is left of a deviation after one step: it is forgotten within an hour or two. */
const DRIFT_MEMORY = Math.exp(-1 / 60);
/** Standard deviation of the logarithm of a rate about its mean. */
const DRIFT_SPREAD = 0.4;

function drifting(base: readonly number[], since: number, random: Random): RateProcess {
  const total = base.reduce((sum, rate) => sum + rate, 0);
  const step = DRIFT_SPREAD * Math.sqrt(1 - DRIFT_MEMORY ** 2);
  let deviations = base.map(() => DRIFT_SPREAD * drawNormal(random));
  const current = () =>
    scaled(
      base.map((rate, at) => rate * Math.exp(deviations[at] ?? 0)),
      total,
    );
  return stepping(current, since, DRIFT_MILLIS, () => {
    deviations = deviations.map((deviation) => deviation * DRIFT_MEMORY + step * drawNormal(random));
  });
}

const BURST_MILLIS = 10_000;
const BURST_FACTOR = 4;
/** Of one step: that a burst ends (after a minute on average), that one begins (so that 5 % of the time is burst). */
const BURST_ENDS = 1 / 6;
const BURST_BEGINS = (BURST_ENDS * 0.05) / 0.95;

function bursty(base: readonly number[], since: number, random: Random): RateProcess {
  let bursts = base.map(() => random() < 0.05);
  const current = () => base.map((rate, at) => (bursts[at] ? rate * BURST_FACTOR : rate));
  return stepping(current, since, BURST_MILLIS, () => {
    bursts = bursts.map((bursting) => random() < (bursting ? 1 - BURST_ENDS : BURST_BEGINS));
  });
}

function stepping(current: () => number[], since: number, millis: number, step: () => void): RateProcess {
  const process = {
    rates: current(),
    changesAt: since + millis,
    change() {
      step();
      process.rates = current();
      process.changesAt += millis;
    },
  };
  return process;
}
