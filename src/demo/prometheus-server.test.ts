import { describe, expect, it } from "vitest";

import { createHttpClient } from "../http.ts";
import { createMetricsSource } from "../metrics/fetch.ts";
import { createPrometheus } from "../prometheus/client.ts";
import { SIGNALS, type PodInfo } from "../types.ts";
import { startPrometheusServer } from "./prometheus-server.ts";

const OPTIONS = {
  namespace: "shop",
  profile: "seed",
  group: undefined,
  assignor: undefined,
  queries: {},
  matchers: "",
  replicaLabels: ["replica"],
  windowSeconds: 300,
  stalenessSeconds: 120,
} as const;

describe("the simulated Prometheus", () => {
  it("recognises the product's own query for each signal", async () => {
    await using server = await startPrometheusServer({
      samples: (signal) => [{ labels: { pod: "orders-0" }, value: SIGNALS.indexOf(signal) }],
    });
    const http = createHttpClient({ url: server.url });
    const source = createMetricsSource(
      createPrometheus(http, { timeoutMillis: 5_000, now: () => new Date(), toleranceSeconds: 120 }),
      OPTIONS,
    );
    const pod = { name: "orders-0", namePrefix: "orders-", controller: { kind: "StatefulSet" } } as PodInfo;
    const signals = await source.fetch([pod], new AbortController().signal);
    http.close();
    expect(SIGNALS.map((signal) => signals[signal]?.values.get("orders-0"))).toEqual([0, 1, 2, 3]);
    expect(server.requests).toHaveLength(4);
  });

  it("answers GET, writes values as Prometheus does, and knows nothing else", async () => {
    const values = [0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    await using server = await startPrometheusServer({
      samples: () => values.map((value, index) => ({ labels: { pod: `p${index}` }, value })),
      now: () => new Date(1_000),
    });
    const ask = async (path: string) => (await fetch(new URL(path, server.url))).json();
    expect(await ask("/api/v1/query?query=kafka_consumer_lag_sum")).toEqual({
      status: "success",
      data: {
        resultType: "vector",
        result: ["0.5", "NaN", "+Inf", "-Inf"].map((text, index) => ({
          metric: { pod: `p${index}` },
          value: [1, text],
        })),
      },
    });
    expect(await ask("/api/v1/query?query=up")).toMatchObject({ data: { result: [] } });
    expect((await fetch(new URL("/graph", server.url))).status).toBe(404);
  });
});
