/** Which of the API server's failures say that it refuses an eviction, and who does. All of them come before anything is done. */

import type { EvictRefusal } from "../ports.ts";
import { printable } from "../text.ts";
import type { ApiStatus } from "./status.ts";

/**
 * Who refuses the eviction, with their own words; undefined where the failure is of another kind.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export function refusalIn(failure: ApiStatus): EvictRefusal | undefined {
  const budget = budgetsWords(failure);
  if (budget !== undefined) return { outcome: "refused", reason: "blocked_by_pdb", why: budget };
  const admission = admissionsWords(failure);
  if (admission !== undefined) return { outcome: "refused", reason: "blocked_by_admission", why: admission };
  return undefined;
}

/**
 * A 429 without this cause is the API server's throttling, not a budget; when several budgets match a pod, the server cannot judge
 * and answers 500; of a budget whose status it finds damaged it answers 403; and where others keep writing to the budget while it tries
 * to count the eviction in, it gives up with 504 before it deletes anything.
 */
function budgetsWords(failure: ApiStatus): string | undefined {
  const { code, message, causes } = failure;
  if (code === 500 && /more than one PodDisruptionBudget/i.test(message)) {
    return "several PodDisruptionBudgets match the pod, and the eviction API cannot judge more than one";
  }
  if (cannotWriteBudget(failure)) return clause(message);
  const cause = causes.find(({ reason }) => reason === "DisruptionBudget");
  if (code !== 429 || cause === undefined) return undefined;
  return clause(typeof cause.message === "string" ? cause.message : "a PodDisruptionBudget allows no disruption now");
}

function cannotWriteBudget({ code, kind = "", message }: ApiStatus): boolean {
  if (code === 504) return /couldn't update PodDisruptionBudget .* due to conflicts/.test(message);
  return code === 403 && kind.startsWith("poddisruptionbudget");
}

/**
 * How the API server puts it that a webhook, a policy or one of its own plugins does not admit a request: whatever code the webhook
 * chose. It asks all of them before it evicts. One that it cannot reach, with `failurePolicy: Fail`, counts as a no.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
const NOT_ADMITTED: readonly RegExp[] = [
  /admission webhook ".*" denied the request.*$/s,
  /ValidatingAdmissionPolicy '.*' denied request.*$/s,
  /failed calling webhook ".*$/s,
  /(?<=is forbidden: )(?!User ").*$/s,
];

function admissionsWords({ message }: ApiStatus): string | undefined {
  const words = NOT_ADMITTED.map((pattern) => pattern.exec(message)?.[0]).find((found) => found !== undefined);
  return words === undefined ? undefined : printable(words).replace(/\.$/, "");
}

/** The webhook that an eviction would be asked of, but not in a dry run (`sideEffects` of its configuration). */
export function webhookWithoutDryRun({ code, message }: ApiStatus): string | undefined {
  const [, name] = /admission webhook "(.*)" does not support dry run/.exec(message) ?? [];
  return code === 400 && name !== undefined ? printable(name) : undefined;
}

/** Whether the right is missing, and not something else forbidden: the words of the API server's authorisation. */
export function lacksTheRight({ code, message }: ApiStatus): boolean {
  return code === 403 && message.includes('cannot create resource "pods/eviction"');
}

/** A sentence of the server as part of one of ours. */
function clause(sentence: string): string {
  const clean = printable(sentence).replace(/\.$/, "");
  return clean.charAt(0).toLowerCase() + clean.slice(1);
}
