/** The tables and plots of docs/decision-quality.md. Each row is a process of its own, run with the flags that rerun it. */

import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { table, withParts } from "../../scripts/docs.ts";
import { type Confusion, confusionsOf, precisionOf } from "./confusion.ts";
import { LABELS } from "./corpus.ts";
import { DEFAULT_FLAGS, type Flag, type Flags } from "./flags.ts";
import type { PolicyName } from "./policies.ts";
import type { RowObject } from "./row-object.ts";
import { NOISES, type Rung, weakerFaults } from "./weaker.ts";

const PAGE = join(import.meta.dirname, "../../docs/decision-quality.md");
const MAIN = join(import.meta.dirname, "main.ts");

const run = promisify(execFile);

type Changes = Partial<Record<Flag, string>>;

/** One row of a table: what is said of it, and what differs from the defaults. */
interface Line {
  readonly label: readonly string[];
  readonly flags: Changes;
}

interface Column {
  readonly title: string;
  readonly cell: (row: RowObject) => string;
}

interface Table {
  readonly labels: readonly string[];
  readonly lines: readonly Line[];
  readonly columns: readonly Column[];
  readonly plot?: Plot;
}

/** One figure or several, of a table's lines or of some of them. */
interface Plot {
  readonly title: string;
  readonly axis: string;
  readonly kind: "bar" | "line";
  readonly of: (row: RowObject) => boolean;
  readonly label: (row: RowObject) => string;
  readonly figures: readonly ((row: RowObject) => number)[];
}

/** More where more is compared. */
const MANY = { states: "3000" };
const STATES = { states: "1000" };
const UNGATED: Changes = { policy: "balanced", gate: "off" };

const removed: Column = { title: "Removed of what could be", cell: (row) => estimate(row, "removedShare", percent) };
const betterWorse: Column = {
  title: "Better / worse",
  cell: (row) => `${percent(row.better)} / ${percent(row.worse)}`,
};
const pods: Column = { title: "Pods removed", cell: ({ podsRemoved }) => fixed(podsRemoved) };
const perPod: Column = {
  title: "Removed a pod",
  cell: ({ removedSharePerPod }) => optional(removedSharePerPod, percent),
};
const imbalance: Column = {
  title: "I before → after (floor)",
  cell: (row) => `${fixed(row.imbalanceBefore)} → ${fixed(row.imbalanceAfter)} (${fixed(row.floor)})`,
};
const paused: Column = {
  title: "Paused, longest",
  cell: (row) =>
    `${fixed(row.partitionsPaused, 1)}, ${optional(row.longestPauseSeconds, (seconds) => `${fixed(seconds, 1)} s`)}`,
};
const lag: Column = {
  title: "Lag before → after",
  cell: (row) => `${fixed(row.lagBefore)} s → ${fixed(row.lagAfter)} s`,
};
const drained: Column = {
  title: "Drained, after",
  cell: (row) => `${percent(row.drained)}, ${optional(row.drainSeconds, (seconds) => `${fixed(seconds, 0)} s`)}`,
};
const calibrated: Column = {
  title: "At p90 at most, above the median",
  cell: ({ acted: share, withinP90, aboveMedian }) =>
    share === 0 ? "–" : `${percent(withinP90)}, ${percent(aboveMedian)}`,
};
const acted: Column = { title: "Acted", cell: (row) => percent(row.acted) };
const ofThose: Column = {
  title: "Of those better / worse",
  cell: ({ better, worse, acted: share }) =>
    share === 0 ? "–" : `${percent(better / share)} / ${percent(worse / share)}`,
};

const COMPARED: readonly (readonly [label: string, policy: PolicyName, flags: Changes])[] = [
  ["balanced, gate off", "balanced", { gate: "off" }],
  ["balanced, with its thresholds", "balanced", { gate: "on" }],
  ["forecast", "forecast", {}],
  ["nothing", "nothing", {}],
  ["two random pods", "random", {}],
  ["the busiest only", "busiest", {}],
  ["top 2 + bottom 2 (PostHog)", "top-2-bottom-2", {}],
  ["rollout restart", "rollout-restart", {}],
  ["best assignment possible", "best-possible", {}],
];

const REPEATED: typeof COMPARED = COMPARED.flatMap((row) => {
  const [, policy] = row;
  if (policy === "best-possible" || policy === "rollout-restart") return [];
  return policy === "forecast" ? [row, ["forecast, its order known", policy, { learned: "3" }]] : [row];
});

const ASSIGNORS = [
  "java-range",
  "java-roundrobin",
  "java-sticky",
  "java-cooperative-sticky",
  "librdkafka-range",
  "librdkafka-roundrobin",
  "librdkafka-cooperative-sticky",
  "kip848-range",
  "kip848-uniform",
];

const SHAPES: readonly Changes[] = [
  { rates: "zipf:1" },
  { rates: "lognormal:0.5" },
  { rates: "lognormal:1" },
  { rates: "hot:0.22" },
  { rates: "drifting:0.6" },
  { rates: "bursty:0.6" },
  { topics: "4" },
  { pods: "20", partitions: "100" },
  { pods: "50", partitions: "256", states: "200" },
  { "rate-error": "0.2" },
  { "replaced-before": "8" },
  { "replaced-before": "40" },
  { capacity: "1.5" },
];

const KNOWN: Changes = { order: "leave-first", learned: "3" };
const UNSURE: Changes = { order: "unknown", "rate-error": "0.2" };

/** What is known of the order, and what differs. */
const FORECASTS: readonly (readonly [order: string, flags: Changes])[] = [
  ["known: leave first", { ...KNOWN, "max-pods": "1", ...MANY }],
  ["known: leave first", { ...KNOWN, ...MANY }],
  ["known: leave first", { ...KNOWN, "rate-error": "0.2", ...MANY }],
  ["unknown", { ...UNSURE, ...MANY }],
  ["unknown, is leave first", { "rate-error": "0.2" }],
  ["unknown, is join first", { ...UNSURE, order: "join-first" }],
  ["unknown, is one barrier", { ...UNSURE, order: "one-barrier" }],
  ...["java-sticky", "librdkafka-cooperative-sticky", "kip848-uniform"].flatMap((assignor) => [
    ["known: leave first", { ...KNOWN, assignor }] as const,
    ["unknown", { ...UNSURE, assignor }] as const,
  ]),
  ["known: leave first", { ...KNOWN, assignor: "java-range" }],
  ["known: leave first", { ...KNOWN, assignor: "kip848-range" }],
  ...SHAPES.filter((shape) => !shape["rate-error"]).map(
    (shape) => ["known: leave first", { ...KNOWN, ...shape }] as const,
  ),
];

const TABLES = {
  policies: {
    labels: ["Policy"],
    lines: COMPARED.map(([label, policy, flags]) => ({ label: [label], flags: { policy, ...flags, ...MANY } })),
    columns: [removed, betterWorse, pods, perPod, imbalance, paused, lag, drained],
    plot: {
      title: "Removed of what could be, %",
      axis: "policy",
      kind: "bar",
      of: ({ policy, gate }) => policy !== "balanced" || gate === "off",
      label: ({ policy }) => policy,
      figures: [({ removedShare }) => removedShare],
    },
  },
  orders: {
    labels: ["Order", "Policy"],
    lines: ["leave-first", "join-first", "one-barrier", "one-at-a-time", "unknown"].flatMap((order) => [
      { label: [order, "balanced, gate off"], flags: { ...UNGATED, order, ...STATES } },
      { label: [order, "the busiest only"], flags: { policy: "busiest", order, ...STATES } },
      { label: [order, "top 2 + bottom 2"], flags: { policy: "top-2-bottom-2", order, ...STATES } },
    ]),
    columns: [removed, betterWorse, pods, paused],
  },
  assignors: {
    labels: ["Assignor"],
    lines: ASSIGNORS.map((assignor) => ({ label: [assignor], flags: { ...UNGATED, assignor, ...MANY } })),
    columns: [removed, betterWorse, paused],
  },
  gate: {
    labels: ["I at least", "Gate"],
    lines: ["1.25", "1.5", "1.75", "2", "2.25", "2.5"].flatMap((least) =>
      ["off", "on"].map((gate) => ({
        label: [least, gate],
        flags: { policy: "balanced", gate, "min-imbalance": least, ...STATES },
      })),
    ),
    columns: [acted, ofThose, removed, imbalance, lag],
    plot: {
      title: "Better (above) and worse (below), % of the states, gate off",
      axis: "I at least",
      kind: "line",
      of: ({ gate }) => gate === "off",
      label: (row) => row["min-imbalance"],
      figures: [({ better }) => better, ({ worse }) => worse],
    },
  },
  shapes: {
    labels: ["Differs in", "Gate"],
    lines: SHAPES.flatMap((flags) =>
      ["off", "on"].map((gate) => ({
        label: [written(flags), gate],
        flags: { ...STATES, ...flags, policy: "balanced", gate },
      })),
    ),
    columns: [acted, removed, betterWorse, imbalance],
  },
  forecast: {
    labels: ["Order", "Assignor", "Differs in"],
    lines: FORECASTS.map(([order, flags]) => ({
      label: [
        order,
        flags.assignor ?? "java-cooperative-sticky",
        written({ ...flags, assignor: "java-cooperative-sticky", order: "leave-first", learned: "0" }),
      ],
      flags: { policy: "forecast", ...STATES, ...flags },
    })),
    columns: [acted, removed, betterWorse, pods, imbalance, paused, calibrated],
  },
  unowned: {
    labels: ["Differs in"],
    lines: [{}, ...SHAPES].map((flags: Changes) => ({
      label: [written(flags)],
      flags: { policy: "forecast-unowned", ...STATES, ...flags },
    })),
    columns: [acted, ofThose, removed, imbalance],
  },
  repeated: {
    labels: ["Policy", "Rates"],
    lines: ["zipf:0.6", "drifting:0.6"].flatMap((rates) =>
      REPEATED.map(([label, policy, flags]) => ({
        label: [label, rates],
        flags: { policy, ...flags, rates, runs: "100", states: "30" },
      })),
    ),
    columns: [pods, imbalance],
  },
} as const satisfies Record<string, Table>;

/** What differs from the defaults, as flags. */
function written(flags: Readonly<Partial<Record<Flag, string | number>>>): string {
  const differing = Object.entries(DEFAULT_FLAGS).flatMap(([flag, value]) => {
    const own = String(flags[flag as Flag] ?? value);
    return own === value || flag === "states" ? [] : [`\`--${flag} ${own}\``];
  });
  return differing.join(" ");
}

export const TABLE_NAMES = [...Object.keys(TABLES), "corpus"];

/**
 * By the name of the part of the page. Each row is run for two seeds, and each table says how many of its figures agree.
 *
 * @param only - one of {@link TABLE_NAMES}; undefined: all of them.
 */
export async function renderTables(only?: string): Promise<ReadonlyMap<string, string>> {
  const parts = new Map<string, string>();
  for (const [name, one] of Object.entries(TABLES)) {
    if (only === undefined || only === name) parts.set(name, await renderTable(one));
  }
  if (only === undefined || only === "corpus") {
    for (const half of ["train", "held-out"] as const) {
      const { endings, forecastEndings, causes, causesUnowned } = await confusionsOf(half, CASES);
      parts.set(`corpus-${half}`, confusionTable(endings));
      parts.set(`forecast-${half}`, `${confusionTable(forecastEndings)}\n\n${precisionLine(forecastEndings)}`);
      parts.set(`causes-${half}`, confusionTable(causes));
      parts.set(`causes-unowned-${half}`, confusionTable(causesUnowned));
    }
    parts.set("causes-weaker", weakerTable(await weakerFaults(WEAKER_CASES)));
  }
  return parts;
}

async function renderTable({ lines, labels, columns, plot }: Table): Promise<string> {
  const rows = await inParallel(lines.flatMap(({ flags }) => [flags, { ...flags, seed: "2" }]));
  const [first, again] = [0, 1].map((parity) => rows.filter((_row, at) => at % 2 === parity)) as [
    RowObject[],
    RowObject[],
  ];
  const cells = first.map((row, at) => [...(lines[at]?.label ?? []), ...columns.map(({ cell }) => cell(row))]);
  const markdown = table([...labels, ...columns.map(({ title }) => title)], cells);
  return [markdown, ...(plot ? [plotted(plot, first)] : []), agreement(first, again)].join("\n\n");
}

const CASES = 200;

/** What was said of each label, in percent of its cases. */
function confusionTable(confusion: Confusion): string {
  const said = [...new Set(LABELS.flatMap((label) => [...(confusion.get(label)?.keys() ?? [])]))].toSorted();
  const rows = LABELS.map((label) => {
    const counts = said.map((what) => confusion.get(label)?.get(what) ?? 0);
    return [`\`${label}\``, ...counts.map((count) => (count === 0 ? "" : shareOf(count)))];
  });
  return table(["Label", ...said.map((what) => `\`${what}\``)], rows);
}

function precisionLine(endings: Confusion): string {
  const { rotations, precision } = precisionOf(endings);
  return `Of ${rotations} rotations ${optional(precision, percent)} made it better.`;
}

const WEAKER_CASES = 100;

/** What was said by strength and noise, in percent, the most frequent first. */
function weakerTable(rungs: readonly Rung[]): string {
  const noises = NOISES.map((noise) => `Noise ${noise * 100} %`);
  const rows = rungs.map(({ label, strength, said }) => [`\`${label}\``, strength, ...said.map(frequencies)]);
  return table(["Label", "Strength", ...noises], rows);
}

function frequencies(said: ReadonlyMap<string, number>): string {
  return [...said]
    .toSorted(([a, more], [b, less]) => less - more || (a < b ? -1 : 1))
    .map(([cause, count]) => `\`${cause}\` ${Math.round((count / WEAKER_CASES) * 100)}`)
    .join(", ");
}

function shareOf(count: number): string {
  return String(Math.round((count / CASES) * 1_000) / 10);
}

/** Writes the parts into the page. */
export function writeTables(tables: ReadonlyMap<string, string>): void {
  writeFileSync(PAGE, withParts(readFileSync(PAGE, "utf8"), tables));
}

const COMPARABLE = ["removedShare", "better", "worse", "podsRemoved", "imbalanceAfter"] as const;

/** Two seeds agree where the difference is within the interval of a difference. */
function agreement(first: readonly RowObject[], again: readonly RowObject[]): string {
  const compared = first.flatMap((row, at) => COMPARABLE.map((figure) => ({ figure, row, other: again[at] ?? row })));
  const apart = compared.filter(({ figure, row, other }) => {
    const margin = Math.hypot(row.margins[figure] ?? 0, other.margins[figure] ?? 0);
    return Math.abs(row[figure] - other[figure]) > margin;
  });
  const all = `With another seed ${compared.length - apart.length} of ${compared.length} figures differ by less than their interval`;
  const named = apart.map(({ figure, row, other }) => {
    return `${figure} of ${written(row)}: ${fixed(row[figure], 3)} and ${fixed(other[figure], 3)}`;
  });
  return named.length === 0 ? `${all}.` : `${all}; not so ${named.join("; ")}.`;
}

/** As many rows at a time as there are cores. */
async function inParallel(jobs: readonly Changes[]): Promise<RowObject[]> {
  const results: RowObject[] = [];
  const waiting = [...jobs.entries()];
  async function work(): Promise<void> {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const [at, flags] = job;
      results[at] = await runFlags(flags);
      process.stderr.write(`${at + 1} of ${jobs.length}: ${JSON.stringify(flags)}\n`);
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

async function runFlags(flags: Changes): Promise<RowObject> {
  const args = Object.entries(flags as Flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const { stdout } = await run(process.execPath, [MAIN, ...args, "--json"]);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as RowObject;
}

/** As Mermaid draws it; the table beside it says the same. */
function plotted({ title, axis, kind, of, label, figures }: Plot, all: readonly RowObject[]): string {
  const rows = all.filter(of);
  const labels = rows.map((row) => JSON.stringify(label(row)));
  const series = figures.map(
    (figure) => `    ${kind} [${rows.map((row) => (figure(row) * 100).toFixed(1)).join(", ")}]`,
  );
  const head = [`    title "${title}"`, `    x-axis "${axis}" [${labels.join(", ")}]`, '    y-axis "%"'];
  return ["```mermaid", "xychart-beta", ...head, ...series, "```"].join("\n");
}

function estimate(row: RowObject, figure: "removedShare", format: (value: number) => string): string {
  const margin = row.margins[figure] ?? 0;
  const value = format(row[figure]);
  return margin < 0.000_5 ? value : `${value} ± ${(margin * 100).toFixed(1)}`;
}

function optional(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? "–" : format(value);
}

function percent(share: number): string {
  return `${(share * 100 + 0).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`.replace("-", "−");
}

function fixed(value: number, digits = 2): string {
  return value.toFixed(digits);
}
