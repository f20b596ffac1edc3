/** What rotating each pod, or two of them, may bring, and which rotation is the best. */

import { seededRandom } from "../random.ts";
import { inOneGo, OutOfTime, type Slices } from "../slices.ts";
import type { CandidateForecast, Forecast, Policy } from "../types.ts";
import type { Board, Plan } from "./board.ts";
import { percentileOf } from "./deals.ts";
import { imbalanceOf, lowestImbalanceInSlices } from "./imbalance.ts";
import type { OrderWeights } from "./likely-orders.ts";
import { drawsOf, loadsOf, MATTERS, type Newcomers, play, playedOrders, type Table } from "./play.ts";

/** The same group has the same forecast. */
const SEED = 1;

/**
 * What is simulated of pods that go at once, and as much again of those that go in turn: rebalances × partitions. In larger groups
 * there is one newcomer for each order, and of the candidates only those that promise most are played. A bound of work, so that the
 * same group has the same forecast; the bound of time is there for groups in which so much work takes far longer than in any that was
 * tried.
 */
const MOST_SIMULATED = 12_000;
const LEAST_CANDIDATES = 2;

const NEWCOMERS: Newcomers = { "leave-first": 2, "join-first": 4, "one-barrier": 4 };
const ONE_EACH: Newcomers = { "leave-first": 1, "join-first": 1, "one-barrier": 1 };
/** Who goes second finds the first newcomer's id among the ties. */
const NEWCOMERS_IN_TURN: Newcomers = { "leave-first": 8, "join-first": 2, "one-barrier": 2 };
/** Of the pairs that go in turn so many are played with all of those. */
const MOST_FINALISTS = 6;

/** In which a pair goes at once: with any other order likely, its outcome depends too much on it. */
const ONE_BARRIER_KNOWN = 0.6;

/** In which one goes once the other is replaced. It takes a rotation that was seen to be so sure. */
const LEAVE_FIRST_KNOWN = 0.95;

/** A rotation that makes it worse with a higher chance than this is left alone, whatever else it promises. */
const MOST_RISK = 0.05;

/** What may be rotated, and how. */
export interface ForecastScope {
  /** Numbers of the board's owners that may be removed. */
  readonly removable: readonly number[];
  /** Whether two may go at once; whether one may go once the other is replaced. */
  readonly pairs: { readonly atOnce: boolean; readonly inTurn: boolean };
  readonly orders: OrderWeights;
  /** Each rate may be off by up to this share, either way. */
  readonly rateError: number;
}

/** All of it, however long it takes; see {@link forecastInSlices}. */
export function forecast(board: Board, scope: ForecastScope, policy: Policy): Forecast {
  return inOneGo(forecastInSlices(board, scope, policy));
}

/**
 * @returns every candidate with its forecast, and the best, by the mean over all orders and errors, of those that are good enough: whose
 *   pessimistic end (p90) removes at least `minimumImprovement` of what could be removed, and 2 % of the imbalance, which seldom make it
 *   worse, and which pay back within the cooldown. Of a pair that goes in turn the second pod must bring that minimum, too.
 *   Where the time is up before all are played: those that were, the same that come first otherwise, and the best of them; none where it
 *   is up while the first is played.
 * @throws OutOfTime where it is up already while the floor is sought; Error where the assignor fails.
 */
export function* forecastInSlices(board: Board, scope: ForecastScope, policy: Policy): Slices<Forecast> {
  const { orders } = scope;
  const random = seededRandom(SEED);
  const { rates, owners, today } = board;
  const loads = loadsOf(today, rates, owners.length);
  const imbalance = imbalanceOf(loads);
  const percentile = percentileOf(imbalance, rates, owners.length, random);
  const floor = yield* lowestImbalanceInSlices(rates, owners.length);
  const table: Table = { board, orders, draws: drawsOf(board, scope.rateError, random), imbalance, floor, random };
  const { played: atOnce, planned } = yield* playAtOnce(scope, loads, table);
  const { played: inTurn, planned: plannedInTurn } =
    atOnce.length < planned ? NOTHING_PLAYED : yield* playInTurn(scope, atOnce, table);
  const isGood = (one: CandidateForecast) => isGoodEnough(one, imbalance, policy);
  const chosen = bestFirst(atOnce).find(isGood);
  const pair = bestFirst(inTurn).find(isGood);
  const second = policy.minimumImprovement * (imbalance - floor);
  const isBetter = pair !== undefined && (chosen === undefined || pair.expected <= chosen.expected - second);
  return {
    imbalance,
    percentile,
    floor,
    orders,
    candidates: bestFirst([...atOnce, ...inTurn]),
    planned: planned + plannedInTurn,
    chosen: isBetter ? pair : chosen,
  };
}

function isGoodEnough(
  { after, improvement, worse, paybackSeconds }: CandidateForecast,
  today: number,
  policy: Policy,
): boolean {
  return (
    improvement >= policy.minimumImprovement &&
    after.p90 <= today * (1 - MATTERS) &&
    worse <= MOST_RISK &&
    paybackSeconds <= policy.cooldownSeconds
  );
}

/** How many rebalances may be simulated. */
function roomIn({ rates }: Board): number {
  return Math.floor(MOST_SIMULATED / Math.max(1, rates.length));
}

/** What was played of what was to be; less where the time was up. */
interface Played {
  readonly played: readonly CandidateForecast[];
  readonly planned: number;
}

const NOTHING_PLAYED: Played = { played: [], planned: 0 };

function* playEach(plans: readonly Plan[], newcomers: Newcomers, table: Table): Slices<Played> {
  const played: CandidateForecast[] = [];
  try {
    for (const plan of plans) played.push(yield* play(plan, newcomers, table));
  } catch (thrown) {
    if (!(thrown instanceof OutOfTime)) throw thrown;
  }
  return { played, planned: plans.length };
}

/**
 * Single pods; where members leave and join in one rebalance, in which a single one gets back what it had, pairs. All of them, where
 * that is not too much; else the busiest, and of pairs the busiest with the least busy.
 */
function playAtOnce(
  { removable, orders, pairs }: ForecastScope,
  loads: readonly number[],
  table: Table,
): Slices<Played> {
  const together = pairs.atOnce && orders["one-barrier"] >= ONE_BARRIER_KNOWN;
  const played = playedOrders(orders);
  const room = roomIn(table.board);
  const all = together ? (removable.length * (removable.length - 1)) / 2 : removable.length;
  if (all * played.reduce((sum, order) => sum + NEWCOMERS[order], 0) <= room) {
    const plans = together
      ? removable.flatMap((one, at) => removable.slice(at + 1).map((other): Plan => [[one, other]]))
      : removable.map((one): Plan => [[one]]);
    return playEach(plans, NEWCOMERS, table);
  }
  const [busiest = -1, ...others] = removable.toSorted((a, b) => (loads[b] ?? 0) - (loads[a] ?? 0));
  const promising = together
    ? others.toReversed().map((other): Plan => [[busiest, other]])
    : [busiest, ...others].map((one): Plan => [[one]]);
  const most = Math.max(LEAST_CANDIDATES, Math.floor(room / played.length));
  return playEach(promising.slice(0, most), ONE_EACH, table);
}

/**
 * Pairs of which the second goes once the first is replaced: two may bring what neither brings alone. Where the run ends between them, the
 * group has what the first brings, so that must not be worse than today.
 */
function* playInTurn(
  { orders, pairs, removable }: ForecastScope,
  singles: readonly CandidateForecast[],
  table: Table,
): Slices<Played> {
  if (!pairs.inTurn || orders["leave-first"] < LEAVE_FIRST_KNOWN) return NOTHING_PLAYED;
  const { board, imbalance } = table;
  const numbers = new Map(board.owners.map(({ pod }, number) => [pod, number]));
  const harmless = bestFirst(singles).filter(({ after }) => after.p90 <= imbalance * (1 + MATTERS));
  const plans = harmless.flatMap(({ pods: [pod] }) => {
    const first = numbers.get(pod) ?? -1;
    return removable.filter((other) => other !== first).map((other): Plan => [[first], [other]]);
  });
  // Half of the room for a first look at many, half for a close look at the best.
  const room = roomIn(board) / 2;
  const played = playedOrders(orders);
  const looks = Math.floor(room / (2 * played.length));
  const close = 2 * played.reduce((sum, order) => sum + NEWCOMERS_IN_TURN[order], 0);
  const screened = yield* playEach(plans.slice(0, looks), ONE_EACH, table);
  const most = Math.min(MOST_FINALISTS, Math.floor(room / close), screened.planned);
  // Which are the best shows only once all were looked at.
  if (screened.played.length < screened.planned) return { played: [], planned: most };
  const finalists = bestFirst(screened.played.map((one, place) => ({ plan: plans[place] ?? [], ...one }))).slice(
    0,
    most,
  );
  return yield* playEach(
    finalists.map(({ plan }) => plan),
    NEWCOMERS_IN_TURN,
    table,
  );
}

function bestFirst<Candidate extends CandidateForecast>(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((a, b) => a.expected - b.expected);
}
