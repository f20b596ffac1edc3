/** What a metrics server has instead of the series that a default query looks for. */

import type { Sample } from "../prometheus/parse.ts";
import { printable } from "../text.ts";
import type { PodInfo, Signal } from "../types.ts";
import { type MetricsProfile, PROFILES } from "./profiles.ts";
import { type MetricsOptions, podsPattern } from "./queries.ts";

const CADVISOR = { cpu: "container_cpu_usage_seconds_total", memory: "container_memory_working_set_bytes" };

/** By which metric a profile's query knows a signal. */
const SOUGHT: Readonly<Record<MetricsProfile, Readonly<Record<Signal, string>>>> = {
  seed: { ...CADVISOR, lag: "kafka_consumer_lag_sum", rate: "kafka_consumer_messages_consumed_total" },
  "java-client": {
    ...CADVISOR,
    lag: "kafka_consumer_fetch_manager_records_lag",
    rate: "kafka_consumer_fetch_manager_records_consumed_total",
  },
  "kafka-lag-exporter": {
    ...CADVISOR,
    lag: "kafka_consumergroup_group_lag",
    rate: "kafka_consumergroup_group_offset",
  },
};

/** What other exporters call it: the kubelet's own metrics, OpenTelemetry, danielqsj's kafka_exporter, a counter without `_total`. */
const SIMILAR: Readonly<Record<Signal, string>> = {
  cpu: "(container|pod)_cpu_usage_seconds(_total)?",
  memory: "(container|pod)_memory_working_set_bytes",
  lag: "kafka_consumer.*lag.*",
  rate: "kafka_consumer.*(consumed|offset).*",
};

/** Where exporters and scrape configurations put a pod's name. */
const POD_LABELS = [
  "pod",
  "exported_pod",
  "kubernetes_pod_name",
  "pod_name",
  "kubernetes_pod",
  "k8s_pod_name",
] as const;

/** Says under which of them a row's series name the pods; without it a row is of all series. */
const UNDER = "found_under";

const QUERY_OF: Readonly<Record<Signal, string>> = {
  cpu: "CPU_QUERY",
  lag: "LAG_QUERY",
  rate: "RATE_QUERY",
  memory: "MEMORY_QUERY",
};

type Options = Pick<MetricsOptions, "profile" | "group" | "namespace" | "queries">;

/**
 * One query for whatever is called alike: how many series name these pods, and in which label, in any namespace; and how many there are
 * at all. A row for each name, label, namespace and container, however many pods.
 *
 * @param matchers - PROMETHEUS_MATCHERS, or "" to look at whatever the server has.
 * @returns undefined where the signal's query is a custom one: nobody knows what it looks for.
 */
export function searchQuery(
  signal: Signal,
  pods: readonly PodInfo[],
  { profile, queries }: Options,
  matchers: string,
): string | undefined {
  if (queries[signal] !== undefined || pods.length === 0) return undefined;
  const alike = `__name__=~"${SIMILAR[signal]}"${matchers === "" ? "" : `,${matchers}`}`;
  const named = POD_LABELS.map((label) => {
    const counted = `count by (__name__, namespace, exported_namespace, container) ({${alike},${label}=~"${podsPattern(pods)}"})`;
    return `label_replace(${counted}, "${UNDER}", "${label}", "", "")`;
  });
  const all = isOfGroup(profile, signal) ? "by (__name__, group)" : "by (__name__)";
  return [...named, `count ${all} ({${alike}})`].join(" or ");
}

/**
 * What was looked for, what there is instead, and what to set, as a clause.
 *
 * @param rows - what `searchQuery` yields; undefined where it was not asked.
 */
export function clueOf(signal: Signal, rows: readonly Sample[] | undefined, options: Options): string {
  if (rows === undefined) return `${signal}: ${QUERY_OF[signal]} yields no row of these pods`;
  const { profile, namespace, group } = options;
  const metric = SOUGHT[profile][signal];
  const ofGroup = isOfGroup(profile, signal);
  const labels = ofGroup
    ? `group="${printable(group ?? "")}"`
    : `namespace="${namespace}" and the pod's name in the label pod`;
  const found = ofGroup ? clueOfGroup(signal, rows, options) : clueOfPods(signal, rows, options);
  return `${signal}: profile ${profile} looks for ${metric} with ${labels}; ${found}`;
}

function clueOfPods(signal: Signal, rows: readonly Sample[], options: Options): string {
  const { profile, namespace } = options;
  const metric = SOUGHT[profile][signal];
  const ofMetric = rows.filter((row) => nameOf(row) === metric);
  const elsewhere = ofMetric.find(({ labels }) => labels[UNDER] !== undefined && labels[UNDER] !== "pod");
  const inPod = ofMetric.filter(({ labels }) => labels[UNDER] === "pod");
  const here = inPod.filter(({ labels }) => labels["namespace"] === namespace);
  const [there] = inPod;
  if (here.length > 0) return clueOfTheirOwn(signal, here);
  if (there) {
    const isExported = there.labels["exported_namespace"] === namespace;
    const found = `${countOf(there)} of it name these pods, but have ${labelOf(there, isExported ? "exported_namespace" : "namespace")}`;
    const remedy = isExported ? relabel(signal, "exported_namespace", "namespace") : `set ${QUERY_OF[signal]} for that`;
    return `${found}: ${remedy}`;
  }
  if (elsewhere) {
    const label = elsewhere.labels[UNDER] ?? "";
    return `${countOf(elsewhere)} of it name these pods in the label ${label}: ${relabel(signal, label, "pod")}`;
  }
  return clueOfOthers(signal, rows, options);
}

/** They are there, and yet the query leaves them out. */
function clueOfTheirOwn(signal: Signal, here: readonly Sample[]): string {
  const containers = here.map(({ labels }) => labels["container"] ?? "");
  const ofCadvisor = signal === "cpu" || signal === "memory";
  if (ofCadvisor && containers.every((container) => container === "" || container === "POD")) {
    return `the series of these pods have no label container, as with the Docker runtime: set ${QUERY_OF[signal]} for the series of whole pods (container="")`;
  }
  return "there are series of these pods, but PROMETHEUS_MATCHERS leaves them out, or they are older than STALENESS_LIMIT or began within METRICS_WINDOW";
}

function clueOfOthers(signal: Signal, rows: readonly Sample[], { profile }: Options): string {
  const metric = SOUGHT[profile][signal];
  const named = rows.filter((row) => row.labels[UNDER] !== undefined && nameOf(row) !== metric);
  const names = namesOf(named);
  if (names.length > 0) {
    const labels = [...new Set(named.map(({ labels: { [UNDER]: label } }) => label))].join(", ");
    return `there is none of these pods, but ${shortList(names)} with their names in ${labels}: ${setting(signal, names)}`;
  }
  const same = rows.find((row) => nameOf(row) === metric);
  if (same) return `${countOf(same)} of it exist, but none names these pods in ${POD_LABELS.join(", ")}`;
  const alike = namesOf(rows);
  if (alike.length > 0) return `there is none anywhere, but ${shortList(alike)}: ${setting(signal, alike)}`;
  return "there is none anywhere: check that the exporter runs and is scraped, and that PROMETHEUS_ENDPOINT is the right server";
}

function clueOfGroup(signal: Signal, rows: readonly Sample[], options: Options): string {
  const { profile, group = "" } = options;
  const ofMetric = rows.filter((row) => row.labels[UNDER] === undefined && nameOf(row) === SOUGHT[profile][signal]);
  const own = ofMetric.find(({ labels }) => labels["group"] === group);
  if (own) {
    return `${countOf(own)} of it exist, but no member_host is the address of one of these pods, or PROMETHEUS_MATCHERS leaves them out, or they are older than STALENESS_LIMIT`;
  }
  const groups = ofMetric.map(({ labels }) => labels["group"] ?? "").filter((name) => name !== "");
  if (groups.length > 0) return `there is none of it, but of the groups ${shortList(groups)}: correct KAFKA_GROUP`;
  return clueOfOthers(signal, rows, options);
}

/** Which setting makes use of these metrics. */
function setting(signal: Signal, names: readonly string[]): string {
  const profiles = Object.keys(PROFILES) as MetricsProfile[];
  const fitting = profiles.find((profile) => names.includes(SOUGHT[profile][signal]));
  return fitting === undefined ? `set ${QUERY_OF[signal]} for it` : `set METRICS_PROFILE=${fitting}`;
}

function relabel(signal: Signal, from: string, to: string): string {
  const honour = from.startsWith("exported_") ? "scrape it with honor_labels: true, or " : "";
  return `${honour}set ${QUERY_OF[signal]} with label_replace(…, "${to}", "$1", "${from}", "(.+)")`;
}

function isOfGroup(profile: MetricsProfile, signal: Signal): boolean {
  return profile === "kafka-lag-exporter" && (signal === "lag" || signal === "rate");
}

function nameOf({ labels }: Sample): string {
  return labels["__name__"] ?? "";
}

function namesOf(rows: readonly Sample[]): string[] {
  return [...new Set(rows.map(nameOf))].filter((name) => name !== "").toSorted();
}

function countOf({ value }: Sample): string {
  return value === 1 ? "1 series" : `${value} series`;
}

function labelOf({ labels }: Sample, name: string): string {
  return printable(`${name}="${labels[name] ?? ""}"`);
}

/** At most five, and how many more. */
function shortList(names: readonly string[]): string {
  const sorted = [...new Set(names)].toSorted();
  const more = sorted.length > 5 ? ` and ${sorted.length - 5} more` : "";
  return printable(sorted.slice(0, 5).join(", ")) + more;
}
