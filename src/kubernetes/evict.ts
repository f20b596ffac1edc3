import { asRebalancerError, type ErrorCode, RebalancerError } from "../errors.ts";
import type { EvictReply, Objection } from "../ports.ts";
import type { PodInfo } from "../types.ts";
import { CALL_DEADLINE_MILLIS, type KubernetesClient, type WirePod } from "./client.ts";
import { isTerminating, readPod } from "./pods.ts";
import { refusalIn } from "./refusal.ts";
import { type ApiStatus, failureOf } from "./status.ts";

export interface EvictRequest {
  /** As it was when it was chosen. */
  readonly pod: Pick<PodInfo, "namespace" | "name" | "uid">;
  /** The API server judges, budget included, and changes nothing (`dryRun=All`). */
  readonly dryRun: boolean;
  /** Why the pod, as it is now, may not be removed. */
  readonly objection: Objection;
  /** Whether these labels are those of the group. */
  readonly isOfGroup: (labels: Readonly<Record<string, string>>) => boolean;
}

/**
 * Evicts exactly this pod, once, and finds out what became of it.
 *
 * The pod is looked at just before. The UID is compared then, because an eviction with a wrong UID fails, but spends the
 * PodDisruptionBudget for two minutes; it is sent as a precondition too, for the moment in between.
 *
 * @param signal - ends what comes before the eviction is sent.
 * @throws RebalancerError `EVICTION_FAILED` (it still runs, but the eviction may yet take effect) or `EVICTION_UNCLEAR`
 *   (nobody knows) after a doubtful answer; any other code says that the eviction surely did not happen.
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export async function evictPod(
  client: KubernetesClient,
  request: EvictRequest,
  signal: AbortSignal,
): Promise<EvictReply> {
  const { pod, dryRun } = request;
  const { value: found, at } = await client.getPod(pod, signal);
  if (found === undefined || !isRunning(found, request)) return { outcome: "gone" };
  const why = whyNot(found, at, request);
  if (why !== undefined) return { outcome: "spared", why };
  signal.throwIfAborted();
  try {
    // From here on not the caller's signal: an eviction that was sent is followed to its end, or nobody knows what became of it.
    await client.createEviction(pod, { dryRun }, new AbortController().signal);
    return { outcome: "accepted" };
  } catch (thrown) {
    const error = asRebalancerError(thrown);
    const failure = failureOf(error.reply);
    const refusal = failure && refusalIn(failure);
    if (refusal !== undefined) return refusal;
    if (isSureNo(error, failure, request)) throw error;
    return dryRun ? afterProbe(client, request, error) : afterFailure(client, request, error);
  }
}

function isRunning(found: WirePod, { pod }: EvictRequest): boolean {
  return found.metadata?.uid === pod.uid && !isTerminating(found);
}

function whyNot(found: WirePod, at: Date, { objection, isOfGroup }: EvictRequest): string | undefined {
  const now = readPod(found);
  if (now === undefined) return "finished";
  if (now.controller === undefined) return "without a controller";
  if (!isOfGroup(found.metadata?.labels ?? {})) return "outside the selector";
  return objection(now, at);
}

/** Codes of failures after which the API server may all the same go on with what it was asked. */
const MAY_GO_ON: ReadonlySet<number> = new Set([408, 499]);

/** Whether it was not sent, or the API server itself said no. After its 404 and 409 the pod tells. */
function isSureNo({ code }: RebalancerError, failure: ApiStatus | undefined, { pod }: EvictRequest): boolean {
  if (code === "CREDENTIALS_INVALID") return true;
  if (failure === undefined || MAY_GO_ON.has(failure.code)) return false;
  const { name = pod.name } = failure;
  return failure.code >= 400 && failure.code < 500 && name === pod.name && !SAYS_CHANGED.has(code);
}

const SAYS_CHANGED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["NOT_FOUND", "CONFLICT"]);

/** A dry run asks for nothing that could have happened; only a pod that went meanwhile is no failure. */
async function afterProbe(
  client: KubernetesClient,
  request: EvictRequest,
  error: RebalancerError,
): Promise<EvictReply> {
  if (!SAYS_CHANGED.has(error.code) || failureOf(error.reply) === undefined) throw error;
  const { value: found } = await client.getPod(request.pod, AbortSignal.timeout(CALL_DEADLINE_MILLIS));
  if (found !== undefined && isRunning(found, request)) throw error;
  return { outcome: "gone" };
}

async function afterFailure(
  client: KubernetesClient,
  request: EvictRequest,
  error: RebalancerError,
): Promise<EvictReply> {
  const { pod } = request;
  // The run may have been told to stop meanwhile: what became of the pod is asked all the same.
  const look = client.getPod(pod, AbortSignal.timeout(CALL_DEADLINE_MILLIS));
  const { value: found } = await look.catch((cause: unknown) => {
    const message = `${error.message}; then ${asRebalancerError(cause).message}`;
    throw new RebalancerError("EVICTION_UNCLEAR", message, { cause: error });
  });
  const runs = found !== undefined && isRunning(found, request);
  if (SAYS_CHANGED.has(error.code) && failureOf(error.reply) !== undefined) {
    if (runs) throw error;
    // Somebody else removed it, or a proxy sent the eviction twice, and this is the answer to the second.
    if (found?.metadata?.uid !== pod.uid) return { outcome: "gone", perhapsByUs: true };
  }
  if (!runs) return { outcome: "accepted", note: `evicted, though the answer was lost (${error.code})` };
  throw new RebalancerError("EVICTION_FAILED", `${pod.name} still runs after ${error.message}`, { cause: error });
}
