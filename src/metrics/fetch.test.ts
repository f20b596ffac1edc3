import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import { type Answer, eventually, startLoopback } from "../../test/fakes/loopback.ts";
import { createHttpClient } from "../http.ts";
import { createPrometheus, type Prometheus } from "../prometheus/client.ts";
import type { Sample } from "../prometheus/parse.ts";
import type { PodInfo } from "../types.ts";
import { createMetricsSource, joinToPods } from "./fetch.ts";
import type { MetricsOptions } from "./queries.ts";

const NEVER = new AbortController().signal;
const OPTIONS: MetricsOptions = {
  namespace: "shop",
  profile: "seed",
  group: undefined,
  assignor: undefined,
  queries: { cpu: "CPU", lag: "LAG", rate: "RATE", memory: "MEMORY" },
  matchers: "",
  replicaLabels: ["replica"],
  windowSeconds: 300,
  stalenessSeconds: 120,
};

const CLIENT = { timeoutMillis: 60_000, now: () => new Date(0), toleranceSeconds: 120 };

function pod(name: string): PodInfo {
  return {
    namespace: "shop",
    name,
    uid: name,
    controller: { kind: "ReplicaSet", name: "x", uid: "x" },
    namePrefix: "x-",
    node: undefined,
    ip: undefined,
    created: new Date(0),
    terminating: false,
    readySince: undefined,
    exempt: false,
    graceSeconds: 30,
  };
}

function row(name: string, value: number, labels: Record<string, string> = {}): Sample {
  return { labels: { pod: name, ...labels }, value };
}

describe("joinToPods", () => {
  const pods = [pod("a"), pod("b"), pod("c")];

  it("keeps the pods that Kubernetes lists, and drops all others", () => {
    const { values, rejected } = joinToPods([row("a", 1), row("gone", 2), row("b", 0)], pods, "cpu query");
    expect([...values]).toEqual([
      ["a", 1],
      ["b", 0],
    ]);
    expect(rejected).toEqual([]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -1e-12])("rejects %d by name", (bad) => {
    const { values, rejected } = joinToPods([row("a", bad), row("b", 1), row("gone", bad)], pods, "cpu query");
    expect([...values.keys()]).toEqual(["b"]);
    expect(rejected).toEqual(["a"]);
  });

  it("refuses two rows for a pod of the list, and names what tells them apart", () => {
    const rows = [row("a", 1, { cluster: "eu" }), row("a", Number.NaN, { cluster: "us" })];
    expect(() => joinToPods(rows, pods, "lag query")).toThrow(
      expect.objectContaining({
        code: "METRIC_AMBIGUOUS",
        message: 'lag query: pod a has two rows, {pod="a", cluster="eu"} and {pod="a", cluster="us"}, expected one',
        advice: expect.stringContaining("PROMETHEUS_MATCHERS"),
      }),
    );
    expect(joinToPods([row("gone", 1), row("gone", 2)], pods, "lag query").values.size).toBe(0);
  });

  it.each<[Record<string, string>, string]>([
    [{}, "{}"],
    [{ pod: "", job: "x" }, '{pod="", job="x"}'],
    [{ pod_name: "a" }, '{pod_name="a"}'],
  ])("refuses a row without a pod label: %j", (labels, shown) => {
    expect(() => joinToPods([{ labels, value: 1 }], pods, "lag query")).toThrow(
      expect.objectContaining({ code: "METRIC_INVALID", message: `lag query: a row has no pod label but ${shown}` }),
    );
  });

  it("refuses clients that a query shows to be indistinct, of its own pods only, and drops such rows", () => {
    const blurred = (name: string, consumer: string) => row(name, 1, { consumer, indistinct_client: "true" });
    const rows = [row("a", 1), blurred("a", "x"), blurred("a", "y")];
    expect(() => joinToPods(rows, pods, "rate query")).toThrow(
      expect.objectContaining({
        code: "METRIC_AMBIGUOUS",
        message:
          'rate query: two clients of pod a have none of the labels client_id, clientid, clientId to be told apart by: {pod="a", consumer="x"} and {pod="a", consumer="y"}',
      }),
    );
    const others = [row("a", 1), blurred("gone", "x"), blurred("gone", "y")];
    expect([...joinToPods(others, pods, "rate query").values]).toEqual([["a", 1]]);
  });

  it("gives each pod at most one verdict, and no value that is not finite and >= 0", () => {
    const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "gone", "x"));
    fc.assert(
      fc.property(names, fc.array(fc.double(), { minLength: 5, maxLength: 5 }), (found, numbers) => {
        const rows = found.map((name, index) => row(name, numbers[index] ?? 0));
        const { values, rejected } = joinToPods(rows, pods, "cpu query");
        for (const value of values.values()) expect(Number.isFinite(value) && value >= 0).toBe(true);
        const listed = found.filter((name) => pods.some((each) => each.name === name));
        expect([...values.keys(), ...rejected].toSorted()).toEqual(listed.toSorted());
      }),
    );
  });
});

function answering(rows: Readonly<Record<string, Sample[]>>, asked: string[] = []): Pick<Prometheus, "query"> {
  return {
    query(what, promql) {
      asked.push(`${what}: ${promql}`);
      return Promise.resolve(rows[promql] ?? []);
    },
  };
}

describe("createMetricsSource", () => {
  it("asks one query for each signal and gives each its own samples", async () => {
    const asked: string[] = [];
    const prometheus = answering({ CPU: [row("a", 1)], LAG: [row("a", -1)], RATE: [row("a", 3)], MEMORY: [] }, asked);
    const signals = await createMetricsSource(prometheus, OPTIONS).fetch([pod("a")], NEVER);
    expect(asked).toEqual(["cpu query: CPU", "lag query: LAG", "rate query: RATE", "memory query: MEMORY"]);
    expect(signals.cpu?.values.get("a")).toBe(1);
    expect(signals.lag?.rejected).toEqual(["a"]);
    expect(signals.rate?.values.get("a")).toBe(3);
    expect(signals.memory).toEqual({ values: new Map(), rejected: [] });
  });

  it("does not ask for a signal that is left out", async () => {
    const asked: string[] = [];
    const options = { ...OPTIONS, queries: { ...OPTIONS.queries, lag: "none", rate: "none" } };
    const signals = await createMetricsSource(answering({}, asked), options).fetch([pod("a")], NEVER);
    expect(asked).toEqual(["cpu query: CPU", "memory query: MEMORY"]);
    expect(signals.lag).toBeUndefined();
    expect(signals.rate).toBeUndefined();
    expect(signals.cpu).toBeDefined();
  });

  it("asks nothing when there are no pods", async () => {
    const asked: string[] = [];
    const signals = await createMetricsSource(answering({}, asked), OPTIONS).fetch([], NEVER);
    expect(asked).toEqual([]);
    expect(signals.cpu?.values.size).toBe(0);
  });
});

describe("on a server", () => {
  const stack: (() => unknown)[] = [];
  afterEach(async () => {
    for (const dispose of stack.splice(0).toReversed()) await dispose();
  });

  async function sourceOn(answerTo: (promql: string) => Answer | Promise<Answer>) {
    const server = await startLoopback(({ body }) => answerTo(new URLSearchParams(body).get("query") ?? ""));
    const http = createHttpClient({ url: new URL(server.url) });
    stack.push(
      () => server[Symbol.asyncDispose](),
      () => http.close(),
    );
    return { server, source: createMetricsSource(createPrometheus(http, CLIENT), OPTIONS) };
  }

  it("sends all queries at the same time", async () => {
    const waiting: (() => void)[] = [];
    const { source } = await sourceOn(async () => {
      // Nobody is answered before all have asked.
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 4) for (const go of waiting) go();
      });
      return { body: { status: "success", data: { resultType: "vector", result: [] } } };
    });
    await expect(source.fetch([pod("a")], NEVER)).resolves.toBeDefined();
  });

  it("fails with the first failure, and leaves no connection of the others open", async () => {
    const { server, source } = await sourceOn((promql) =>
      promql === "LAG" ? { status: 400, body: { status: "error", error: "no such function" } } : "hang",
    );
    await expect(source.fetch([pod("a")], NEVER)).rejects.toMatchObject({
      code: "QUERY_FAILED",
      message: expect.stringMatching(/^lag query .*no such function; the query: LAG$/),
    });
    // The connection of the failed query itself is kept for the next.
    await eventually(() => server.connections.open <= 1);
  });

  it("ends all queries when it is cancelled", async () => {
    const { server, source } = await sourceOn(() => "hang");
    const stop = new AbortController();
    const fetched = source.fetch([pod("a")], stop.signal);
    await eventually(() => server.received.length === 4);
    stop.abort();
    await expect(fetched).rejects.toMatchObject({ code: "CANCELLED" });
    await eventually(() => server.connections.open === 0);
  });
});

/** A search with matchers on a server that finds this, and the log of what it was asked. */
function serverThat(finds: (promql: string) => Sample[]) {
  const log: string[] = [];
  const query = async (what: string, promql: string) => {
    const scope = promql.includes('cluster="eu"') ? "ours" : "all";
    log.push(`${what} of ${scope}`);
    await Promise.resolve();
    log.push(`${what} done`);
    return finds(promql);
  };
  return { log, source: createMetricsSource({ query }, { ...OPTIONS, queries: {}, matchers: 'cluster="eu"' }) };
}

describe("a search", () => {
  it("asks for one signal after the other, and keeps to the matchers where that finds anything", async () => {
    const { log, source } = serverThat(() => [{ labels: { __name__: "kafka_consumer_lag" }, value: 1 }]);
    const clues = await source.searchFor?.(["lag", "cpu"], [pod("a")], NEVER);
    expect(clues).toHaveLength(2);
    expect(log).toEqual(["lag search of ours", "lag search done", "cpu search of ours", "cpu search done"]);
  });

  it("leaves the matchers out where nothing is found with them", async () => {
    const found = { labels: { __name__: "kafka_consumer_lag_sum", found_under: "pod", namespace: "shop" }, value: 3 };
    const { log, source } = serverThat((promql) => (promql.includes('cluster="eu"') ? [] : [found]));
    const clues = await source.searchFor?.(["lag"], [pod("a")], NEVER);
    expect(clues?.[0]).toMatch(/PROMETHEUS_MATCHERS leaves them out/);
    expect(log).toEqual(["lag search of ours", "lag search done", "lag search of all", "lag search done"]);
  });
});
