/** An in-memory metrics server: queries of the Prometheus HTTP API, answered by signal and not by evaluating PromQL. */

import type { Signal } from "../types.ts";
import { type Answer, type Loopback, type LoopbackOptions, type Received, startLoopback } from "./loopback.ts";

/** One row of a vector. The value is sent as Prometheus writes it, also where it is NaN or infinite. */
export interface MetricRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusServerOptions extends LoopbackOptions {
  /** Asked at each query. Rows of other pods than the query names may be among them: the caller joins. */
  readonly samples: (signal: Signal) => readonly MetricRow[];
  /** What a range query yields, as one series: busiest / mean at each of its steps, the oldest first. Nothing by default. */
  readonly history?: () => readonly number[];
  /** The evaluation time; the present by default. */
  readonly now?: () => Date;
}

/** The metric by which a query is known; what asks for none of them yields an empty vector. */
const METRICS: Readonly<Record<string, Signal>> = {
  container_cpu_usage_seconds_total: "cpu",
  container_memory_working_set_bytes: "memory",
  kafka_consumer_lag_sum: "lag",
  kafka_consumer_messages_consumed_total: "rate",
};

/** The signal that a request asks for; undefined for any other request. */
function signalAsked({ body, query }: Received): Signal | undefined {
  const promql = new URLSearchParams(body).get("query") ?? query.get("query") ?? "";
  return Object.entries(METRICS).find(([metric]) => promql.includes(metric))?.[1];
}

/** @see https://prometheus.io/docs/prometheus/latest/querying/api/ */
export function startPrometheusServer(options: PrometheusServerOptions): Promise<Loopback> {
  const { samples, history = () => [], now = () => new Date() } = options;

  function past(request: Received): Answer {
    const form = new URLSearchParams(request.body);
    const [start = 0, step = 0] = ["start", "step"].map((name) => Number(form.get(name)));
    const values = history().map((value, index) => [start + index * step, written(value)]);
    const result = values.length === 0 ? [] : [{ metric: {}, values }];
    return { status: 200, body: { status: "success", data: { resultType: "matrix", result } } };
  }

  function answer(request: Received): Answer {
    if (request.path.endsWith("/api/v1/query_range")) return past(request);
    if (!request.path.endsWith("/api/v1/query")) return { status: 404, body: { status: "error", error: "not found" } };
    const signal = signalAsked(request);
    const time = now().getTime() / 1_000;
    const result = (signal === undefined ? [] : samples(signal)).map(({ labels, value }) => ({
      metric: labels,
      value: [time, written(value)],
    }));
    return { status: 200, body: { status: "success", data: { resultType: "vector", result } } };
  }

  return startLoopback(answer, options);
}

/** As Go writes a float. */
function written(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
