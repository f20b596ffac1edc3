/** One rotation played out: the assignor simulated over the orders of leaving and joining, with errors in the rates. */

import type { Random } from "../random.ts";
import type { Slices } from "../slices.ts";
import type { CandidateForecast } from "../types.ts";
import { type Board, type Hands, type Plan, replaceOwners } from "./board.ts";
import { imbalanceOf, sum } from "./imbalance.ts";
import { LIKELY_ORDERS, type LikelyOrder, type OrderWeights } from "./likely-orders.ts";

/** So often the rates are drawn as they may really be. */
const RATE_DRAWS = 24;

/** An order that is less likely than this is not played. */
const UNLIKELY = 0.02;

/** A smaller change of the imbalance is none. */
export const MATTERS = 0.02;

/**
 * For how long a partition has no consumer while it changes hands: the longest that was measured with the clients' default
 * heartbeats (docs/decision-quality.md). With an eager protocol all partitions do.
 */
const PAUSE_SECONDS = { eager: 2.5, cooperative: 2.5, incremental: 1.9 } as const;

/** How many newcomers each order is played with: a member id is not known beforehand, and decides ties. */
export type Newcomers = Readonly<Record<LikelyOrder, number>>;

/** What all candidates have in common. */
export interface Table {
  readonly board: Board;
  readonly orders: OrderWeights;
  readonly draws: readonly Draw[];
  /** Busiest / mean load today, and the least possible. */
  readonly imbalance: number;
  readonly floor: number;
  readonly random: Random;
}

/** Rates as they may really be, and today's imbalance with them. */
export interface Draw {
  readonly rates: Float64Array;
  readonly imbalance: number;
}

/** @param error - each rate may be off by up to this share, either way. */
export function drawsOf({ rates, today, owners }: Board, error: number, random: Random): Draw[] {
  return Array.from({ length: RATE_DRAWS }, () => {
    const drawn = Float64Array.from(rates, (rate) => rate * (1 + error * (2 * random() - 1)));
    return { rates: drawn, imbalance: imbalanceOf(loadsOf(today, drawn, owners.length)) };
  });
}

/** Those that are likely enough to be played. */
export function playedOrders(orders: OrderWeights): readonly LikelyOrder[] {
  return LIKELY_ORDERS.filter((order) => orders[order] >= UNLIKELY);
}

/** After / today, with how likely it is. */
interface Outcome {
  readonly ratio: number;
  readonly weight: number;
}

/** @throws Error where the assignor fails. */
export function* play(plan: Plan, newcomers: Newcomers, table: Table): Slices<CandidateForecast> {
  const { board, orders, draws, imbalance, floor, random } = table;
  const outcomes: Outcome[] = [];
  const afterBy: Partial<Record<LikelyOrder, number>> = {};
  let moved = 0;
  for (const order of playedOrders(orders)) {
    const weight = orders[order] / (newcomers[order] * draws.length);
    const ofOrder: Outcome[] = [];
    for (let newcomer = 0; newcomer < newcomers[order]; newcomer += 1) {
      const hands = yield* replaceOwners(board, plan, order, random);
      for (const draw of draws) {
        const after = imbalanceOf(loadsOf(hands, draw.rates, board.owners.length));
        ofOrder.push({ ratio: after / draw.imbalance, weight });
      }
      moved += (orders[order] / newcomers[order]) * pausedRate(hands, plan, board);
    }
    outcomes.push(...ofOrder);
    afterBy[order] = imbalance * percentilesOf(ofOrder)(0.5);
  }
  const at = percentilesOf(outcomes);
  const [p10, p50, p90] = [at(0.1), at(0.5), at(0.9)];
  const certain = sum(outcomes.map(({ weight }) => weight));
  const expected = sum(outcomes.map(({ ratio, weight }) => ratio * weight)) / certain;
  const removable = imbalance - floor;
  const delayed = moved * PAUSE_SECONDS[board.protocol.rebalances];
  const relief = (1 - p50) * imbalance * (sum(board.rates) / board.owners.length);
  return {
    pods: plan.flat().flatMap((number) => board.owners[number]?.pod ?? []),
    atOnce: plan.length === 1,
    after: { p10: p10 * imbalance, p50: p50 * imbalance, p90: p90 * imbalance },
    expected: expected * imbalance,
    afterBy,
    worse: sum(outcomes.filter(({ ratio }) => ratio > 1 + MATTERS).map(({ weight }) => weight)) / certain,
    improvement: removable <= 0 ? 0 : ((1 - p90) * imbalance) / removable,
    delayed,
    paybackSeconds: relief <= 0 ? Number.POSITIVE_INFINITY : delayed / relief,
  };
}

/** Messages/s of the partitions that pause: those that change hands; with an eager protocol all, each time. */
function pausedRate(hands: Hands, plan: Plan, { protocol, rates, today }: Board): number {
  if (protocol.rebalances === "eager") return plan.length * sum(rates);
  const owners = new Set(plan.flat());
  return sum(rates.filter((_rate, place) => hands[place] !== today[place] || owners.has(today[place] ?? -1)));
}

/** Of each owner, by its number. */
export function loadsOf(hands: Hands, rates: ArrayLike<number>, owners: number): number[] {
  const loads = Array.from({ length: owners }, () => 0);
  for (let place = 0; place < hands.length; place += 1) {
    const owner = hands[place] ?? -1;
    if (owner >= 0) loads[owner] = (loads[owner] ?? 0) + (rates[place] ?? 0);
  }
  return loads;
}

/** @returns the least ratio that is not exceeded in this share of the outcomes. */
function percentilesOf(outcomes: readonly Outcome[]): (share: number) => number {
  const sorted = outcomes.toSorted((a, b) => a.ratio - b.ratio);
  const total = sum(sorted.map(({ weight }) => weight));
  return (share) => {
    let passed = 0;
    for (const { ratio, weight } of sorted) {
      passed += weight;
      if (passed >= share * total - 1e-9) return ratio;
    }
    return sorted.at(-1)?.ratio ?? 1;
  };
}
