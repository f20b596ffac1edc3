/**
 * Who owns which partitions of one topic. A plain approximation of Kafka's cooperative-sticky assignor (KIP-429), not a model
 * of any client's: it keeps what it can and evens out the *numbers* of partitions, and knows nothing of their rates. Which
 * partitions move exactly differs between clients.
 */

import { type Random, shuffled } from "./random.ts";

/** Member → the numbers of its partitions, ascending. */
export type Ownership = ReadonlyMap<string, readonly number[]>;

/** Deals partitions 0…count-1 out at random; the numbers of any two members differ by one at most. */
export function deal(count: number, members: readonly string[], random: Random): Ownership {
  const cards = shuffled(Array.from(Array(count).keys()), random);
  return new Map(
    members.map((member, seat) => [member, ascending(cards.filter((_card, turn) => turn % members.length === seat))]),
  );
}

/** The survivors take the partitions of the member that leaves, each by whoever has the fewest then. Those of the last are lost. */
export function leave(ownership: Ownership, member: string): Ownership {
  const survivors = new Map([...ownership].filter(([name]) => name !== member));
  if (survivors.size === 0) return survivors;
  for (const orphan of ownership.get(member) ?? []) {
    const taker = extreme(survivors, (one, best) => one < best);
    survivors.set(taker, ascending([...(survivors.get(taker) ?? []), orphan]));
  }
  return survivors;
}

/** The newcomer is handed the highest number of whoever has the most, until it has as many as the others, or one less. */
export function join(ownership: Ownership, member: string): Ownership {
  const members = new Map(ownership).set(member, []);
  for (;;) {
    const giver = extreme(members, (one, best) => one > best);
    const given = members.get(giver) ?? [];
    const own = members.get(member) ?? [];
    const highest = given.at(-1);
    if (highest === undefined || given.length - own.length < 2) return members;
    members.set(giver, given.slice(0, -1));
    members.set(member, ascending([...own, highest]));
  }
}

/** The first member, in order of joining, whose number of partitions no other beats. */
function extreme(ownership: Ownership, beats: (one: number, best: number) => boolean): string {
  const [first, ...others] = [...ownership].map(([member, partitions]) => ({ member, count: partitions.length }));
  const none = { member: "", count: 0 };
  return others.reduce((best, one) => (beats(one.count, best.count) ? one : best), first ?? none).member;
}

function ascending(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}
