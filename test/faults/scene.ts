/** A consumer group on the demo's servers, which go wrong as a test says, and the product that is pointed at them. */

import type { StdioOptions } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startKubernetesServer } from "../../src/demo/kubernetes-server.ts";
import type { Loopback, LoopbackOptions, Misbehaviour, Received } from "../../src/demo/loopback.ts";
import { type MetricRow, startPrometheusServer } from "../../src/demo/prometheus-server.ts";
import type { WireLease } from "../../src/kubernetes/client.ts";
import type { Clock } from "../../src/ports.ts";
import {
  addWorkload,
  createWorld,
  type KubernetesWorld,
  livingPods,
  type SimulatedPod,
  type SimulatedWorkload,
} from "../../src/simulation/kubernetes-world.ts";
import type { Signal } from "../../src/types.ts";
import { createIdleTime, type IdleTime } from "../fakes/idle-time.ts";
import { runHere } from "./in-process.ts";
import { type Ended, type Environment, type Product, startProduct } from "./product.ts";

const NAMESPACE = "shop";
const LABELS = { app: "orders" };
const LEASE = "pod-rebalancer-deployment-orders";

/** Evicts, whatever else is said. */
export const LIVE = ["run", "--no-dry-run"] as const;
export const DRY = ["run", "--dry-run"] as const;

/**
 * Decides what becomes of a request.
 *
 * @param call - "list pods", "evict", "cpu query"; see `nameOf`.
 * @param nth - how many requests of that name came before this one.
 */
export type Script = (call: string, nth: number, request: Received) => Misbehaviour | undefined;

export interface SceneOptions {
  readonly pods?: number;
  readonly kind?: "Deployment" | "StatefulSet";
  readonly kubernetes?: Script;
  readonly prometheus?: Script;
  /** Busiest / mean of the past, as the metrics server has it; nothing by default. */
  readonly history?: readonly number[];
  /** How far the servers' clock is ahead of ours. */
  readonly skewMillis?: number;
  /** Where the product looks for a server instead of where it is. */
  readonly addresses?: { readonly kubernetes?: string; readonly prometheus?: string };
  /** What the kubeconfig says of the cluster besides its address, and of the user. */
  readonly kubeconfig?: { readonly cluster?: object; readonly user?: object };
  /** PROMETHEUS_HTTP_CONFIG. */
  readonly httpConfig?: object;
  readonly tls?: { readonly kubernetes?: LoopbackOptions["tls"]; readonly prometheus?: LoopbackOptions["tls"] };
}

/** Of one pod; one that is missing has no sample. */
export type Samples = Partial<Record<Signal, number>>;

export interface Scene extends AsyncDisposable {
  readonly clock: Clock;
  readonly world: KubernetesWorld;
  readonly workload: SimulatedWorkload;
  /** The group as it was at first, in name order. */
  readonly pods: readonly SimulatedPod[];
  /** The most and the least busy of them. */
  readonly hot: SimulatedPod;
  readonly idle: SimulatedPod;
  /** By pod name; rows of other pods may join. */
  readonly samples: Map<string, Samples>;
  readonly kubernetes: Loopback;
  readonly prometheus: Loopback;
  readonly env: Environment;
  /** Where the scene's files lie; it goes with the scene. */
  readonly directory: string;
  /** Starts the product as a process; settings in `env` win over the scene's. */
  start(args: readonly string[], env?: Environment, stdio?: StdioOptions): Product;
  /** The product's command line in this process, on the scene's time; with FAULTS_BUILT a process, too. */
  run(args: readonly string[], env?: Environment): Promise<Ended>;
  /** In this process in any case. */
  compose(args: readonly string[], env?: Environment, signal?: AbortSignal): Promise<Ended>;
  /** For a server besides the scene's: its requests that are left open count as such, or time would wait for them. */
  readonly watched: (misbehave: Misbehaviour) => Misbehaviour;
  /** Requests of this name that arrived, in order. */
  calls(name: string): readonly Received[];
  /** Pods that were removed, in that order: those that are stopping or gone. */
  removed(): readonly string[];
  /** The workload's Lease as it is stored. */
  lease(): WireLease | undefined;
  /** Changes who holds the Lease, and since when; it need not be there before. */
  setLease(spec: WireLease["spec"], annotations?: Readonly<Record<string, string>>): void;
  /** Compacts the API server's past away, so that a list of several pages expires. */
  compact(): void;
  /** Pods that the Lease records as removed. */
  recorded(): readonly string[];
}

/** A steady group with one pod that is far busier than the others and one that idles, so that a run would rotate both. */
export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const { pods: replicas = 6, kind = "Deployment", skewMillis = 0 } = options;
  const time = createIdleTime();
  const clock: Clock = { ...time.serverClock, now: () => new Date(time.clock.now().getTime() + skewMillis) };
  const world = createWorld({ namespace: NAMESPACE });
  const created = new Date(clock.now().getTime() - 2 * 86_400_000);
  const workload = addWorkload(world, { kind, name: "orders", replicas, labels: LABELS, created });
  const pods = livingPods(world, clock.now());
  const [hot, idle] = [pods[0], pods.at(-1)] as [SimulatedPod, SimulatedPod];
  const samples = new Map(pods.map((pod) => [pod.name, samplesOf(pod, hot, idle)]));

  const { tls = {}, kubernetes: kubernetesScript, prometheus: prometheusScript } = options;
  const kubernetes = await startKubernetesServer(world, {
    clock,
    ...scripted(kubernetesScript, time),
    ...tlsFor(tls.kubernetes),
  });
  const prometheus = await startPrometheusServer({
    samples: (signal) => rowsOf(samples, signal),
    history: () => options.history ?? [],
    now: () => clock.now(),
    ...scripted(prometheusScript, time),
    ...tlsFor(tls.prometheus),
  });
  const directory = mkdtempSync(join(tmpdir(), "faults-"));
  const env = writeFiles(directory, { kubernetes, prometheus, options });
  const start: Scene["start"] = (args, extra, stdio) => {
    const product = startProduct(args, { ...env, ...extra }, stdio);
    time.passWhile(product.ended);
    return product;
  };
  const compose: Scene["compose"] = (args, extra, signal) =>
    runHere({ args, env: { ...env, ...extra }, signal, outside: time });

  const leaseName = LEASE.replace("deployment", kind.toLowerCase());
  const lease = () => world.leases.get(leaseName);
  return {
    clock,
    world,
    workload,
    pods,
    hot,
    idle,
    samples,
    kubernetes,
    prometheus,
    env,
    directory,
    start,
    run: (args, extra) => (process.env["FAULTS_BUILT"] ? start(args, extra).ended : compose(args, extra)),
    compose,
    watched: time.watched,
    calls: (name) => [...kubernetes.requests, ...prometheus.requests].filter((request) => nameOf(request) === name),
    removed: () => {
      const stopped = world.pods.flatMap(({ name, terminatingAt }) =>
        terminatingAt ? [{ name, at: terminatingAt }] : [],
      );
      return stopped.toSorted((a, b) => a.at.getTime() - b.at.getTime()).map(({ name }) => name);
    },
    lease,
    setLease(spec, annotations) {
      const { metadata, ...rest } = lease() ?? { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };
      const resourceVersion = String(Number(metadata?.resourceVersion ?? 0) + 1);
      const named = {
        ...metadata,
        ...(annotations && { annotations }),
        name: leaseName,
        namespace: NAMESPACE,
        resourceVersion,
      };
      world.leases.set(leaseName, { ...rest, metadata: named, spec: { ...rest.spec, ...spec } });
    },
    compact: () => kubernetes.compact(),
    recorded() {
      const written = lease()?.metadata?.annotations?.["pod-rebalancer.io/removals"] ?? "[]";
      return (JSON.parse(written) as { pod: string }[]).map(({ pod }) => pod);
    },
    async [Symbol.asyncDispose]() {
      time[Symbol.dispose]();
      await Promise.all([kubernetes.close(), prometheus.close()]);
      rmSync(directory, { recursive: true });
    },
  };
}

function samplesOf(pod: SimulatedPod, hot: SimulatedPod, idle: SimulatedPod): Samples {
  if (pod === hot) return { cpu: 2, lag: 20_000, rate: 300, memory: 5e8 };
  if (pod === idle) return { cpu: 0.1, lag: 10, rate: 30, memory: 4e8 };
  return { cpu: 0.4, lag: 500, rate: 300, memory: 5e8 };
}

function rowsOf(samples: ReadonlyMap<string, Samples>, signal: Signal): MetricRow[] {
  return [...samples].flatMap(([pod, { [signal]: value }]) => {
    return value === undefined ? [] : [{ labels: { pod, namespace: NAMESPACE }, value }];
  });
}

function scripted(script: Script | undefined, time: IdleTime): Pick<LoopbackOptions, "intercept"> {
  const counts = new Map<string, number>();
  return {
    intercept(request) {
      const call = nameOf(request);
      const nth = counts.get(call) ?? 0;
      counts.set(call, nth + 1);
      const misbehave = script?.(call, nth, request);
      return misbehave && time.watched(misbehave);
    },
  };
}

function tlsFor(tls: LoopbackOptions["tls"]): LoopbackOptions {
  return tls ? { tls } : {};
}

interface Surroundings {
  readonly kubernetes: Loopback;
  readonly prometheus: Loopback;
  readonly options: SceneOptions;
}

/** JSON is YAML, too. */
function writeFiles(directory: string, { kubernetes, prometheus, options }: Surroundings): Environment {
  const kubeconfig = join(directory, "kubeconfig");
  const { kubeconfig: { cluster = {}, user = {} } = {}, addresses = {} } = options;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    clusters: [{ name: "test", cluster: { server: addresses.kubernetes ?? kubernetes.url.origin, ...cluster } }],
    users: [{ name: "test", user }],
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  const httpConfig = join(directory, "http.yaml");
  if (options.httpConfig) writeFileSync(httpConfig, JSON.stringify(options.httpConfig));
  return {
    KUBECONFIG: kubeconfig,
    KUBE_NAMESPACE: NAMESPACE,
    KUBE_LABEL_SELECTOR: "app=orders",
    PROMETHEUS_ENDPOINT: addresses.prometheus ?? prometheus.url.origin,
    // The servers' clock runs faster than the product's: on a busy machine they soon differ by more than the default.
    STALENESS_LIMIT: "20m",
    ...(options.httpConfig && { PROMETHEUS_HTTP_CONFIG: httpConfig }),
  };
}

/** What a request is: its verb and its resource, or the signal that it queries. */
export function nameOf(request: Received): string {
  const special = SPECIAL.find(([end]) => request.path.endsWith(end));
  return special ? special[1](request) : resourceCallOf(request);
}

function resourceCallOf({ method, path }: Received): string {
  const { collection = "", name, subresource } = RESOURCE.exec(path)?.groups ?? {};
  if (subresource === "eviction") return "evict";
  if (method === "GET" && name === undefined) return `list ${collection}`;
  return `${VERBS[method] ?? method} ${collection.replace(/s$/, "")}`;
}

const SPECIAL: readonly (readonly [end: string, name: (request: Received) => string])[] = [
  ["/api/v1/query", queryNameOf],
  ["/api/v1/query_range", () => "history query"],
  ["/selfsubjectaccessreviews", () => "ask for a right"],
];

function queryNameOf({ body, query }: Received): string {
  const promql = new URLSearchParams(body).get("query") ?? query.get("query") ?? "";
  return `${METRICS.find(([metric]) => promql.includes(metric))?.[1] ?? "another"} query`;
}

const RESOURCE = /\/namespaces\/[^/]+\/(?<collection>[^/]+)(?:\/(?<name>[^/]+))?(?:\/(?<subresource>[^/]+))?$/;
const VERBS: Readonly<Record<string, string>> = { GET: "get", POST: "create", PUT: "update" };

const METRICS: readonly (readonly [string, Signal])[] = [
  ["container_cpu_usage_seconds_total", "cpu"],
  ["kafka_consumer_lag_sum", "lag"],
  ["kafka_consumer_messages_consumed_total", "rate"],
  ["container_memory_working_set_bytes", "memory"],
];

/** The script by which every call of this name goes wrong; with `nth` only that one, from 0. */
export function on(call: string, misbehave: Misbehaviour, nth?: number): Script {
  return (name, count) => (name === call && (nth === undefined || nth === count) ? misbehave : undefined);
}
