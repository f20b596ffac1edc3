/** The ways by which words leave a run: its log and its sinks. Nothing that it says goes past them. */

import { asRebalancerError, RebalancerError } from "../errors.ts";
import type { Narrator, Sink } from "../ports.ts";
import { cleanText } from "../text.ts";
import type { RunReport } from "../types.ts";
import type { Masker } from "./masker.ts";

/** What the log is told, without secrets. */
export function maskedNarrator(narrator: Narrator, masker: Masker): Narrator {
  const teller =
    (method: keyof Narrator): Narrator["info"] =>
    (sentence, fields) =>
      narrator[method](maskedText(sentence, masker), fields && maskedFields(fields, masker));
  return { debug: teller("debug"), info: teller("info"), warn: teller("warn"), error: teller("error") };
}

/** The sinks, each of which is given a report without secrets. */
export function maskedSinks(sinks: readonly Sink[], masker: Masker): Sink[] {
  const shown = new WeakMap<RunReport, RunReport>();
  const without = (report: RunReport) => {
    const known = shown.get(report) ?? (maskedValue(report, masker) as RunReport);
    shown.set(report, known);
    return known;
  };
  return sinks.map((sink) => ({ ...sink, write: (report, signal) => sink.write(without(report), signal) }));
}

/** The text without secrets. What a terminal would not show may stand in the middle of one, so they are looked for in the clean text. */
export function maskedText(text: string, masker: Masker): string {
  const clean = PRINTABLE.test(text) ? text : text.split("\n").map(cleanText).join("\n");
  const shown = masker.mask(clean);
  return shown === clean ? text : shown;
}

/** Most texts, which need no cleaning. */
const PRINTABLE = /^[ -~]*$/;

/** The same object where nothing in it is masked: a report has one for each of thousands of pods. */
function maskedFields(fields: object, masker: Masker): Record<string, unknown> {
  let shown: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(fields)) {
    const field = fieldOf(name, value, masker);
    if (field === value) continue;
    shown ??= { ...fields };
    shown[name] = field;
  }
  return shown ?? (fields as Record<string, unknown>);
}

function fieldOf(name: string, value: unknown, masker: Masker): unknown {
  if (typeof value === "string" && OUR_WORDS.has(name)) return value;
  // An address, read from Kubernetes: changed, it would name another object, or none.
  if (name === "workload" && typeof value === "object") return value;
  return maskedValue(value, masker);
}

/** Fields whose values are words of ours, by which others look them up. A secret may be such a word, too. */
const OUR_WORDS: ReadonlySet<string> = new Set(["reason", "code", "cause", "action", "outcome", "role", "step"]);

/** Any value of a report: every text in it, however deep; the rest is as it was. */
function maskedValue(value: unknown, masker: Masker): unknown {
  if (typeof value === "string") return maskedText(value, masker);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (value instanceof Error) return maskedError(value, masker);
  if (Array.isArray(value)) return maskedList(value, masker);
  if (value instanceof Set) return new Set([...value].map((entry) => maskedValue(entry, masker)));
  if (value instanceof Map) return new Map([...value].map((entry) => maskedValue(entry, masker) as [unknown, unknown]));
  return maskedFields(value, masker);
}

function maskedList(values: readonly unknown[], masker: Masker): readonly unknown[] {
  const shown = values.map((entry) => maskedValue(entry, masker));
  return shown.every((entry, at) => entry === values[at]) ? values : shown;
}

/** Deeper chains do not help anybody, and a chain may be a ring. */
const MOST_CAUSES = 5;

/** The error as it may be told; what a server replied in full is left out, and a cause that is none. */
export function maskedError(thrown: unknown, masker: Masker, depth = 0): RebalancerError {
  const known = asRebalancerError(thrown);
  const { cause, stack = known.message } = thrown instanceof Error ? thrown : known;
  const behind = depth < MOST_CAUSES && cause instanceof Error ? { cause: maskedError(cause, masker, depth + 1) } : {};
  const shown = new RebalancerError(known.code, maskedText(known.message, masker), { advice: known.advice, ...behind });
  shown.stack = maskedText(stack, masker);
  return shown;
}
