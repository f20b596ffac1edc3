/** The hard cases: what exporters show of a pod, and what must be known of it. */

import { type MetricsProfile, PROFILES } from "../../src/metrics/profiles.ts";
import type { Signal } from "../../src/types.ts";
import type { MetricsServer } from "../harness/prometheus.ts";
import {
  addressOf,
  ASSIGNED,
  cadvisor,
  counter,
  gauge,
  jmx,
  kubePodInfo,
  type Labels,
  lagExporter,
  memberPartition,
  type MemberPartition,
  micrometer,
  RECORDS_CONSUMED,
  RECORDS_LAG,
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
  /** As Kubernetes has it. */
  readonly address: string;
  readonly series: readonly Series[];
  readonly expected: Readonly<Record<Signal, Expectation>>;
  /** Where an engine cannot know better. */
  readonly expectedOf: Readonly<Partial<Record<MetricsServer["kind"], Partial<Record<Signal, Expectation>>>>>;
  readonly profiles: readonly MetricsProfile[];
}

/** What the exporters show of a sound pod, and what a case replaces. */
interface Parts {
  readonly cadvisor?: (pod: Labels) => Series[];
  readonly kafka?: (pod: Labels) => Series[];
  /** Instead of `kafka`, for the java-client profile only. */
  readonly java?: (pod: Labels) => Series[];
  /** Instead of `kafka`, for the kafka-lag-exporter profile only. */
  readonly exporter?: (pod: Labels) => Series[];
  readonly address?: string;
  readonly profiles?: readonly MetricsProfile[];
  readonly expected?: Partial<Record<Signal, Expectation>>;
  readonly expectedOf?: Case["expectedOf"];
}

export const NAMESPACE = "shop";
export const PREFIX = "consumer-5d8f7c9b-";

export const MIB = 2 ** 20;
const SOUND = { cpu: 0.3, lag: 1_200, rate: 40, memory: 300 * MIB };
/** Adds up to the lag above. */
const LAGS = [1_000, 200];
/** Profiles of what the consumers themselves show. */
const OF_CONSUMERS: readonly MetricsProfile[] = ["seed", "java-client"];
const ENDED: Span = { to: -60 };
const BEGUN: Span = { from: -50 };

function soundContainers(pod: Labels, span?: Span): Series[] {
  return cadvisor(pod, [{ cpuCores: SOUND.cpu, memoryBytes: SOUND.memory }], span);
}

/** The same series as another job scrapes them. */
function relabelled(all: readonly Series[], labels: Labels): Series[] {
  return all.map((one) => ({ ...one, labels: { ...one.labels, ...labels } }));
}

/** All exporters of Kafka metrics, with the same truth. */
function kafkaOf(lags: readonly number[], perSecond = SOUND.rate, span?: Span): (pod: Labels) => Series[] {
  return (pod) => [seedExporter, micrometer, lagExporter].flatMap((exporter) => exporter(pod, lags, perSecond, span));
}

/** The labels of a partition in a group without members. */
const UNKNOWN_MEMBER = { member_host: "unknown", client_id: "unknown", consumer_id: "unknown" };

/** A partition of a topic of its own, as the lag exporter shows it. */
function ownedBy(
  address: MemberPartition["address"],
  topic: string,
  lag: number,
  perSecond: number,
  span: Span = {},
  labels: Labels = {},
): Series[] {
  return memberPartition({
    topic: `${topic}-${address.split(".")[2]}`,
    partition: 0,
    lag,
    perSecond,
    address,
    span,
    labels,
  });
}

let made = 0;

function caseOf(why: string, parts: Parts): Case {
  made += 1;
  const pod = `${PREFIX}${String(made).padStart(5, "x")}`;
  const labels = { namespace: NAMESPACE, pod };
  return {
    why,
    pod,
    address: parts.address ?? addressOf(labels),
    series: [
      ...(parts.cadvisor ?? ((of: Labels) => soundContainers(of)))(labels),
      ...(parts.java ?? parts.exporter ?? parts.kafka ?? kafkaOf(LAGS))(labels),
    ],
    expected: { ...SOUND, ...parts.expected },
    expectedOf: parts.expectedOf ?? {},
    profiles: profilesOf(parts),
  };
}

function profilesOf({ java, exporter, profiles }: Parts): readonly MetricsProfile[] {
  if (java) return ["java-client"];
  if (exporter) return ["kafka-lag-exporter"];
  return profiles ?? (Object.keys(PROFILES) as MetricsProfile[]);
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
    profiles: OF_CONSUMERS,
    // Prometheus divides by the whole window, though a third of it is empty.
    expectedOf: { prometheus: { rate: 27 } },
  }),
  caseOf("a sample younger than the staleness limit counts, and its own time with it", {
    exporter: (pod) => lagExporter(pod, LAGS, SOUND.rate, { to: -105, replicas: ["a"] }),
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
    profiles: OF_CONSUMERS,
    expected: { lag: "rejected" },
    expectedOf: unseenNan("none"),
  }),
  caseOf("a lag of NaN does not hide in a sum", {
    kafka: kafkaOf([500, Number.NaN]),
    profiles: OF_CONSUMERS,
    expected: { lag: "rejected" },
    expectedOf: unseenNan(500),
  }),
  caseOf("a partition of which nothing was committed yet does not hide in a sum", {
    address: "10.0.12.1",
    exporter: () => [
      ...ownedBy("10.0.12.1", "committed", 500, 30),
      ...ownedBy("10.0.12.1", "none", Number.NaN, Number.NaN),
    ],
    expected: { lag: "rejected", rate: "none" },
    expectedOf: { victoriametrics: { lag: 500, rate: 30 } },
  }),
  caseOf("the NaN of a partition that was given up does not hide the rest", {
    java: (pod) => [
      ...micrometer(pod, LAGS, SOUND.rate),
      gauge(RECORDS_LAG, { ...pod, client_id: "consumer-orders-1", topic: "given.up", partition: "7" }, Number.NaN),
      gauge(RECORDS_LAG, { ...pod, client_id: "consumer-orders-1", topic: "given_up", partition: "7" }, Number.NaN),
      // Another pod has it.
      ...topicOf({ ...pod, pod: `${PREFIX}heir`, client_id: "consumer-orders-1" }, "given_up", 900, 3, "7"),
    ],
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
  ...[
    ["of the same exporter", { job: "kubelet", endpoint: "https-metrics" }, { job: "cadvisor", endpoint: "cadvisor" }],
    ["without ids", { job: "cadvisor" }, { job: "resource", id: "" }],
    ["with ids, where the first has none", { job: "resource", id: "" }, { job: "cadvisor" }],
  ].map(([which, first, second]) =>
    caseOf(`a second scrape path ${which as string} that is younger than the window takes nothing away`, {
      cadvisor: (pod) => [
        ...relabelled(soundContainers(pod), first as Labels),
        ...relabelled(soundContainers(pod, { from: -120 }), second as Labels),
      ],
    }),
  ),
  caseOf("a container that restarted within the window has no CPU, though a second scrape path has begun", {
    cadvisor: (pod) => [
      ...relabelled(
        cadvisor(pod, [
          { id: "1", cpuCores: 2, memoryBytes: 900 * MIB, span: ENDED },
          { id: "2", cpuCores: 0.3, memoryBytes: 300 * MIB, span: BEGUN },
        ]),
        { job: "kubelet" },
      ),
      ...relabelled(cadvisor(pod, [{ id: "2", cpuCores: 0.3, memoryBytes: 300 * MIB, span: BEGUN }]), { job: "again" }),
    ],
    expected: { cpu: "none" },
  }),
  caseOf("a second scrape path that ended takes nothing away", {
    cadvisor: (pod) => [
      ...relabelled(soundContainers(pod), { job: "kubelet" }),
      ...relabelled(soundContainers(pod, { to: -150 }), { job: "cadvisor" }),
    ],
  }),
  caseOf("a sidecar that a second scrape path alone knows has no CPU yet", {
    cadvisor: (pod) => [
      ...relabelled(soundContainers(pod), { job: "kubelet" }),
      ...relabelled(cadvisor(pod, [{ container: "sidecar", cpuCores: 0.5, memoryBytes: 10 * MIB }], { from: -120 }), {
        job: "cadvisor",
      }),
    ],
    expected: { cpu: "none", memory: 310 * MIB },
  }),
  caseOf("a second path to a client that is younger than the window takes nothing away", {
    java: (pod) => [
      ...relabelled(micrometer(pod, LAGS, SOUND.rate), { job: "pods" }),
      ...relabelled(micrometer(pod, LAGS, SOUND.rate, { from: -120 }), { job: "endpoints" }),
    ],
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
  ...["client_id", "clientid", "clientId"].map((label) =>
    caseOf(`clients that ${label} tells apart are added up, and counted once where two jobs scrape them`, {
      java: (pod) =>
        ["a", "b", "c", "d"].flatMap((id) =>
          ["pods", "endpoints"].flatMap((job) =>
            topicOf({ ...pod, [label]: id, job, endpoint: job, instance: "10.1.9.9:8080" }, "orders", 300, 10),
          ),
        ),
    }),
  ),
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
  caseOf("a partition counts for the pod that has it now, and with all that it brought within the window", {
    address: "10.0.1.1",
    exporter: () => [
      ...ownedBy("10.0.1.2", "moved", 900, 30, ENDED),
      ...ownedBy("10.0.1.1", "moved", 1_000, 30, { from: -59 }),
      ...ownedBy("10.0.1.1", "kept", 200, 10),
    ],
  }),
  caseOf("a partition counts no longer for the pod that had it", {
    address: "10.0.2.1",
    exporter: () => [
      ...ownedBy("10.0.2.1", "lost", 9_000, 300, ENDED),
      ...ownedBy("10.0.2.2", "lost", 9_000, 300, { from: -59 }),
      ...ownedBy("10.0.2.1", "held", 1_200, 40),
    ],
  }),
  caseOf("a group without members owns nothing, though its last ones were seen a moment ago", {
    address: "10.0.3.1",
    exporter: () => [
      ...ownedBy("10.0.3.1", "left", 1_200, 40, ENDED),
      ...ownedBy("10.0.3.1", "left", 1_200, 40, { from: -59 }, UNKNOWN_MEMBER),
    ],
    expected: { lag: "none", rate: "none" },
  }),
  caseOf("an exporter that restarted counts once, and interrupts no rate", {
    address: "10.0.4.1",
    exporter: () => [
      ...ownedBy("10.0.4.1", "steady", 1_200, 40, ENDED),
      ...ownedBy("10.0.4.1", "steady", 1_200, 40, { from: -59 }, { pod: "lag-exporter-1", instance: "10.9.9.7:8000" }),
    ],
  }),
  caseOf("another group of the same pod is not this one's", {
    address: "10.0.5.1",
    exporter: () => [
      ...ownedBy("10.0.5.1", "own", 1_200, 40),
      ...ownedBy("10.0.5.1", "other", 9_000, 300, {}, { group: "orders-eu" }),
      ...ownedBy("10.0.5.1", "other", 9_000, 300, {}, { group: "xorders" }),
    ],
  }),
  caseOf("a finished pod that had the same address takes nothing away", {
    address: "10.0.6.1",
    exporter: (pod) => [
      kubePodInfo({ ...pod, pod: `${PREFIX}ended` }, "10.0.6.1"),
      kubePodInfo(pod, "10.0.6.1"),
      ...ownedBy("10.0.6.1", "own", 1_200, 40),
    ],
  }),
  caseOf("an address that Kubernetes gave to another pod is not this one's any more", {
    address: "10.0.8.2",
    exporter: (pod) => [
      kubePodInfo(pod, "10.0.8.1"),
      ...ownedBy("10.0.8.1", "before", 9_000, 300),
      ...ownedBy("10.0.8.2", "now", 1_200, 40, {}, { member_host: "node-1.local/10.0.8.2" }),
    ],
  }),
  caseOf("an IPv6 address is the same however it is written", {
    address: "fd00::1:7",
    exporter: () => [
      ...ownedBy("10.0.9.1", "long", 1_000, 30, {}, { member_host: "/fd00:0:0:0:0:0:1:7" }),
      ...ownedBy("10.0.9.1", "short", 200, 10, {}, { member_host: "FD00::1:7" }),
    ],
  }),
  caseOf("a pod with a partition that is younger than the window has no rate", {
    address: "10.0.10.1",
    exporter: () => [
      ...ownedBy("10.0.10.1", "old", 1_000, 40),
      ...ownedBy("10.0.10.1", "new", 200, 10, { from: -120 }),
    ],
    expected: { rate: "none" },
  }),
  caseOf("a pod whose group went back in a partition has no rate", {
    address: "10.0.11.1",
    exporter: () => [...ownedBy("10.0.11.1", "onwards", 1_000, 40), ...ownedBy("10.0.11.1", "back", 200, -10)],
    expected: { rate: "none" },
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
