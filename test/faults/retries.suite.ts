/** What is tried again, when, and what ends with a call that is given up. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { RebalancerError } from "../../src/errors.ts";
import { eventually } from "../fakes/loopback.ts";
import { hangUntilClosed, refuses, reset, truncated } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Script, startScene } from "./scene.ts";

/** The first calls of this name go wrong. */
function first(times: number, call: string, misbehave: Misbehaviour): Script {
  return (name, nth) => (name === call && nth < times ? misbehave : undefined);
}

const PASSING: readonly (readonly [string, Misbehaviour])[] = [
  ["a reset", reset],
  ["an answer that is cut off", truncated],
  ["429", refuses(429)],
  ["500", refuses(500)],
  ["503", refuses(503)],
];

describe.each([
  ["kubernetes", "list pods"],
  ["kubernetes", "get deployment"],
  ["kubernetes", "get lease"],
  ["kubernetes", "create lease"],
  ["prometheus", "memory query"],
] as const)("a call to %s, `%s`,", { concurrent: true }, (server, call) => {
  it.each(PASSING)("is made again after %s, and the run goes on", async (_name, misbehave) => {
    await using scene = await startScene({ [server]: first(2, call, misbehave) });
    // Nothing to rotate: the run shall end there.
    scene.samples.clear();
    for (const { name } of scene.pods) scene.samples.set(name, { cpu: 1, lag: 1_000, rate: 100, memory: 1e8 });
    expect(await scene.run(LIVE)).toMatchObject({ exitCode: 0, reason: "balanced" });
    const tries = scene.calls(call).length;
    // Taking the Lease and giving it back are looks at it, too.
    expect(tries).toBe(call === "get lease" ? 4 : 3);
  });
});

/** The pauses, in milliseconds, between the requests of one call that always fails. */
async function pausesOf(misbehave: (now: Date) => Misbehaviour): Promise<number[]> {
  const times: Date[] = [];
  const noting: Script = (call) => {
    if (call !== "list pods") return undefined;
    const now = scene.clock.now();
    times.push(now);
    return misbehave(now);
  };
  await using scene = await startScene({ kubernetes: noting });
  await scene.compose(DRY);
  return times.slice(1).map((time, index) => time.getTime() - (times[index]?.getTime() ?? 0));
}

// On the scene's time: nothing passes but the pauses.
describe("the pause before the next attempt", { concurrent: true }, () => {
  it("grows, is at least half of its step and at most all of it, and is left to chance in between", async () => {
    const steps = [200, 400, 800, 1_600];
    const runs = await Promise.all(Array.from({ length: 6 }, () => pausesOf(() => refuses(503))));
    for (const pauses of runs) {
      expect(pauses).toHaveLength(steps.length);
      for (const [index, step] of steps.entries()) {
        expect(pauses[index]).toBeGreaterThanOrEqual(Math.floor(step / 2));
        expect(pauses[index]).toBeLessThanOrEqual(step);
      }
    }
    expect(new Set(runs.map(([pause]) => pause)).size).toBeGreaterThan(1);
  });

  it.each<[string, (now: Date) => string]>([
    ["seconds", () => "2"],
    ["a date", (now) => new Date(now.getTime() + 2_000).toUTCString()],
  ])("is as long as Retry-After says, in %s", async (_name, header) => {
    const [pause] = await pausesOf((now) =>
      refuses(429, "busy", { date: now.toUTCString(), "retry-after": header(now) }),
    );
    expect(pause).toBe(2_000);
  });
});

describe("a call that is given up", { concurrent: true }, () => {
  it("because the run is told to stop closes its connection", async () => {
    let closed = 0;
    const hanging = hangUntilClosed(() => (closed += 1));
    await using scene = await startScene({ prometheus: () => hanging });
    const stop = new AbortController();
    const run = scene.compose(LIVE, {}, stop.signal);
    await eventually(() => scene.prometheus.requests.length === 4);
    expect(closed).toBe(0);
    stop.abort(new RebalancerError("CANCELLED", "told to stop"));
    expect(await run).toMatchObject({ exitCode: 1, reason: "interrupted" });
    await eventually(() => closed === 4);
    expect(scene.removed()).toEqual([]);
  });

  it("because its deadline has passed closes its connection", async () => {
    let closed = 0;
    const hanging = hangUntilClosed(() => (closed += 1));
    await using scene = await startScene({ prometheus: on("rate query", hanging) });
    const ended = await scene.run(LIVE, { PROMETHEUS_TIMEOUT: "1s" });
    expect(ended).toMatchObject({ exitCode: 1, code: "DEADLINE_EXCEEDED" });
    await eventually(() => closed === 1);
  });

  it("because another query failed closes its connection, and the run ends at once", async () => {
    let closed = 0;
    const hanging = hangUntilClosed(() => (closed += 1));
    await using scene = await startScene({
      prometheus: (call) => (call === "cpu query" ? refuses(401) : hanging),
    });
    const ended = await scene.run(LIVE, { PROMETHEUS_TIMEOUT: "10m" });
    expect(ended).toMatchObject({ exitCode: 1, code: "UNAUTHORIZED" });
    await eventually(() => closed === scene.prometheus.requests.length - 1);
  });

  it("by the built product, too", async () => {
    let closed = 0;
    const hanging = hangUntilClosed(() => (closed += 1));
    await using scene = await startScene({ kubernetes: on("list pods", hanging) });
    const product = scene.start(LIVE);
    await eventually(() => scene.calls("list pods").length === 1);
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1, reason: "interrupted" });
    await eventually(() => closed === 1);
  });
});
