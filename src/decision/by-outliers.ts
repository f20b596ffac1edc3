import type { Group, Policy } from "../types.ts";
import type { Choice } from "./choice.ts";
import { selectOutliers } from "./outliers.ts";
import { isUneven, judgeSignals } from "./thresholds.ts";

const NOBODY: ReturnType<typeof selectOutliers> = { targets: [], passedOver: [] };

/**
 * The rule of `STRATEGY=balanced`: if the relative variance of CPU or lag is over its threshold, rotate the pods with the highest
 * and the lowest composite score.
 */
export function chooseOutliers(group: Group, policy: Policy): Choice {
  const verdicts = judgeSignals(group, policy);
  const uneven = verdicts.filter(isUneven);
  const { targets, passedOver } = uneven.length > 0 ? selectOutliers(group.pods, policy) : NOBODY;
  const even = verdicts.map((verdict) => verdict.spread).join("; ");
  const unfit = passedOver.map(({ pod, why }) => `${pod} is ${why}`).join(", ");
  return {
    against: {
      balanced: uneven.length === 0 ? even : undefined,
      no_eligible_target: targets.length === 0 ? unfit : undefined,
    },
    because: uneven.map((verdict) => verdict.uneven),
    targets,
    atOnce: false,
    passedOver,
  };
}
