/** What a run came to, in sentences. Log, table and JSON share them. */

import { CAUSES } from "./causes.ts";
import { short } from "./figures.ts";
import { REASONS, type Reason } from "./reasons.ts";
import type { Diagnosis, RemovalStep, Role, Rotation, RunReport } from "./types.ts";

/** "most busy". */
export function roleWords(role: Role): string {
  return role.replace("_", " ");
}

/**
 * The reason's sentence with the facts of the case: "The group is idle: no signal reaches its floor; CPU mean 0.01 of 0.05."
 *
 * @param detail - a clause, without a full stop; may be empty.
 */
export function explain(reason: Reason, detail: string): string {
  return withFacts(REASONS[reason].sentence, detail);
}

/** The cause's sentence with its evidence: "One partition alone brings more than …: orders-3 brings 2.4 times …" */
export function explainCause({ cause, evidence }: Diagnosis): string {
  return withFacts(CAUSES[cause].sentence, evidence);
}

function withFacts(sentence: string, facts: string): string {
  const head = sentence.replace(/\.$/, "");
  const clause = facts.trim().replace(/\.$/, "");
  if (clause === "") return `${head}.`;
  return `${head}${head.includes(":") ? "; " : ": "}${clause}.`;
}

/** What was expected of a rotation, and what came: "Busiest / mean was 1.8; 1.2 was expected (1.1 to 1.4), it came to 1.25." */
export function cameTo({ before, expected, after, order }: Rotation): string {
  const hoped = expected
    ? `${short(expected.p50)} was expected (${short(expected.p10)} to ${short(expected.p90)})`
    : "";
  const came = after === undefined ? "what came of it is not known yet" : `it came to ${short(after)}`;
  const how = order === undefined ? "" : ` (${order})`;
  return `Busiest / mean was ${short(before)}; ${[hoped, came].filter((part) => part !== "").join(", ")}${how}.`;
}

/**
 * One run in one or two whole sentences: what was done to which pod, and why it ended there.
 *
 * "Rotated 2 of 2 pods: a (most busy), b (least busy)." or "Held: the last removal is too recent: …"
 */
export function summarise(report: RunReport): string {
  const { decision, removal, reason, detail, error } = report;
  const explanation = explain(reason, detail);
  if (removal) {
    const complete = reason === "rotated" || reason === "would_rotate";
    return complete ? whatWasDone(report) : `${whatWasDone(report)} ${explanation}`;
  }
  if (decision?.action !== "hold" || error) return explanation;
  return `Held: ${explanation.charAt(0).toLowerCase()}${explanation.slice(1)}`;
}

/** "Rotated 1 of 2 pods: a (most busy). Evicted, not yet replaced: b (least busy)." A pod of which nobody knows is named, too. */
function whatWasDone({ removal, dryRun }: RunReport): string {
  const { steps = [], requested = 0 } = removal ?? {};
  const replaced = steps.filter(({ outcome }) => outcome === "replaced");
  const others = (Object.keys(UNFINISHED) as (keyof typeof UNFINISHED)[]).flatMap((outcome) => {
    const pods = steps.filter((step) => step.outcome === outcome);
    return pods.length === 0 ? [] : [`${UNFINISHED[outcome]}: ${named(pods)}.`];
  });
  const verb = dryRun ? "A live run would rotate" : "Rotated";
  const rotated = `${verb} ${replaced.length} of ${requested} pods${replaced.length > 0 ? `: ${named(replaced)}` : ""}.`;
  return [rotated, ...others].join(" ");
}

const UNFINISHED = { evicted: "Evicted, not yet replaced", unclear: "Perhaps removed" } as const;

function named(steps: readonly RemovalStep[]): string {
  return steps.map(({ pod, role }) => `${pod} (${roleWords(role)})`).join(", ");
}
