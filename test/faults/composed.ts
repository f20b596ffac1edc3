/**
 * The run in this process, put together as src/wire.ts does: for cases that need another clock, or that are too many for a
 * process each. Everything between the configuration and the servers is the product's own, HTTP included.
 */

import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createHttpClient } from "../../src/http.ts";
import { createKubernetesClient } from "../../src/kubernetes/client.ts";
import { createKubernetesCluster } from "../../src/kubernetes/cluster.ts";
import { dryRun } from "../../src/kubernetes/dry-run.ts";
import { eventSink } from "../../src/kubernetes/events.ts";
import { createMetricsSource } from "../../src/metrics/fetch.ts";
import type { Clock, Narrator } from "../../src/ports.ts";
import { createPrometheus } from "../../src/prometheus/client.ts";
import { rebalance } from "../../src/rebalance.ts";
import { type Ended, endedWith, type Environment, type LogLine } from "./product.ts";

export interface Composition {
  /** Of the run; the servers have their own. */
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** @param flags - behind `run`. */
export async function runComposed(
  kubernetes: URL,
  flags: readonly string[],
  env: Environment,
  { clock = systemClock, signal = new AbortController().signal }: Composition,
): Promise<Ended> {
  const config = await loadConfig("run", flags, { env, atTerminal: false });
  const { namespace, labelSelector } = config.kubernetes;
  using closing = new DisposableStack();
  const api = closing.adopt(createHttpClient({ url: kubernetes }), (http) => http.close());
  const engine = closing.adopt(createHttpClient(config.prometheus.endpoint), (http) => http.close());
  const client = createKubernetesClient(api);
  const live = createKubernetesCluster({ client, clock, namespace, labelSelector, holder: "composed" });
  const lines: LogLine[] = [];
  const ports = {
    cluster: config.dryRun ? dryRun(live) : live,
    metrics: createMetricsSource(createPrometheus(engine, config.prometheus), config.metrics),
    sinks: [eventSink(client, () => clock.now(), "composed")],
    clock,
    narrator: narratorInto(lines),
  };
  const identity = { runId: "composed", dryRun: config.dryRun, namespace, selector: labelSelector };
  const { exitCode } = await rebalance(identity, ports, config.policy, signal);
  return endedWith(exitCode, { lines, stdout: "", stderr: lines.map(({ msg }) => msg).join("\n") });
}

function narratorInto(lines: LogLine[]): Narrator {
  const teller =
    (level: string): Narrator["info"] =>
    (msg, fields = {}) =>
      void lines.push({ ...fields, level, msg });
  return { debug() {}, info: teller("info"), warn: teller("warn"), error: teller("error") };
}
