/** The benchmark of decisions: what it reports, and that what it reports is so. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { DEFAULT_FLAGS, type Flag, readCommandLine, settingsOf } from "../bench/decisions/flags.ts";
import { meanOf, medianOf, ratioOf, shareOf } from "../bench/decisions/intervals.ts";
import { POLICIES } from "../bench/decisions/policies.ts";
import { rowObject } from "../bench/decisions/row-object.ts";
import { type Outcome, playState, runRow, summarise } from "../bench/decisions/row.ts";
import { seededRandom } from "../src/random.ts";

type Changes = Partial<Record<Flag, string>>;

function settings(changes: Changes) {
  return settingsOf({ ...DEFAULT_FLAGS, states: "40", ...changes });
}

describe("the flags of a row", () => {
  it("are the defaults where none is given, and what was given elsewhere", () => {
    const { given, json, write } = readCommandLine(["--policy", "random", "--json"]);
    expect([given, json, write]).toEqual([{ policy: "random" }, true, false]);
    expect(settings({})).toMatchObject({
      policy: "balanced",
      gate: "on",
      pods: 8,
      partitions: 32,
      states: 40,
      runs: 1,
    });
  });

  it.each<[Changes, string]>([
    [{ policy: "forecsat" }, '--policy is "forecsat", expected one of balanced, forecast, forecast-unowned, nothing'],
    [{ gate: "maybe" }, '--gate is "maybe", expected one of on, off'],
    [{ pods: "1" }, '--pods is "1", expected a whole number, 2 or more'],
    [{ states: "1e3" }, '--states is "1e3", expected a whole number, 1 or more'],
    [{ topics: "33" }, '--topics is "33", expected 32 at most'],
    [{ "rate-error": "1.5" }, '--rate-error is "1.5", expected a number from 0 to 1'],
    [{ "min-imbalance": "0.9" }, '--min-imbalance is "0.9", expected a number from 1 to 8'],
    [{ assignor: "sarama-sticky" }, "sarama-sticky cannot be predicted"],
    [{ rates: "zipf" }, 'rates are "zipf", expected one of'],
    [{ order: "any" }, '--order is "any", expected one of leave-first'],
  ])("%j is refused", (changes, message) => {
    expect(() => settings(changes)).toThrow(message);
  });

  it("that there are not are refused by name", () => {
    expect(() => readCommandLine(["--polcy", "random"])).toThrow("--polcy");
  });
});

describe("estimates", () => {
  it("hold the truth in 99 of 100 draws", () => {
    const random = seededRandom(1);
    const held = Array.from({ length: 400 }, () => {
      const draws = Array.from({ length: 200 }, () => random());
      const mean = meanOf(draws);
      const share = shareOf(draws.filter((draw) => draw < 0.1).length, draws.length);
      const ratio = ratioOf(draws.map((draw) => [draw ** 2, draw]));
      return [
        Math.abs(mean.value - 1 / 2) < mean.margin,
        Math.abs(share.value - 1 / 10) < share.margin,
        Math.abs(ratio.value - 2 / 3) < ratio.margin,
      ];
    });
    for (const which of [0, 1, 2]) {
      const share = held.filter((one) => one[which]).length / held.length;
      expect(share).toBeGreaterThan(0.96);
      expect(share).toBeLessThanOrEqual(1);
    }
  });

  it("of shares are sure of nothing, not even of none and all", () => {
    expect(shareOf(0, 50).margin).toBeGreaterThan(0.02);
    expect(shareOf(50, 50).margin).toBeGreaterThan(0.02);
    expect(shareOf(0, 0)).toEqual({ value: 0, margin: 0 });
  });

  it("of what is nothing are nothing", () => {
    expect(ratioOf([[1, 0]])).toEqual({ value: 0, margin: 0 });
    expect(medianOf([])).toBeNaN();
    expect([medianOf([3, 1, 2]), medianOf([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});

describe("a row", () => {
  it("is the same again for the same seed, and another for another", async () => {
    const row = await runRow(settings({ gate: "off" }));
    expect(await runRow(settings({ gate: "off" }))).toEqual(row);
    expect(await runRow(settings({ gate: "off", seed: "2" }))).not.toEqual(row);
  });

  it("sums its states up", () => {
    const outcome: Outcome = {
      before: 2,
      after: 1.5,
      floor: 1,
      podsRemoved: 2,
      expected: { p10: 0.7, p50: 0.75, p90: 0.8 },
      partitionsPaused: 4,
      longestPauseSeconds: 3,
      lagBefore: 2,
      lagAfter: 1,
      drainSeconds: 60,
    };
    const worse = {
      ...outcome,
      before: 1.2,
      after: 1.3,
      floor: 1.1,
      podsRemoved: 0,
      partitionsPaused: 0,
      drainSeconds: undefined,
    };
    const same = { ...worse, after: 1.21 };
    const row = summarise([outcome, outcome, worse, same]);
    expect(row.removedShare.value).toBeCloseTo((0.5 + 0.5 - 0.1 - 0.01) / (1 + 1 + 0.1 + 0.1));
    expect([row.better.value, row.worse.value, row.acted.value]).toEqual([0.5, 0.25, 0.5]);
    expect(row.removedSharePerPod).toBeCloseTo(row.removedShare.value);
    expect([row.withinP90.value, row.aboveMedian.value]).toEqual([2 / 4, 2 / 4]);
    expect([row.longestPauseSeconds, row.drained.value, row.drainSeconds]).toEqual([3, 0.5, 60]);
  });

  it("says nothing of what never happened", async () => {
    const row = await runRow(settings({ policy: "nothing" }));
    expect(row).toMatchObject({ removedSharePerPod: undefined, longestPauseSeconds: undefined });
    expect([row.removedShare.value, row.better.value, row.worse.value, row.podsRemoved.value]).toEqual([0, 0, 0, 0]);
  });

  it.each<[Changes, number]>([
    [{ policy: "balanced", gate: "off" }, 2],
    [{ policy: "random" }, 2],
    [{ policy: "busiest" }, 1],
    [{ policy: "top-2-bottom-2" }, 4],
    [{ policy: "rollout-restart" }, 8],
    [{ policy: "rollout-restart", pods: "3", partitions: "7" }, 3],
    [{ policy: "top-2-bottom-2", pods: "3" }, 3],
    [{ policy: "best-possible" }, 0],
  ])("%j removes %d pods, and leaves a whole group", async (changes, removed) => {
    for (const order of ["leave-first", "join-first", "one-barrier", "one-at-a-time"]) {
      const row = await runRow(settings({ ...changes, order, states: "5" }));
      expect(row.podsRemoved.value).toBe(removed);
      expect(row.imbalanceAfter.value).toBeGreaterThanOrEqual(row.floor - 1e-9);
    }
  });

  it("has states of the imbalance that was asked for, and the gate lets the worst ones pass only", async () => {
    const ordinary = await runRow(settings({}));
    const bad = await runRow(settings({ "min-imbalance": "2.3" }));
    expect(bad.imbalanceBefore.value).toBeGreaterThan(2.3);
    expect(bad.acted.value).toBeGreaterThan(ordinary.acted.value + 0.5);
  });

  it("changes nothing where the assignor does not look at what was, whatever the policy", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(POLICIES).filter((policy) => policy !== "best-possible")),
        fc.constantFrom("java-range", "java-roundrobin", "librdkafka-range"),
        fc.constantFrom("leave-first", "join-first", "one-barrier", "unknown"),
        async (policy, assignor, order) => {
          const row = await runRow(settings({ policy, assignor, order, gate: "off", states: "3" }));
          expect(row.imbalanceAfter.value).toBeCloseTo(row.imbalanceBefore.value);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("draws an unknown order for each state", async () => {
    const paused = new Set<string>();
    for (let state = 0; state < 12; state += 1) {
      const { longestPauseSeconds, partitionsPaused } = await playState(
        settings({ policy: "busiest", order: "unknown" }),
        state,
      );
      paused.add(`${partitionsPaused > 4} ${longestPauseSeconds > 3}`);
    }
    expect(paused.size).toBeGreaterThan(1);
  });

  it("acts again and again where that is asked for, as far as the cooldown lets it", async () => {
    const once = await runRow(settings({ gate: "off", states: "3" }));
    const often = await runRow(settings({ gate: "off", states: "3", runs: "6" }));
    expect([once.podsRemoved.value, often.podsRemoved.value]).toEqual([2, 6]);
  });

  it("is one JSON object, with a margin for each estimate", async () => {
    const flags = { ...DEFAULT_FLAGS, states: "5", gate: "off" };
    const row = rowObject(flags, await runRow(settingsOf(flags)));
    expect(row).toMatchObject({ policy: "balanced", gate: "off", states: 5, podsRemoved: 2 });
    expect(Object.keys(row.margins)).toEqual(
      expect.arrayContaining(["removedShare", "better", "worse", "imbalanceAfter"]),
    );
  });
});

function command(...args: string[]) {
  const main = join(import.meta.dirname, "../bench/decisions/main.ts");
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

describe("the command", () => {
  it("prints one row, the last line of which is its JSON", () => {
    const { stdout, status } = command("--policy", "busiest", "--states", "3", "--json");
    expect(status).toBe(0);
    const row = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
    for (const name of [
      "removedShare",
      "better",
      "worse",
      "podsRemoved",
      "imbalanceBefore",
      "imbalanceAfter",
      "floor",
    ]) {
      expect(row[name]).toEqual(expect.any(Number));
    }
    expect(row["states"]).toBe(3);
  });

  it("says what is wrong with a flag, and prints nothing else", () => {
    const { stdout, stderr, status } = command("--policy", "best");
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^bench:decisions: --policy is "best", expected one of balanced/);
  });
});
