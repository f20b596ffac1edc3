/** The demo's start: a group whose partitions were dealt out badly. */

import { describeValues } from "../podstate/statistics.ts";
import type { Clock } from "../ports.ts";
import { deal, type Ownership } from "./assignor.ts";
import { type ConsumerGroup, createConsumerGroup } from "./group.ts";
import { imbalanceOf } from "./imbalance.ts";
import { addWorkload, createWorld, type KubernetesWorld, livingPods } from "./kubernetes-world.ts";
import { type Random, seededRandom, shuffled } from "./random.ts";

export interface Scenario {
  readonly world: KubernetesWorld;
  readonly group: ConsumerGroup;
  readonly labelSelector: string;
  /** By partition number, messages/s. */
  readonly rates: readonly number[];
  readonly consumers: number;
  /** How many random deals were drawn until one was bad enough. */
  readonly deals: number;
}

const CONSUMERS = 8;
const PARTITIONS = 32;
/** Messages/s of a partition. */
const MEAN_RATE = 125;
/** At 0.7 the busiest partition has five times the mean, and one deal in some hundred is bad enough. */
const SKEW = 0.7;
/** What a consumer can take, as a multiple of the mean load. */
const CAPACITY = 2.2;
/** For so long the deal has been at work, so that lag has built up. */
const HISTORY_MILLIS = 600_000;
const AGE_MILLIS = 2 * 86_400_000;

/** @param seed - what is drawn at random is the same for the same seed. */
export function createScenario(seed: number, clock: Clock): Scenario {
  const now = clock.now().getTime();
  const random = seededRandom(seed);
  const labels = { app: "consumer" };
  const world = createWorld({ namespace: "shop", seed });
  addWorkload(world, { name: "consumer", replicas: CONSUMERS, labels, created: new Date(now - AGE_MILLIS) });
  const members = livingPods(world, clock.now()).map(({ name }) => name);
  const rates = skewedRates(PARTITIONS, MEAN_RATE, SKEW, random);
  const capacity = (CAPACITY * MEAN_RATE * PARTITIONS) / CONSUMERS;
  const { ownership, deals } = unevenDeal(rates, members, (loads) => overTheLimits(loads, capacity), random);
  const group = createConsumerGroup({
    world,
    clock,
    rates,
    ownership,
    capacity,
    since: new Date(now - HISTORY_MILLIS),
  });
  return { world, group, rates, deals, consumers: CONSUMERS, labelSelector: "app=consumer" };
}

/** CPU passes its default threshold, and one consumer falls behind, by which lag passes its own. */
function overTheLimits(loads: readonly number[], capacity: number): boolean {
  const consumed = loads.map((load) => Math.min(load, capacity));
  return describeValues(consumed).relativeVariance > 0.31 && Math.max(...loads) > 1.02 * capacity;
}

/**
 * Rates of the partitions, skewed as keys are in practice: the k-th largest is proportional to k^-skew (Zipf's law), in random
 * order.
 *
 * @param mean - of a partition, messages/s.
 */
export function skewedRates(count: number, mean: number, skew: number, random: Random): number[] {
  const weights = Array.from({ length: count }, (_, index) => (index + 1) ** -skew);
  const scale = (mean * count) / weights.reduce((sum, weight) => sum + weight, 0);
  return shuffled(
    weights.map((weight) => weight * scale),
    random,
  );
}

interface Dealt {
  readonly ownership: Ownership;
  /** How many deals were drawn. */
  readonly deals: number;
}

const MOST_DEALS = 5_000;

/**
 * Deals the partitions out at random until the deal is as bad as wanted; the worst of 5,000 where none is.
 *
 * @param wanted - judges the loads of the members, in messages/s.
 */
function unevenDeal(
  rates: readonly number[],
  members: readonly string[],
  wanted: (loads: readonly number[]) => boolean,
  random: Random,
): Dealt {
  let worst = { ownership: deal(rates.length, members, random), imbalance: 0 };
  for (let deals = 1; deals <= MOST_DEALS; deals += 1) {
    const ownership = deal(rates.length, members, random);
    const loads = [...ownership.values()].map((own) => own.reduce((sum, one) => sum + (rates[one] ?? 0), 0));
    if (wanted(loads)) return { ownership, deals };
    const imbalance = imbalanceOf(loads);
    if (imbalance > worst.imbalance) worst = { ownership, imbalance };
  }
  return { ownership: worst.ownership, deals: MOST_DEALS };
}
