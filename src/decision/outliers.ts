import type { PassedOver, PodState, Policy, Target } from "../types.ts";
import { ineligibility } from "./eligible.ts";

type Scored = PodState & { readonly score: number };

/**
 * Picks the extremes of the scored pods: the most busy, the least busy, then further pairs, `maxPodsToDelete` in all.
 *
 * Ties break by name. No pod is picked twice. An extreme that may not be removed is passed over and not substituted: the
 * next one is not an outlier.
 */
export function selectOutliers(
  pods: readonly PodState[],
  policy: Policy,
): { readonly targets: readonly Target[]; readonly passedOver: readonly PassedOver[] } {
  const scored = pods.filter((state): state is Scored => state.score !== undefined);
  const ends: Readonly<Record<"most_busy" | "least_busy", Scored[]>> = {
    most_busy: scored.toSorted((a, b) => b.score - a.score || byName(a, b)),
    least_busy: scored.toSorted((a, b) => a.score - b.score || byName(a, b)),
  };
  const taken = new Set<string>();
  const targets: Target[] = [];
  const passedOver: PassedOver[] = [];
  for (let turn = 0; turn < Math.min(policy.maxPodsToDelete, scored.length); turn += 1) {
    const role = turn % 2 === 0 ? "most_busy" : "least_busy";
    const state = ends[role].find(({ pod }) => !taken.has(pod.uid));
    if (state === undefined) break;
    taken.add(state.pod.uid);
    const why = ineligibility(state, policy);
    if (why === undefined) targets.push({ pod: state.pod, role, score: state.score });
    else passedOver.push({ pod: state.pod.name, role, why });
  }
  return { targets, passedOver };
}

function byName(a: PodState, b: PodState): number {
  if (a.pod.name === b.pod.name) return 0;
  return a.pod.name < b.pod.name ? -1 : 1;
}
