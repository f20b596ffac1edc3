/**
 * A simulated consumer group: the partitions of one topic, and who consumes them among the pods of the simulated Kubernetes.
 *
 * A pod joins the group when it gets Ready and leaves it as soon as it is told to stop; ownership follows `assignor.ts`. A
 * consumer takes what its partitions bring, up to its capacity; what is above stays in the partition as lag and goes
 * with it to its next owner. CPU follows consumption. Metrics are true at once and not averaged over a window.
 */

import type { Clock } from "../ports.ts";
import type { Signal } from "../types.ts";
import { join, leave, type Ownership } from "./assignor.ts";
import type { KubernetesWorld } from "./kubernetes-world.ts";
import type { MetricRow } from "./prometheus-server.ts";

export interface GroupSettings {
  readonly world: KubernetesWorld;
  readonly clock: Clock;
  /** By partition number: messages/s that are produced to it. */
  readonly rates: readonly number[];
  /** Who owns what at first; pods of the world by name. */
  readonly ownership: Ownership;
  /** What one consumer can consume: messages/s. */
  readonly capacity: number;
  /** Since when the first owners have been at work. */
  readonly since: Date;
}

/** One consumer at one moment. */
export interface ConsumerState {
  readonly pod: string;
  readonly partitions: readonly number[];
  /** Messages/s that its partitions bring. */
  readonly load: number;
  /** Messages/s that it consumes. */
  readonly consumed: number;
  /** Messages that wait in its partitions. */
  readonly lag: number;
}

export interface ConsumerGroup {
  /** All members, in name order, as of now. */
  consumers(): ConsumerState[];
  /** What exporters show of the members: no rate of a pod that is younger than the window it is taken over. */
  samples(signal: Signal): MetricRow[];
}

/** A consumer handles so many messages/s with one core. */
const MESSAGES_PER_CORE = 800;
const MIB = 2 ** 20;
/** The queries' default window: a counter that began within it has no rate yet. */
const WINDOW_MILLIS = 300_000;
/** Messages are committed so long after they arrive, also when the consumer keeps up. */
const COMMIT_SECONDS = 0.5;

export function createConsumerGroup(settings: GroupSettings): ConsumerGroup {
  const { world, clock, rates, capacity } = settings;
  const backlog = rates.map(() => 0);
  let { ownership, since: at } = settings;
  const done = new Set(membershipChanges(world, at).map(({ id }) => id));

  /** Lets time pass up to now: joins and leaves in their order, lag growing and shrinking between them. */
  function settle(now: Date): void {
    for (const { id, when, change } of membershipChanges(world, now)) {
      if (done.has(id)) continue;
      done.add(id);
      flow(when);
      ownership = change(ownership);
    }
    flow(now);
  }

  function flow(until: Date): void {
    const seconds = (until.getTime() - at.getTime()) / 1_000;
    at = until;
    const owned = new Set([...ownership.values()].flat());
    for (const partitions of ownership.values()) consume(partitions, capacity, seconds);
    consume(
      rates.map((_rate, partition) => partition).filter((partition) => !owned.has(partition)),
      0,
      seconds,
    );
  }

  /** What is above the consumer's capacity piles up, shared out by rate; what is below it drains what had piled up. */
  function consume(partitions: readonly number[], atMost: number, seconds: number): void {
    const load = sumOf(rates, partitions);
    const waiting = sumOf(backlog, partitions);
    const excess = (load - atMost) * seconds;
    const kept = waiting === 0 ? 0 : Math.max(0, waiting + Math.min(excess, 0)) / waiting;
    for (const partition of partitions) {
      const share = load === 0 ? 0 : (rates[partition] ?? 0) / load;
      backlog[partition] = (backlog[partition] ?? 0) * kept + Math.max(excess, 0) * share;
    }
  }

  function consumers(): ConsumerState[] {
    settle(clock.now());
    const states = [...ownership].map(([pod, partitions]) => {
      const load = sumOf(rates, partitions);
      const waiting = sumOf(backlog, partitions);
      const consumed = waiting > 0 ? capacity : Math.min(load, capacity);
      return { pod, partitions, load, consumed, lag: Math.round(waiting + consumed * COMMIT_SECONDS) };
    });
    return states.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  return {
    consumers,
    samples(signal) {
      const now = clock.now();
      const old = (name: string) => {
        const pod = world.pods.findLast((one) => one.name === name);
        return pod !== undefined && now.getTime() - pod.created.getTime() > WINDOW_MILLIS;
      };
      const shown = consumers().filter(({ pod }) => !OVER_A_WINDOW.has(signal) || old(pod));
      return shown.map((state) => ({
        labels: { pod: state.pod, namespace: world.namespace },
        value: READINGS[signal](state),
      }));
    },
  };
}

const OVER_A_WINDOW: ReadonlySet<Signal> = new Set<Signal>(["cpu", "rate"]);

const READINGS: Readonly<Record<Signal, (state: ConsumerState) => number>> = {
  cpu: ({ consumed }) => consumed / MESSAGES_PER_CORE,
  lag: ({ lag }) => lag,
  rate: ({ consumed }) => consumed,
  memory: ({ partitions, consumed }) => Math.round((420 + 8 * partitions.length + consumed / 20) * MIB),
};

interface MembershipChange {
  readonly id: string;
  readonly when: Date;
  readonly change: (ownership: Ownership) => Ownership;
}

/** Who joined and left up to now, in order. */
function membershipChanges(world: KubernetesWorld, now: Date): MembershipChange[] {
  const changes: MembershipChange[] = [];
  for (const { name, uid, readyAt, terminatingAt } of world.pods) {
    if (readyAt) changes.push({ id: `${uid} joins`, when: readyAt, change: (ownership) => join(ownership, name) });
    if (terminatingAt) {
      changes.push({ id: `${uid} leaves`, when: terminatingAt, change: (ownership) => leave(ownership, name) });
    }
  }
  return changes.filter(({ when }) => when <= now).toSorted((a, b) => a.when.getTime() - b.when.getTime());
}

function sumOf(values: readonly number[], indices: readonly number[]): number {
  return indices.reduce((sum, index) => sum + (values[index] ?? 0), 0);
}
