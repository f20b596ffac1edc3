/** Whether a HorizontalPodAutoscaler is about to change how many pods a workload has. */

import { printable } from "../text.ts";
import type { Workload } from "../types.ts";
import type { WireAutoscaler } from "./client.ts";
import { isBeingDeleted } from "./pods.ts";

type Scaled = Pick<Workload, "kind" | "name" | "replicas">;

/** The first autoscaler of this workload that wants another number than the workload is set to, as part of a sentence. */
export function scalingOf(autoscalers: readonly WireAutoscaler[], workload: Scaled): string | undefined {
  for (const autoscaler of targeting(autoscalers, workload)) {
    const wanted = wantedBy(autoscaler, workload.replicas);
    if (wanted !== workload.replicas) {
      return `HorizontalPodAutoscaler ${autoscaler.metadata?.name} wants ${wanted} pods, ${workload.replicas} are asked for`;
    }
  }
  return undefined;
}

/** What the log has to say of autoscalers of this workload that do not scale it, whatever number they once wanted. */
export function idleAutoscalersOf(autoscalers: readonly WireAutoscaler[], workload: Scaled): readonly string[] {
  return targeting(autoscalers, workload).flatMap((autoscaler) => {
    const why = idleness(autoscaler);
    return why === undefined ? [] : [`HorizontalPodAutoscaler ${autoscaler.metadata?.name} does not scale: ${why}`];
  });
}

/** Those that scale this workload, and not one of its name in another API group (Argo's, OpenKruise's). */
function targeting(autoscalers: readonly WireAutoscaler[], { kind, name }: Scaled): readonly WireAutoscaler[] {
  return autoscalers.filter(({ spec }) => {
    const target = spec?.scaleTargetRef;
    const group = target?.apiVersion?.replace(/\/?[^/]*$/, "") ?? "apps";
    return target?.kind === kind && target.name === name && group === "apps";
  });
}

/**
 * How many pods it will have: what it wants, within its bounds, which may have changed since. One that sees no metrics still keeps its
 * bounds; one that cannot see its target, or whose target was set to 0, changes nothing.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
 */
function wantedBy(autoscaler: WireAutoscaler, replicas: number): number {
  const { minReplicas = 1, maxReplicas } = autoscaler.spec ?? { maxReplicas: replicas };
  if (replicas === 0 || isBlind(autoscaler)) return replicas;
  const desired = idleness(autoscaler) === undefined ? (autoscaler.status?.desiredReplicas ?? 0) : 0;
  return Math.min(Math.max(desired > 0 ? desired : replicas, minReplicas), maxReplicas);
}

function isBlind(autoscaler: WireAutoscaler): boolean {
  return isBeingDeleted(autoscaler.metadata) || cannotSeeTarget(autoscaler) !== undefined;
}

function idleness(autoscaler: WireAutoscaler): string | undefined {
  if (isBeingDeleted(autoscaler.metadata)) return "it is being deleted";
  return cannotSeeTarget(autoscaler) ?? falseCondition(autoscaler, "ScalingActive");
}

/** Any other reason why it is not able to scale passes, and then it scales. */
function cannotSeeTarget(autoscaler: WireAutoscaler): string | undefined {
  return falseCondition(autoscaler, "AbleToScale", "FailedGetScale");
}

function falseCondition({ status }: WireAutoscaler, type: string, because?: string): string | undefined {
  const found = status?.conditions?.find((condition) => condition.type === type && condition.status === "False");
  if (found === undefined || (because !== undefined && found.reason !== because)) return undefined;
  return `${type} is False (${printable(found.reason ?? "without a reason")})`;
}
