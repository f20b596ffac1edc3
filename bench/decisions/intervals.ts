/** Means and shares of independent states, each with how sure it is. */

/** `value` ± `margin`: the 99 % confidence interval. */
export interface Estimate {
  readonly value: number;
  readonly margin: number;
}

/** Standard deviations of the normal distribution on either side that hold 99 % of it. */
const Z = 2.576;

export function meanOf(values: readonly number[]): Estimate {
  const value = mean(values);
  const variance = values.reduce((sum, one) => sum + (one - value) ** 2, 0) / Math.max(1, values.length - 1);
  return { value, margin: Z * Math.sqrt(variance / Math.max(1, values.length)) };
}

/**
 * The ratio of two sums, as the delta method has its error. A mean of ratios would be ruled by the states whose denominator is
 * nearly nothing.
 *
 * @returns value 0 where the denominators are.
 */
export function ratioOf(pairs: readonly (readonly [numerator: number, denominator: number])[]): Estimate {
  const below = mean(pairs.map(([, denominator]) => denominator));
  if (below === 0) return { value: 0, margin: 0 };
  const value = mean(pairs.map(([numerator]) => numerator)) / below;
  const { margin } = meanOf(pairs.map(([numerator, denominator]) => numerator - value * denominator));
  return { value, margin: margin / below };
}

/** A share of all states. The margin is Wilson's, so that it is no interval of nothing where none or all are counted. */
export function shareOf(count: number, all: number): Estimate {
  if (all === 0) return { value: 0, margin: 0 };
  const value = count / all;
  const z2 = Z ** 2 / all;
  return { value, margin: (Z / (1 + z2)) * Math.sqrt((value * (1 - value)) / all + z2 / (4 * all)) };
}

/** The value below which half of them lie; NaN of none. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    ((sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN) +
      (sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN)) /
    2
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
