/** How uneven a load is, and how even it could be. */

import { inOneGo, type Slices } from "../slices.ts";

/** Busiest member's load / mean load; no unit, >= 1; 1 when there is no load. */
export function imbalanceOf(loads: readonly number[]): number {
  const total = sum(loads);
  return total === 0 ? 1 : (Math.max(...loads) * loads.length) / total;
}

/** Above the mean by less than this, a member is as even as any: nobody knows rates that well. */
const NEGLIGIBLE = 1e-6;

/**
 * The floor: the least imbalance found among all assignments that give the members equal numbers of partitions (within
 * one), whoever owns what today. Longest processing time first, then swaps with the busiest member while they help; a bound
 * from above, because the exact floor is a hard problem.
 *
 * @param rates - of the partitions, any unit, >= 0.
 * @param members - >= 1.
 */
export function lowestImbalance(rates: readonly number[], members: number): number {
  return inOneGo(lowestImbalanceInSlices(rates, members));
}

/** As {@link lowestImbalance}, with a pause after each swap. */
export function* lowestImbalanceInSlices(rates: readonly number[], members: number): Slices<number> {
  const hands = dealtLongestFirst(rates, members);
  const loads = hands.map(sum);
  while (imbalanceOf(loads) > 1 + NEGLIGIBLE && swapForTheBusiest(hands, loads)) yield;
  return imbalanceOf(loads);
}

/** Round by round, so that the numbers stay equal: nobody gets another before everybody has one more. */
function dealtLongestFirst(rates: readonly number[], members: number): number[][] {
  const hands: number[][] = Array.from({ length: members }, () => []);
  const loads = hands.map(() => 0);
  const sorted = rates.toSorted((a, b) => b - a);
  for (let dealt = 0; dealt < sorted.length; dealt += members) {
    const leastFirst = [...loads.keys()].toSorted((a, b) => (loads[a] ?? 0) - (loads[b] ?? 0));
    for (const [turn, rate] of sorted.slice(dealt, dealt + members).entries()) {
      const member = leastFirst[turn] ?? 0;
      hands[member]?.push(rate);
      loads[member] = (loads[member] ?? 0) + rate;
    }
  }
  return hands;
}

/** Swaps the pair of partitions that relieves the busiest member most; false when none does. */
function swapForTheBusiest(hands: readonly number[][], loads: number[]): boolean {
  const before = Math.max(...loads);
  const busiest = loads.indexOf(before);
  const own = hands[busiest] ?? [];
  let best: Swap = { after: before * (1 - 1e-12), i: 0, j: 0 };
  let partner = -1;
  for (const [other, hand] of hands.entries()) {
    const load = loads[other] ?? 0;
    if (other === busiest || cannotDoBetter([before, load], best)) continue;
    const swap = betterSwap(own, hand, [before, load], best);
    if (swap === best) continue;
    best = swap;
    partner = other;
  }
  const hand = hands[partner];
  if (hand === undefined) return false;
  [own[best.i], hand[best.j]] = [hand[best.j] ?? 0, own[best.i] ?? 0];
  loads[busiest] = sum(own);
  loads[partner] = sum(hand);
  return true;
}

/** One partition of the busiest for one of another member, and the higher load of the two after it. */
interface Swap {
  readonly after: number;
  readonly i: number;
  readonly j: number;
}

const ROUNDING = 1e-9;

/** However well two partitions fit, the higher of two loads comes to no less than their mean. */
function cannotDoBetter([load, other]: readonly [number, number], { after }: Swap): boolean {
  return (load + other) / 2 > after * (1 + ROUNDING);
}

function betterSwap(
  own: readonly number[],
  hand: readonly number[],
  [load, other]: readonly [number, number],
  known: Swap,
): Swap {
  let best = known;
  // Indices, not iterators: nothing of a forecast is gone through so often.
  for (let i = 0; i < own.length; i += 1) {
    const given = own[i] ?? 0;
    for (let j = 0; j < hand.length; j += 1) {
      const taken = hand[j] ?? 0;
      const after = Math.max(load - given + taken, other + given - taken);
      if (after < best.after) best = { after, i, j };
    }
  }
  return best;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
