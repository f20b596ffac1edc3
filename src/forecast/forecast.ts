/** What rotating each pod may bring: the assignor simulated over the orders of leaving and joining, with errors in the rates. */

import { type Random, seededRandom } from "../random.ts";
import type { CandidateForecast, Forecast, Policy } from "../types.ts";
import { type Board, type Hands, replaceOwners } from "./board.ts";
import { percentileOf } from "./deals.ts";
import { imbalanceOf, lowestImbalance } from "./imbalance.ts";
import { LIKELY_ORDERS, type LikelyOrder, type OrderWeights } from "./likely-orders.ts";

/** The same group has the same forecast. */
const SEED = 1;

/** So often the rates are drawn as they may really be. */
const RATE_DRAWS = 24;

/** A newcomer's member id is not known beforehand, and decides ties: each order is played with so many. */
const NEWCOMERS: Newcomers = { "leave-first": 2, "join-first": 4, "one-barrier": 4 };

/**
 * What one forecast simulates at most: rebalances × partitions. In larger groups there is one newcomer for each order, and of the
 * candidates only those that promise most are played. A bound of work and not of time, so that the same group has the same forecast.
 */
const MOST_SIMULATED = 12_000;
const LEAST_CANDIDATES = 2;

/** An order that is less likely than this is not played. */
const UNLIKELY = 0.02;

/** In which a pair goes at once: with any other order likely, its outcome depends too much on it. */
const ONE_BARRIER_KNOWN = 0.6;

/** A smaller change of the imbalance is none. */
export const MATTERS = 0.02;

/**
 * For how long a partition has no consumer while it changes hands: the longest that was measured with the clients' default
 * heartbeats (docs/decision-quality.md). With an eager protocol all partitions do.
 */
const PAUSE_SECONDS = { eager: 2.5, cooperative: 2.5, incremental: 1.9 } as const;

/** What may be rotated, and how. */
export interface ForecastScope {
  /** Numbers of the board's owners that may be removed. */
  readonly removable: readonly number[];
  /** Whether two may go at once. */
  readonly pairs: boolean;
  readonly orders: OrderWeights;
  /** Each rate may be off by up to this share, either way. */
  readonly rateError: number;
}

/**
 * @returns every candidate with its forecast, and the best, by the mean over all orders and errors, of those that are good enough: whose
 *   pessimistic end (p90) removes at least `minimumImprovement` of what could be removed, and 2 % of the imbalance, and which pay back
 *   within the cooldown.
 * @throws Error where the assignor fails.
 */
export function forecast(board: Board, scope: ForecastScope, policy: Policy): Forecast {
  const { orders } = scope;
  const random = seededRandom(SEED);
  const { rates, owners, today } = board;
  const loads = loadsOf(today, rates, owners.length);
  const imbalance = imbalanceOf(loads);
  const percentile = percentileOf(imbalance, rates, owners.length, random);
  const floor = lowestImbalance(rates, owners.length);
  const { gone, newcomers } = candidatesOf(scope, loads, rates.length);
  const draws = drawsOf(board, scope.rateError, random);
  const table: Table = { board, orders, newcomers, draws, imbalance, floor, total: sum(rates) };
  const played = gone.map((one) => play(one, table, random));
  const candidates = played.toSorted((a, b) => a.expected - b.expected);
  const chosen = candidates.find((one) => isGoodEnough(one, imbalance, policy));
  return { imbalance, percentile, floor, orders, candidates, chosen };
}

function isGoodEnough(
  { after, improvement, paybackSeconds }: CandidateForecast,
  today: number,
  policy: Policy,
): boolean {
  return (
    improvement >= policy.minimumImprovement &&
    after.p90 <= today * (1 - MATTERS) &&
    paybackSeconds <= policy.cooldownSeconds
  );
}

type Newcomers = Readonly<Record<LikelyOrder, number>>;

/**
 * Single pods; where members leave and join in one rebalance, in which a single one gets back what it had, pairs. All of them, where
 * that is not too much; else the busiest, and of pairs the busiest with the least busy.
 */
function candidatesOf(
  { removable, orders, pairs }: ForecastScope,
  loads: readonly number[],
  partitions: number,
): { readonly gone: readonly (readonly number[])[]; readonly newcomers: Newcomers } {
  const together = pairs && orders["one-barrier"] >= ONE_BARRIER_KNOWN;
  const played = LIKELY_ORDERS.filter((order) => orders[order] >= UNLIKELY);
  const room = Math.floor(MOST_SIMULATED / Math.max(1, partitions));
  const all = together ? (removable.length * (removable.length - 1)) / 2 : removable.length;
  if (all * sum(played.map((order) => NEWCOMERS[order])) <= room) {
    const gone = together
      ? removable.flatMap((one, at) => removable.slice(at + 1).map((other) => [one, other]))
      : removable.map((one) => [one]);
    return { gone, newcomers: NEWCOMERS };
  }
  const busiestFirst = removable.toSorted((a, b) => (loads[b] ?? 0) - (loads[a] ?? 0));
  const promising = together
    ? busiestFirst.slice(0, 1).flatMap((one) =>
        busiestFirst
          .slice(1)
          .toReversed()
          .map((other) => [one, other]),
      )
    : busiestFirst.map((one) => [one]);
  const most = Math.max(LEAST_CANDIDATES, Math.floor(room / played.length));
  return { gone: promising.slice(0, most), newcomers: ONE_EACH };
}

const ONE_EACH: Newcomers = { "leave-first": 1, "join-first": 1, "one-barrier": 1 };

/** What all candidates have in common. */
interface Table {
  readonly board: Board;
  readonly orders: OrderWeights;
  readonly newcomers: Newcomers;
  readonly draws: readonly Draw[];
  readonly imbalance: number;
  readonly floor: number;
  /** Messages/s of all partitions. */
  readonly total: number;
}

/** Rates as they may really be, and today's imbalance with them. */
interface Draw {
  readonly rates: Float64Array;
  readonly imbalance: number;
}

function drawsOf({ rates, today, owners }: Board, error: number, random: Random): Draw[] {
  return Array.from({ length: RATE_DRAWS }, () => {
    const drawn = Float64Array.from(rates, (rate) => rate * (1 + error * (2 * random() - 1)));
    return { rates: drawn, imbalance: imbalanceOf(loadsOf(today, drawn, owners.length)) };
  });
}

/** After / today, with how likely it is. */
interface Outcome {
  readonly ratio: number;
  readonly weight: number;
}

function play(gone: readonly number[], table: Table, random: Random): CandidateForecast {
  const { board, orders, newcomers, draws, imbalance, floor, total } = table;
  const outcomes: Outcome[] = [];
  const afterBy: Partial<Record<LikelyOrder, number>> = {};
  let moved = 0;
  for (const order of LIKELY_ORDERS) {
    if (orders[order] < UNLIKELY) continue;
    const weight = orders[order] / (newcomers[order] * draws.length);
    const ofOrder: Outcome[] = [];
    for (let newcomer = 0; newcomer < newcomers[order]; newcomer += 1) {
      const hands = replaceOwners(board, gone, order, random);
      for (const draw of draws) {
        const after = imbalanceOf(loadsOf(hands, draw.rates, board.owners.length));
        ofOrder.push({ ratio: after / draw.imbalance, weight });
      }
      moved += (orders[order] / newcomers[order]) * pausedRate(hands, gone, table);
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
  const relief = (1 - p50) * imbalance * (total / board.owners.length);
  return {
    pods: gone.flatMap((number) => board.owners[number]?.pod ?? []),
    after: { p10: p10 * imbalance, p50: p50 * imbalance, p90: p90 * imbalance },
    expected: expected * imbalance,
    afterBy,
    worse: sum(outcomes.filter(({ ratio }) => ratio > 1 + MATTERS).map(({ weight }) => weight)) / certain,
    improvement: removable <= 0 ? 0 : ((1 - p90) * imbalance) / removable,
    delayed,
    paybackSeconds: relief <= 0 ? Number.POSITIVE_INFINITY : delayed / relief,
  };
}

/** Messages/s of the partitions that pause: those that change hands; with an eager protocol all. */
function pausedRate(hands: Hands, gone: readonly number[], { board, total }: Table): number {
  const { protocol, rates, today } = board;
  if (protocol.rebalances === "eager") return total;
  const owners = new Set(gone);
  return sum(rates.filter((_rate, place) => hands[place] !== today[place] || owners.has(today[place] ?? -1)));
}

function loadsOf(hands: Hands, rates: ArrayLike<number>, owners: number): number[] {
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
