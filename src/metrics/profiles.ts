/**
 * The default queries, written as custom ones are: PromQL with the variables that `queryOf` replaces. Each yields one row
 * for each pod (those of the group, and of a lag exporter, for each partition), and the same value on Prometheus and on
 * VictoriaMetrics.
 *
 * What they guard against, and how:
 * - the last value of a dead exporter: `alive` asks for the sample's own age, because a `rate()` carries the evaluation time;
 * - a series that ended, whose rate VictoriaMetrics goes on computing: `alive` asks for its present value too;
 * - a counter that began within the window (new pod, restarted container): Prometheus divides what it has by the whole
 *   window, so the pod would look idle; `rateOf` leaves such a pod out, unless another counter of the same is old enough;
 * - two runs of one container, two owners of one partition around a rebalance: `newest` takes the last one; of two owners at the same
 *   moment both, so that the join refuses them;
 * - a rebalance within the window, which gives a partition's series another member's labels, and a lag exporter that
 *   restarted: `progressOf` compares the offsets of the partition now and then, whatever else their labels say;
 * - several clients of a pod that no known label tells apart: `indistinct` shows them, so that the join refuses them;
 * - duplicates of a second replica: each series counts once, by its maximum;
 * - a lag of -1 (nothing committed yet), which would hide in a sum: the pod's row shows the negative value itself, so
 *   that it is rejected by name. NaN makes the sum NaN, unless another member shows a number of the same partition.
 *
 * What they cannot see: VictoriaMetrics drops NaN when it is written, so that the rest of the pod's series add up as if
 * there were no more. And Prometheus understates the rate of a counter whose last sample is late but within the staleness
 * limit, by the part of the window that is empty.
 *
 * To add a profile, add its queries here, and the series of its exporters to the cases in test/engines.
 */

import type { Signal } from "../types.ts";

/** What is asked of the metrics server: of pods their signals, of the group who owns which partition and what comes in. */
export type QueryName = Signal | "ownership" | "partitionRate";

/** What stands for a query that is not asked. */
export const LEFT_OUT = "none";

const POD = 'namespace="$namespace",pod=~"$pods"';

/** A selector of the pods' series. */
function select(metric: string, matchers = ""): string {
  return selectAny(metric, matchers === "" ? POD : `${POD},${matchers}`);
}

/** A selector; `$matchers` comes last, because it may be empty. */
function selectAny(metric: string, matchers: string): string {
  return `${metric}{${matchers},$matchers}`;
}

/** The present value of each series, unless it is older than the staleness limit. */
function alive(series: string): string {
  return `(${series} and (time() - timestamp(${series}) <= $staleness))`;
}

/**
 * The same, but of several series of one thing only the newest, and that only if it is one of `series`; several where they are of one
 * moment.
 */
function newest(thing: string, series: string, among = series): string {
  const last = `max by (${thing}) (timestamp(${among}))`;
  return `(${series} and (time() - (timestamp(${series}) == on (${thing}) group_left () ${last}) <= $staleness))`;
}

/** Without the NaN of what a member gave up: where one of the series of a thing is a number, only such count. */
function numbersFirst(thing: string, series: string): string {
  return `((${series} == ${series}) or on (${thing}) ${series})`;
}

/**
 * The rate of each living counter that is older than the window; none for a pod with a thing of which every counter is younger. One old
 * counter of the thing is enough: others may show it since a moment ago.
 *
 * @param once - says which labels tell the things apart that are counted.
 * @param replaced - selects things that took another one's place within the window: none for a pod with such a one either.
 */
function rateOf(once: string, series: string, replaced?: string): string {
  const old = `(${alive(series)} and ${series} offset $window)`;
  const young = `(count ${once} (${alive(series)}) unless count ${once} (${old}))`;
  const without = replaced === undefined ? young : `(${young} or ${replaced})`;
  return `((rate(${series}[$window]) and ${old}) unless on (pod, cluster) ${without})`;
}

/**
 * By how much an offset grows per second: from its last sample before the window to its last one, by their own times. None where
 * it is younger than the window; negative where it went back.
 */
function progressOf(once: string, series: string): string {
  const newestOf = (vector: string) => `max ${once} (${vector})`;
  const then = `${series} offset $window`;
  const messages = `(${newestOf(alive(series))} - ${newestOf(then)})`;
  const seconds = `(${newestOf(`timestamp(${series})`)} - ${newestOf(`timestamp(${then})`)})`;
  return `(${messages} / (${seconds} > 0))`;
}

/** Adds up a pod's series, each counted once: `once` says which labels tell them apart. */
function sumByPod(once: string, series: string): string {
  return `sum by (pod, cluster) (max ${once} (${series}))`;
}

/** The same, but a pod with a negative series yields that instead of an understated sum. */
function gaugeByPod(once: string, series: string): string {
  return `(min by (pod, cluster) (${series}) < 0) or ${sumByPod(once, series)}`;
}

/** cAdvisor (kubelet): pod-level series have no container, the pause container is called POD. */
const CONTAINERS = 'container!="",container!="POD"';
/** Also unites what differs in `id` and `name`: the series of a container before and after its restart. */
const CONTAINER = "namespace, pod, container, cluster";
const ONCE_A_CONTAINER = `by (${CONTAINER})`;

const CPU_SECONDS = "container_cpu_usage_seconds_total";
const RUNS = select(CPU_SECONDS, `${CONTAINERS},id!=""`);
/** Runs of containers, told apart by their ids, where there was another one at the beginning of the window: they restarted. */
const RESTARTED = [
  `(count by (${CONTAINER}, id, name) (${RUNS}) unless count by (${CONTAINER}, id, name) (${RUNS} offset $window))`,
  `(${RUNS} offset $window)`,
].join(` and on (${CONTAINER}) `);

const CADVISOR = {
  cpu: sumByPod(ONCE_A_CONTAINER, rateOf(ONCE_A_CONTAINER, select(CPU_SECONDS, CONTAINERS), RESTARTED)),
  memory: gaugeByPod(ONCE_A_CONTAINER, newest(CONTAINER, select("container_memory_working_set_bytes", CONTAINERS))),
};

/** The names of the `seed` profile, as an application's own exporter would have them. */
const ONCE_A_SERIES = "without ($replica_labels)";

/** Micrometer writes `client_id`, Strimzi's JMX rules `clientid`, other rules for the JMX exporter `clientId`. */
export const CLIENT_ID_LABELS = ["client_id", "clientid", "clientId"] as const;
const CLIENT = ["pod", "cluster", ...CLIENT_ID_LABELS].join(", ");
/** Matches series of clients that have none of these labels. */
const UNNAMED = CLIENT_ID_LABELS.map((label) => `${label}=""`).join(",");

/** The label of rows that stand for no pod but for clients that cannot be told apart: see `refuseIndistinct`. */
export const INDISTINCT = "indistinct_client";

/**
 * The series that one scrape shows of the same thing of clients without a name: they are several clients', which no label that is known
 * tells apart, and would be taken for one. A scrape is known by its job and instance: another path to the same pod shows the same again.
 * A client with a name may be there twice: Micrometer binds its metrics once for Spring's listener and once for `KafkaClientMetrics`.
 *
 * @param series - of clients without a name.
 */
function indistinct(thing: string, series: string): string {
  const labels = `${thing}, job, instance, $replica_labels`;
  const several = `(${series} and on (${labels}) (count by (${labels}) (${series}) > 1))`;
  return `label_replace(max without ($replica_labels) (${several}), "${INDISTINCT}", "true", "", "")`;
}

/** More than any topic name that was met; each step below replaces one. */
const DOTS = 8;

/**
 * Copies `topic` to `flat_topic`, with underscores for dots. Kafka clients from 4.1 on show a topic with dots twice, as it is
 * and with underscores (KIP-1109); Kafka allows no two topics that differ in this only.
 */
function withFlatTopic(series: string): string {
  let flat = `label_replace(${series}, "flat_topic", "$1", "topic", "(.*)")`;
  for (let dot = 0; dot < DOTS; dot += 1) {
    flat = `label_replace(${flat}, "flat_topic", "\${1}_$2", "flat_topic", "(.*)[.](.*)")`;
  }
  return flat;
}

const RECORDS_LAG_METRIC = "kafka_consumer_fetch_manager_records_lag";
const RECORDS_LAG = alive(select(RECORDS_LAG_METRIC));
const CURRENT_LAG = numbersFirst("flat_topic, partition, cluster", withFlatTopic(RECORDS_LAG));
const RECORDS_CONSUMED = "kafka_consumer_fetch_manager_records_consumed_total";
const ASSIGNED = alive(select("kafka_consumer_coordinator_assigned_partitions"));

/** A consumer without partitions has no lag series, but says that it has none. */
const NOTHING_ASSIGNED = `(${sumByPod(`by (${CLIENT})`, ASSIGNED)} == 0)`;

/** Of each client the total over its topics where it is shown (JMX always, Micrometer before the first record), else by topic. */
const CONSUMED_BY_CLIENT = [
  `max by (${CLIENT}) (${rateOf(`by (${CLIENT})`, select(RECORDS_CONSUMED, 'topic=""'))})`,
  `sum by (${CLIENT}) (max by (${CLIENT}, flat_topic) (${withFlatTopic(rateOf(`by (${CLIENT}, topic)`, select(RECORDS_CONSUMED, 'topic!=""')))}))`,
].join(" or ");

/** Of each partition the lag, -1 before the first fetch of anything from it: only the read replica is shown at once. */
function owned(matchers = ""): string {
  const replica = alive(select("kafka_consumer_fetch_manager_preferred_read_replica", matchers));
  return `(${alive(select(RECORDS_LAG_METRIC, matchers))} or (${replica} * 0 - 1))`;
}
/** Of each client without a name a row that says nothing of its partitions, since those of several do not collide. */
const UNNAMED_OWNERS = `count without (topic, partition) (${owned(UNNAMED)})`;
const OWNED_BY_CLIENT = `${indistinct("pod, cluster", UNNAMED_OWNERS)} or max by (${CLIENT}, topic, partition) (${owned()})`;

/** Keeps what may tell two Kafka clusters apart, whatever it is called. */
const ONCE_AN_EXPORTER = "without (instance, pod, $replica_labels)";

/** What the exporters of seglo's names call a group without members. */
const HAS_MEMBER = 'member_host!~"|unknown"';
const GROUP = 'group="$group"';
const PARTITION = "topic, partition, cluster, cluster_name";
const ONCE_A_PARTITION = `by (${PARTITION})`;

/** The lag of each partition of the group, with the labels of the member that owns it now; of each, where several do. */
const MEMBER_LAG = numbersFirst(
  PARTITION,
  newest(
    PARTITION,
    selectAny("kafka_consumergroup_group_lag", `${GROUP},${HAS_MEMBER}`),
    selectAny("kafka_consumergroup_group_lag", GROUP),
  ),
);

/** 1 for each partition and its owner; which pod that is, `sumByOwner` finds out. */
const OWNERS = `(count by (${PARTITION}, member_host) (${MEMBER_LAG}) > bool 0)`;
const COMMITTED = `(${progressOf(ONCE_A_PARTITION, selectAny("kafka_consumergroup_group_offset", GROUP))} >= 0)`;

export const PROFILES = {
  seed: {
    ...CADVISOR,
    lag: gaugeByPod(ONCE_A_SERIES, alive(select("kafka_consumer_lag_sum"))),
    rate: sumByPod(ONCE_A_SERIES, rateOf(ONCE_A_SERIES, select("kafka_consumer_messages_consumed_total"))),
    ownership: LEFT_OUT,
    partitionRate: LEFT_OUT,
  },
  "java-client": {
    ...CADVISOR,
    lag: [
      indistinct("pod, cluster, topic, partition", alive(select(RECORDS_LAG_METRIC, UNNAMED))),
      `(min by (pod, cluster) (${RECORDS_LAG}) < 0)`,
      `sum by (pod, cluster) (max by (${CLIENT}, flat_topic, partition) (${CURRENT_LAG}))`,
      NOTHING_ASSIGNED,
    ].join(" or "),
    rate: `${indistinct("pod, cluster, topic", alive(select(RECORDS_CONSUMED, UNNAMED)))} or sum by (pod, cluster) (${CONSUMED_BY_CLIENT})`,
    ownership: OWNED_BY_CLIENT,
    partitionRate: progressOf(ONCE_AN_EXPORTER, selectAny("kafka_topic_partition_current_offset", 'topic=~"$topics"')),
  },
  "kafka-lag-exporter": {
    ...CADVISOR,
    lag: `max by (${PARTITION}, member_host) (${MEMBER_LAG})`,
    // What a member's partitions of now brought within the window, though another may have owned them at its beginning.
    rate: [
      `(${OWNERS} * on (${PARTITION}) group_left () ${COMMITTED})`,
      `(${OWNERS} unless on (${PARTITION}) ${COMMITTED})`,
    ].join(" unless on (member_host, cluster, cluster_name) "),
    ownership: `max by (${PARTITION}, member_host, client_id, consumer_id) (${MEMBER_LAG})`,
    partitionRate: [
      progressOf(ONCE_A_PARTITION, selectAny("kafka_partition_latest_offset", 'topic=~"$topics"')),
      alive(selectAny("kafka_consumergroup_group_lag", GROUP)),
    ].join(" and on (topic, cluster, cluster_name) "),
  },
} as const satisfies Record<string, Readonly<Record<QueryName, string>>>;

export type MetricsProfile = keyof typeof PROFILES;
