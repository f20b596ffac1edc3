import type { Decision, Group, Policy } from "../types.ts";
import { firstHold } from "./gates.ts";
import { selectOutliers } from "./outliers.ts";
import { isUneven, judgeSignals } from "./thresholds.ts";

/**
 * Decides what a run does: rotate the outliers, or hold for one reason.
 *
 * Gates first, in a fixed order; then the rule of `STRATEGY=balanced`: if the relative variance of CPU or lag is
 * over its threshold, rotate the pods with the highest and the lowest composite score. Pure: the same group and policy
 * give the same decision.
 *
 * @see docs/algorithm.md
 */
export function decide(group: Group, policy: Policy): Decision {
  const hold = firstHold(group, policy);
  if (hold !== undefined) return { action: "hold", ...hold, passedOver: [] };
  const { targets, passedOver } = selectOutliers(group.pods, policy);
  if (targets.length === 0) {
    const detail = passedOver.map(({ pod, why }) => `${pod} is ${why}`).join(", ");
    return { action: "hold", reason: "no_eligible_target", detail, passedOver };
  }
  const because = judgeSignals(group, policy)
    .filter(isUneven)
    .map((verdict) => verdict.uneven);
  return { action: "rotate", because, targets, passedOver };
}
