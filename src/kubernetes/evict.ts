import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import type { EvictReply } from "../ports.ts";
import { printable } from "../text.ts";
import type { PodRef } from "../types.ts";
import { CALL_DEADLINE_MILLIS, type KubernetesClient } from "./client.ts";
import { isTerminating } from "./pods.ts";

/**
 * Evicts exactly this pod, once, and finds out what became of it.
 *
 * The UID is compared before: an eviction with a wrong UID fails, but spends the PodDisruptionBudget for two minutes. It is
 * sent as a precondition too, for the moment in between.
 *
 * @param signal - ends what comes before the eviction is sent.
 * @param options - dryRun: the API server judges, budget included, and changes nothing (`dryRun=All`).
 * @throws RebalancerError `EVICTION_FAILED` (it still runs, but the eviction may yet take effect) or `EVICTION_UNCLEAR`
 *   (nobody knows) after a doubtful answer; any other code says that the eviction surely did not happen.
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export async function evictPod(
  client: KubernetesClient,
  pod: PodRef,
  options: { readonly dryRun: boolean },
  signal: AbortSignal,
): Promise<EvictReply> {
  if (!(await stillRuns(client, pod, signal))) return { outcome: "gone" };
  signal.throwIfAborted();
  try {
    // From here on not the caller's signal: an eviction that was sent is followed to its end, or nobody knows what became of it.
    await client.createEviction(pod, options, new AbortController().signal);
    return { outcome: "accepted" };
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    const why = budgetRefusal(error);
    if (why !== undefined) return { outcome: "refused", why };
    if (options.dryRun) throw error;
    return afterFailure(client, pod, error);
  }
}

/** Replies by which the server said no. A TLS error is none: the connection may have broken after the request. */
const SAID_NO: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "UNAUTHORIZED",
  "FORBIDDEN",
  "EXPIRED",
  "REQUEST_REJECTED",
  "THROTTLED",
  "REDIRECTED",
  "CREDENTIALS_INVALID",
]);

async function afterFailure(client: KubernetesClient, pod: PodRef, error: RebalancerError): Promise<EvictReply> {
  if (SAID_NO.has(error.code)) throw error;
  // The run may have been told to stop meanwhile: what became of the pod is asked all the same.
  const runs = await stillRuns(client, pod, AbortSignal.timeout(CALL_DEADLINE_MILLIS)).catch((cause: unknown) => {
    const message = `${error.message}; then ${asRebalancerError(cause).message}`;
    throw new RebalancerError("EVICTION_UNCLEAR", message, { cause: error });
  });
  // Not found, or the UID is another's: the eviction did nothing, somebody else removed the pod.
  if (error.code === "NOT_FOUND" || error.code === "CONFLICT") {
    if (runs) throw error;
    return { outcome: "gone" };
  }
  if (!runs) return { outcome: "accepted", note: `evicted, though the answer was lost (${error.code})` };
  throw new RebalancerError("EVICTION_FAILED", `${pod.name} still runs after ${error.message}`, { cause: error });
}

async function stillRuns(client: KubernetesClient, pod: PodRef, signal: AbortSignal): Promise<boolean> {
  const found = await client.getPod(pod, signal);
  return found?.metadata?.uid === pod.uid && !isTerminating(found);
}

/**
 * The budget's own words when it refuses. A 429 without this cause is the API server's throttling, not a budget; and when
 * several budgets match a pod, the server cannot judge and answers 500.
 */
function budgetRefusal({ reply }: RebalancerError): string | undefined {
  const { message, causes } = statusOf(reply?.body ?? "");
  if (reply?.status === 500 && /more than one PodDisruptionBudget/i.test(message)) {
    return "several PodDisruptionBudgets match the pod, and the eviction API cannot judge more than one";
  }
  const cause = causes.find(({ reason }) => reason === "DisruptionBudget");
  if (reply?.status !== 429 || cause === undefined) return undefined;
  return clause(cause.message ?? "a PodDisruptionBudget allows no disruption now");
}

interface Cause {
  readonly reason?: string;
  readonly message?: string;
}

function statusOf(body: string): { readonly message: string; readonly causes: readonly Cause[] } {
  try {
    const status = JSON.parse(body) as { message?: string; details?: { causes?: Cause[] } };
    return { message: status.message ?? "", causes: status.details?.causes ?? [] };
  } catch {
    return { message: "", causes: [] };
  }
}

/** A sentence of the server as part of one of ours. */
function clause(sentence: string): string {
  const clean = printable(sentence).replace(/\.$/, "");
  return clean.charAt(0).toLowerCase() + clean.slice(1);
}
