import type { PodInfo, Signal } from "../types.ts";
import { PROFILES, type MetricsProfile } from "./profiles.ts";

/** Where a pod's signals come from. */
export interface MetricsOptions {
  /** A namespace name. */
  readonly namespace: string;
  /** The set of queries that `queries` replaces one by one. */
  readonly profile: MetricsProfile;
  /** Custom PromQL by signal; `none` leaves the signal out on purpose. */
  readonly queries: Readonly<Partial<Record<Signal, string>>>;
  /** PROMETHEUS_MATCHERS: `cluster="eu",tier!="test"`, or "". */
  readonly matchers: string;
  /** PROMETHEUS_REPLICA_LABELS: labels that tell the replicas of one Prometheus apart. */
  readonly replicaLabels: readonly string[];
  /** METRICS_WINDOW, > 0. */
  readonly windowSeconds: number;
  /** STALENESS_LIMIT, > 0. */
  readonly stalenessSeconds: number;
}

/** What a custom query says to leave its signal out. */
const LEFT_OUT = "none";

/**
 * The query of one signal for these pods, ready to send; undefined when the signal is left out.
 *
 * In a custom query `$namespace`, `$pods`, `$window`, `$staleness`, `$matchers` and `$replica_labels` are replaced, as they are
 * in the default ones, and nothing else is changed.
 */
export function queryOf(signal: Signal, pods: readonly PodInfo[], options: MetricsOptions): string | undefined {
  const template = options.queries[signal] ?? PROFILES[options.profile][signal];
  if (template === LEFT_OUT) return undefined;
  const values = {
    namespace: options.namespace,
    pods: podsPattern(pods),
    window: promDuration(options.windowSeconds),
    staleness: String(options.stalenessSeconds),
    matchers: options.matchers,
    replica_labels: options.replicaLabels.join(", "),
  };
  return template.replaceAll(
    /\$(namespace|pods|window|staleness|matchers|replica_labels)\b/g,
    (_, name: keyof typeof values) => values[name],
  );
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
