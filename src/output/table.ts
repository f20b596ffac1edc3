/** A run as a person reads it at a terminal. */

import { CAUSES } from "../causes.ts";
import { readyPods } from "../decision/gates.ts";
import { formatDuration } from "../durations.ts";
import { cleanText } from "../text.ts";
import type { Diagnosis, Group, Policy, RunReport } from "../types.ts";
import { forecastLines } from "./forecast.ts";
import { renderGrid } from "./grid.ts";
import { flow, wrap } from "./lines.ts";
import { note } from "./note.ts";
import { formatCount } from "./numbers.ts";
import { podGrid } from "./pods.ts";
import { createPainter } from "./terminal.ts";
import { verdictLines } from "./verdict.ts";

export interface TableStyle {
  /** Width in characters; below 40 it counts as 40. */
  readonly columns: number;
  readonly colour: boolean;
  /** Flags that the command to act needs besides namespace and selector. */
  readonly otherFlags?: readonly string[];
}

/** Narrower, not even a pod, its score and its role stand side by side. */
const LEAST_COLUMNS = 40;

/**
 * The report as text: what was looked at, the pods from the busiest to the least busy, how uneven they are against the
 * limits and why, and what was decided or done.
 *
 * @returns lines that fit `columns` (but for the command to act, which is never broken), with "\n" behind each. No control
 *   characters but those; with `colour`, SGR sequences too.
 */
export function renderPlan(report: RunReport, policy: Policy, style: TableStyle): string {
  const width = Math.max(LEAST_COLUMNS, style.columns);
  const paint = createPainter(style.colour);
  const { group, diagnosis, decision } = report;
  const listed = group !== undefined && group.pods.length > 0;
  const sections = [
    [...flow(headerParts(report, policy), width), ...(group ? noteLines(group, width) : [])],
    listed ? renderGrid(podGrid(group, decision, policy), width, paint) : [],
    listed && diagnosis ? causeLines(diagnosis, width) : [],
    forecastLines(report, width, paint),
    verdictLines(report, { width, paint, otherFlags: style.otherFlags ?? [] }),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n");
}

/** "shop  app=consumer", "8 pods, 8 Ready", "window 5m", "samples: cpu 8/8  lag 8/8". */
function headerParts({ namespace, selector, group }: RunReport, policy: Policy): string[] {
  const what = `${cleanText(namespace)}  ${cleanText(selector)}`;
  if (group === undefined) return [what];
  const { pods, snapshot, signalsInUse, samples } = group;
  const count = `${formatCount(pods.length)} pods, ${formatCount(readyPods(snapshot.pods).length)} Ready`;
  const share = (of: number) => `${formatCount(of)}/${formatCount(pods.length)}`;
  const shares = signalsInUse.map((signal) => `${signal} ${share(samples[signal] ?? 0)}`);
  const measured = [`window ${formatDuration(policy.metricsWindowSeconds)}`, `samples: ${shares.join("  ")}`];
  return [what, count, ...(signalsInUse.length > 0 ? measured : [])];
}

/** "cause  hot_partition: orders-3 brings 2.4 times a pod's fair share", and below it what to do. */
function causeLines({ cause, evidence }: Diagnosis, width: number): string[] {
  return [
    ...wrap("cause  ", `${cause}: ${cleanText(evidence)}`, width, CAUSE_INDENT),
    ...wrap(" ".repeat(CAUSE_INDENT), CAUSES[cause].remedy, width, CAUSE_INDENT),
  ];
}

const CAUSE_INDENT = 7;

/** What an operator should know of the group besides its figures. */
function noteLines({ snapshot, signalsInUse, rejected }: Group, width: number): string[] {
  const notes = [
    ...signalsInUse.flatMap((signal) => note(`${signal} rejected (not a number, or negative)`, rejected[signal] ?? [])),
    ...note("without a controller, ignored", snapshot.bare),
  ];
  return notes.flatMap((text) => wrap("", text, width, 2));
}
