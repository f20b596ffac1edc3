/** What was measured, as Markdown, and the aims that it is held to. */

import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

import type { MeasuredRun, Usage } from "./measure.ts";
import type { Counted, Pace } from "./servers.ts";

export interface Measured {
  /** Of `node -e 0`. */
  readonly floor: readonly Usage[];
  readonly scenarios: readonly {
    readonly pods: number;
    readonly pace: Pace;
    readonly runs: readonly (MeasuredRun & Counted)[];
  }[];
}

type Scenario = Measured["scenarios"][number];

/** By the number of pods: at most so many times the CPU of `node -e 0`, and so much memory. */
const AIMS: Readonly<Record<number, { readonly cpuRatio: number; readonly peakMebibytes: number }>> = {
  1_000: { cpuRatio: 12, peakMebibytes: 125 },
  10_000: { cpuRatio: 40, peakMebibytes: 220 },
};

/** Of the step that asks all queries to the slowest of them. */
const FETCH_RATIO_AIM = 1.3;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function medianOf<Run>(runs: readonly Run[], valueOf: (run: Run) => number): number {
  return median(runs.map(valueOf));
}

function cpuRatio({ runs }: Scenario, { floor }: Measured): number {
  return medianOf(runs, ({ cpuMillis }) => cpuMillis) / medianOf(floor, ({ cpuMillis }) => cpuMillis);
}

function fetchRatio({ runs }: Scenario): number {
  return medianOf(runs, ({ fetchMillis, slowestQueryMillis }) => fetchMillis / slowestQueryMillis);
}

/** Each aim that was not reached, as a sentence. */
export function missedAims(measured: Measured): string[] {
  return measured.scenarios.flatMap((scenario) => {
    const what = `${scenario.pods.toLocaleString("en")} pods`;
    if (scenario.pace.queryMillis)
      return tooMuch(`${what}: fetch / slowest query`, fetchRatio(scenario), FETCH_RATIO_AIM);
    const aim = aimOf(scenario);
    if (aim === undefined) return [];
    return [
      ...tooMuch(`${what}: CPU / node -e 0`, cpuRatio(scenario, measured), aim.cpuRatio),
      ...tooMuch(
        `${what}: peak MiB`,
        medianOf(scenario.runs, ({ peakMebibytes }) => peakMebibytes),
        aim.peakMebibytes,
      ),
    ];
  });
}

/** Without added latency: with it, the same work on caches that have grown cold meanwhile is shown for comparison. */
function aimOf({ pods, pace }: Scenario): (typeof AIMS)[number] | undefined {
  return pace.latencyMillis === 0 ? AIMS[pods] : undefined;
}

function tooMuch(what: string, value: number, most: number): string[] {
  return value <= most ? [] : [`${what} is ${value.toFixed(2)}, the aim is ${most}.`];
}

/** Where and when; the load tells whether others were at work too. */
export function machine(runs: number): string {
  const [cpu] = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const [load = 0] = loadavg();
  const parts = [
    `Node ${process.versions.node}`,
    `${availableParallelism()} cores (${cpu?.model.trim()})`,
    `${gibibytes} GiB`,
    new Date().toISOString().slice(0, 10),
    `medians of ${runs} runs`,
    `load ${load.toFixed(1)} at the end`,
  ];
  return `${parts.join(", ")}.`;
}

/** The usage of whole processes. */
export function costTable(measured: Measured): string {
  const floor: Row = ["`node -e 0`", "", "", "", "", ...usageCells(measured.floor), "1.0"];
  const rows = measured.scenarios.filter(({ pace }) => !pace.queryMillis);
  return table(
    [
      "Pods",
      "Latency ms",
      "Requests",
      "Pages of pods",
      "Queries",
      "Wall ms",
      "CPU ms",
      "Peak MiB",
      "CPU / `node -e 0`",
    ],
    [floor, ...rows.map((scenario) => costRow(scenario, measured))],
  );
}

type Row = readonly string[];

function costRow(scenario: Scenario, measured: Measured): Row {
  const { pods, pace, runs } = scenario;
  const aim = aimOf(scenario);
  const [wall = "", cpu = "", peak = ""] = usageCells(runs);
  const ratio = cpuRatio(scenario, measured).toFixed(1);
  return [
    pods.toLocaleString("en"),
    String(pace.latencyMillis),
    ...requestCells(runs),
    wall,
    cpu,
    aim ? `${peak} (≤ ${aim.peakMebibytes})` : peak,
    aim ? `${ratio} (≤ ${aim.cpuRatio})` : ratio,
  ];
}

function usageCells(runs: readonly Usage[]): Row {
  const cells = [
    medianOf(runs, ({ wallMillis }) => wallMillis),
    medianOf(runs, ({ cpuMillis }) => cpuMillis),
    medianOf(runs, ({ peakMebibytes }) => peakMebibytes),
  ];
  return cells.map((value) => value.toFixed(0));
}

/** Of the last run; all send the same. */
function requestCells(runs: readonly Counted[]): Row {
  const counts = Object.entries(runs.at(-1)?.requests ?? {});
  const pages = counts.filter(([name]) => name === "list pods");
  const queries = counts.filter(([name]) => name.endsWith(" query"));
  return [counts, pages, queries].map((some) => String(sum(some)));
}

function sum(counts: readonly (readonly [string, number])[]): number {
  return counts.reduce((total, [, count]) => total + count, 0);
}

/** How long all queries take together when each takes another time. */
export function fetchTable({ scenarios }: Measured): string {
  const rows = scenarios.filter(({ pace }) => pace.queryMillis);
  return table(
    ["Pods", "Slowest query ms", "`fetch` ms", "`fetch` / slowest query"],
    rows.map((scenario) => [
      scenario.pods.toLocaleString("en"),
      medianOf(scenario.runs, ({ slowestQueryMillis }) => slowestQueryMillis).toFixed(0),
      medianOf(scenario.runs, ({ fetchMillis }) => fetchMillis).toFixed(0),
      `${fetchRatio(scenario).toFixed(2)} (≤ ${FETCH_RATIO_AIM})`,
    ]),
  );
}

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
