import { describe, expect, it } from "vitest";

import { createIdleTime } from "../../test/fakes/idle-time.ts";
import { POLICY } from "../../test/fakes/policy.ts";
import { groupOf, reportOf, UNEVEN } from "../../test/fakes/report.ts";
import { widthOf } from "../output/lines.ts";
import type { ConsumerState } from "../simulation/consumer-group.ts";
import type { RunReport } from "../types.ts";
import { demoRunner } from "../wire.ts";
import { type DemoOptions, outcome, type RebalanceOnce, runDemo } from "./demo.ts";

const NEVER = new AbortController().signal;

/** The demo's own run, on a time that passes only when everybody waits. */
async function playedDemo(options: DemoOptions = {}, columns = 100) {
  using time = createIdleTime();
  return await demo(demoRunner(time.connect), { ...options, clock: time.clock }, columns);
}

async function demo(run: RebalanceOnce, options: DemoOptions = {}, columns = 100) {
  let text = "";
  const reports: RunReport[] = [];
  const recorded: RebalanceOnce = async (...args) => {
    const report = await run(...args);
    reports.push(report);
    return report;
  };
  const io = { columns, colour: false, stdout: { write: (chunk: string) => (text += chunk) } };
  const exitCode = await runDemo(io, recorded, NEVER, options);
  return { text, prose: text.replaceAll(/\s+/g, " "), lines: text.split("\n"), reports, exitCode };
}

/** The highest bar of each panel, and what the sentence below them says. */
function figuresOf(prose: string) {
  const [, before, after, floor] =
    /Busiest \/ mean load: ([\d.]+) before, ([\d.]+) after, ([\d.]+) at best/.exec(prose) ?? [];
  const [, left, right] = /before after \w{5} \S+ ([\d.]+) \w{5} \S+ ([\d.]+)/.exec(prose) ?? [];
  return {
    before: Number(before),
    after: Number(after),
    floor: Number(floor),
    left: Number(left),
    right: Number(right),
  };
}

function states(...loads: number[]): ConsumerState[] {
  return loads.map((load, index) => ({ pod: `p${index}`, partitions: [], load, consumed: load, lag: 0 }));
}

describe("the demo", { concurrent: true }, () => {
  it("shows a rotation that helps, and a second run that holds", async () => {
    const { exitCode, prose, reports } = await playedDemo();
    expect(exitCode).toBe(0);
    expect(reports.map(({ reason }) => reason)).toEqual(["rotated", "cooldown"]);
    const [rotation] = reports;
    expect(rotation?.removal?.steps.map(({ role, outcome: end }) => [role, end])).toEqual([
      ["most_busy", "replaced"],
      ["least_busy", "replaced"],
    ]);
    expect(rotation?.group?.statistics.cpu.relativeVariance).toBeGreaterThan(POLICY.cpuVarianceThreshold);
    expect(rotation?.group?.statistics.lag.relativeVariance).toBeGreaterThan(POLICY.lagVarianceThreshold);
    expect(prose).toMatch(/ 0:\d\d Found 8 pods of Deployment\/consumer, 8 Ready\. /);
    expect(prose).toMatch(/The rotation removed [1-9]\d* % of the excess that can be removed\./);
    expect(prose).toMatch(/A second run right after it: Held: the last removal is too recent: /);
    expect(prose).toMatch(/When does it help\?/);
  });

  it.each([1, 2, 3, 8, 12, 24, 31, 77])("says what happened, whatever that is: seed %d", async (seed) => {
    const { prose, reports } = await playedDemo({ seed });
    if (reports[0]?.reason !== "rotated") {
      expect(prose).toMatch(/Nothing was removed\./);
      return;
    }
    const { before, after, floor, left, right } = figuresOf(prose);
    expect([before, after]).toEqual([left, right]);
    const share = ((before - after) / (before - floor)) * 100;
    const claimed = Number(/removed (\d+) %/.exec(prose)?.[1] ?? -Number(/worse, by (\d+) %/.exec(prose)?.[1] ?? 0));
    // Both are rounded to two decimals.
    expect(Math.abs(claimed - share)).toBeLessThan(3);
  });

  it.each([100, 72, 40])("keeps within %d columns, without control characters", async (columns) => {
    const { lines } = await playedDemo({}, columns);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
    expect(lines.length).toBeLessThan(columns === 100 ? 45 : 95);
  });

  it("ends with the exit code of a run that failed, and claims nothing", async () => {
    const report = reportOf(undefined, { reason: "failed", detail: "list pods: no connection", exitCode: 1 });
    const { exitCode, prose, reports } = await demo(async () => report);
    expect([exitCode, reports.length]).toEqual([1, 1]);
    expect(prose).toMatch(/Nothing was removed\. The run failed: list pods: no connection\./);
  });
});

describe("what the demo says of the outcome", () => {
  const rotated = reportOf(groupOf(UNEVEN), { dryRun: false, reason: "rotated" });
  const rates = [4, 3, 2, 1];

  it.each([
    ["a gain", [7, 3], [6, 4], /1\.40 before, 1\.20 after, 1\.00 at best .* removed 50 % of the excess/],
    ["the floor", [7, 3], [5, 5], /removed 100 % /],
    ["no change", [7, 3], [3, 7], /changed nothing that counts/],
    ["a loss", [6, 4], [7, 3], /made it worse, by 100 % .*: it is a gamble/],
    ["nothing to win", [5, 5], [5, 5], /There was nothing to win from the start/],
  ])("names %s", (_name, before, after, words) => {
    expect(outcome(rotated, states(...before), states(...after), rates)).toMatch(words);
  });

  it("says why nothing was removed", () => {
    const held = reportOf(groupOf(UNEVEN, { policy: { ...POLICY, suspend: true } }), {}, { ...POLICY, suspend: true });
    expect(outcome(held, states(7, 3), states(7, 3), rates)).toMatch(
      /^Nothing was removed\. Held: rebalancing is suspended/,
    );
  });
});
