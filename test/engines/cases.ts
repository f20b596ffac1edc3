/** The hard cases: what exporters show of a pod, and what must be known of it. */

import type { MetricsProfile } from "../../src/metrics/profiles.ts";
import type { Signal } from "../../src/types.ts";
import type { MetricsServer } from "../harness/prometheus.ts";
import {
  ASSIGNED,
  cadvisor,
  counter,
  gauge,
  jmx,
  type Labels,
  micrometer,
  RECORDS_CONSUMED,
  seedExporter,
  type Series,
  type Span,
  topicOf,
} from "./series.ts";

/** A value within 1 %, no sample at all, or a sample that is rejected by name. */
export type Expectation = number | "none" | "rejected";

export interface Case {
  readonly why: string;
  readonly pod: string;
  readonly series: readonly Series[];
  readonly expected: Readonly<Record<Signal, Expectation>>;
  /** Where an engine cannot know better. */
  readonly expectedOf: Readonly<Partial<Record<MetricsServer["kind"], Partial<Record<Signal, Expectation>>>>>;
  /** undefined: every profile. */
  readonly profile: MetricsProfile | undefined;
}

/** What the exporters show of a sound pod, and what a case replaces. */
interface Parts {
  readonly cadvisor?: (pod: Labels) => Series[];
  readonly kafka?: (pod: Labels) => Series[];
  /** Instead of `kafka`, for the java-client profile only. */
  readonly java?: (pod: Labels) => Series[];
  readonly expected?: Partial<Record<Signal, Expectation>>;
  readonly expectedOf?: Case["expectedOf"];
}

export const NAMESPACE = "shop";
export const PREFIX = "consumer-5d8f7c9b-";

export const MIB = 2 ** 20;
const SOUND = { cpu: 0.3, lag: 1_200, rate: 40, memory: 300 * MIB };
/** Adds up to the lag above. */
const LAGS = [1_000, 200];
const ENDED: Span = { to: -60 };
const BEGUN: Span = { from: -50 };

function soundContainers(pod: Labels, span?: Span): Series[] {
  return cadvisor(pod, [{ cpuCores: SOUND.cpu, memoryBytes: SOUND.memory }], span);
}

/** Both exporters of Kafka metrics, with the same truth. */
function kafkaOf(lags: readonly number[], perSecond = SOUND.rate, span?: Span): (pod: Labels) => Series[] {
  return (pod) => [...seedExporter(pod, lags, perSecond, span), ...micrometer(pod, lags, perSecond, span)];
}

let made = 0;

function caseOf(why: string, parts: Parts): Case {
  made += 1;
  const pod = `${PREFIX}${String(made).padStart(5, "x")}`;
  const labels = { namespace: NAMESPACE, pod };
  const { java } = parts;
  return {
    why,
    pod,
    series: [
      ...(parts.cadvisor ?? ((of: Labels) => soundContainers(of)))(labels),
      ...(java ?? parts.kafka ?? kafkaOf(LAGS))(labels),
    ],
    expected: { ...SOUND, ...parts.expected },
    expectedOf: parts.expectedOf ?? {},
    profile: java && "java-client",
  };
}

/** VictoriaMetrics drops NaN when it is written: it does not know of the series, and what else the pod has counts. */
function unseenNan(rest: Expectation): Case["expectedOf"] {
  return { victoriametrics: { lag: rest } };
}

export const CASES: readonly Case[] = [
  caseOf("pod-level, pause and duplicate series are not counted", {}),
  caseOf("containers and topics are added up", {
    cadvisor: (pod) =>
      cadvisor(pod, [
        { container: "consumer", cpuCores: 0.5, memoryBytes: 200 * MIB },
        { container: "sidecar", cpuCores: 0.25, memoryBytes: 50 * MIB },
      ]),
    kafka: kafkaOf([1, 2, 4, 8], 100),
    expected: { cpu: 0.75, memory: 250 * MIB, lag: 15, rate: 100 },
  }),
  caseOf("one replica alone is enough", {
    cadvisor: (pod) => cadvisor(pod, [{ cpuCores: 1.5, memoryBytes: 10 * MIB }], { replicas: ["b"] }),
    kafka: kafkaOf([7, 0, 0], 3, { replicas: ["a"] }),
    expected: { cpu: 1.5, memory: 10 * MIB, lag: 7, rate: 3 },
  }),
  caseOf("a replica that began within the window takes nothing away", {
    cadvisor: (pod) => [
      ...soundContainers(pod, { replicas: ["a"] }),
      ...soundContainers(pod, { from: -100, replicas: ["b"] }),
    ],
    kafka: (pod) => [
      ...kafkaOf(LAGS, SOUND.rate, { replicas: ["a"] })(pod),
      ...kafkaOf(LAGS, SOUND.rate, { from: -100, replicas: ["b"] })(pod),
    ],
  }),
  caseOf("an idle pod is zero, not missing", {
    cadvisor: (pod) => cadvisor(pod, [{ cpuCores: 0, memoryBytes: MIB }]),
    kafka: kafkaOf([0], 0),
    expected: { cpu: 0, memory: MIB, lag: 0, rate: 0 },
  }),
  ...[-170, -290].map((to) =>
    caseOf(`an exporter that stopped ${-to} s ago has no say`, {
      kafka: kafkaOf(LAGS, SOUND.rate, { to }),
      expected: { lag: "none", rate: "none" },
    }),
  ),
  caseOf("a sample younger than the staleness limit counts", {
    kafka: kafkaOf(LAGS, SOUND.rate, { to: -105, replicas: ["a"] }),
    // Prometheus divides by the whole window, though a third of it is empty.
    expectedOf: { prometheus: { rate: 27 } },
  }),
  caseOf("a node that stopped reporting has no say", {
    cadvisor: (pod) => cadvisor(pod, [{ cpuCores: 3, memoryBytes: 900 * MIB }], { to: -170 }),
    expected: { cpu: "none", memory: "none" },
  }),
  caseOf("a pod without series has no sample", {
    cadvisor: () => [],
    kafka: () => [],
    expected: { cpu: "none", memory: "none", lag: "none", rate: "none" },
  }),
  caseOf("a missing exporter takes its signals only", { kafka: () => [], expected: { lag: "none", rate: "none" } }),
  caseOf("a lag of NaN is rejected", {
    kafka: kafkaOf([Number.NaN]),
    expected: { lag: "rejected" },
    expectedOf: unseenNan("none"),
  }),
  caseOf("a lag of NaN does not hide in a sum", {
    kafka: kafkaOf([500, Number.NaN]),
    expected: { lag: "rejected" },
    expectedOf: unseenNan(500),
  }),
  caseOf("an infinite lag is rejected", { kafka: kafkaOf([Number.POSITIVE_INFINITY]), expected: { lag: "rejected" } }),
  caseOf("a lag of -1 is rejected", { kafka: kafkaOf([-1]), expected: { lag: "rejected" } }),
  caseOf("a lag of -1 does not hide in a sum", { kafka: kafkaOf([500, -1]), expected: { lag: "rejected" } }),
  caseOf("a pod younger than the window has no rates", {
    cadvisor: (pod) => cadvisor(pod, [{ cpuCores: 2, memoryBytes: 80 * MIB }], { from: -120 }),
    kafka: kafkaOf([30], 100, { from: -120 }),
    expected: { cpu: "none", memory: 80 * MIB, lag: 30, rate: "none" },
  }),
  caseOf("a container that restarted within the window has no CPU, and the memory of its last run", {
    cadvisor: (pod) =>
      cadvisor(pod, [
        { id: "1", cpuCores: 2, memoryBytes: 900 * MIB, span: ENDED },
        { id: "2", cpuCores: 0.3, memoryBytes: 300 * MIB, span: BEGUN },
      ]),
    expected: { cpu: "none" },
  }),
  caseOf("a sidecar that restarted within the window leaves no understated CPU", {
    cadvisor: (pod) =>
      cadvisor(pod, [
        { cpuCores: 0.3, memoryBytes: 200 * MIB },
        { container: "sidecar", id: "1", cpuCores: 0.4, memoryBytes: 900 * MIB, span: ENDED },
        { container: "sidecar", id: "2", cpuCores: 0.4, memoryBytes: 100 * MIB, span: BEGUN },
      ]),
    expected: { cpu: "none", memory: 300 * MIB },
  }),
  caseOf("a container that restarted before the window is counted once", {
    cadvisor: (pod) =>
      cadvisor(pod, [
        { id: "1", cpuCores: 2, memoryBytes: 900 * MIB, span: { to: -380 } },
        { id: "2", cpuCores: 0.3, memoryBytes: 300 * MIB, span: { from: -370 } },
      ]),
  }),
  caseOf("a counter that begins anew is no drop", {
    cadvisor: (pod) => {
      const labels = { ...pod, container: "consumer" };
      const span: Span = { to: 0, replicas: ["a"] };
      const running = counter("container_cpu_usage_seconds_total", labels, SOUND.cpu, span);
      // Right after the sample at -165 of the only replica, so that nothing is lost.
      const valueAt = (at: number) => running.valueAt(at) - (at > -165 ? running.valueAt(-165) : 0);
      return [{ ...running, valueAt }, gauge("container_memory_working_set_bytes", labels, SOUND.memory, span)];
    },
  }),
  caseOf("a metric under another pod label is not the pod's", {
    kafka: ({ pod = "", ...rest }) => [
      ...kafkaOf(LAGS)({ ...rest, pod: "lag-exporter-0", exported_pod: pod }),
      ...kafkaOf(LAGS)({ ...rest, pod_name: pod }),
    ],
    expected: { lag: "none", rate: "none" },
  }),
  caseOf("JMX shows a client's total beside its topics", { java: (pod) => jmx(pod, LAGS, SOUND.rate) }),
  caseOf("several clients in a pod are added up", {
    java: (pod) => ["a", "b", "c", "d"].flatMap((id) => topicOf({ ...pod, client_id: id }, "orders", 300, 10)),
  }),
  caseOf("a topic with dots that is shown twice is counted once", {
    java: (pod) =>
      ["com.shop.orders.v1", "com_shop_orders_v1", "plain_topic", "refunds"].flatMap((topic) =>
        topicOf({ ...pod, client_id: "c" }, topic, 400, 40 / 3),
      ),
  }),
  caseOf("a topic with dots that is shown once is counted too", {
    java: (pod) =>
      ["com.shop.orders", "com.shop.refunds", "plain"].flatMap((topic) =>
        topicOf({ ...pod, client_id: "c" }, topic, 400, 40 / 3),
      ),
  }),
  caseOf("a consumer without partitions lags by nothing", {
    java: (pod) => [
      gauge(ASSIGNED, { ...pod, client_id: "c" }, 0),
      counter(RECORDS_CONSUMED, { ...pod, client_id: "c" }, 0),
    ],
    expected: { lag: 0, rate: 0 },
  }),
  caseOf("a consumer that has partitions but shows no lag has no sample", {
    java: (pod) => [
      gauge(ASSIGNED, { ...pod, client_id: "c" }, 2),
      counter(RECORDS_CONSUMED, { ...pod, client_id: "c" }, 40),
    ],
    expected: { lag: "none" },
  }),
];

/** Loud pods that are not of the group: gone, of neighbours whose names begin alike, of another namespace. */
export const STRANGERS: readonly Series[] = [
  { namespace: NAMESPACE, pod: `${PREFIX}gone1` },
  { namespace: NAMESPACE, pod: `${PREFIX}gone2` },
  { namespace: NAMESPACE, pod: `${PREFIX}extra-x2k9q` },
  { namespace: NAMESPACE, pod: "consumer-5d8f7c9b2-x2k9q" },
  ...CASES.slice(0, 3).map(({ pod }) => ({ namespace: "shop-eu", pod })),
].flatMap((pod) => cadvisor(pod, [{ cpuCores: 60, memoryBytes: 60_000 * MIB }]).concat(kafkaOf([6e6], 6_000)(pod)));
