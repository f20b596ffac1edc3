/** One row of the benchmark: many random states of a group, one policy, and what came of it. */

import { imbalanceOf, lowestImbalance } from "../../src/forecast/imbalance.ts";
import type { Order, Protocol } from "../../src/kafka/assignors/orders.ts";
import type { ProtocolName } from "../../src/kafka/assignors/protocols.ts";
import { drawOne, seededRandom } from "../../src/random.ts";
import type { ConsumerTiming } from "../../src/simulation/consumer-group.ts";
import type { RateShape } from "../../src/simulation/partition-rates.ts";
import { createSimulation, type Simulation } from "../../src/simulation/simulation.ts";
import { createVirtualClock } from "../../src/simulation/virtual-clock.ts";
import type { Rotation, Spread } from "../../src/types.ts";
import { type Estimate, meanOf, medianOf, ratioOf, shareOf } from "./intervals.ts";
import { POLICIES, type PolicyName } from "./policies.ts";

export interface RowSettings {
  readonly policy: PolicyName;
  /** Whether the thresholds of `balanced` count; other policies have none. */
  readonly gate: "on" | "off";
  readonly protocol: Protocol;
  readonly protocolName: ProtocolName;
  /** In which order the old member leaves and the new one joins; `unknown`: drawn anew for each state, and told to nobody. */
  readonly order: Order | "unknown";
  readonly pods: number;
  /** Of all topics together, which have equal shares of them. */
  readonly partitions: number;
  readonly topics: number;
  readonly rates: RateShape;
  /** What the metrics show is off by up to this share, either way. */
  readonly rateError: number;
  /** States are drawn until busiest / mean load is this at least. */
  readonly minImbalance: number;
  /** What a consumer can take, as a multiple of the mean load. */
  readonly capacity: number;
  /** How often somebody was replaced since the partitions were dealt out. */
  readonly replacedBefore: number;
  /** How many rotations are on record, with the order that was seen: what `forecast` learns from. */
  readonly learned: number;
  /** MAX_PODS_TO_DELETE. */
  readonly maxPods: number;
  /** How many states are drawn, >= 1. */
  readonly states: number;
  readonly seed: number;
  /** How often the policy acts in each state, a quarter of an hour apart. */
  readonly runs: number;
}

/** Of one state. Imbalance is busiest / mean load, no unit; lag is what waits in all partitions, in seconds of all traffic. */
export interface Outcome {
  readonly before: number;
  readonly after: number;
  readonly floor: number;
  readonly podsRemoved: number;
  /** What the only run expected of after / before; undefined where it made no forecast, or there were several. */
  readonly expected: Spread | undefined;
  /** Partitions that had no consumer for half a second or longer, and the seconds of the longest. */
  readonly partitionsPaused: number;
  readonly longestPauseSeconds: number;
  readonly lagBefore: number;
  /** A quarter of an hour after the policy began, for the last time. */
  readonly lagAfter: number;
  /** From there until no more than a second of traffic waits; undefined: not within an hour. */
  readonly drainSeconds: number | undefined;
}

/** Of all states of a row. */
export interface RowResult {
  readonly states: number;
  /** Of what could be removed: Σ (before − after) / Σ (before − floor). */
  readonly removedShare: Estimate;
  /** Better and worse by more than 2 %, as shares of the states. */
  readonly better: Estimate;
  readonly worse: Estimate;
  /** Of the rotations with a forecast: share that came to its pessimistic end (p90) at most, and by more than 2 % above its median. */
  readonly withinP90: Estimate;
  readonly aboveMedian: Estimate;
  /** Share of the states in which any pod was removed. */
  readonly acted: Estimate;
  readonly podsRemoved: Estimate;
  /** `removedShare` for each pod that was removed; undefined where none was. */
  readonly removedSharePerPod: number | undefined;
  readonly imbalanceBefore: Estimate;
  readonly imbalanceAfter: Estimate;
  readonly floor: number;
  readonly partitionsPaused: Estimate;
  /** Median of those that had a pause. */
  readonly longestPauseSeconds: number | undefined;
  readonly lagBefore: Estimate;
  readonly lagAfter: Estimate;
  /** Share of the states in which what waited was consumed within an hour, and the median time of those. */
  readonly drained: Estimate;
  readonly drainSeconds: number | undefined;
}

const NEVER = new AbortController().signal;
const MATTERS = 0.02;
/** A forecast that is met exactly is met. */
const ROUNDING = 1e-9;
const PAUSE_SECONDS = 0.5;
const SETTLE_MILLIS = 30_000;
const BETWEEN_RUNS_MILLIS = 900_000;
const HOUR_SECONDS = 3_600;

type Regime = Exclude<Order, "one-at-a-time">;

/**
 * How an order comes about. A pod that is stopped and its successor are told apart by when the one leaves the group and the
 * other joins it.
 */
const REGIMES: Readonly<Record<Regime, { bootSeconds: number; timing: Partial<ConsumerTiming> }>> = {
  "leave-first": { bootSeconds: 8, timing: { closeSeconds: 0.2 } },
  /** It closes slowly (a preStop hook, a batch to finish), and its successor is there before. */
  "join-first": { bootSeconds: 8, timing: { closeSeconds: 25 } },
  /** Its successor is there before the others have heard of it. */
  "one-barrier": { bootSeconds: 0.5, timing: { closeSeconds: 0.2 } },
};

/** Plays every state, one after the other. */
export async function runRow(settings: RowSettings): Promise<RowResult> {
  const outcomes: Outcome[] = [];
  for (let state = 0; state < settings.states; state += 1) outcomes.push(await playState(settings, state));
  return summarise(outcomes);
}

/** @param state - its number, from 0; what is drawn for it depends on this and the row's seed only. */
export async function playState(settings: RowSettings, state: number): Promise<Outcome> {
  const simulation = stateOf(settings, state);
  const { clock } = simulation;
  const started = clock.now().getTime();
  const before = simulation.imbalance();
  const floor = lowestImbalance(simulation.group().rates, settings.pods);
  const lagBefore = lagSeconds(simulation);
  const pausedBefore = [...simulation.group().pausedSeconds];
  const { gate, maxPods } = settings;
  const circumstances = { gate, maxPods, atOnce: settings.order !== "one-at-a-time" };
  let podsRemoved = 0;
  let expected: Spread | undefined;
  let begun = started;
  for (let run = 0; run < settings.runs; run += 1) {
    begun = started + run * BETWEEN_RUNS_MILLIS;
    await clock.sleep(Math.max(0, begun - clock.now().getTime()), NEVER);
    const acted = await POLICIES[settings.policy](simulation, circumstances);
    podsRemoved += acted.podsRemoved;
    if (settings.runs === 1) ({ expected } = acted);
  }
  await clock.sleep(SETTLE_MILLIS, NEVER);
  const after = settings.policy === "best-possible" ? floor : simulation.imbalance();
  const pauses = simulation.group().pausedSeconds.map((seconds, place) => seconds - (pausedBefore[place] ?? 0));
  return {
    before,
    after,
    floor,
    podsRemoved,
    expected,
    partitionsPaused: pauses.filter((seconds) => seconds >= PAUSE_SECONDS).length,
    longestPauseSeconds: Math.max(...pauses),
    lagBefore,
    ...(await drain(simulation, begun)),
  };
}

function stateOf(settings: RowSettings, state: number): Simulation {
  const { pods, partitions, topics, protocol, protocolName, rates, rateError, minImbalance, capacity, replacedBefore } =
    settings;
  const seed = Math.imul(settings.seed, 1_000_003) + state;
  const regime = regimeOf(settings, seed);
  const { bootSeconds, timing } = REGIMES[regime];
  const counts = Array.from({ length: topics }, (_, at) => Math.floor((partitions + at) / topics));
  return createSimulation(
    {
      seed,
      pods,
      partitions: new Map(counts.map((count, at) => [`topic-${at}`, count])),
      protocol,
      protocolName,
      timing,
      bootSeconds,
      replacedBefore,
      rates,
      wanted: (loads) => imbalanceOf(loads) >= minImbalance,
      capacity,
      scrape: { noise: rateError },
      rotations: Array.from({ length: settings.learned }, () => ({ ...LEARNED, order: regime })),
    },
    createVirtualClock(),
  );
}

/** A rotation that was watched; of what it brought nothing is known. */
const LEARNED: Rotation = {
  at: new Date(0),
  pods: [],
  group: "",
  before: 1,
  expected: undefined,
  after: undefined,
  order: undefined,
};

function regimeOf({ order }: RowSettings, seed: number): Regime {
  if (order === "one-at-a-time") return "leave-first";
  return order === "unknown" ? drawOne(Object.keys(REGIMES) as Regime[], seededRandom(seed)) : order;
}

function lagSeconds(simulation: Simulation): number {
  const { backlog, rates } = simulation.group();
  return sum(backlog) / sum(rates);
}

async function drain(simulation: Simulation, begun: number): Promise<Pick<Outcome, "lagAfter" | "drainSeconds">> {
  const { clock } = simulation;
  const passed = () => (clock.now().getTime() - begun) / 1_000;
  let drainSeconds: number | undefined;
  let lagAfter = lagSeconds(simulation);
  while (passed() < HOUR_SECONDS) {
    const lag = lagSeconds(simulation);
    if (passed() <= BETWEEN_RUNS_MILLIS / 1_000) lagAfter = lag;
    if (lag <= 1) {
      drainSeconds = passed();
      break;
    }
    await clock.sleep(SETTLE_MILLIS, NEVER);
  }
  return { lagAfter, drainSeconds };
}

/** What an action did to busiest / mean load; 2 % are no matter. */
export function judge(before: number, after: number): "better" | "the same" | "worse" {
  if (after < before * (1 - MATTERS)) return "better";
  return after > before * (1 + MATTERS) ? "worse" : "the same";
}

export function summarise(outcomes: readonly Outcome[]): RowResult {
  const of = (value: (outcome: Outcome) => number) => meanOf(outcomes.map(value));
  const counted = (test: (outcome: Outcome) => boolean) => shareOf(outcomes.filter(test).length, outcomes.length);
  const removedShare = ratioOf(
    outcomes.map(({ before, after, floor }) => [before - after, Math.max(0, before - floor)]),
  );
  const forecast = outcomes.flatMap(({ before, after, expected }) =>
    expected ? [{ ratio: after / before, ...expected }] : [],
  );
  const podsRemoved = of((outcome) => outcome.podsRemoved);
  const drained = outcomes.flatMap(({ drainSeconds }) => drainSeconds ?? []);
  const paused = outcomes.filter(({ partitionsPaused }) => partitionsPaused > 0);
  return {
    states: outcomes.length,
    removedShare,
    better: counted(({ before, after }) => judge(before, after) === "better"),
    worse: counted(({ before, after }) => judge(before, after) === "worse"),
    withinP90: shareOf(forecast.filter(({ ratio, p90 }) => ratio <= p90 * (1 + ROUNDING)).length, forecast.length),
    aboveMedian: shareOf(forecast.filter(({ ratio, p50 }) => judge(p50, ratio) === "worse").length, forecast.length),
    acted: counted((outcome) => outcome.podsRemoved > 0),
    podsRemoved,
    removedSharePerPod: podsRemoved.value === 0 ? undefined : removedShare.value / podsRemoved.value,
    imbalanceBefore: of(({ before }) => before),
    imbalanceAfter: of(({ after }) => after),
    floor: of(({ floor }) => floor).value,
    partitionsPaused: of((outcome) => outcome.partitionsPaused),
    longestPauseSeconds:
      paused.length === 0 ? undefined : medianOf(paused.map((outcome) => outcome.longestPauseSeconds)),
    lagBefore: of(({ lagBefore }) => lagBefore),
    lagAfter: of(({ lagAfter }) => lagAfter),
    drained: shareOf(drained.length, outcomes.length),
    drainSeconds: drained.length === 0 ? undefined : medianOf(drained),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
