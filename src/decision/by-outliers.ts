import type { Decision, Group, Policy } from "../types.ts";
import { hold } from "./hold.ts";
import { selectOutliers } from "./outliers.ts";
import { isUneven, judgeSignals } from "./thresholds.ts";

/**
 * The rule of `STRATEGY=balanced`: if the relative variance of CPU or lag is over its threshold, rotate the pods with the highest
 * and the lowest composite score.
 */
export function decideByOutliers(group: Group, policy: Policy): Decision {
  const verdicts = judgeSignals(group, policy);
  const uneven = verdicts.filter(isUneven);
  if (uneven.length === 0) {
    const detail = verdicts.map((verdict) => verdict.spread).join(", ");
    return hold("balanced", detail);
  }
  const { targets, passedOver } = selectOutliers(group.pods, policy);
  if (targets.length === 0) {
    const detail = passedOver.map(({ pod, why }) => `${pod} is ${why}`).join(", ");
    return hold("no_eligible_target", detail, { passedOver });
  }
  return { action: "rotate", because: uneven.map((verdict) => verdict.uneven), targets, atOnce: false, passedOver };
}
