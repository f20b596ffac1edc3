/**
 * The process that serves the measured runs, apart from them so that what it uses does not count: the demo's servers with one
 * large group. Each answer is rendered once and then sent as it is, because putting 65 MB of pods together would show in the
 * wall time of the runs. Its parent is `servers.ts`.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { systemClock } from "../src/clock.ts";
import { startKubernetesServer } from "../src/demo/kubernetes-server.ts";
import type { Answer, Misbehaviour, Received } from "../src/demo/loopback.ts";
import { type MetricRow, startPrometheusServer } from "../src/demo/prometheus-server.ts";
import { leaseRef } from "../src/kubernetes/lease.ts";
import {
  addPod,
  addWorkload,
  createWorld,
  generateNameOf,
  type KubernetesWorld,
  type SimulatedWorkload,
} from "../src/simulation/kubernetes-world.ts";
import type { Signal } from "../src/types.ts";
import { nameOf } from "../test/faults/scene.ts";
import { realistic, type Whole } from "./pods.ts";
import { type FromServers, GROUP, type Pace, type ToServers } from "./servers.ts";

const DAY_MILLIS = 86_400_000;

function largeGroup(replicas: number): KubernetesWorld {
  const { namespace, name, labels } = GROUP;
  const created = new Date(Date.now() - 2 * DAY_MILLIS);
  const world = createWorld({ namespace });
  const workload = addWorkload(world, { name, replicas: 0, labels, created });
  workload.replicas = replicas;
  workload.updatedReplicas = replicas;
  for (let pod = 0; pod < replicas; pod += 1)
    addPod(world, { name: podName(workload, pod), workload, labels, created });
  const { name: lease } = leaseRef({ ...workload, kind: "Deployment", namespace });
  world.budgets.push({ name, matchLabels: labels, maxUnavailable: 1, charges: [] });
  world.autoscalers.push({ name, target: workload, desiredReplicas: replicas });
  world.leases.set(lease, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: lease, namespace },
    spec: { holderIdentity: "" },
  });
  return world;
}

/** Distinct, which a random name among 10,000 may not be. */
function podName(workload: SimulatedWorkload, pod: number): string {
  return `${generateNameOf(workload)}${(pod * 97 + 36 ** 4).toString(36)}`;
}

/** What an ordinary pod shows. */
const ORDINARY: Readonly<Record<Signal, number>> = { cpu: 0.4, lag: 500, rate: 300, memory: 5e8 };

/** Every sixth pod has six times as much to do, so that the group is uneven however large it is. */
function rowsOf({ pods }: KubernetesWorld, signal: Signal): MetricRow[] {
  return pods.map(({ name }, index) => {
    const busy = index % 6 === 0 && signal !== "memory" ? 6 : 1;
    return { labels: { pod: name }, value: ORDINARY[signal] * busy * (1 + (index % 997) / 9_970) };
  });
}

/** How quickly to answer from now on, and what came since that was said. */
let pace: Pace = { latencyMillis: 0 };
let requests: Record<string, number> = {};
let slowestQueryMillis = 0;

interface Rendered {
  readonly status: number;
  readonly body: Buffer;
}

const rendered = new Map<string, Rendered>();

function render(key: string, honest: () => Answer): Rendered {
  const known = rendered.get(key);
  if (known) return known;
  const { status, body } = honest();
  const made = { status, body: Buffer.from(JSON.stringify(grown(body))) };
  rendered.set(key, made);
  return made;
}

/** With pods as large as real ones. */
function grown(body: object): object {
  const { kind, items } = body as { kind?: string; items?: readonly Whole[] };
  if (kind === "Pod") return realistic(body as Whole);
  return kind === "PodList" ? { ...body, items: items?.map(realistic) } : body;
}

function answerer(request: Received): Misbehaviour {
  const arrived = performance.now();
  const { method, path, query, body } = request;
  const name = nameOf(request);
  const [signal, isQuery] = name.split(" ");
  requests[name] = (requests[name] ?? 0) + 1;
  return async (response, honest) => {
    const answer = render([method, path, query.toString(), body].join(" "), honest);
    if (isQuery === "query") {
      response.once("finish", () => (slowestQueryMillis = Math.max(slowestQueryMillis, performance.now() - arrived)));
    }
    const wait = pace.latencyMillis + (pace.queryMillis?.[signal as Signal] ?? 0);
    if (wait > 0) await sleep(wait);
    response.writeHead(answer.status, {
      "content-type": "application/json",
      "content-length": answer.body.length,
      date: new Date().toUTCString(),
    });
    response.end(answer.body);
  };
}

function say(message: FromServers): void {
  process.send?.(message);
}

async function serve({ pods, tls }: Extract<ToServers, { kind: "start" }>): Promise<void> {
  const world = largeGroup(pods);
  const options = { intercept: answerer, tls };
  const kubernetes = await startKubernetesServer(world, { clock: systemClock, ...options });
  const prometheus = await startPrometheusServer({ samples: (signal) => rowsOf(world, signal), ...options });
  say({ kind: "started", kubernetes: kubernetes.url.href, prometheus: prometheus.url.href });
}

process.on("message", (message: ToServers) => {
  switch (message.kind) {
    case "start":
      void serve(message);
      break;
    case "pace":
      ({ pace } = message);
      requests = {};
      slowestQueryMillis = 0;
      say({ kind: "paced" });
      break;
    case "count":
      say({ kind: "counted", requests, slowestQueryMillis });
      break;
  }
});
// Also when the parent is killed.
process.once("disconnect", () => process.exit());
