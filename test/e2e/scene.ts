/** A control plane with metrics, and namespaces on it in which the shipped manifests stand beside a group of pods. */

import { type ControlPlane, controlPlaneMissing, startControlPlane } from "../harness/control-plane.ts";
import { type ExporterPod, startExporter } from "../harness/exporter.ts";
import { isReady, type Manifest, type Pod, type PodRecording } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { enginesMissing, type MetricsServer, startPrometheus } from "../harness/prometheus.ts";
import { deployment } from "../harness/workloads.ts";
import { accountKubeconfig } from "./kubelet.ts";
import { endProducts, type Outcome, type Run, startProduct } from "./product.ts";
import { containerEnvironment, type Overlay, podSpecOf, renderOverlay } from "./shipped.ts";

/** Why the built product cannot be run on a control plane here; undefined when it can. */
export const missing = controlPlaneMissing() ?? enginesMissing();

const PATIENCE_MILLIS = 90_000;
const WINDOW_SECONDS = 10;

/** The shipped defaults are made for real consumers; here all is quick, a cooldown outlives its test, and nothing is pushed. */
export const QUICK = {
  METRICS_PUSH_URL: "none",
  METRICS_WINDOW: `${WINDOW_SECONDS}s`,
  MIN_POD_AGE: "1s",
  REPLACEMENT_TIMEOUT: "60s",
  COOLDOWN: "5m",
} as const;

interface GroupOptions {
  /** Default: 8 pods of the Deployment for which the manifests are made as they ship. Those called `consumer` are the group. */
  readonly workloads?: readonly Manifest[];
  /** The template of the pods keeps them from getting Ready; the first ones are let off. */
  readonly replacementsNeverReady?: boolean;
  /** How many of the pods have no metrics; the extremes are not among them. */
  readonly silent?: number;
}

export interface SceneOptions extends GroupOptions, Omit<Overlay, "namespace"> {}

/** Who stands out by the metrics; all others are alike. */
export interface Extremes {
  readonly hot?: string | undefined;
  /** Behind `hot`, and far above the others. */
  readonly warm?: string | undefined;
  readonly cold?: string | undefined;
  /** Have no metrics. */
  readonly silent?: readonly string[];
}

/** What tests read of a Lease. */
interface LeaseView {
  /** "" when it is released. */
  readonly holder: string;
  readonly renewedAt: Date;
  readonly removals: readonly { readonly at: string; readonly pod: string; readonly uid: string }[];
}

/** What tests read of an Event. */
interface EventView {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

/** A namespace with a group of Ready pods, and metrics of a whole window for each. */
export interface Group {
  readonly namespace: string;
  /** The extremes by the metrics at the start. */
  readonly hot: Pod;
  readonly cold: Pod;
  /** Of the group, in the order of their names. */
  pods(): Promise<Pod[]>;
  watch(): Promise<PodRecording>;
  /** Sets the metrics of the pods that there are now, and waits until they fill the window. */
  measure(extremes: Extremes): Promise<void>;
  /** Waits until the group has so many pods, all Ready; terminating ones do not count. */
  ready(count: number): Promise<Pod[]>;
  annotate(pod: Pod, annotations: Readonly<Record<string, string | null>>): Promise<void>;
  /** undefined: there is none in this namespace. */
  lease(): Promise<LeaseView | undefined>;
  /** Those that the product wrote. */
  events(): Promise<EventView[]>;
  /** Where a namespaced resource is: ("apps/v1", "deployments/consumer"). */
  path(api: string, resource: string): string;
  /** A request as the administrator. @throws Error with the server's words, unless it succeeds. */
  request<T>(method: string, path: string, body?: object): Promise<T>;
}

/** A group and, beside it, the shipped objects. */
export interface Scene extends Group {
  /** As they were rendered for this namespace; all but the CronJob are applied. */
  readonly manifests: readonly Manifest[];
  /** The path of a kubeconfig with the ServiceAccount's token. */
  readonly kubeconfig: string;
  /**
   * Starts what the CronJob starts, with its environment and the rights of its ServiceAccount.
   *
   * @param args - further flags; they win over the ConfigMap's settings.
   * @param env - further variables.
   */
  start(args?: readonly string[], env?: Readonly<Record<string, string>>): Run;
  /** The same, to its end. */
  run(...args: string[]): Promise<Outcome>;
  /** The table of `plan`, with the same environment. */
  plan(): Promise<Outcome>;
}

export interface Stage extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly prometheus: MetricsServer;
  /** What Prometheus scrapes. */
  readonly exporterUrl: string;
  group(options?: GroupOptions): Promise<Group>;
  scene(options?: SceneOptions): Promise<Scene>;
}

/** Starts what all scenes of a file share. */
export async function startStage(): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const plane = started.use(await startControlPlane());
  const exporter = started.use(await startExporter());
  const prometheus = started.use(await startPrometheus({ scrape: [{ job: "consumers", url: exporter.url }] }));
  started.defer(endProducts);

  const series = new Map<string, readonly ExporterPod[]>();
  async function setSeries(namespace: string, pods: readonly ExporterPod[]): Promise<void> {
    series.set(namespace, pods);
    exporter.setPods([...series.values()].flat());
    const wanted = new Map(pods.flatMap(({ pod, lag }) => (lag === undefined ? [] : [[pod, lag] as const])));
    const scraped = async () => {
      const rows = await prometheus.query(`kafka_consumer_lag_sum{namespace="${namespace}"}`);
      return (
        rows.length === wanted.size && rows.every(({ labels, value }) => wanted.get(labels["pod"] ?? "") === value)
      );
    };
    await plane.waitFor(`the metrics of ${namespace}`, scraped, PATIENCE_MILLIS);
    // A rate needs a counter that was there one window ago.
    const counter = `kafka_consumer_messages_consumed_total{namespace="${namespace}"}`;
    const old = `${counter} and ${counter} offset ${WINDOW_SECONDS}s`;
    await prometheus.waitForRows(old, wanted.size, PATIENCE_MILLIS);
  }

  const running = started.move();
  return {
    plane,
    prometheus,
    exporterUrl: exporter.url,
    group: (options = {}) => setGroup({ plane, setSeries }, options),
    scene: async ({ folder, settings, lease, ...options } = {}) => {
      const group = await setGroup({ plane, setSeries }, options);
      const overlay = { folder, lease, settings: { ...QUICK, PROMETHEUS_ENDPOINT: prometheus.url, ...settings } };
      return { ...group, ...(await install(plane, { ...overlay, namespace: group.namespace })) };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

interface Backstage extends Pick<Stage, "plane"> {
  /** Replaces the series of a namespace, and waits until they fill the window. */
  setSeries(namespace: string, pods: readonly ExporterPod[]): Promise<void>;
}

async function setGroup(backstage: Backstage, options: GroupOptions): Promise<Group> {
  const { plane } = backstage;
  const { workloads = [deployment({ name: "consumer", replicas: 8 })], silent = 0 } = options;
  const namespace = await plane.createNamespace("scene");
  await plane.apply(workloads, namespace);
  const group = groupIn(namespace, backstage);

  const replicas = replicasOf(workloads);
  const first = await plane.waitFor(
    `${replicas} pods in ${namespace}`,
    async () => {
      const pods = await group.pods();
      return pods.length === replicas && pods;
    },
    PATIENCE_MILLIS,
  );
  if (options.replacementsNeverReady === true) {
    await Promise.all(first.map((pod) => group.annotate(pod, { [POD_ANNOTATIONS.notReady]: null })));
  }
  // Not the first by name, which a tie would favour.
  const [, hot, cold, ...others] = first;
  const names = others.map((pod) => pod.metadata.name);
  const extremes = { hot: hot?.metadata.name, cold: cold?.metadata.name, silent: names.slice(0, silent) };
  await Promise.all([group.ready(replicas), group.measure(extremes)]);
  return { ...group, hot: hot!, cold: cold! };
}

function replicasOf(workloads: readonly Manifest[]): number {
  const scaled = workloads.filter(({ kind, metadata }) => /Set|Deployment/.test(kind) && metadata.name === "consumer");
  return scaled.reduce((sum, { spec }) => sum + (spec as { replicas: number }).replicas, 0);
}

/** Applies the shipped manifests. @returns the product as their CronJob would run it. */
export async function install(plane: ControlPlane, overlay: Overlay): Promise<Omit<Scene, keyof Group>> {
  const { namespace } = overlay;
  const manifests = await renderOverlay(plane.directory, overlay);
  await plane.apply(manifests.filter(({ kind }) => kind !== "CronJob"));
  const spec = podSpecOf(manifests);
  const kubeconfig = await accountKubeconfig(plane, namespace, spec);
  const environment = { ...(await containerEnvironment(plane, spec, namespace)), KUBECONFIG: kubeconfig };
  const command = spec.containers[0]?.args ?? [];
  const start: Scene["start"] = (args = [], env = {}) =>
    startProduct({ args: [...command, "--output", "json", ...args], env: { ...environment, ...env } });
  return {
    manifests,
    kubeconfig,
    start,
    run: (...args) => start(args).ended,
    plan: () => startProduct({ args: ["plan"], env: environment }).ended,
  };
}

/** Eyes and hands of the test in one namespace. */
function groupIn(namespace: string, backstage: Backstage): Omit<Group, "hot" | "cold"> {
  const { plane } = backstage;
  const path = (api: string, resource: string) =>
    `${api === "v1" ? "/api/v1" : `/apis/${api}`}/namespaces/${namespace}/${resource}`;
  const pods = () => plane.listPods(namespace, "app=consumer");

  async function request<T>(method: string, where: string, body?: object): Promise<T> {
    const reply = await plane.request<T>(method, where, body);
    if (reply.status < 300) return reply.body;
    throw new Error(`${method} ${where}: ${reply.status} ${JSON.stringify(reply.body)}`);
  }

  return {
    namespace,
    path,
    request,
    pods,
    watch: () => plane.watchPods(namespace, "app=consumer"),
    async measure(extremes) {
      const names = (await pods()).map((pod) => pod.metadata.name);
      await backstage.setSeries(
        namespace,
        names.map((pod) => ({ namespace, pod, ...loadOf(pod, extremes) })),
      );
    },
    ready: (count) =>
      plane.waitFor(
        `${count} Ready pods in ${namespace}`,
        async () => {
          const staying = (await pods()).filter((pod) => pod.metadata.deletionTimestamp === undefined);
          return staying.length === count && staying.every(isReady) && staying;
        },
        PATIENCE_MILLIS,
      ),
    async annotate(pod, annotations) {
      await request("PATCH", path("v1", `pods/${pod.metadata.name}`), { metadata: { annotations } });
    },
    async lease() {
      const where = path("coordination.k8s.io/v1", "leases");
      const { items } = await request<{ items: readonly LeaseObject[] }>("GET", where);
      if (items.length > 1) throw new Error(`expected one Lease: ${JSON.stringify(items)}`);
      return items.map(leaseView)[0];
    },
    async events() {
      const where = path("v1", "events");
      const { items } = await request<{ items: readonly (EventView & { reportingComponent: string })[] }>("GET", where);
      return items.filter(({ reportingComponent }) => reportingComponent === "pod-rebalancer");
    },
  };
}

interface LeaseObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity: string; readonly renewTime: string };
}

function leaseView({ metadata, spec }: LeaseObject): LeaseView {
  const record = metadata.annotations?.["pod-rebalancer.io/removals"] ?? "[]";
  const removals = JSON.parse(record) as LeaseView["removals"];
  return { holder: spec.holderIdentity, renewedAt: new Date(spec.renewTime), removals };
}

const ORDINARY = { cpuCores: 0.2, lag: 200, rate: 50, memoryBytes: 3e8 } as const;
const HOT = { cpuCores: 2, lag: 20_000, rate: 200, memoryBytes: 6e8 } as const;
const WARM = { cpuCores: 1.5, lag: 15_000, rate: 150, memoryBytes: 5e8 } as const;
const COLD = { cpuCores: 0.01, lag: 0, rate: 1, memoryBytes: 1e8 } as const;

function loadOf(pod: string, { hot, warm, cold, silent = [] }: Extremes): Omit<ExporterPod, "namespace" | "pod"> {
  if (silent.includes(pod)) return {};
  if (pod === hot) return HOT;
  if (pod === warm) return WARM;
  return pod === cold ? COLD : ORDINARY;
}
