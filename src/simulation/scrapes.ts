/** What a metrics server knows of a simulated group: what it scraped, and what queries over it answer. */

import type { MetricsSource } from "../ports.ts";
import type { Random } from "../random.ts";
import { SIGNALS, type Signal, type Signals, type SignalSamples } from "../types.ts";
import type { SimulatedGroup } from "./consumer-group.ts";
import { isThere, type KubernetesWorld } from "./kubernetes-world.ts";

export interface ScrapeSettings {
  readonly intervalSeconds: number;
  /** What a rate is taken over; a pod that is younger has none yet. */
  readonly windowSeconds: number;
  /** Older samples do not count. */
  readonly stalenessSeconds: number;
  /** Each reading is off by up to this share, either way: 0…1. */
  readonly noise: number;
  /** From here on nothing is scraped any more. */
  readonly until?: Date;
}

export interface Scrapes {
  /** When the next one is due, epoch milliseconds. */
  readonly dueAt: number;
  /** Scrapes every pod that is there; the group has been advanced to this time. */
  scrape(): void;
  /** Pod name → value, of the pods that have one. */
  readings(signal: Signal, now: Date): ReadonlyMap<string, number>;
}

interface Sample {
  readonly at: number;
  readonly values: Readonly<Record<Signal, number>>;
}

const MIB = 2 ** 20;

/** Rate and CPU are counters: what is scraped is their sum so far. */
const COUNTERS: ReadonlySet<Signal> = new Set<Signal>(["cpu", "rate"]);

export function createScrapes(
  world: KubernetesWorld,
  group: SimulatedGroup,
  settings: ScrapeSettings & { readonly since: Date },
  random: Random,
): Scrapes {
  const { intervalSeconds, windowSeconds, stalenessSeconds, noise, until } = settings;
  const kept = (windowSeconds + intervalSeconds) * 1_000;
  const samples = new Map<string, Sample[]>();
  let dueAt = settings.since.getTime();

  function valueOf(own: readonly Sample[], signal: Signal, now: number): number | undefined {
    const newest = own.at(-1);
    if (newest === undefined || now - newest.at > stalenessSeconds * 1_000) return undefined;
    if (!COUNTERS.has(signal)) return newest.values[signal];
    const first = own.find(({ at }) => at > now - windowSeconds * 1_000);
    if (first === undefined || first === newest) return undefined;
    return (newest.values[signal] - first.values[signal]) / ((newest.at - first.at) / 1_000);
  }

  return {
    get dueAt() {
      return dueAt;
    },
    scrape() {
      const now = new Date(dueAt);
      const states = new Map(group.consumers().map((state) => [state.pod, state]));
      for (const pod of world.pods) {
        if (!isThere(pod, now)) continue;
        const state = states.get(pod.name);
        const { messages, cpuSeconds } = group.used(pod.uid);
        const { partitions = [], consumed = 0, lag = 0 } = state ?? {};
        const memory = Math.round((420 + 8 * partitions.length + consumed / 20) * MIB);
        const own = (samples.get(pod.uid) ?? []).filter(({ at }) => at >= dueAt - kept);
        samples.set(pod.uid, [...own, { at: dueAt, values: { cpu: cpuSeconds, rate: messages, lag, memory } }]);
      }
      dueAt += intervalSeconds * 1_000;
      if (until !== undefined && dueAt > until.getTime()) dueAt = Number.POSITIVE_INFINITY;
    },
    readings(signal, now) {
      const young = (created: Date) => now.getTime() - created.getTime() <= windowSeconds * 1_000;
      const found = new Map<string, number>();
      for (const { name, uid, created } of world.pods) {
        if (COUNTERS.has(signal) && young(created)) continue;
        const value = valueOf(samples.get(uid) ?? [], signal, now.getTime());
        if (value !== undefined) found.set(name, value * (1 + noise * (2 * random() - 1)));
      }
      return found;
    },
  };
}

/** The metrics as a run reads them. */
export function scrapedMetrics(readings: (signal: Signal) => ReadonlyMap<string, number>): MetricsSource {
  return {
    async fetch(_pods, signal): Promise<Signals> {
      signal.throwIfAborted();
      const samples = SIGNALS.map((name): [Signal, SignalSamples] => [name, { values: readings(name), rejected: [] }]);
      return Object.fromEntries(samples) as Record<Signal, SignalSamples>;
    },
  };
}
