import { describe, expect, it } from "vitest";

import { METRICS_OPTIONS } from "../../test/fakes/metrics-options.ts";
import { podsNamed } from "../../test/fakes/pods.ts";
import type { Sample } from "../prometheus/parse.ts";
import { SIGNALS, type Signal } from "../types.ts";
import { type MetricsProfile, PROFILES } from "./profiles.ts";
import { clueOf, searchQuery } from "./search.ts";

const PODS = podsNamed(["a"]);
const profiles = Object.keys(PROFILES) as MetricsProfile[];

function row(name: string, labels: Record<string, string> = {}, value = 8): Sample {
  return { labels: { __name__: name, ...labels }, value };
}

function told(signal: Signal, rows: readonly Sample[], profile: MetricsProfile = "seed"): string {
  return clueOf(signal, rows, { ...METRICS_OPTIONS, profile });
}

describe("a clue", () => {
  it.each(profiles.flatMap((profile) => SIGNALS.map((signal) => [profile, signal] as const)))(
    "of profile %s names the metric that its query for %s asks for, and the search finds it",
    (profile, signal) => {
      const [, metric = "none"] = /looks for (\S+) with/.exec(told(signal, [], profile)) ?? [];
      expect(PROFILES[profile][signal]).toContain(metric);
      const query = searchQuery(signal, PODS, { ...METRICS_OPTIONS, profile }, "") ?? "";
      const [, alike = "none"] = /count by \([^)]*\) \(\{__name__=~"([^"]*)"\}\)$/.exec(query) ?? [];
      expect(metric).toMatch(new RegExp(`^(?:${alike})$`));
    },
  );

  const LAG = "kafka_consumer_lag_sum";
  const SEED_LAG = `lag: profile seed looks for ${LAG} with namespace="shop" and the pod's name in the label pod; `;
  const CPU = "container_cpu_usage_seconds_total";

  it.each<[string, Signal, MetricsProfile, Sample[], string]>([
    [
      "a pod's name under another label",
      "lag",
      "seed",
      [row(LAG, { found_under: "exported_pod", namespace: "monitoring" }), row(LAG, {}, 40)],
      `${SEED_LAG}8 series of it name these pods in the label exported_pod: scrape it with honor_labels: true, or set LAG_QUERY with label_replace(…, "pod", "$1", "exported_pod", "(.+)")`,
    ],
    [
      "a pod's name under a label of a scrape configuration",
      "lag",
      "seed",
      [row(LAG, { found_under: "kubernetes_pod_name" }, 1)],
      `${SEED_LAG}1 series of it name these pods in the label kubernetes_pod_name: set LAG_QUERY with label_replace(…, "pod", "$1", "kubernetes_pod_name", "(.+)")`,
    ],
    [
      "another namespace",
      "lag",
      "seed",
      [row(LAG, { found_under: "pod", namespace: "monitoring" })],
      `${SEED_LAG}8 series of it name these pods, but have namespace="monitoring": set LAG_QUERY for that`,
    ],
    [
      "the namespace under another label",
      "lag",
      "seed",
      [row(LAG, { found_under: "pod", namespace: "monitoring", exported_namespace: "shop" })],
      `${SEED_LAG}8 series of it name these pods, but have exported_namespace="shop": scrape it with honor_labels: true, or set LAG_QUERY with label_replace(…, "namespace", "$1", "exported_namespace", "(.+)")`,
    ],
    [
      "a counter without _total",
      "rate",
      "seed",
      [row("kafka_consumer_messages_consumed", { found_under: "pod", namespace: "shop" })],
      `rate: profile seed looks for kafka_consumer_messages_consumed_total with namespace="shop" and the pod's name in the label pod; there is none of these pods, but kafka_consumer_messages_consumed with their names in pod: set RATE_QUERY for it`,
    ],
    [
      "another profile's metrics",
      "lag",
      "seed",
      [row("kafka_consumer_fetch_manager_records_lag", { found_under: "pod", namespace: "shop" })],
      `${SEED_LAG}there is none of these pods, but kafka_consumer_fetch_manager_records_lag with their names in pod: set METRICS_PROFILE=java-client`,
    ],
    [
      "an exporter's metrics that name no pod",
      "lag",
      "seed",
      [row("kafka_consumergroup_group_lag")],
      `${SEED_LAG}there is none anywhere, but kafka_consumergroup_group_lag: set METRICS_PROFILE=kafka-lag-exporter`,
    ],
    [
      "series of other pods alone",
      "lag",
      "seed",
      [row(LAG, {}, 40)],
      `${SEED_LAG}40 series of it exist, but none names these pods in pod, exported_pod, kubernetes_pod_name, pod_name, kubernetes_pod, k8s_pod_name`,
    ],
    [
      "nothing",
      "lag",
      "seed",
      [],
      `${SEED_LAG}there is none anywhere: check that the exporter runs and is scraped, and that PROMETHEUS_ENDPOINT is the right server`,
    ],
    [
      "the Docker runtime",
      "cpu",
      "seed",
      [row(CPU, { found_under: "pod", namespace: "shop" })],
      `cpu: profile seed looks for ${CPU} with namespace="shop" and the pod's name in the label pod; the series of these pods have no label container, as with the Docker runtime: set CPU_QUERY for the series of whole pods (container="")`,
    ],
    [
      "series that the query leaves out",
      "cpu",
      "seed",
      [row(CPU, { found_under: "pod", namespace: "shop", container: "app" }), row(CPU, {}, 90)],
      `cpu: profile seed looks for ${CPU} with namespace="shop" and the pod's name in the label pod; there are series of these pods, but PROMETHEUS_MATCHERS leaves them out, or they are older than STALENESS_LIMIT or began within METRICS_WINDOW`,
    ],
    [
      "other groups",
      "lag",
      "kafka-lag-exporter",
      ["e", "d", "c", "b", "a", "g", "f"].map((group) => row("kafka_consumergroup_group_lag", { group })),
      'lag: profile kafka-lag-exporter looks for kafka_consumergroup_group_lag with group="orders"; there is none of it, but of the groups a, b, c, d, e and 2 more: correct KAFKA_GROUP',
    ],
    [
      "members at other addresses",
      "lag",
      "kafka-lag-exporter",
      [row("kafka_consumergroup_group_lag", { group: "orders" })],
      'lag: profile kafka-lag-exporter looks for kafka_consumergroup_group_lag with group="orders"; 8 series of it exist, but no member_host is the address of one of these pods, or PROMETHEUS_MATCHERS leaves them out, or they are older than STALENESS_LIMIT',
    ],
    [
      "another exporter",
      "lag",
      "kafka-lag-exporter",
      [row("kafka_consumergroup_lag", { group: "" })],
      'lag: profile kafka-lag-exporter looks for kafka_consumergroup_group_lag with group="orders"; there is none anywhere, but kafka_consumergroup_lag: set LAG_QUERY for it',
    ],
  ])("tells %s", (_name, signal, profile, rows, expected) => {
    expect(told(signal, rows, profile)).toBe(expected);
  });

  it("names the setting of a custom query, of which nothing more is known", () => {
    const options = { ...METRICS_OPTIONS, queries: { lag: "up" } };
    expect(searchQuery("lag", PODS, options, "")).toBeUndefined();
    expect(clueOf("lag", undefined, options)).toBe("lag: LAG_QUERY yields no row of these pods");
  });

  it("keeps the server's words on one line", () => {
    expect(
      told("lag", [row("kafka_consumergroup_group_lag", { group: "a\u001b[2J\nb" })], "kafka-lag-exporter"),
    ).not.toMatch(/\p{Cc}/u);
  });
});
