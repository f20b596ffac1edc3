import { formatDuration } from "../durations.ts";
import type { Candidate } from "../podstate/assess.ts";
import type { PodInfo, Policy } from "../types.ts";

/**
 * Why a pod may not be removed, in a few words; undefined when it may. Asked when targets are chosen and again, on fresh
 * data, just before each removal.
 */
export function ineligibility({ pod, ageSeconds, ready }: Candidate, policy: Policy): string | undefined {
  if (pod.terminating) return "terminating";
  if (!ready) return "not Ready";
  if (pod.exempt) return exemptionOf(pod);
  // An age that is not a number (a reply without a usable time) must not pass.
  if (!(ageSeconds >= policy.minPodAgeSeconds)) return `too young (${formatDuration(policy.minPodAgeSeconds)})`;
  return undefined;
}

function exemptionOf({ exemptAs }: PodInfo): string {
  return exemptAs === undefined ? "exempt" : `exempt (as ${exemptAs}, neither "true" nor "false")`;
}
