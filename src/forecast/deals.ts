/** How unusual today's imbalance is: what chance makes of the same partitions. */

import type { Random } from "../random.ts";

const DEALS = 400;

/** Of large groups fewer deals tell as much: their imbalance varies less. */
const MOST_DEALT = 100_000;

/**
 * @param rates - of the partitions, any unit, >= 0.
 * @param owners - how many share them out, >= 1.
 * @returns share (0…1) of random deals of equal numbers of partitions that are more even than `imbalance`.
 */
export function percentileOf(imbalance: number, rates: readonly number[], owners: number, random: Random): number {
  const dealt = Float64Array.from(rates);
  const limit = (imbalance * rates.reduce((sum, rate) => sum + rate, 0)) / owners;
  const deals = Math.max(50, Math.min(DEALS, Math.floor(MOST_DEALT / Math.max(1, rates.length))));
  let below = 0;
  for (let deal = 0; deal < deals; deal += 1) {
    shuffle(dealt, random);
    if (Math.max(...dealtLoads(dealt, owners)) < limit * (1 - ROUNDING)) below += 1;
  }
  return below / deals;
}

/** What is the same but for the order in which it is added up is the same. */
const ROUNDING = 1e-9;

/** The loads of so many owners where partitions go round and round. */
export function dealtLoads(rates: ArrayLike<number>, owners: number): Float64Array {
  const loads = new Float64Array(owners);
  for (let place = 0; place < rates.length; place += 1) {
    const owner = place % owners;
    loads[owner] = (loads[owner] ?? 0) + (rates[place] ?? 0);
  }
  return loads;
}

/** Fisher and Yates, in place. */
function shuffle(items: Float64Array, random: Random): void {
  for (let left = items.length; left > 1; left -= 1) {
    const drawn = Math.floor(random() * left);
    const last = items[left - 1] ?? 0;
    items[left - 1] = items[drawn] ?? 0;
    items[drawn] = last;
  }
}
