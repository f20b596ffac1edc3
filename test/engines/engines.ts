import { afterAll, beforeAll, expect } from "vitest";

import { createHttpClient } from "../../src/http.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import { createMetricsSource } from "../../src/metrics/fetch.ts";
import { createMetricsGroupSource } from "../../src/metrics/group.ts";
import type { MetricsOptions } from "../../src/metrics/queries.ts";
import { createPrometheus, type Prometheus } from "../../src/prometheus/client.ts";
import type { PodInfo, Signals, SignalSamples } from "../../src/types.ts";
import { METRICS_OPTIONS } from "../fakes/metrics-options.ts";
import {
  type BackfillSeries,
  enginesMissing,
  type MetricsServer,
  startPrometheus,
  startVictoriaMetrics,
} from "../harness/prometheus.ts";
import { type Expectation, NAMESPACE } from "./cases.ts";
import { addressOf } from "./series.ts";

/** Why the suites below are skipped; undefined: all engines are there. Said aloud, because a skip is easily overlooked. */
export const missing = enginesMissing();
if (missing !== undefined) process.stderr.write(`Skipped, not tested: ${missing}\n`);

const NEVER = new AbortController().signal;

export const KINDS = ["prometheus", "victoriametrics"] as const;

/**
 * Starts both engines before the tests of this suite, with the same series in them, and ends them after.
 *
 * @returns where the one of this kind is, while the tests run.
 */
export function useEngines(backfill: readonly BackfillSeries[]): (kind: string) => string {
  const servers = new Map<string, MetricsServer>();
  beforeAll(async () => {
    const started = await Promise.all([startPrometheus({ backfill }), startVictoriaMetrics({ backfill })]);
    for (const server of started) servers.set(server.kind, server);
  });
  afterAll(async () => {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  });
  return (kind) => servers.get(kind)?.url ?? "";
}

/** A client of the product that asks for one moment; the time is a parameter of the endpoint's own URL. */
export async function withClient<Value>(
  url: string,
  time: number | undefined,
  use: (prometheus: Prometheus) => Promise<Value>,
): Promise<Value> {
  const http = createHttpClient({ url: new URL(time === undefined ? url : `${url}?time=${time}`) });
  try {
    const now = () => new Date(time === undefined ? Date.now() : time * 1_000);
    return await use(createPrometheus(http, { timeoutMillis: 30_000, now, toleranceSeconds: 120 }));
  } finally {
    http.close();
  }
}

/** What the product knows of these pods. */
export function fetchSignals(
  engine: { readonly url: string; readonly time?: number },
  pods: readonly PodInfo[],
  changes: Partial<MetricsOptions> = {},
): Promise<Signals> {
  return withClient(engine.url, engine.time, (prometheus) =>
    createMetricsSource(prometheus, { ...METRICS_OPTIONS, ...changes }).fetch(pods, NEVER),
  );
}

/** Who owns what, as the product knows it. */
export function readGroup(
  engine: { readonly url: string; readonly time?: number },
  pods: readonly PodInfo[],
  changes: Partial<MetricsOptions> = {},
): Promise<ConsumerGroup | undefined> {
  const options = { ...METRICS_OPTIONS, ...changes };
  const name = options.profile === "kafka-lag-exporter" ? "exporter" : "client-metrics";
  return withClient(engine.url, engine.time, (prometheus) =>
    createMetricsGroupSource(prometheus, options, name).read(pods, NEVER),
  );
}

/** The pods of a query's rows, those of strangers too. */
export function podsOfRows(
  engine: { readonly url: string; readonly time?: number },
  promql: string,
): Promise<string[]> {
  return withClient(engine.url, engine.time, async (prometheus) => {
    const rows = await prometheus.query("test query", promql, NEVER);
    return rows.map(({ labels }) => labels["pod"] ?? "").toSorted();
  });
}

export function podInfo(name: string, namePrefix: string, kind = "ReplicaSet", namespace = NAMESPACE): PodInfo {
  return {
    namespace,
    name,
    uid: name,
    controller: { kind, name: namePrefix.replace(/-$/, ""), uid: "controller" },
    namePrefix,
    node: "node-1",
    ip: addressOf({ namespace, pod: name }),
    created: new Date(0),
    terminating: false,
    readySince: new Date(0),
    exempt: false,
    graceSeconds: 30,
  };
}

/** What is known of one pod. */
export function told(samples: SignalSamples | undefined, pod: string): Expectation {
  if (samples?.rejected.includes(pod)) return "rejected";
  return samples?.values.get(pod) ?? "none";
}

/** Within 1 %, or the same word. */
export function expectClose(found: Expectation, expected: Expectation): void {
  if (typeof found !== "number" || typeof expected !== "number") {
    expect(found).toBe(expected);
    return;
  }
  expect(Math.abs(found - expected), `${found} for ${expected}`).toBeLessThanOrEqual(0.01 * expected);
}
