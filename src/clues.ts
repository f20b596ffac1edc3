import { asRebalancerError } from "./errors.ts";
import type { MetricsSource } from "./ports.ts";
import type { Decision, Group } from "./types.ts";

/**
 * Adds to a hold for want of metrics what was looked for, and what the metrics server has instead. Any other decision stays as it is,
 * and costs no request.
 */
export async function withClues(
  decision: Decision,
  { snapshot, signalsInUse, samples, rejected }: Group,
  metrics: MetricsSource,
  signal: AbortSignal,
): Promise<Decision> {
  if (decision.action !== "hold" || decision.reason !== "insufficient_metrics") return decision;
  const missing = signalsInUse.filter((name) => samples[name] === 0 && (rejected[name] ?? []).length === 0);
  if (missing.length === 0 || metrics.searchFor === undefined) return decision;
  const clues = await metrics.searchFor(missing, snapshot.pods, signal).catch((thrown: unknown) => {
    signal.throwIfAborted();
    // It only explains: that it failed must not become the reason.
    return [`what the metrics server has instead is not known: ${asRebalancerError(thrown).message}`];
  });
  return { ...decision, detail: [decision.detail, ...clues].join("; ") };
}
