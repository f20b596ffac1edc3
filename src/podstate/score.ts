import { RebalancerError } from "../errors.ts";
import type { Signal } from "../types.ts";

/** They add up to 1. Consumption rate is shown and never scored: it is what the pod was given to do. */
const WEIGHTS: Readonly<Record<Exclude<Signal, "rate">, number>> = { cpu: 0.4, lag: 0.4, memory: 0.2 };

/** Each signal's share of the group's maximum, no unit, in [0, 1]; a signal that is left out has no entry. */
export type SignalShares = Readonly<Partial<Record<keyof typeof WEIGHTS, number>>>;

/**
 * Scores how busy one pod is within its group.
 *
 * `score = 0.4·cpu + 0.4·lag + 0.2·memory`; a signal that is left out drops out and the other weights are scaled up
 * so that they still add up to 1.
 *
 * @returns no unit, in [0, 1]; never falls when a signal rises; 0 when every signal is left out.
 * @throws RebalancerError `METRIC_INVALID` on a share that is NaN or outside [0, 1]: a hole in the metrics must stop the
 *   run, not look like an idle pod.
 * @see docs/algorithm.md
 */
export function scorePod(shares: SignalShares): number {
  let weighted = 0;
  let weights = 0;
  for (const [signal, weight] of Object.entries(WEIGHTS) as [keyof typeof WEIGHTS, number][]) {
    const share = shares[signal];
    if (share === undefined) continue;
    if (!(share >= 0 && share <= 1)) {
      throw new RebalancerError("METRIC_INVALID", `share of ${signal} is ${share}: expected a number in [0, 1]`);
    }
    weighted += weight * share;
    weights += weight;
  }
  return weights === 0 ? 0 : Math.min(weighted / weights, 1);
}
