/** Series as real exporters shape them, around one moment; they can be back-filled and scraped. */

import type { BackfillSeries } from "../harness/prometheus.ts";

export type Labels = Readonly<Record<string, string>>;

const REPLICAS = ["a", "b"] as const;
/** One of two Prometheus servers that scrape the same. */
export type Replica = (typeof REPLICAS)[number];

/** When a series exists, in seconds relative to the evaluation, and which replicas scrape it. Default: always, both. */
export interface Span {
  readonly from?: number;
  readonly to?: number;
  readonly replicas?: readonly Replica[];
}

export interface Series {
  readonly name: string;
  readonly labels: Labels;
  /** @param at - seconds relative to the evaluation. */
  readonly valueAt: (at: number) => number;
  readonly span: Span;
}

/** Unix seconds of the evaluation of what is back-filled; all of it lies within one block of Prometheus' database. */
export const NOW = Math.floor(Date.now() / 7_200_000) * 7_200 - 3_600;

const STEP_SECONDS = 15;
const BEGIN = -660;
/** The replicas scrape at different moments. */
const PHASE_SECONDS: Readonly<Record<Replica, number>> = { a: 0, b: 7 };

export function backfilled(all: readonly Series[]): BackfillSeries[] {
  return all.flatMap(({ name, labels, valueAt, span: { from = BEGIN, to = 0, replicas = REPLICAS } }) =>
    replicas.map((replica) => {
      const samples: [number, number][] = [];
      for (let at = BEGIN - PHASE_SECONDS[replica]; at <= to; at += STEP_SECONDS) {
        if (at >= from) samples.push([NOW + at, valueAt(at)]);
      }
      return { name, labels: { ...labels, prometheus_replica: replica }, samples };
    }),
  );
}

/** What one replica scrapes at one moment. */
export function exposition(all: readonly Series[], replica: Replica, at: number): string {
  const lines = all
    .filter(({ span }) => (span.replicas ?? REPLICAS).includes(replica))
    .map(({ name, labels, valueAt }) => {
      const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      return `${name}{${pairs.join(",")}} ${String(valueAt(at)).replace("Infinity", "Inf")}`;
    });
  return [...lines, ""].join("\n");
}

export function gauge(name: string, labels: Labels, value: number, span: Span = {}): Series {
  return { name, labels, valueAt: () => value, span };
}

/** A counter that has run for long, or that began at 0 with its first sample. */
export function counter(name: string, labels: Labels, perSecond: number, span: Span = {}): Series {
  const start = span.from ?? -10_000;
  return { name, labels, valueAt: (at) => (at - start) * perSecond, span };
}

interface Usage {
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

function containerSeries(labels: Labels, { cpuCores, memoryBytes }: Usage, span?: Span): Series[] {
  return [
    counter("container_cpu_usage_seconds_total", labels, cpuCores, span),
    gauge("container_memory_working_set_bytes", labels, memoryBytes, span),
  ];
}

/** One run of one container; a restart gives it another `id`. */
export interface ContainerRun extends Usage {
  readonly container?: string;
  readonly id?: string;
  readonly span?: Span;
}

/** What cAdvisor shows of a pod: its containers, the pause container, and the pod as a whole. */
export function cadvisor(pod: Labels, runs: readonly ContainerRun[], span?: Span): Series[] {
  const total = (of: keyof Usage) => runs.reduce((sum, run) => sum + run[of], 0);
  const whole = { cpuCores: total("cpuCores"), memoryBytes: total("memoryBytes") };
  return [
    ...runs.flatMap(({ container = "consumer", id = "1", span: own = span, ...usage }) =>
      containerSeries({ ...pod, container, id: `/${container}/${id}`, name: id, image: "i" }, usage, own),
    ),
    ...containerSeries({ ...pod, container: "POD", id: "/pause" }, { cpuCores: 0.002, memoryBytes: 5e5 }, span),
    ...containerSeries({ ...pod, container: "", id: "/" }, whole, span),
  ];
}

/** The metrics of the `seed` profile, from an exporter of the application: one series a topic. */
export function seedExporter(pod: Labels, lags: readonly number[], perSecond: number, span?: Span): Series[] {
  return lags.flatMap((lag, index) => {
    const labels = { ...pod, topic: `topic-${index}` };
    return [
      gauge("kafka_consumer_lag_sum", labels, lag, span),
      counter("kafka_consumer_messages_consumed_total", labels, perSecond / lags.length, span),
    ];
  });
}

/** The Java client's name for the number of partitions that it has. */
export const ASSIGNED = "kafka_consumer_coordinator_assigned_partitions";
export const RECORDS_LAG = "kafka_consumer_fetch_manager_records_lag";
export const RECORDS_CONSUMED = "kafka_consumer_fetch_manager_records_consumed_total";

/** One partition of a topic, and the topic's share of the records consumed. */
export function topicOf(client: Labels, topic: string, lag: number, perSecond: number, partition = "0"): Series[] {
  return [
    gauge(RECORDS_LAG, { ...client, topic, partition }, lag),
    counter(RECORDS_CONSUMED, { ...client, topic }, perSecond),
  ];
}

/** What a Java client shows of a partition that it owns: the lag once it fetched something from it. */
export function clientPartition(client: Labels, topic: string, partition: number, lag?: number, span?: Span): Series[] {
  const labels = { ...client, topic, partition: String(partition) };
  return [
    gauge("kafka_consumer_fetch_manager_preferred_read_replica", labels, -1, span),
    ...(lag === undefined ? [] : [gauge(RECORDS_LAG, labels, lag, span)]),
  ];
}

/** What is written to a partition, as danielqsj's kafka_exporter shows it. */
export function currentOffset(
  topic: string,
  partition: number,
  perSecond: number,
  labels: Labels = {},
  span: Span = {},
): Series {
  const all = {
    namespace: "monitoring",
    pod: "kafka-exporter-0",
    job: "kafka-exporter",
    topic,
    partition: String(partition),
    ...labels,
  };
  // The offset of a partition does not begin anew with its next exporter.
  return { ...counter("kafka_topic_partition_current_offset", all, perSecond), span };
}

/** The Java client through Micrometer: one series a partition of a topic that is the pod's alone, and of the counter one a topic. */
export function micrometer(pod: Labels, lags: readonly number[], perSecond: number, span?: Span): Series[] {
  const client = { ...pod, client_id: "consumer-orders-1", kafka_version: "4.0.0" };
  const topic = `orders-${pod["pod"]}`;
  return [
    ...lags.map((lag, index) => gauge(RECORDS_LAG, { ...client, topic, partition: `${index}` }, lag, span)),
    counter(RECORDS_CONSUMED, { ...client, topic }, perSecond, span),
    gauge(ASSIGNED, client, lags.length, span),
  ];
}

const GROUP = { cluster_name: "main", group: "orders" };
/** The labels that an exporter's series get where it is scraped. */
const EXPORTER = { namespace: "monitoring", pod: "lag-exporter-0", instance: "10.9.9.9:8000" };

const addresses = new Map<string, string>();

/** A pod's address, different for each. */
export function addressOf({ namespace = "", pod = "", cluster = "" }: Labels): string {
  const key = [cluster, namespace, pod].join("/");
  const address = addresses.get(key) ?? `10.1.${addresses.size >> 8}.${addresses.size & 255}`;
  addresses.set(key, address);
  return address;
}

/** What kube-state-metrics shows of a pod. */
export function kubePodInfo(pod: Labels, address = addressOf(pod), span?: Span): Series {
  return gauge("kube_pod_info", { ...pod, pod_ip: address, uid: `uid-${address}`, instance: "10.9.9.8:8080" }, 1, span);
}

/** One partition, as seglo's kafka-lag-exporter shows it of the member that owns it. */
export interface MemberPartition {
  readonly topic: string;
  readonly partition: number;
  readonly lag: number;
  /** What is committed a second. */
  readonly perSecond: number;
  /** The member's address. */
  readonly address: string;
  /** Replace labels, or add some. */
  readonly labels?: Labels;
  readonly span?: Span;
}

export function memberPartition({
  topic,
  partition,
  lag,
  perSecond,
  address,
  labels,
  span,
}: MemberPartition): Series[] {
  const all = {
    ...EXPORTER,
    ...GROUP,
    topic,
    partition: String(partition),
    member_host: `/${address}`,
    client_id: "consumer-1",
    consumer_id: `consumer-1-${address}`,
    ...labels,
  };
  return [
    gauge("kafka_consumergroup_group_lag", all, lag, span),
    // The offset of a partition does not begin anew with its next owner's series.
    { ...counter("kafka_consumergroup_group_offset", all, perSecond), span: span ?? {} },
  ];
}

/** What is written to a partition, as the same exporter shows it. */
export function latestOffset(topic: string, partition: number, perSecond: number, labels: Labels = {}): Series {
  const all = { ...EXPORTER, cluster_name: GROUP.cluster_name, topic, partition: String(partition), ...labels };
  return counter("kafka_partition_latest_offset", all, perSecond);
}

/** The pod's partitions through seglo's kafka-lag-exporter: a topic for each pod, so that nobody else has them. */
export function lagExporter(pod: Labels, lags: readonly number[], perSecond: number, span?: Span): Series[] {
  const { cluster, namespace = "", pod: name = "" } = pod;
  const owned = lags.flatMap((lag, partition) =>
    memberPartition({
      topic: `${namespace}.${name}`,
      partition,
      lag,
      perSecond: perSecond / lags.length,
      address: addressOf(pod),
      ...(cluster !== undefined && { labels: { cluster } }),
      ...(span && { span }),
    }),
  );
  return owned;
}

/** The Java client through Strimzi's JMX rules: other label names, and the counter once more as the client's total. */
export function jmx(pod: Labels, lags: readonly number[], perSecond: number): Series[] {
  const client = { ...pod, clientid: "consumer-orders-1" };
  return [
    ...lags.map((lag, index) => gauge(RECORDS_LAG, { ...client, topic: "orders", partition: `${index}` }, lag)),
    counter(RECORDS_CONSUMED, { ...client, topic: "orders" }, perSecond / 4),
    counter(RECORDS_CONSUMED, { ...client, topic: "refunds" }, (perSecond * 3) / 4),
    counter(RECORDS_CONSUMED, client, perSecond),
    gauge(ASSIGNED, client, lags.length),
  ];
}
