/**
 * Every setting, once. The loader, `--help`, the README's table and its test come from here.
 *
 * Each is an environment variable and, in lower case with dashes, a flag; flags win.
 */

import { formatDuration, parseDuration } from "../durations.ts";
import { PROTOCOLS, type ProtocolName } from "../kafka/assignors/protocols.ts";
import type { LogLevel } from "../logging/logger.ts";
import { type MetricsProfile, PROFILES } from "../metrics/profiles.ts";
import { isLabelName, isMatcherList, isNamespaceName } from "../metrics/queries.ts";
import type { OutputKind } from "../output/report.ts";
import type { Policy } from "../types.ts";
import { isLabelSelector } from "./label-selector.ts";

/** One setting. `Value` is what its text stands for. */
export interface Option<Value> {
  /** "-n" without the dash. */
  readonly short?: string;
  /** Has no environment variable: a name as common as this one may mean something else there. */
  readonly flagOnly?: true;
  readonly default: string;
  /** `default` is words, not a value: what is not said is undefined. */
  readonly derived?: true;
  /** Completes "…, expected"; it is all that a person needs to correct the value. */
  readonly expected: string;
  readonly help: string;
  /** undefined: not valid. */
  readonly parse: (text: string) => Value | undefined;
}

/** A timer cannot wait for longer than 24 days. */
export const LONGEST_SECONDS = 14 * 86_400;

function duration(facts: Pick<Option<number>, "default" | "help">): Option<number> {
  return {
    ...facts,
    expected: `a duration above 0 (500ms, 30s, 1m30s) of at most ${formatDuration(LONGEST_SECONDS)}`,
    parse(text) {
      const seconds = parseDuration(text);
      return seconds !== undefined && seconds > 0 && seconds <= LONGEST_SECONDS ? seconds : undefined;
    },
  };
}

function count(facts: Pick<Option<number>, "default" | "help">): Option<number> {
  return {
    ...facts,
    expected: "an integer >= 1",
    parse(text) {
      const value = Number(text);
      return /^\d{1,9}$/.test(text) && value >= 1 ? value : undefined;
    },
  };
}

function decimal(facts: Pick<Option<number>, "default" | "help">, most = Number.MAX_VALUE): Option<number> {
  return {
    ...facts,
    expected: most === Number.MAX_VALUE ? "a number >= 0" : `a number from 0 to ${most}`,
    parse(text) {
      const value = Number(text);
      return /^\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && value <= most ? value : undefined;
    },
  };
}

function flag(facts: Pick<Option<boolean>, "default" | "help">): Option<boolean> {
  return {
    ...facts,
    expected: "exactly true or false",
    parse(text) {
      if (text === "true") return true;
      return text === "false" ? false : undefined;
    },
  };
}

function choice<Choice extends string>(
  choices: readonly Choice[],
  facts: Omit<Option<Choice>, "expected" | "parse">,
): Option<Choice> {
  return {
    ...facts,
    expected: choices.length === 1 ? String(choices[0]) : `one of ${choices.join(", ")}`,
    parse: (text) => choices.find((one) => one === text),
  };
}

/** A text that may be left out; empty is not a way to do so. */
function words(facts: Omit<Option<string>, "parse" | "derived">) {
  return { ...facts, derived: true, parse: (value: string) => (value.trim() === "" ? undefined : value) } as const;
}

function query(signal: string) {
  return words({
    default: "that of METRICS_PROFILE",
    expected: "PromQL with one row for each pod, or none to leave the signal out",
    help: `PromQL for ${signal}; $namespace, $pods, $group, $window, $staleness, $matchers and $replica_labels are replaced`,
  });
}

function partitionQuery(rows: string, help: string) {
  return words({
    default: "that of METRICS_PROFILE",
    expected: `PromQL with one row for each ${rows}, or none to leave it out`,
    help,
  });
}

function endpoint(text: string): URL | undefined {
  const url = URL.parse(text);
  const known = url !== null && /^https?:$/.test(url.protocol);
  return known && url.username === "" && url.password === "" ? url : undefined;
}

/** A Pushgateway's own path comes with the push; an address that has it already would name the group twice. */
function receiver(text: string): URL | "none" | undefined {
  // An overlay cannot take a setting away, only replace it.
  if (text === "none") return text;
  const url = endpoint(text);
  return url && /\/metrics(\/|$)/.test(url.pathname) ? undefined : url;
}

function labelNames(text: string): readonly string[] | undefined {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names.every(isLabelName) ? names : undefined;
}

/** "a:9092, [::1]:9092" → "a:9092" and "[::1]:9092". */
function brokers(text: string): readonly string[] | undefined {
  const servers = text.split(",").map((server) => server.trim());
  const valid = servers.every((server) => {
    const [, port = ""] = /^(?:[\w.-]+|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(server) ?? [];
    return Number(port) >= 1 && Number(port) <= 65_535;
  });
  return valid ? servers : undefined;
}

const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];
const OUTPUTS: readonly OutputKind[] = ["none", "table", "json", "metrics"];
const STRATEGIES: readonly Policy["strategy"][] = ["balanced", "forecast"];

export const OPTIONS = {
  KUBE_NAMESPACE: {
    short: "n",
    default: "default",
    expected: "a namespace name: lower case letters, digits and dashes, at most 63",
    help: "namespace of the consumers",
    parse: (text: string) => (isNamespaceName(text) ? text : undefined),
  },
  KUBE_LABEL_SELECTOR: {
    short: "l",
    default: "app=consumer",
    expected: "a label selector, not empty (app=consumer,tier in (a,b))",
    help: "label selector that matches the pods of one Deployment or StatefulSet",
    parse: (text: string) => (isLabelSelector(text) ? text : undefined),
  },
  KUBE_CONTEXT: words({
    default: "the current one",
    expected: "the name of a context",
    help: "context of the kubeconfig; not needed inside a cluster",
  }),
  DRY_RUN: flag({
    default: "false",
    help: "look, decide and ask the API server, but change nothing; to be said, either way, for a run with a kubeconfig",
  }),
  OUTPUT: {
    ...choice(OUTPUTS, { default: "none; table for plan", help: "what is written to stdout" }),
    flagOnly: true,
    derived: true,
  },
  PROMETHEUS_ENDPOINT: {
    default: "http://victoriametrics:8428",
    expected: "an http(s) URL without a user name (that belongs into PROMETHEUS_HTTP_CONFIG)",
    help: "Prometheus or VictoriaMetrics; a path prefix and query parameters are kept",
    parse: endpoint,
  },
  PROMETHEUS_TIMEOUT: duration({ default: "30s", help: "for one query, its retries included" }),
  PROMETHEUS_HTTP_CONFIG: words({
    default: "none",
    expected: "the path of a file",
    help: "file in Prometheus' HTTP client format: authentication, TLS, headers",
  }),
  PROMETHEUS_MATCHERS: {
    default: "",
    expected: 'label matchers (cluster="eu",tier!="test"), or nothing',
    help: "label matchers that join every selector of the default queries",
    parse: (text: string) => (isMatcherList(text) ? text : undefined),
  },
  PROMETHEUS_REPLICA_LABELS: {
    default: "prometheus_replica,replica",
    expected: "label names with commas between them",
    help: "labels that tell the replicas of one Prometheus apart",
    parse: labelNames,
  },
  METRICS_PROFILE: choice(Object.keys(PROFILES) as MetricsProfile[], {
    default: "seed",
    help: "the set of default queries",
  }),
  CPU_QUERY: query("CPU (cores)"),
  LAG_QUERY: query("lag (messages)"),
  RATE_QUERY: query("the consumption rate (messages/s)"),
  MEMORY_QUERY: query("memory (bytes)"),
  OWNERSHIP_QUERY: partitionQuery(
    "partition that a member owns",
    "PromQL for who owns which partition: labels pod, topic and partition, the value its lag (-1: not known)",
  ),
  PARTITION_RATE_QUERY: partitionQuery(
    "partition",
    "PromQL for what is written to it (messages/s): labels topic and partition; $topics is replaced too",
  ),
  METRICS_WINDOW: duration({ default: "5m", help: "over which rates are taken" }),
  STALENESS_LIMIT: duration({ default: "2m", help: "older samples do not count" }),
  MIN_METRICS_COVERAGE: decimal(
    { default: "0.8", help: "share of the Ready pods that must have every signal in use" },
    1,
  ),
  KAFKA_BOOTSTRAP_SERVERS: {
    default: "none",
    derived: true,
    expected: "host:port, several with commas between them (kafka-0.kafka:9092,kafka-1.kafka:9092)",
    help: "brokers from which the consumer group is read",
    parse: brokers,
  },
  KAFKA_GROUP: words({
    default: "none",
    expected: "the consumers' group.id",
    help: "the consumer group of the pods; needed with KAFKA_BOOTSTRAP_SERVERS",
  }),
  KAFKA_ASSIGNOR: {
    ...choice(Object.keys(PROTOCOLS) as ProtocolName[], {
      default: "what Kafka says",
      help: "client and assignor of the group, where it is read from metrics, which do not say it",
    }),
    derived: true,
  },
  KAFKA_CONFIG: words({
    default: "none",
    expected: "the path of a file",
    help: "file in the format of Kafka's Java client (client.properties): TLS, SASL",
  }),
  KAFKA_TIMEOUT: duration({ default: "30s", help: "for reading the group, without the pause between its two samples" }),
  STRATEGY: {
    ...choice(STRATEGIES, {
      default: "forecast with KAFKA_BOOTSTRAP_SERVERS or KAFKA_ASSIGNOR, otherwise balanced",
      help: "how the pods to rotate are chosen",
    }),
    derived: true,
  },
  MINIMUM_IMPROVEMENT_PERCENT: decimal(
    {
      default: "10",
      help: "what a forecast must promise at its pessimistic end, of the imbalance that could be removed",
    },
    100,
  ),
  CPU_VARIANCE_THRESHOLD: decimal({ default: "0.3", help: "relative variance of CPU above which the group is uneven" }),
  LAG_VARIANCE_THRESHOLD: decimal({ default: "0.5", help: "relative variance of lag above which the group is uneven" }),
  CPU_FLOOR: decimal({ default: "0.05", help: "cores; a mean below it is no load" }),
  LAG_FLOOR: decimal({ default: "100", help: "messages; a mean below it is no load" }),
  MAX_PODS_TO_DELETE: count({ default: "2", help: "most pods that one run removes" }),
  MIN_PODS_REQUIRED: count({ default: "3", help: "Ready pods that must stay while one is replaced" }),
  MIN_POD_AGE: duration({ default: "10m", help: "younger pods are not removed" }),
  COOLDOWN: duration({
    default: "15m",
    help: "after the last removal of any run; >= METRICS_WINDOW + REPLACEMENT_TIMEOUT",
  }),
  REPLACEMENT_TIMEOUT: duration({
    default: "5m",
    help: "for a replacement to be Ready, behind the pod's grace period",
  }),
  RUN_DEADLINE: {
    ...duration({ default: "60s + MAX_PODS_TO_DELETE × (30s + REPLACEMENT_TIMEOUT)", help: "for the whole run" }),
    derived: true,
  },
  METRICS_PUSH_URL: {
    default: "none",
    expected:
      "none, or an http(s) URL without a user name: of a Pushgateway without /metrics/…, or of VictoriaMetrics with /api/v1/import/prometheus",
    help: "receives a run's own metrics: a Pushgateway, or /api/v1/import/prometheus of VictoriaMetrics; plan pushes none",
    parse: receiver,
  },
  METRICS_PUSH_HTTP_CONFIG: words({
    default: "none",
    expected: "the path of a file",
    help: "like PROMETHEUS_HTTP_CONFIG, for METRICS_PUSH_URL",
  }),
  SUSPEND: flag({ default: "false", help: "hold, whatever the load" }),
  LOG_LEVEL: {
    ...choice(LOG_LEVELS, { default: "info; warn for plan", help: "least severe lines on stderr" }),
    derived: true,
  },
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type OptionName = keyof typeof OPTIONS;

type Parsed<Name extends OptionName> = NonNullable<ReturnType<(typeof OPTIONS)[Name]["parse"]>>;

/** What each setting came to. */
export type Settings = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends { derived: true }
    ? Parsed<Name> | undefined
    : Parsed<Name>;
};

/** "KUBE_NAMESPACE" → "kube-namespace". */
export function flagOf(name: OptionName): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Whether its flag stands alone, without a value: `--dry-run`, `--no-dry-run`. */
export function isSwitch(name: OptionName): boolean {
  return OPTIONS[name].parse("true") === true;
}
