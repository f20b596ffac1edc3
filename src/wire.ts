/** The composition root: puts one run together from its configuration. */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

import { systemClock } from "./clock.ts";
import { type Config, loadConfig } from "./config/load.ts";
import type { RebalanceOnce } from "./demo/demo.ts";
import { asRebalancerError } from "./errors.ts";
import { createHttpClient, type HttpClient, type HttpEndpoint } from "./http.ts";
import { createKafkaGroupSource } from "./kafka/admin/source.ts";
import { createKubernetesClient } from "./kubernetes/client.ts";
import { createKubernetesCluster } from "./kubernetes/cluster.ts";
import { type KubernetesEndpoint, loadEndpoint } from "./kubernetes/credentials.ts";
import { dryRun } from "./kubernetes/dry-run.ts";
import { eventSink } from "./kubernetes/events.ts";
import { withServerTime } from "./kubernetes/server-time.ts";
import { createNarrator, linesTo } from "./logging/logger.ts";
import { pushSink } from "./logging/push.ts";
import { maskedNarrator, maskedSinks } from "./masking/exits.ts";
import { createMasker, type Masker } from "./masking/masker.ts";
import { kafkaSecrets } from "./masking/secrets.ts";
import { createMetricsSource } from "./metrics/fetch.ts";
import { createMetricsGroupSource } from "./metrics/group.ts";
import { createHistorySource } from "./metrics/history.ts";
import { outputSink } from "./output/report.ts";
import { colourWanted, columnsOf } from "./output/terminal.ts";
import type { Clock, Cluster, Narrator, Sink } from "./ports.ts";
import { createPrometheus, type Prometheus } from "./prometheus/client.ts";
import { rebalance } from "./rebalance.ts";
import type { RunIdentity, RunReport } from "./types.ts";

/** What a run knows of its process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Stands before all that is written. */
  readonly masker: Masker;
}

/** How a run waits, and how it reaches its servers. */
export interface Outside {
  readonly clock: Clock;
  readonly connect: (endpoint: HttpEndpoint, masker: Masker) => HttpClient;
}

const OUTSIDE: Outside = {
  clock: systemClock,
  connect: (endpoint, masker) => createHttpClient(endpoint, systemClock, masker),
};

/**
 * One run against a real cluster, with log, Event and the wanted output.
 *
 * @param outside - the machine's own by default.
 */
export async function runOnce(
  config: Config,
  { env, stdout, stderr, masker }: Surroundings,
  signal: AbortSignal,
  outside = OUTSIDE,
): Promise<RunReport> {
  const run = identityOf(config);
  instruct(masker, config);
  const destination = linesTo(stderr);
  const log = maskedNarrator(createNarrator({ level: config.logLevel, run, destination }), masker);
  const narrator = config.output === "table" && stderr.isTTY ? butForTheEnd(log) : log;
  const { otherFlags } = config;
  const style = { columns: columnsOf(stdout, env), colour: colourWanted(stdout, env), otherFlags };
  const output = outputSink(config.output, { stdout, policy: config.policy, ...style });
  const receiver = config.push && outside.connect(config.push, masker);
  const push = receiver && config.push && pushSink(receiver, config.push.url, config.policy);
  const sinks = push ? [output, push] : [output];
  const parts = { ...outside, config, run, masker, narrator, sinks };
  const request = { context: config.kubernetes.context, env };
  try {
    const found = await loadEndpoint(request, signal).catch(asRebalancerError);
    if (found instanceof Error) return await unreachable(found, parts, signal);
    tellEndpoint(found, narrator);
    return await rebalanceAt(found.endpoint, parts, signal);
  } finally {
    receiver?.close();
  }
}

function tellEndpoint(
  { endpoint, source, context, identity, anonymous }: KubernetesEndpoint,
  narrator: Narrator,
): void {
  narrator.debug(`The Kubernetes API is at ${endpoint.url.origin} (${context ?? source}, ${identity}).`);
  if (anonymous) narrator.warn(`Nothing proves to the Kubernetes API who we are: ${identity} has no credentials.`);
}

/** Of what the run is openly about, and of what proves who we are to brokers; who connects to a server teaches it the rest. */
function instruct(masker: Masker, { kubernetes, kafka }: Config): void {
  const { namespace, labelSelector, context } = kubernetes;
  // "k8s-aws-v1." begins every token of EKS.
  masker.show(["pod-rebalancer", "k8s-aws-v1.", namespace, labelSelector, context ?? "", kafka?.group ?? ""]);
  if (kafka) masker.learn(kafkaSecrets(kafka.security));
}

/** At a terminal the table says how the run ended; the log need not say it again. */
function butForTheEnd(narrator: Narrator): Narrator {
  return {
    ...narrator,
    error: (sentence, fields) => {
      if (fields?.["step"] !== "report") narrator.error(sentence, fields);
    },
  };
}

/** One run of the demo: live, with the defaults, on the simulated servers. */
export const runDemoOnce = demoRunner(OUTSIDE.connect);

/** The same by other connections. */
export function demoRunner(connect: Outside["connect"]): RebalanceOnce {
  return async ({ kubernetes, prometheus, namespace, labelSelector }, clock, narrator, signal) => {
    const args = ["-n", namespace, "-l", labelSelector, "--prometheus-endpoint", prometheus.href, "--no-dry-run"];
    const config = await loadConfig("run", args, { env: {} });
    const parts = { connect, clock, config, run: identityOf(config), masker: createMasker(), narrator, sinks: [] };
    return await rebalanceAt({ url: kubernetes }, parts, signal);
  };
}

/** What a run is put together from, besides the servers. */
export interface Parts extends Outside {
  readonly config: Config;
  readonly run: RunIdentity;
  readonly masker: Masker;
  readonly narrator: Narrator;
  readonly sinks: readonly Sink[];
}

/** One run, put together: everything between its configuration and the servers. */
async function rebalanceAt(kubernetes: HttpEndpoint, parts: Parts, signal: AbortSignal): Promise<RunReport> {
  const { config, run, masker, clock, connect, narrator } = parts;
  const { namespace, labelSelector } = config.kubernetes;
  const api = connect(kubernetes, masker);
  const engine = connect(config.prometheus.endpoint, masker);
  try {
    const client = createKubernetesClient(api, clock);
    const holder = `${hostname()}_${run.runId}`;
    const live = createKubernetesCluster({ client, clock, namespace, labelSelector, holder });
    const { cluster, now } = withServerTime(config.dryRun ? dryRun(live, clock) : live, clock);
    const toleranceSeconds = config.metrics.stalenessSeconds;
    const prometheus = createPrometheus(engine, { ...config.prometheus, now, toleranceSeconds, narrator });
    const metrics = createMetricsSource(prometheus, config.metrics);
    const forecast = config.policy.strategy === "forecast" && forecastPorts(config, prometheus, { clock, now });
    const event = eventSink(client, () => clock.now(), holder);
    const sinks = maskedSinks([...parts.sinks, event], masker);
    const ports = { cluster, metrics, ...forecast, clock, narrator, sinks };
    return await rebalance(run, ports, config.policy, signal);
  } finally {
    api.close();
    engine.close();
  }
}

/** Between the two looks at the offsets from which a partition's rate comes. */
const SAMPLE_MILLIS = 10_000;

/** Where the consumer group is read from, the most trusted first, and its past. */
function forecastPorts({ kafka, metrics }: Config, prometheus: Prometheus, { clock, now }: Times) {
  const name = metrics.profile === "kafka-lag-exporter" ? "exporter" : "client-metrics";
  const fromMetrics = createMetricsGroupSource(prometheus, metrics, name);
  const fromKafka = kafka && createKafkaGroupSource({ ...kafka, sampleMillis: SAMPLE_MILLIS, clock });
  const groups = fromKafka ? [fromKafka, fromMetrics] : [fromMetrics];
  return { groups, history: createHistorySource(prometheus, metrics, { now }) };
}

/** Our own time, to wait by, and the API server's. */
interface Times {
  readonly clock: Clock;
  readonly now: () => Date;
}

/** A run that never gets to see its cluster is reported like any other. */
function unreachable(error: Error, parts: Parts, signal: AbortSignal): Promise<RunReport> {
  const fail = async () => {
    throw error;
  };
  const cluster: Cluster = { observe: fail, lock: fail, evict: fail };
  const sinks = maskedSinks(parts.sinks, parts.masker);
  return rebalance(parts.run, { ...parts, sinks, cluster, metrics: { fetch: fail } }, parts.config.policy, signal);
}

function identityOf({ dryRun: dry, kubernetes: { namespace, labelSelector } }: Config): RunIdentity {
  return { runId: randomUUID(), dryRun: dry, namespace, selector: labelSelector };
}
