/** The eviction subresource of a pod, as policy/v1 and the disruption controller behave. */

import {
  isReady,
  isTerminating,
  type KubernetesWorld,
  livingPods,
  type SimulatedBudget,
  type SimulatedPod,
  stopPod,
} from "./kubernetes-world.ts";

/** `metav1.Status`, with which the API server answers when it does not answer with the object. */
export interface Status {
  readonly code: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: object;
}

/** `meta/v1 DeleteOptions`, as far as it counts. */
export interface DeleteOptions {
  readonly dryRun?: readonly string[];
  readonly preconditions?: { readonly uid?: string };
}

/** A granted disruption that does not show is forgotten after this long. */
const CHARGE_MILLIS = 120_000;

/**
 * Evicts the pod, or says why not. As kube-apiserver does, it asks and charges the budget before it compares the UID; a dry
 * run is judged alike and changes nothing.
 */
export function evict(pod: SimulatedPod, options: DeleteOptions, world: KubernetesWorld, now: Date): Status {
  const dryRun = options.dryRun?.includes("All") === true;
  // A budget guards pods that serve; one that is stopping may go.
  const budgets = isTerminating(pod, now) ? [] : budgetsOf(pod, world);
  const refusal = refusalBy(budgets, world, now);
  if (refusal !== undefined) return refusal;
  const uid = options.preconditions?.uid ?? pod.uid;
  if (uid !== pod.uid) {
    const until = new Date(now.getTime() + CHARGE_MILLIS);
    if (!dryRun) for (const budget of budgets) budget.charges.push(until);
    return wrongUid(pod, uid);
  }
  if (!dryRun) stopPod(world, pod, now);
  return { code: 201 };
}

function wrongUid({ name, uid }: SimulatedPod, asked: string): Status {
  const why = `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${uid}`;
  return { code: 409, reason: "Conflict", message: `Operation cannot be fulfilled on pods "${name}": ${why}` };
}

function budgetsOf({ labels }: SimulatedPod, { budgets }: KubernetesWorld): readonly SimulatedBudget[] {
  return budgets.filter(({ matchLabels }) =>
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value),
  );
}

function refusalBy(budgets: readonly SimulatedBudget[], world: KubernetesWorld, now: Date): Status | undefined {
  const [budget, another] = budgets;
  if (another !== undefined) {
    const message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    return { code: 500, reason: "InternalError", message };
  }
  if (budget === undefined) return undefined;
  const { healthy, needed } = healthOf(budget, world, now);
  const charged = budget.charges.filter((until) => until > now).length;
  if (healthy - charged > needed) return undefined;
  const cause = `The disruption budget ${budget.name} needs ${needed} healthy pods and has ${healthy} currently`;
  return {
    code: 429,
    reason: "TooManyRequests",
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: { causes: [{ reason: "DisruptionBudget", message: cause }] },
  };
}

/** `maxUnavailable` counts from what the workloads want, not from what they have. */
function healthOf(budget: SimulatedBudget, world: KubernetesWorld, now: Date): { healthy: number; needed: number } {
  const guarded = livingPods(world, now).filter((pod) => budgetsOf(pod, world).includes(budget));
  const workloads = new Set(guarded.map(({ workload }) => workload));
  const wanted = [...workloads].reduce((sum, workload) => sum + (workload?.replicas ?? 0), 0);
  return { healthy: guarded.filter((pod) => isReady(pod, now)).length, needed: wanted - budget.maxUnavailable };
}
