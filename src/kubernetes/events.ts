import { asRebalancerError } from "../errors.ts";
import type { Sink } from "../ports.ts";
import { REASONS } from "../reasons.ts";
import { cameTo, explain, roleWords } from "../sentences.ts";
import { cleanText } from "../text.ts";
import type { RemovalStep, RunReport, WorkloadRef } from "../types.ts";
import type { KubernetesClient, WireEvent } from "./client.ts";

const COMPONENT = "pod-rebalancer";

/** The API server refuses a longer message (core/v1 Event validation). */
const MAX_MESSAGE_BYTES = 1_024;

/**
 * Writes one Event on the workload for a run that touched a pod, so that `kubectl describe` tells who removed it, why, and what came
 * of it.
 * It is a core/v1 Event: the right to create `events` in the API group "" is enough for it.
 *
 * @param instance - which run wrote it; up to 128 characters.
 */
export function eventSink(client: KubernetesClient, now: () => Date, instance: string): Sink {
  return {
    failure: "The Event was not written",
    concerns: (report) => !report.dryRun && touchedBy(report).length > 0,
    async write(report, signal) {
      const workload = report.group?.snapshot.workload;
      if (workload === undefined) return;
      const event = eventOf(report, workload, touchedBy(report));
      const at = now()
        .toISOString()
        .replace(/\.\d+Z$/, "Z");
      const source = { reportingInstance: instance.slice(0, 128), firstTimestamp: at, lastTimestamp: at };
      await client.createEvent(workload.namespace, { ...event, ...source }, signal).catch((thrown: unknown) => {
        // It was written before its answer was lost.
        if (asRebalancerError(thrown).code !== "CONFLICT") throw thrown;
      });
    },
  };
}

function touchedBy({ removal }: RunReport): readonly RemovalStep[] {
  return removal?.steps.filter(({ outcome }) => outcome !== "skipped") ?? [];
}

function eventOf(report: RunReport, workload: WorkloadRef, touched: readonly RemovalStep[]): WireEvent {
  const { kind, namespace, name, uid } = workload;
  const what = touched.map((step) => `${step.outcome} ${step.pod} (${roleWords(step.role)})`).join(", ");
  const { decision, rotation, reason, detail } = report;
  const parts = [
    reason === "rotated" ? REASONS[reason].sentence : explain(reason, detail),
    `Pods: ${what}.`,
    ...(decision?.action === "rotate" ? [`Why: ${decision.because.join("; ")}.`] : []),
    ...(rotation ? [cameTo(rotation)] : []),
  ];
  return {
    apiVersion: "v1",
    kind: "Event",
    // The run's own name, so that it can be written again after a doubt.
    metadata: { namespace, name: `${COMPONENT}-${report.runId}` },
    involvedObject: { apiVersion: "apps/v1", kind, namespace, name, uid },
    type: report.exitCode === 0 ? "Normal" : "Warning",
    reason: camelCase(reason),
    message: shorten(parts.join(" ")),
    count: 1,
    reportingComponent: COMPONENT,
    source: { component: COMPONENT },
  };
}

function camelCase(code: string): string {
  return code.replaceAll(/(?:^|_)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** Clean, and cut to what the server takes, never inside a character. */
function shorten(words: string): string {
  const message = cleanText(words);
  const bytes = Buffer.from(message);
  if (bytes.length <= MAX_MESSAGE_BYTES) return message;
  const cut = new TextDecoder().decode(bytes.subarray(0, MAX_MESSAGE_BYTES - 3), { stream: true });
  return `${cut}…`;
}
