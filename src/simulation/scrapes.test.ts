import { describe, expect, it } from "vitest";

import { createManualClock } from "../../test/fakes/manual-clock.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import { livingPods, stopPod } from "./kubernetes-world.ts";
import type { ScrapeSettings } from "./scrapes.ts";
import { createSimulation } from "./simulation.ts";

const NEVER = new AbortController().signal;

/** Four pods that each have two partitions of 125 messages/s. */
function scene(scrape: Partial<ScrapeSettings> = {}, historySeconds = 600) {
  const clock = createManualClock();
  const simulation = createSimulation(
    {
      seed: 1,
      pods: 4,
      partitions: new Map([["orders", 8]]),
      protocol: PROTOCOLS["java-cooperative-sticky"],
      rates: { kind: "even", parameter: 0 },
      capacity: 2,
      historySeconds,
      scrape,
    },
    clock,
  );
  return { clock, simulation, pods: livingPods(simulation.world, clock.now()) };
}

describe("what a metrics server answers", () => {
  it("is the rate of counters over the window, and the newest of all else", () => {
    const { simulation, pods } = scene();
    for (const { name } of pods) {
      expect(simulation.readings("rate").get(name)).toBeCloseTo(250);
      expect(simulation.readings("cpu").get(name)).toBeCloseTo(0.5 + 0.02);
      expect(simulation.readings("lag").get(name)).toBe(125);
      expect(simulation.readings("memory").get(name)).toBeGreaterThan(400 * 2 ** 20);
    }
  });

  it("is what the run gets, as samples of all signals", async () => {
    const { simulation, pods } = scene();
    const signals = await simulation.metrics.fetch([], NEVER);
    expect([...(signals.cpu?.values.keys() ?? [])].toSorted()).toEqual(pods.map(({ name }) => name));
    expect(signals.lag?.rejected).toEqual([]);
    await expect(simulation.metrics.fetch([], AbortSignal.abort(new Error("told to stop")))).rejects.toThrow("told to");
  });

  it("is no rate of a pod that is younger than the window", async () => {
    const { clock, simulation, pods } = scene();
    stopPod(simulation.world, pods[0]!, clock.now());
    await clock.advance(290_000);
    expect([...simulation.readings("lag").keys()]).toHaveLength(4);
    expect([...simulation.readings("cpu").keys()].toSorted()).toEqual(pods.slice(1).map(({ name }) => name));
    await clock.advance(20_000);
    expect([...simulation.readings("cpu").keys()]).toHaveLength(4);
  });

  it("is nothing once the newest sample is stale", async () => {
    const { clock, simulation } = scene({ until: new Date("2026-03-01T12:00:00Z") });
    await clock.advance(120_000);
    expect(simulation.readings("lag").size).toBe(4);
    await clock.advance(1_000);
    expect(simulation.readings("lag").size).toBe(0);
    expect(simulation.readings("cpu").size).toBe(0);
  });

  it("lags behind a change by up to the window, as a rate does", async () => {
    const { clock, simulation, pods } = scene();
    stopPod(simulation.world, pods[0]!, clock.now());
    await clock.advance(7_000);
    const [busiest = 0] = simulation
      .consumers()
      .map(({ load }) => load)
      .toSorted((a, b) => b - a);
    expect(busiest).toBe(375);
    const read = Math.max(...simulation.readings("rate").values());
    expect(read).toBeLessThan(300);
  });

  it("is off by no more than the noise", () => {
    const { simulation } = scene({ noise: 0.2 });
    const read = Array.from({ length: 200 }, () => [...simulation.readings("rate").values()]).flat();
    expect(Math.min(...read)).toBeGreaterThanOrEqual(200);
    expect(Math.min(...read)).toBeLessThan(210);
    expect(Math.max(...read)).toBeLessThanOrEqual(300);
    expect(Math.max(...read)).toBeGreaterThan(290);
  });
});
