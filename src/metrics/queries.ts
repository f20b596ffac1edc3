import type { ProtocolName } from "../kafka/assignors/protocols.ts";
import type { PodInfo } from "../types.ts";
import { LEFT_OUT, PROFILES, type MetricsProfile, type QueryName } from "./profiles.ts";

/** Where a pod's signals and the group's partitions come from. */
export interface MetricsOptions {
  /** A namespace name. */
  readonly namespace: string;
  /** The set of queries that `queries` replaces one by one. */
  readonly profile: MetricsProfile;
  /** KAFKA_GROUP; undefined only where no query names it. */
  readonly group: string | undefined;
  /** Custom PromQL; `none` leaves the query out on purpose. */
  readonly queries: Readonly<Partial<Record<QueryName, string>>>;
  /** PROMETHEUS_MATCHERS: `cluster="eu",tier!="test"`, or "". */
  readonly matchers: string;
  /** PROMETHEUS_REPLICA_LABELS: labels that tell the replicas of one Prometheus apart. */
  readonly replicaLabels: readonly string[];
  /** KAFKA_ASSIGNOR: how the group's members are assigned partitions, which no metric says; undefined: nobody knows. */
  readonly assignor: ProtocolName | undefined;
  /** METRICS_WINDOW, > 0. */
  readonly windowSeconds: number;
  /** STALENESS_LIMIT, > 0. */
  readonly stalenessSeconds: number;
}

/**
 * One query for these pods, ready to send; undefined when it is left out.
 *
 * In a custom query `$namespace`, `$pods`, `$group`, `$topics`, `$window`, `$staleness`, `$matchers` and `$replica_labels` are
 * replaced, as they are in the default ones, and nothing else is changed.
 *
 * @param topics - the topics that the group owns partitions of, once they are known.
 */
export function queryOf(
  name: QueryName,
  pods: readonly PodInfo[],
  options: MetricsOptions,
  topics: readonly string[] = [],
): string | undefined {
  const template = templateOf(name, options);
  if (template === LEFT_OUT) return undefined;
  const values = {
    namespace: options.namespace,
    pods: podsPattern(pods),
    group: inQuotes(options.group ?? ""),
    topics: topicsPattern(topics),
    window: promDuration(options.windowSeconds),
    staleness: String(options.stalenessSeconds),
    matchers: options.matchers,
    replica_labels: options.replicaLabels.join(", "),
  };
  return template.replaceAll(
    /\$(namespace|pods|group|topics|window|staleness|matchers|replica_labels)\b/g,
    (_, variable: keyof typeof values) => values[variable],
  );
}

/** Whether a query names the group. */
export function usesGroup({ profile, queries }: Pick<MetricsOptions, "profile" | "queries">): boolean {
  const names = Object.keys(PROFILES[profile]) as QueryName[];
  return names.some((name) => /\$group\b/.test(templateOf(name, { profile, queries })));
}

function templateOf(name: QueryName, { profile, queries }: Pick<MetricsOptions, "profile" | "queries">): string {
  return queries[name] ?? PROFILES[profile][name];
}

/** Any text, as it must stand within quotes: only what means nothing to PromQL stands for itself, so nothing ends the string. */
function inQuotes(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9 ._-]/gu, (character) => {
    return `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`;
  });
}

/** VictoriaMetrics refuses queries above 16,384 bytes, and not all of them is this pattern. */
const LONGEST_TOPICS_PATTERN = 8_000;

/**
 * A regular expression (RE2, anchored) that catches these topics; every topic where it would be too long.
 *
 * A dot and an underscore stand for each other, because Java clients before 4.1 show one as the other; Kafka allows no two
 * topics that differ in this only. What no topic's name may hold becomes any one character, as in `podsPattern`.
 */
export function topicsPattern(topics: readonly string[]): string {
  const patterns = topics.map((topic) =>
    topic.replaceAll(/[^a-zA-Z0-9-]/gu, (character) => (/[._]/.test(character) ? "[._]" : ".")),
  );
  const pattern = [...new Set(patterns)].toSorted().join("|");
  return pattern.length > LONGEST_TOPICS_PATTERN ? ".+" : pattern;
}

/**
 * A regular expression (RE2, anchored) that catches the names of these pods and of those that replace them.
 *
 * It is made of what the names begin with, because a list of names is too long: VictoriaMetrics refuses queries above
 * 16,384 bytes, some 630 names. It may catch pods of neighbours, which the join drops. It needs no escaping within a
 * PromQL string of any kind: a dot is written `[.]`, and `-` is no special character outside of brackets (`\-` fails on both).
 * What no name of Kubernetes may hold (a quote, say) becomes `.`, any one character: an API server that lies cannot end
 * the string.
 */
export function podsPattern(pods: readonly Pick<PodInfo, "namePrefix" | "controller">[]): string {
  const patterns = pods.map(({ namePrefix, controller }) => {
    const prefix = namePrefix.replaceAll(/[^a-z0-9-]/gu, (character) => (character === "." ? "[.]" : "."));
    return controller.kind === "StatefulSet" ? `${prefix}[0-9]+` : `${prefix}.*`;
  });
  return [...new Set(patterns)].toSorted().join("|");
}

/** Seconds as a duration that both engines read: "5m", "90s", "1500ms". */
function promDuration(seconds: number): string {
  if (seconds % 60 === 0) return `${seconds / 60}m`;
  return Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1_000)}ms`;
}

/** @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels */
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** RFC 1123 label. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const MATCHER = String.raw`[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')`;
const MATCHER_LIST = new RegExp(String.raw`^\s*(?:${MATCHER}(?:\s*,\s*${MATCHER})*\s*)?$`);

export function isNamespaceName(text: string): boolean {
  return NAMESPACE.test(text) && text.length <= 63;
}

/** Whether a text can stand as a label in `without (…)`. */
export function isLabelName(text: string): boolean {
  return LABEL_NAME.test(text);
}

/** Whether a text can stand between the braces of a selector: label matchers with commas between them, or nothing. */
export function isMatcherList(text: string): boolean {
  return MATCHER_LIST.test(text);
}
