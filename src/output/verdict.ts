/** The end of the table: what was decided, what became of it, and what to do now. */

import type { RebalancerError } from "../errors.ts";
import { REASONS } from "../reasons.ts";
import { explain, roleWords } from "../sentences.ts";
import { cleanText } from "../text.ts";
import type { RemovalResult, RotateDecision, RunReport, Target } from "../types.ts";
import { CUT_POD, cutTo, widthOf, wrap } from "./lines.ts";
import { formatSeconds } from "./numbers.ts";
import type { Painter, Style } from "./terminal.ts";

/** Where the lines go. */
interface Page {
  readonly width: number;
  readonly paint: Painter;
  /** For the command to act. */
  readonly otherFlags: readonly string[];
}

/** Room that a target's line leaves for its role and for what became of it. */
const BESIDE_NAME = 43;
const SHORTEST_NAME = 13;

/** Lines no wider than the page, but for the command to act: it must survive being copied, so the terminal wraps it. */
export function verdictLines(report: RunReport, page: Page): string[] {
  const { decision, error } = report;
  const rotation = decision?.action === "rotate" ? rotationLines(report, decision, page) : [];
  return [...rotation, ...(error ? errorLines(error, page) : endLines(report, page))];
}

function rotationLines(
  report: RunReport,
  { because, targets, atOnce, passedOver }: RotateDecision,
  page: Page,
): string[] {
  const rows: readonly TargetRow[] = [
    ...targets.map(({ pod, role }, index) => ({
      mark: String(index + 1),
      pod: cleanText(pod.name),
      role: roleWords(role),
      fate: fateOf(report, { targets, atOnce }, index),
    })),
    ...passedOver.map(({ pod, role, why }) => ({
      mark: "–",
      pod: cleanText(pod),
      role: role === "best_forecast" ? "not tried" : roleWords(role),
      fate: `passed over: ${why}`,
    })),
  ];
  const longest = Math.max(...rows.map(({ pod }) => widthOf(pod)));
  const roleWidth = Math.max(...rows.map(({ role }) => role.length));
  const nameWidth = Math.max(SHORTEST_NAME, Math.min(longest, page.width - BESIDE_NAME));
  return [
    ...headed({ word: "ROTATE", style: "yellow" }, because.join("; "), page),
    ...rows.flatMap(({ mark, pod, role, fate }) => {
      const name = cutTo(pod, nameWidth, CUT_POD);
      const padding = " ".repeat(nameWidth - widthOf(name));
      const lead = `${mark.padStart(3)}  ${name}${padding}  ${role.padEnd(roleWidth)}  `;
      return wrap(lead, cleanText(fate), page.width, 5);
    }),
  ];
}

interface TargetRow {
  readonly mark: string;
  readonly pod: string;
  readonly role: string;
  readonly fate: string;
}

/** What became of a target, or in a dry run what would. */
function fateOf(
  { removal, dryRun }: RunReport,
  { targets, atOnce }: Pick<RotateDecision, "targets" | "atOnce">,
  index: number,
): string {
  const stepOf = (target: Target | undefined) => removal?.steps.find(({ uid }) => uid === target?.pod.uid);
  const step = stepOf(targets[index]);
  if (step === undefined) return "not touched";
  if (step.outcome !== "replaced") return `${step.outcome}: ${step.why}`;
  const waits = dryRun && !atOnce && stepOf(targets[index - 1])?.outcome === "replaced";
  return waits ? `${step.why}; waits until ${index} is replaced and Ready` : step.why;
}

function errorLines(error: RebalancerError, page: Page): string[] {
  return [
    ...headed({ word: "ERROR", style: "red", code: error.code }, error.message, page),
    ...wrap("  ", error.advice, page.width, 2),
  ];
}

function endLines(report: RunReport, page: Page): string[] {
  const { reason, detail, dryRun, decision, removal, exitCode } = report;
  if (reason === "would_rotate") return nothingChanged(report, page);
  if (reason === "rotated" && removal) return doneLines(report, removal, page);
  const word = decision?.action === "hold" ? "HOLD" : "STOP";
  return [
    ...headed({ word, style: exitCode === 0 ? "green" : "yellow", code: reason }, explain(reason, detail), page),
    ...wrap("  ", REASONS[reason].advice, page.width, 2),
    ...(dryRun && removal ? ["Nothing was changed."] : []),
  ];
}

function doneLines({ durationMillis }: RunReport, { steps, requested }: RemovalResult, page: Page): string[] {
  const replaced = steps.filter(({ outcome }) => outcome === "replaced").length;
  const text = `${replaced} of ${requested} pods rotated in ${formatSeconds(durationMillis)}.`;
  return headed({ word: "DONE", style: "green" }, text, page);
}

/** The same run for real, ready to be copied. */
function nothingChanged({ namespace, selector }: RunReport, { width, otherFlags }: Page): string[] {
  const words = ["pod-rebalancer", "run", "--no-dry-run", "-n", namespace, "-l", selector, ...otherFlags];
  const command = words.map((word) => shellWord(cleanText(word))).join(" ");
  const line = `Nothing was changed. To act: ${command}`;
  return widthOf(line) <= width ? [line] : ["Nothing was changed. To act:", `  ${command}`];
}

/** One word for a POSIX shell: in single quotes unless no character of it means anything there. */
function shellWord(text: string): string {
  return /^[\w./,:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

interface Head {
  readonly word: string;
  readonly style: Style;
  readonly code?: string;
}

/** "HOLD  balanced  The group is balanced: …", the first word in its colour, the other lines set in. */
function headed({ word, style, code }: Head, text: string, { width, paint }: Page): string[] {
  const lead = code === undefined ? `${word}  ` : `${word}  ${code}  `;
  const [first = "", ...rest] = wrap(lead, cleanText(text), width, 2);
  return [paint(style, word) + first.slice(word.length), ...rest];
}
