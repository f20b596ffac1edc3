/** One cell of the closed loop: a group on a real broker, seen by a real Prometheus, and one run of the product. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { imbalanceOf } from "../../src/forecast/imbalance.ts";
import type { JsonReport } from "../../src/output/json.ts";
import { seededRandom, shuffled } from "../../src/random.ts";
import type { Outcome } from "../e2e/product.ts";
import { install, QUICK } from "../e2e/scene.ts";
import { type ControlPlane, startControlPlane } from "../harness/control-plane.ts";
import { type Kafka, type Launch, pythonCommand, startKafka } from "../harness/kafka.ts";
import { isReady, type Manifest } from "../harness/kube-client.ts";
import { startProcess, waitFor } from "../harness/processes.ts";
import { type MetricsServer, startPrometheus } from "../harness/prometheus.ts";
import { type Container, type Kubelet, startKubelet } from "./kubelet.ts";
import { changesOf, isComplete, type Ownership, ownershipOf, pausesOf } from "./ownership.ts";
import { type Round, roundsOf } from "./rounds.ts";
import { type Clients, simulatedOwnership } from "./simulated.ts";

const PATIENCE_MILLIS = 90_000;
/** A group that nobody changed for so long has settled. */
const QUIET_MILLIS = 3_000;
const WINDOW_SECONDS = 10;
const LONG_PAUSE_MILLIS = 500;

/** What all cells share. */
export interface Stage extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly kafka: Kafka;
  readonly prometheus: MetricsServer;
  /** Prometheus reads here whom to scrape. */
  readonly targets: string;
}

/** How the consumers of a cell are. */
export interface CellOptions {
  readonly name: string;
  readonly workload: Manifest;
  /** Of the pod that runs on the node. */
  readonly command: (consumer: Consumer) => Promise<Launch>;
  /** What the simulator must know of these clients. */
  readonly clients: Clients;
  readonly bootMillis: number;
  /** Messages per second by partition, before they are shuffled. */
  readonly rates: readonly number[];
  /** The busiest load / mean load at the start, at least. */
  readonly unevenness: number;
  /** How the consumer gets on there. */
  readonly pace: (container: Pick<Container, "node" | "ordinal">) => Pace;
  /** The name of the Lease, where it is not that of a Deployment. */
  readonly lease?: string;
  /** Of the product, besides those that make it quick. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Pace {
  /** Accounted for each message, not burned. */
  readonly cpuSecondsPerMessage: number;
  /** It cannot go faster. */
  readonly messagesPerSecond: number;
}

export interface Consumer extends Pace {
  readonly bootstrap: string;
  readonly group: string;
  readonly topic: string;
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
}

/** One moment of the group, by the name of the pod. */
interface View {
  /** Ascending. */
  readonly owned: Readonly<Record<string, readonly number[]>>;
  /** Messages per second: what is written to the partitions that it owns. */
  readonly trueRates: Readonly<Record<string, number>>;
  /** What that costs each: cores. */
  readonly trueCores: Readonly<Record<string, number>>;
  readonly nodes: Readonly<Record<string, string>>;
  /** Busiest / mean of the true rates. */
  readonly imbalance: number;
}

/** Everything that is known of a cell when it has ended. */
export interface CellRecord {
  readonly cell: string;
  readonly rates: readonly number[];
  readonly before: View;
  readonly after: View;
  /** What the simulator has come of it: busiest / mean of the true rates, and the share of the partitions with the same owner. */
  readonly simulated: { readonly imbalance: number; readonly alike: number };
  /** Milliseconds without an owner, by partition. */
  readonly pauses: Readonly<Record<number, number>>;
  readonly longestPauseMillis: number;
  readonly longPauses: number;
  /** What the product believed and did. */
  readonly report: JsonReport | undefined;
  /** All rebalances from the first pod on; none where the broker assigns (KIP-848). */
  readonly rounds: readonly Round[];
  /** Names, in the order in which the API showed them terminating. */
  readonly removed: readonly string[];
}

export interface Played {
  readonly record: CellRecord;
  readonly outcome: Outcome;
}

/** Starts a control plane, a broker and a Prometheus. */
export async function startLoop(): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const [plane, kafka] = await Promise.all([startControlPlane(), startKafka()]);
  started.use(plane);
  started.use(kafka);
  const targets = join(kafka.directory, "targets");
  await mkdir(targets);
  const config = JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [
      {
        job_name: "pods",
        honor_labels: true,
        file_sd_configs: [{ files: [join(targets, "*.json")], refresh_interval: "1s" }],
      },
    ],
  });
  const prometheus = started.use(await startPrometheus({ config }));
  const running = started.move();
  return { plane, kafka, prometheus, targets, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** A group at rest, to whose partitions nobody writes yet. */
export interface LoopGroup {
  readonly namespace: string;
  readonly topic: string;
  readonly replicas: number;
  readonly partitions: number;
  readonly kubelet: Kubelet;
  /** Writes to the partitions at these rates until it is disposed of. */
  produce(rates: readonly number[]): Promise<AsyncDisposable>;
  settled(): Promise<void>;
}

/** Starts the pods of a cell; what runs ends with `running`. */
export async function startGroup(
  stage: Stage,
  options: CellOptions,
  running: AsyncDisposableStack,
): Promise<LoopGroup> {
  const { plane, kafka } = stage;
  const namespace = await plane.createNamespace("loop");
  const replicas = (options.workload["spec"] as { replicas: number }).replicas;
  const partitions = options.rates.length;
  const shared = { bootstrap: kafka.bootstrap, group: namespace, topic: namespace, namespace };
  const directory = join(kafka.directory, namespace);
  await mkdir(directory);
  await kafka.createTopic(shared.topic, partitions);
  const kubelet = running.use(
    await startKubelet({
      plane,
      namespace,
      selector: "app=consumer",
      directory,
      bootMillis: options.bootMillis,
      targetsFile: join(stage.targets, `${namespace}.json`),
      command: ({ pod, node, ordinal }) =>
        options.command({ ...shared, pod, node, ...options.pace({ node, ordinal }) }),
    }),
  );
  await plane.apply([options.workload], namespace);
  const rest = () => settled(stage, kubelet, { namespace, replicas, partitions });
  await rest();
  const producer = await pythonCommand("producer.py");
  return {
    namespace,
    topic: shared.topic,
    replicas,
    partitions,
    kubelet,
    produce: (rates) => {
      const args = [...producer.args, shared.bootstrap, shared.topic, rates.join(",")];
      return startProcess({ ...producer, args, name: "producer", directory });
    },
    settled: rest,
  };
}

/** The product as it ships, with these settings besides those that make it quick. */
export async function installIn(stage: Stage, { namespace }: LoopGroup, options: CellOptions) {
  return await install(stage.plane, {
    namespace,
    lease: options.lease,
    settings: {
      ...QUICK,
      METRICS_WINDOW: `${WINDOW_SECONDS}s`,
      PROMETHEUS_ENDPOINT: stage.prometheus.url,
      ...options.settings,
    },
  });
}

/** Plays a cell from the first pod to what has come of it; nothing of it runs afterwards. */
export async function playCell(stage: Stage, options: CellOptions): Promise<Played> {
  const { plane, prometheus } = stage;
  await using running = new AsyncDisposableStack();
  const group = await startGroup(stage, options, running);
  const { namespace, kubelet, replicas, partitions, topic } = group;
  const rates = unevenRates(options.rates, ownershipIn(kubelet), options.unevenness);
  running.use(await group.produce(rates));
  await windowFilled(prometheus, namespace, replicas);

  const product = await installIn(stage, group, options);
  const before = viewOf(kubelet, rates, options);
  const recording = running.use(await plane.watchPods(namespace, "app=consumer"));
  const startedAt = Date.now();
  const outcome = await product.run();
  await group.settled();

  const changes = changesOf(kubelet.containers());
  const pauses = pausesOf(changes, startedAt);
  const ownership = ownershipOf(changes.filter(({ at }) => at <= startedAt));
  const start = { topic, partitions, ownership, at: startedAt };
  const record: CellRecord = {
    cell: options.name,
    rates,
    before,
    after: viewOf(kubelet, rates, options),
    simulated: compared(ownershipOf(changes), simulatedOwnership(kubelet.containers(), options.clients, start), rates),
    pauses: Object.fromEntries(pauses),
    longestPauseMillis: Math.max(0, ...pauses.values()),
    longPauses: [...pauses.values()].filter((pause) => pause > LONG_PAUSE_MILLIS).length,
    report: outcome.report,
    rounds: roundsOf(kubelet.containers(), topic),
    removed: [
      ...new Set(
        recording.events
          .filter(({ pod }) => pod.metadata.deletionTimestamp !== undefined)
          .map(({ pod }) => pod.metadata.name),
      ),
    ],
  };
  await keep(record.cell, record);
  return { record, outcome };
}

export function ownershipIn(kubelet: Kubelet): Ownership {
  return ownershipOf(changesOf(kubelet.containers()));
}

interface Wanted {
  readonly namespace: string;
  readonly replicas: number;
  readonly partitions: number;
}

/** Waits until all pods are Ready, each partition has one owner, and for a while nothing has changed. */
async function settled({ plane }: Stage, kubelet: Kubelet, wanted: Wanted): Promise<void> {
  const { namespace, replicas, partitions } = wanted;
  await waitFor(
    `${replicas} pods of ${namespace} to settle`,
    async () => {
      const pods = await plane.listPods(namespace, "app=consumer");
      if (pods.length !== replicas || !pods.every(isReady)) return false;
      const changes = changesOf(kubelet.containers());
      if (!isComplete(ownershipOf(changes), partitions)) return false;
      return Date.now() - (changes.at(-1)?.at ?? 0) > QUIET_MILLIS;
    },
    PATIENCE_MILLIS,
  );
}

/** A rate needs a counter that has counted for a whole window. */
async function windowFilled(prometheus: MetricsServer, namespace: string, pods: number): Promise<void> {
  const counter = `kafka_consumer_messages_consumed_total{namespace="${namespace}"}`;
  const counted = `(${counter} offset ${WINDOW_SECONDS}s) > 0 and ${counter}`;
  await prometheus.waitForRows(counted, pods, PATIENCE_MILLIS);
}

function viewOf(kubelet: Kubelet, rates: readonly number[], { pace }: CellOptions): View {
  const ownership = ownershipOf(changesOf(kubelet.containers()));
  const living = kubelet.containers().filter(({ uid }) => ownership.has(uid));
  const loads = living.map(({ uid }) => ownership.get(uid)!.reduce((sum, each) => sum + rates[each]!, 0));
  const byPod = <T>(value: (container: Container, load: number) => T): Record<string, T> =>
    Object.fromEntries(living.map((each, index) => [each.pod, value(each, loads[index]!)]));
  return {
    owned: byPod(({ uid }) => ownership.get(uid)!),
    trueRates: byPod((_, load) => load),
    trueCores: byPod((container, load) => {
      const { cpuSecondsPerMessage, messagesPerSecond } = pace(container);
      return Math.min(load, messagesPerSecond) * cpuSecondsPerMessage;
    }),
    nodes: byPod(({ node }) => node),
    imbalance: imbalanceOf(loads),
  };
}

/** Where `LOOP_RECORDS` names a folder, the record stays there as JSON. */
export async function keep(name: string, record: unknown): Promise<void> {
  const folder = process.env["LOOP_RECORDS"];
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name.replaceAll(" ", "-")}.json`), JSON.stringify(record, undefined, 2));
}

/** The rates in an order in which this assignment is as uneven as `atLeast`: the first that a seeded shuffle comes upon. */
export function unevenRates(rates: readonly number[], ownership: Ownership, atLeast: number, seed = 1): number[] {
  const random = seededRandom(seed);
  for (;;) {
    const drawn = shuffled(rates, random);
    const loads = [...ownership.values()].map((owned) => owned.reduce((sum, each) => sum + drawn[each]!, 0));
    if (imbalanceOf(loads) >= atLeast) return drawn;
  }
}

function compared(real: Ownership, simulated: Ownership, rates: readonly number[]): CellRecord["simulated"] {
  const loads = [...simulated.values()].map((owned) => owned.reduce((sum, each) => sum + rates[each]!, 0));
  const alike = [...simulated].flatMap(([uid, owned]) => owned.filter((each) => real.get(uid)?.includes(each)));
  return { imbalance: imbalanceOf(loads), alike: alike.length / rates.length };
}
