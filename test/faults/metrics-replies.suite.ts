/** Replies of the metrics server that are of another time than the one asked about, or not whole. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { altered, refuses, says } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Script, startScene } from "./scene.ts";

const DAY = 86_400;

interface Row {
  readonly metric: object;
  readonly value: readonly [number, string];
}

/** The vector that the server would answer with, each row changed. */
function rows(change: (row: Row, index: number) => Row): Misbehaviour {
  return altered((body) => {
    const { data } = body as { data: { result: readonly Row[] } };
    return { ...body, data: { ...data, result: data.result.map(change) } };
  });
}

/** The same samples as a range of each series, the last of them this old. */
function rangeEnding(secondsAgo: number): Misbehaviour {
  return altered((body) => {
    const { data } = body as { data: { result: readonly Row[] } };
    const result = data.result.map(({ metric, value: [time, value] }) => ({
      metric,
      values: [60, 30, 0].map((before) => [time - secondsAgo - before, value]),
    }));
    return { ...body, data: { resultType: "matrix", result } };
  });
}

function evaluated(seconds: number, which = (_index: number) => true): Misbehaviour {
  return rows(({ metric, value: [time, value] }, index) => ({
    metric,
    value: [which(index) ? time + seconds : time, value],
  }));
}

/** The right answer under another status, as a proxy may have it. */
function withStatus(status: number): Misbehaviour {
  return (response, honest) => says(status, honest().body)(response, honest);
}

describe("a reply of the metrics server that was evaluated at another time", { concurrent: true }, () => {
  it.each([
    ["24 h ago", evaluated(-DAY)],
    ["24 h ahead", evaluated(DAY)],
    ["24 h ago in one row", evaluated(-DAY, (index) => index === 3)],
    ["beyond what a date can hold", evaluated(1e300)],
  ])("%s, fails the run, and says both times", async (_name, misbehave) => {
    for (const signal of ["cpu", "memory"]) {
      await using scene = await startScene({ prometheus: on(`${signal} query`, misbehave) });
      const ended = await scene.run(LIVE);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "QUERY_MISTIMED" });
      expect(ended.said).toMatch(new RegExp(`${signal} query: it was evaluated at .*, expected from 20.*Z to 20.*Z`));
      expect(ended.said).toMatch(/clocks of the metrics server and of the Kubernetes API server/);
      expect(scene.removed()).toEqual([]);
    }
  });

  it("because the address itself asks for another time, fails the built product", async () => {
    await using scene = await startScene({ prometheus: on("lag query", evaluated(-DAY)) });
    expect(await scene.run(LIVE)).toMatchObject({ exitCode: 1, code: "QUERY_MISTIMED" });
    expect(scene.removed()).toEqual([]);
  });

  it("as a range whose last sample is 50 minutes old, counts for nothing", async () => {
    await using scene = await startScene({ prometheus: on("lag query", rangeEnding(3_000)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 4, reason: "insufficient_metrics" });
    expect(ended.said).toMatch(/lag 0\/6/);
    expect(scene.removed()).toEqual([]);
  });

  it("as a range whose last sample is of now, counts", async () => {
    await using scene = await startScene({ prometheus: on("lag query", rangeEnding(15)) });
    expect(await scene.run(["run", "--dry-run"])).toMatchObject({ reason: "would_rotate" });
  });

  it("is judged by Kubernetes' time, not by ours", async () => {
    await using scene = await startScene({ skewMillis: 2 * DAY * 1_000 });
    expect(await scene.run(["run", "--dry-run"])).toMatchObject({ reason: "would_rotate" });
  });
});

describe("a reply of the metrics server that is not whole", { concurrent: true }, () => {
  it.each([true, "true", 1, "1", "yes", {}, [1]])("with isPartial %j fails the run", async (isPartial) => {
    const misbehave = altered((body) => ({ ...body, isPartial }));
    await using scene = await startScene({ prometheus: on("cpu query", misbehave) });
    expect(await scene.run(LIVE)).toMatchObject({ exitCode: 1, code: "QUERY_INCOMPLETE" });
    expect(scene.removed()).toEqual([]);
  });

  it.each([201, 202, 203, 206, 226])("with HTTP %d fails the run, and says so", async (status) => {
    await using scene = await startScene({ prometheus: on("cpu query", withStatus(status)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_INVALID" });
    expect(ended.said).toMatch(new RegExp(`cpu query: HTTP ${status}, expected 200.*not of a proxy`));
    expect(scene.removed()).toEqual([]);
  });

  it.each([204, 205])("with HTTP %d and nothing in it fails the run", async (status) => {
    await using scene = await startScene({ prometheus: on("cpu query", says(status, "")) });
    expect(await scene.run(LIVE)).toMatchObject({ exitCode: 1, code: "REPLY_INVALID" });
    expect(scene.removed()).toEqual([]);
  });
});

/** Asked with this strategy only, where the partitions' rates are not known. */
describe("the past of another time", { concurrent: true }, () => {
  it.each([-30 * DAY, 30 * DAY])("by %d s fails the run", async (seconds) => {
    const misbehave = altered((body) => {
      const { data } = body as { data: { result: readonly { metric: object; values: [number, string][] }[] } };
      const result = data.result.map(({ metric, values }) => ({
        metric,
        values: values.map(([time, value]) => [time + seconds, value]),
      }));
      return { ...body, data: { ...data, result } };
    });
    const history = Array.from({ length: 300 }, () => 1.1);
    await using scene = await startScene({ history, prometheus: on("history query", misbehave) });
    const ended = await scene.run(LIVE, { STRATEGY: "forecast" });
    expect(ended).toMatchObject({ exitCode: 1, code: "QUERY_MISTIMED" });
    expect(ended.said).toMatch(/history query: a sample is of .*, expected from 20.*Z to 20.*Z/);
    expect(scene.removed()).toEqual([]);
  });
});

/** A proxy that lets only GET through. */
const onlyGet =
  (misbehave: Misbehaviour): Script =>
  (_call, _nth, { method }) =>
    method === "POST" ? misbehave : undefined;

const letsNothingThrough: Script = (_call, _nth, { method }) => refuses(method === "GET" ? 414 : 405, `no ${method}`);

describe("a proxy before the metrics server", { concurrent: true }, () => {
  it.each([403, 405, 501])("that answers POST with %d is asked by GET", async (status) => {
    await using scene = await startScene({ prometheus: onlyGet(refuses(status)) });
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    for (const signal of ["cpu", "lag", "rate", "memory"]) {
      expect(scene.calls(`${signal} query`).map(({ method }) => method)).toContain("GET");
    }
  });

  it("that lets neither POST nor GET through is told with both", async () => {
    await using scene = await startScene({ prometheus: letsNothingThrough });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REQUEST_REJECTED" });
    expect(ended.said).toMatch(
      /\(GET .*HTTP 414: no GET; .*too long here; expected a server that takes POST.*HTTP 405: no POST/,
    );
    expect(scene.removed()).toEqual([]);
  });
});

/** Rows of six series each, of the present. */
function found(...metrics: readonly object[]): Misbehaviour {
  const result = metrics.map((metric) => ({ metric, value: [new Date().getTime() / 1_000, "6"] }));
  return says(200, { status: "success", data: { resultType: "vector", result } });
}

/** The search for what a profile's query does not find. */
const SEARCH = "another query";

describe("metrics that are not where they are looked for", { concurrent: true }, () => {
  const lagElsewhere = { __name__: "kafka_consumer_lag_sum", found_under: "exported_pod", namespace: "monitoring" };

  it.each([["table"], ["json"]])("are named, with what was looked for and what to set: %s", async (output) => {
    await using scene = await startScene({ prometheus: on(SEARCH, found(lagElsewhere)) });
    scene.samples.forEach((one, pod) => scene.samples.set(pod, { ...one, lag: undefined } as never));
    const ended = await scene.run(["plan", "--output", output]);
    expect(ended.exitCode).toBe(4);
    const text = ended.stdout.replaceAll(/\s+/g, " ");
    expect(text).toContain("lag: profile seed looks for kafka_consumer_lag_sum with namespace=");
    expect(text).toContain(
      "6 series of it name these pods in the label exported_pod: scrape it with honor_labels: true",
    );
    // It is what runs already.
    expect(`${ended.stdout}${ended.stderr}`).not.toContain("`pod-rebalancer plan`");
    expect(scene.calls(SEARCH)).toHaveLength(1);
    // Without the namespace and the matchers, by which they may be missed.
    const [search] = scene.calls(SEARCH);
    expect(new URLSearchParams(search?.body).get("query")).not.toMatch(/namespace="/);
  });

  it.each([
    ["is refused", says(422, { status: "error", error: "too many series" }), /too many series/],
    ["is not understood", says(200, "<html>"), /is no JSON object/],
  ])("leave the reason as it is where the search %s", async (_name, misbehave, words) => {
    await using scene = await startScene({ prometheus: on(SEARCH, misbehave) });
    scene.samples.clear();
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 4, reason: "insufficient_metrics" });
    expect(ended.said).toMatch(/what the metrics server has instead is not known/);
    expect(ended.said).toMatch(words);
  });

  it("cost a run nothing that finds its metrics, or holds for another reason", async () => {
    await using scene = await startScene();
    expect(await scene.compose(["run", "--dry-run"])).toMatchObject({ reason: "would_rotate" });
    scene.samples.forEach((one, pod) => scene.samples.set(pod, { ...one, cpu: Number.NaN }));
    expect(await scene.compose(["run", "--dry-run"])).toMatchObject({ reason: "insufficient_metrics" });
    expect(scene.calls(SEARCH)).toEqual([]);
  });

  it("can be looked for by hand: each query is in the log at level debug", async () => {
    await using scene = await startScene();
    const { stderr } = await scene.run(["run", "--dry-run", "--log-level", "debug"]);
    for (const signal of ["cpu", "lag", "rate", "memory"]) {
      expect(stderr).toMatch(
        new RegExp(`"level":"debug".*The metrics server is asked the ${signal} query: .*namespace=`),
      );
    }
    const quiet = await scene.run(["run", "--dry-run"]);
    expect(quiet.stderr).not.toContain("is asked the");
  });
});
