/** How unusual today's imbalance is: what chance makes of the same partitions. */

import type { Random } from "../random.ts";
import { imbalanceOf } from "./imbalance.ts";

const DEALS = 400;

/**
 * @param rates - of the partitions, any unit, >= 0.
 * @param owners - how many share them out, >= 1.
 * @returns share (0…1) of random deals of equal numbers of partitions that are more even than `imbalance`.
 */
export function percentileOf(imbalance: number, rates: readonly number[], owners: number, random: Random): number {
  const dealt = [...rates];
  let below = 0;
  for (let deal = 0; deal < DEALS; deal += 1) {
    shuffle(dealt, random);
    const loads = Array.from({ length: owners }, () => 0);
    for (const [place, rate] of dealt.entries()) loads[place % owners] = (loads[place % owners] ?? 0) + rate;
    if (imbalanceOf(loads) < imbalance) below += 1;
  }
  return below / DEALS;
}

/** Fisher and Yates, in place. */
function shuffle(items: number[], random: Random): void {
  for (let left = items.length; left > 1; left -= 1) {
    const drawn = Math.floor(random() * left);
    [items[left - 1], items[drawn]] = [items[drawn] ?? 0, items[left - 1] ?? 0];
  }
}
