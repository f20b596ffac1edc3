/**
 * Writes the parts of the documentation that the code knows better: tables of settings, exit codes, reasons, errors, rights and
 * metrics, the queries, and figures that the code computes. Each stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
 *
 * As a script it rewrites README.md and docs/; test/docs.test.ts fails while they differ from the code.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { parseAllDocuments } from "yaml";

import { type Cause, CAUSES } from "../src/causes.ts";
import { loadConfig } from "../src/config/load.ts";
import { flagOf, type Option, type OptionName, OPTIONS } from "../src/config/options.ts";
import { decide } from "../src/decision/decide.ts";
import { GATES } from "../src/decision/gates.ts";
import { ERRORS } from "../src/errors.ts";
import { diagnose } from "../src/forecast/cause.ts";
import { metricsText } from "../src/logging/metrics.ts";
import { PROFILES } from "../src/metrics/profiles.ts";
import { assess } from "../src/podstate/assess.ts";
import { describeValues } from "../src/podstate/statistics.ts";
import { seededRandom } from "../src/random.ts";
import { EXIT_CODES, type HoldReason, type Reason, REASONS } from "../src/reasons.ts";
import { drawRates } from "../src/simulation/partition-rates.ts";
import type { Group, PodInfo, RunReport, Signal, SignalSamples, Snapshot, Workload } from "../src/types.ts";

/** Which file must have which parts. */
export const PLACES = {
  "README.md": ["options", "exit-codes"],
  "docs/algorithm.md": ["gates", "causes", "example", "one-hot-pod", "random-deals", "queries"],
  "docs/operations.md": ["exit-codes", "reasons", "errors", "rights", "metrics"],
} as const satisfies Readonly<Record<string, readonly PartName[]>>;

/** The file that is written whole. */
export const RULE = "deploy/kubernetes/alerts/prometheus-rule.yaml";

export type PartName = keyof typeof PARTS;

const PARTS = {
  options: optionsTable,
  "exit-codes": exitCodesTable,
  reasons: reasonsTable,
  causes: causesTable,
  errors: errorsTable,
  rights: () => rightsTable(read("deploy/kubernetes/base/role.yaml")),
  metrics: metricsTable,
  queries: queriesBlocks,
  gates: gatesTable,
  example: exampleTables,
  "one-hot-pod": oneHotPodTable,
  "random-deals": randomDealsTable,
} as const satisfies Readonly<Record<string, () => string | Promise<string>>>;

const ROOT = join(import.meta.dirname, "..");

/** What a run obeys that is told nothing. */
const { policy: DEFAULTS } = await loadConfig("plan", [], { env: {} });

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Every part by its name, as Markdown that oxfmt leaves as it is. */
export async function renderParts(): Promise<ReadonlyMap<string, string>> {
  const parts = Object.entries(PARTS).map(async ([name, render]) => [name, await render()] as const);
  return new Map(await Promise.all(parts));
}

const MARKED = /<!-- begin: (?<name>[\w-]+) -->(?<body>.*?)<!-- end: \k<name> -->/gs;

/** What stands between the markers of a text, by name. */
export function partsOf(markdown: string): ReadonlyMap<string, string> {
  const found = [...markdown.matchAll(MARKED)];
  return new Map(found.map(({ groups }) => [groups?.["name"] ?? "", (groups?.["body"] ?? "").trim()]));
}

/** The text with its marked parts replaced; one that nobody here knows is left as it is. */
export function withParts(markdown: string, parts: ReadonlyMap<string, string>): string {
  return markdown.replaceAll(MARKED, (unchanged, name: string) => {
    const part = parts.get(name);
    return part === undefined ? unchanged : `<!-- begin: ${name} -->\n\n${part}\n\n<!-- end: ${name} -->`;
  });
}

/** Columns padded to one width, as oxfmt does it. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", String.raw`\|`)));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => lengthOf(row[column]))));
  const lineOf = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? "") + " ".repeat(width - lengthOf(row[column]))).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [lineOf(head), rule, ...body.map(lineOf)].join("\n");
}

function lengthOf(cell = ""): number {
  return Array.from(cell).length;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** What is a name in a sentence of the code's tables: settings, variables of queries, annotations, files. */
const NAMES = new RegExp(
  String.raw`\`[^\`]*\`|\$\w+|pod-rebalancer\.io/\w+|\w+(?:/[\w-]+)+\.yaml|\b(?:${Object.keys(OPTIONS).join("|")})\b(?:=\w+)?`,
  "g",
);

/** The sentence with its names as code; also, `$pods, $window` would be a formula for some renderers. */
function prose(text: string): string {
  return text.replaceAll(NAMES, (name) => (name.startsWith("`") ? name : code(name)));
}

/** README.md */
function optionsTable(): string {
  const rows = (Object.keys(OPTIONS) as OptionName[]).map((name) => {
    const option: Option<unknown> = OPTIONS[name];
    const negated = option.parse("true") === true ? [`--no-${flagOf(name)}`] : [];
    const letter = option.short === undefined ? [] : [`-${option.short}`];
    const flags = [`--${flagOf(name)}`, ...negated, ...letter].map(code).join(", ");
    return [option.flagOnly ? "–" : code(name), flags, defaultOf(option), prose(option.expected), prose(option.help)];
  });
  return table(["Variable", "Flag", "Default", "Valid", "Meaning"], rows);
}

function defaultOf(option: Option<unknown>): string {
  if (option.derived) return prose(option.default);
  return option.default === "" ? "nothing" : code(option.default);
}

/** README.md, docs/operations.md */
function exitCodesTable(): string {
  const rows = Object.entries(EXIT_CODES).map(([number, { meaning, advice }]) => [
    code(number),
    sentence(meaning),
    prose(advice),
  ]);
  return table(["Exit code", "Meaning", "What to do"], rows);
}

/** A clause as a sentence of its own. */
function sentence(clause: string): string {
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`;
}

/** A reason, with a link to its section in docs/runbook.md; for documents beside that. */
function reasonLink(reason: Reason): string {
  return `[${code(reason)}](runbook.md#reason-${reason})`;
}

/** docs/operations.md */
function reasonsTable(): string {
  const rows = (Object.keys(REASONS) as Reason[]).map((reason) => {
    const { exit, sentence: meaning, advice } = REASONS[reason];
    const codes = { 0: "0", 4: "4, or 3", failure: "1, or 3" };
    return [reasonLink(reason), codes[exit], prose(meaning), prose(advice)];
  });
  return table(["Reason", "Exit", "Meaning", "What to do"], rows);
}

/** By which signs a cause is known. */
const SIGNS: Readonly<Record<Cause, string>> = {
  hot_partition:
    "One partition's rate is above all partitions' rates / pods, and more than twice the median partition's.",
  skewed_partitions: "Loads are uneven, CPU for a message is not, and the numbers of partitions do not explain it.",
  count_imbalance: "Loads are uneven, and at least half of their variance follows from the numbers of partitions.",
  slow_pod: "CPU for a message is 1.5 times the lower quartile or more, and CPU is higher than the others', too.",
  slow_node: "The same for all pods of one node (at least two), and for none elsewhere.",
  stalled_consumer:
    "The rate is below half the median and half of what its partitions bring, and half a window's traffic waits; or the pod is not in the group.",
  downstream_slow:
    "Three quarters of the pods are late (a minute of traffic waits), and together they consume less than 0.9 of what comes in.",
  even: "None of these, no pod is late, and each consumes what its partitions bring; or the group is idle.",
  unknown:
    "Signals are missing or contradict each other; a rollout, a rebalance or a removal lies within the window; or a pod is late for no reason that can be seen.",
};

/** docs/algorithm.md */
function causesTable(): string {
  const rows = (Object.keys(CAUSES) as Cause[]).map((cause) => {
    const { sentence: meaning, remedy } = CAUSES[cause];
    return [code(cause), meaning, SIGNS[cause], prose(remedy)];
  });
  return table(["Cause", "Meaning", "Known by", "What to do"], rows);
}

/** docs/operations.md */
function errorsTable(): string {
  const rows = Object.entries(ERRORS).map(([name, { retryable, advice }]) => {
    // Where a link to an error leads to: `docs/operations.md#error-forbidden`.
    return [`<a id="error-${name.toLowerCase()}"></a>${code(name)}`, retryable ? "yes" : "no", prose(advice)];
  });
  return table(["Error", "Retried", "What to do"], rows);
}

interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** By the right as the Role has it. */
const WHY: Readonly<Record<string, string>> = {
  "get, update leases": "Take, renew and release the workload's Lease, and keep its record. A dry run only reads it.",
  "create leases": "The first run on a workload creates its Lease. RBAC cannot restrict `create` to a name.",
  "get, list pods": "See the group; compare a pod's UID just before its eviction, and find out what became of it.",
  "create pods/eviction": "Evict. A dry run asks with `dryRun=All`; without this right it ends with `not_allowed`.",
  "get deployments, replicasets, statefulsets": "Find the pods' workload, its rollout and its suspend annotation.",
  "list horizontalpodautoscalers": "Hold while an autoscaler wants another number of pods.",
  "create events": "Write one Event for a run that touched a pod. Without it the run logs a warning.",
};

/**
 * docs/operations.md
 * @throws Error on a right that nobody has explained.
 */
export function rightsTable(roleYaml: string): string {
  const objects = parseAllDocuments(roleYaml).map((document) => document.toJS() as { kind: string });
  const role = objects.find(({ kind }) => kind === "Role") as unknown as { readonly rules: readonly RoleRule[] };
  const rows = role.rules.map(({ apiGroups, resources, resourceNames = [], verbs }) => {
    const right = `${verbs.join(", ")} ${resources.join(", ")}`;
    const why = WHY[right];
    if (why === undefined) throw new Error(`scripts/docs.ts does not say why the Role grants "${right}"`);
    const groups = apiGroups.map((group) => (group === "" ? "core" : code(group))).join(", ");
    return [groups, resources.map(code).join(", "), verbs.join(", "), resourceNames.map(code).join(", "), why];
  });
  return table(["API group", "Resource", "Verbs", "Only", "Why"], rows);
}

/** A label with more values than this has a list of its own elsewhere. */
const VALUES_SHOWN = 6;

/** docs/operations.md; from what a run prints. */
async function metricsTable(): Promise<string> {
  const lines = (await metricsText(exampleReport(), DEFAULTS)).split("\n");
  const rows = lines
    .filter((line) => line.startsWith("# HELP "))
    .map((line) => {
      const [, , name = "", ...help] = line.split(" ");
      const type = lines.find((other) => other.startsWith(`# TYPE ${name} `))?.split(" ")[3] ?? "";
      return [code(name), type, labelsOf(name, lines), help.join(" ")];
    });
  return table(["Metric", "Type", "Labels", "Meaning"], rows);
}

function labelsOf(metric: string, lines: readonly string[]): string {
  const values = new Map<string, string[]>();
  for (const line of lines) {
    const [, label = "", value = ""] = new RegExp(`^${metric}{(\\w+)="(\\w+)",namespace=`).exec(line) ?? [];
    if (label !== "") values.set(label, [...(values.get(label) ?? []), value]);
  }
  return [...values]
    .map(([label, of]) => `${code(label)}: ${of.length > VALUES_SHOWN ? `each ${label}` : of.map(code).join(", ")}`)
    .join("; ");
}

/** docs/algorithm.md */
function queriesBlocks(): string {
  return Object.entries(PROFILES)
    .flatMap(([profile, queries]) =>
      Object.entries(queries).map(
        ([signal, query]) => `${code(profile)}, ${signal}:\n\n\`\`\`promql\n${query}\n\`\`\``,
      ),
    )
    .join("\n\n");
}

/** When each gate is closed. */
const CLOSED_WHEN: Readonly<Record<HoldReason, string>> = {
  no_pods: "No unfinished pod with a controller matches the selector.",
  ambiguous_group:
    "The pods have several controllers, or one that is no Deployment or StatefulSet of `apps`, or that would not replace them: a Deployment without a ReplicaSet in between, a StatefulSet whose pods bear other names than its own with an ordinal.",
  workload_deleting: "The workload, or its ReplicaSet, has a `metadata.deletionTimestamp`.",
  suspended: "`SUSPEND=true`, or the workload carries `pod-rebalancer.io/suspend` with any value but `false`.",
  locked: "Another run holds the workload's Lease.",
  rollout_in_progress: "The workload's newest specification is not acted upon yet, or pods of an older one are left.",
  scaling_in_progress:
    "A HorizontalPodAutoscaler of the workload wants another number than `spec.replicas`, more pods are there than that (those that terminate do not count), or a StatefulSet's pod is there that is not among the asked-for ordinals.",
  pods_not_ready:
    "Fewer than 0.9 × `spec.replicas` pods are Ready; of a StatefulSet with `podManagementPolicy: OrderedReady` fewer than `spec.replicas`. Or the Deployment says that it cannot make pods (`ReplicaFailure`).",
  too_few_pods: "Not more than `MIN_PODS_REQUIRED` pods are Ready.",
  cooldown: "The last removal on record is less than `COOLDOWN` ago.",
  insufficient_metrics: "The coverage is below `MIN_METRICS_COVERAGE`, or no pod has a score.",
  idle: "Neither the mean of CPU nor that of lag reaches its floor.",
  ineffective:
    "`forecast`: the last three rotations of this very group (pods' controller, numbers, assignor) made nothing better.",
  sources_contradict: "`forecast`: two sources name different pods for a partition.",
  members_unmatched: "`forecast`: the group has no members, or a pod has none.",
  group_unstable:
    "`forecast`: the group has members and is not `Stable`, changed while it was read, or has partitions without an owner.",
  streams_group: "`forecast`: the group is one of Kafka Streams.",
  share_group: "`forecast`: it is a share group (KIP-932).",
  few_partitions: "`forecast`: there are not more partitions than consumers.",
  stateless_assignor: "`forecast`: the assignor is range or round-robin.",
  static_membership: "`forecast`: members have a `group.instance.id`.",
  hot_partition:
    "`forecast`: a partition alone is above a fair share, and less than a quarter of what the busiest carries above the mean could be removed.",
  balanced:
    "`balanced`: no signal that reaches its floor passes its threshold. `forecast`: busiest / mean is below 1.1, or less than 2 % of it could be removed.",
  not_unusual:
    "`forecast` without partitions and their rates, or with an assignor that nobody can predict: fewer than 95 % of random deals, or of the last week, are more even, or no threshold of `balanced` is passed.",
  planning_timeout:
    "`forecast`: after 20 s not every candidate was looked at, and none of those that were is good enough.",
  no_gain:
    "`forecast`: no candidate's pessimistic end (p90) removes `MINIMUM_IMPROVEMENT_PERCENT` of what could be removed and 2 % of busiest / mean, makes it worse with a chance of 5 % at most, and pays back within `COOLDOWN`.",
  no_eligible_target: "No chosen pod may be removed: each is terminating, not Ready, exempt or too young.",
};

/** docs/algorithm.md */
function gatesTable(): string {
  const rows = GATES.map(({ reason, again }, index) => {
    return [String(index + 1), reasonLink(reason), again ? "yes" : "", CLOSED_WHEN[reason]];
  });
  return table(["", "Reason", "Asked again", "Holds when"], rows);
}

interface ExamplePod {
  readonly name: string;
  readonly cpu: number;
  readonly lag: number;
  readonly rate: number;
  readonly memoryMebibytes: number;
}

const EXAMPLE: readonly ExamplePod[] = [
  { name: "a", cpu: 1.8, lag: 40_000, rate: 1_400, memoryMebibytes: 600 },
  { name: "b", cpu: 0.7, lag: 2_000, rate: 560, memoryMebibytes: 540 },
  { name: "c", cpu: 0.6, lag: 1_200, rate: 480, memoryMebibytes: 570 },
  { name: "d", cpu: 0.4, lag: 900, rate: 330, memoryMebibytes: 510 },
  { name: "e", cpu: 0.3, lag: 400, rate: 240, memoryMebibytes: 480 },
];

const MEBIBYTE = 2 ** 20;

const OBSERVED_AT = new Date("2026-01-02T00:00:00Z");
const CREATED = new Date("2026-01-01T00:00:00Z");

function exampleSnapshot(): Snapshot {
  const workload: Workload = {
    kind: "Deployment",
    namespace: "shop",
    name: "consumer",
    uid: "workload",
    replicas: EXAMPLE.length,
    minReadySeconds: 0,
    deleting: undefined,
    ordered: false,
    hindered: undefined,
    suspended: false,
    rollout: undefined,
    scaling: undefined,
  };
  const pods = EXAMPLE.map(({ name }): PodInfo => ({
    namespace: "shop",
    name,
    uid: name,
    controller: { kind: "ReplicaSet", name: "consumer-5d8f7c9b", uid: "replica-set" },
    namePrefix: "consumer-5d8f7c9b-",
    node: "node-1",
    ip: undefined,
    created: CREATED,
    terminating: false,
    readySince: CREATED,
    exempt: false,
    graceSeconds: 30,
  }));
  return { observedAt: OBSERVED_AT, controllers: ["Deployment/consumer"], workload, pods, bare: [] };
}

function samplesOf(valueOf: (pod: ExamplePod) => number): SignalSamples {
  return { values: new Map(EXAMPLE.map((pod) => [pod.name, valueOf(pod)])), rejected: [] };
}

function exampleGroup(): Group {
  const signals = {
    cpu: samplesOf(({ cpu }) => cpu),
    lag: samplesOf(({ lag }) => lag),
    rate: samplesOf(({ rate }) => rate),
    memory: samplesOf(({ memoryMebibytes }) => memoryMebibytes * MEBIBYTE),
  };
  const record = { heldBy: undefined, removals: [], rotations: [] };
  return assess({ snapshot: exampleSnapshot(), record, signals }, DEFAULTS);
}

function exampleReport(): RunReport {
  const group = exampleGroup();
  return {
    runId: "example",
    dryRun: false,
    namespace: "shop",
    selector: "app=consumer",
    startedAt: OBSERVED_AT,
    durationMillis: 0,
    stepMillis: {},
    group,
    diagnosis: diagnose(group, DEFAULTS),
    decision: decide(group, DEFAULTS),
    removal: undefined,
    rotation: undefined,
    reason: "rotated",
    detail: "",
    error: undefined,
    exitCode: 0,
  };
}

/** docs/algorithm.md: two tables, pods and statistics, as `assess` and `decide` have them. */
function exampleTables(): string {
  const group = exampleGroup();
  const decision = decide(group, DEFAULTS);
  const targets = decision.action === "rotate" ? decision.targets : [];
  const { statistics } = group;
  const pods = group.pods.map(({ pod, signals, score = 0 }) => {
    const share = (signal: Signal) => (signals[signal] ?? 0) / statistics[signal].maximum;
    const role = targets.find((target) => target.pod.uid === pod.uid)?.role.replace("_", " ") ?? "";
    const readings = [fixed(signals.cpu ?? 0, 1), whole(signals.lag ?? 0), whole((signals.memory ?? 0) / MEBIBYTE)];
    const shares = (["cpu", "lag", "memory"] as const).map((signal) => fixed(share(signal), 3));
    return [code(pod.name), ...readings, shares.join(" / "), fixed(score, 3), role];
  });
  const names = ["cpu", "lag", "score"] as const;
  const figures = (["count", "mean", "variance", "relativeVariance", "busiestToMean", "p50", "p90"] as const).map(
    (figure) => [FIGURES[figure], ...names.map((name) => short(statistics[name][figure]))],
  );
  const limits = [String(DEFAULTS.cpuVarianceThreshold), String(DEFAULTS.lagVarianceThreshold), ""];
  const floors = [String(DEFAULTS.cpuFloor), String(DEFAULTS.lagFloor), ""];
  return [
    table(["Pod", "CPU cores", "Lag messages", "Memory MiB", "Shares: CPU / lag / memory", "Score", "Role"], pods),
    table(
      ["Over the group", "CPU", "Lag", "Score"],
      [...figures, ["floor of the mean", ...floors], ["limit of σ² / μ²", ...limits]],
    ),
    `Decision: ${decision.action === "rotate" ? `rotate, because ${decision.because.join(" and ")}` : decision.reason}.`,
  ].join("\n\n");
}

const FIGURES = {
  count: "scored pods",
  mean: "mean μ",
  variance: "variance σ²",
  relativeVariance: "relative variance σ² / μ²",
  busiestToMean: "busiest / mean",
  p50: "p50",
  p90: "p90",
} as const;

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

function whole(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 0 });
}

function short(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

const GROUP_SIZES = [4, 8, 20, 50, 100, 1_000];

/**
 * docs/algorithm.md: how much more than each of the others one pod must have until the group counts as uneven. With x times as
 * much in a group of n, σ² / μ² = (n - 1)·(x - 1)² / (n - 1 + x)².
 */
function oneHotPodTable(): string {
  const limits = [DEFAULTS.cpuVarianceThreshold, DEFAULTS.lagVarianceThreshold];
  const rows = GROUP_SIZES.map((pods) => {
    const factors = limits.map((limit) => {
      const root = Math.sqrt(limit / (pods - 1));
      return `${fixed((1 + root * (pods - 1)) / (1 - root), 1)} times`;
    });
    return [whole(pods), ...factors];
  });
  return table(["Pods", ...limits.map((limit) => `limit ${limit}`)], rows);
}

/** Groups of one topic; the k-th largest partition's rate is proportional to k^-skew. */
const DEALS = [
  { pods: 8, partitions: 32, skew: 0.5 },
  { pods: 8, partitions: 32, skew: 0.6 },
  { pods: 8, partitions: 32, skew: 0.7 },
  { pods: 8, partitions: 32, skew: 0.8 },
  { pods: 8, partitions: 32, skew: 1 },
  { pods: 20, partitions: 100, skew: 0.6 },
  { pods: 50, partitions: 256, skew: 0.6 },
] as const;
const DEALS_DRAWN = 5_000;

/** docs/algorithm.md: how often chance alone passes the default thresholds. The same each time: the draws are seeded. */
function randomDealsTable(): string {
  const random = seededRandom(1);
  const limits = [DEFAULTS.cpuVarianceThreshold, DEFAULTS.lagVarianceThreshold];
  const rows = DEALS.map(({ pods, partitions, skew }) => {
    const spreads = Array.from({ length: DEALS_DRAWN }, () => {
      // In random order, so that to deal them in turn is to deal them at random.
      const rates = drawRates({ kind: "zipf", parameter: skew }, partitions, 1, random);
      const loads = Array.from({ length: pods }, () => 0);
      for (const [turn, rate] of rates.entries()) loads[turn % pods] = (loads[turn % pods] ?? 0) + rate;
      return describeValues(loads).relativeVariance;
    });
    const { p50, p99 } = describeValues(spreads);
    const over = limits.map((limit) => percent(spreads.filter((spread) => spread > limit).length / DEALS_DRAWN));
    return [String(pods), String(partitions), String(skew), fixed(p50, 2), fixed(p99, 2), ...over];
  });
  const header = ["Pods", "Partitions", "Skew", "σ² / μ²: median", "σ² / μ²: p99"];
  return table([...header, ...limits.map((limit) => `above ${limit}`)], rows);
}

function percent(share: number): string {
  return `${(share * 100).toLocaleString("en", { maximumFractionDigits: 1 })} %`;
}

/** deploy/kubernetes/alerts/prometheus-rule.yaml: the alerts as the Prometheus operator takes them. */
export function prometheusRule(): string {
  const rules = read("deploy/alerts/rules.yaml");
  const [groups = ""] = rules.split(/^(?=groups:)/m).slice(1);
  return `# Written by \`npm run docs\` from ../../alerts/rules.yaml, which says why each rule is as it is.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: pod-rebalancer
  labels:
    app.kubernetes.io/name: pod-rebalancer
spec:
${groups.replaceAll(/^(?=.)/gm, "  ")}`;
}

if (import.meta.main) {
  writeFileSync(join(ROOT, RULE), prometheusRule());
  const parts = await renderParts();
  for (const [file, names] of Object.entries(PLACES)) {
    const path = join(ROOT, file);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    const missing = names.filter((name) => !partsOf(text).has(name));
    if (missing.length > 0) process.stderr.write(`docs: ${file} has no markers for ${missing.join(", ")}\n`);
    const next = withParts(text, parts);
    if (next === text) continue;
    writeFileSync(path, next);
    process.stdout.write(`docs: ${file} is rewritten\n`);
  }
}
