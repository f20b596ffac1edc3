import type { Statistics } from "../types.ts";

/**
 * Describes the values of one signal over the group.
 *
 * Population variance; percentiles by linear interpolation between closest ranks, as PromQL's `quantile()`.
 *
 * @param values - one per pod, finite, >= 0, in any order.
 * @returns all zero for no values (`busiestToMean` 1).
 */
export function describeValues(values: readonly number[]): Statistics {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  const maximum = sorted.at(-1) ?? 0;
  // Shares of the maximum keep squares in range, however large the unit.
  const shares = maximum === 0 ? sorted.map(() => 0) : sorted.map((value) => value / maximum);
  const meanShare = count === 0 ? 0 : sum(shares) / count;
  const varianceOfShares = count === 0 ? 0 : sum(shares.map((share) => (share - meanShare) ** 2)) / count;
  const deviationOfShares = Math.sqrt(varianceOfShares);
  return {
    count,
    mean: meanShare * maximum,
    maximum,
    variance: Math.min(varianceOfShares * maximum * maximum, Number.MAX_VALUE),
    standardDeviation: deviationOfShares * maximum,
    relativeVariance: meanShare === 0 ? 0 : varianceOfShares / meanShare ** 2,
    busiestToMean: meanShare === 0 ? 1 : 1 / meanShare,
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * As PromQL's `quantile()`.
 *
 * @param sorted - from the least to the most.
 * @param share - 0…1.
 * @returns 0 for no values.
 */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = share * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? 0;
  const above = sorted[Math.ceil(rank)] ?? below;
  return below + (above - below) * (rank - Math.floor(rank));
}
