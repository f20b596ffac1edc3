/** How uneven a load is, and how even it could be. */

/** Busiest member's load / mean load; no unit, >= 1; 1 when there is no load. */
export function imbalanceOf(loads: readonly number[]): number {
  const total = sum(loads);
  return total === 0 ? 1 : (Math.max(...loads) * loads.length) / total;
}

/**
 * The floor: the least imbalance found among all assignments that give the members equal numbers of partitions (within
 * one), whoever owns what today. Longest processing time first, then swaps with the busiest member while they help; a bound
 * from above, because the exact floor is a hard problem.
 *
 * @param rates - of the partitions, any unit, >= 0.
 * @param members - >= 1.
 */
export function lowestImbalance(rates: readonly number[], members: number): number {
  const hands: number[][] = Array.from({ length: members }, () => []);
  for (const [turn, rate] of rates.toSorted((a, b) => b - a).entries()) {
    // Round by round, so that the numbers stay equal: nobody gets another before everybody has one more.
    const open = hands.filter((hand) => hand.length <= Math.floor(turn / members));
    least(open).push(rate);
  }
  while (swapForTheBusiest(hands));
  return imbalanceOf(hands.map(sum));
}

/** Swaps the pair of partitions that relieves the busiest member most; false when none does. */
function swapForTheBusiest(hands: number[][]): boolean {
  const busiest = hands.toSorted((a, b) => sum(b) - sum(a))[0] ?? [];
  const before = sum(busiest);
  let best = { after: before * (1 - 1e-12), swap: () => {} };
  for (const other of hands.filter((hand) => hand !== busiest)) {
    for (const [i, given] of busiest.entries()) {
      for (const [j, taken] of other.entries()) {
        const moved = given - taken;
        const after = Math.max(before - moved, sum(other) + moved);
        if (after >= best.after) continue;
        best = { after, swap: () => void ([busiest[i], other[j]] = [taken, given]) };
      }
    }
  }
  best.swap();
  return best.after < before * (1 - 1e-12);
}

function least(hands: readonly number[][]): number[] {
  return hands.toSorted((a, b) => sum(a) - sum(b))[0] ?? [];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
