import type { Decision, Group, Policy } from "../types.ts";
import { decideByForecast } from "./by-forecast.ts";
import { decideByOutliers } from "./by-outliers.ts";
import { firstHold } from "./gates.ts";
import { hold } from "./hold.ts";

const STRATEGIES: Readonly<Record<Policy["strategy"], (group: Group, policy: Policy) => Decision>> = {
  balanced: decideByOutliers,
  forecast: decideByForecast,
};

/**
 * Decides what a run does: rotate, or hold for one reason.
 *
 * Gates first, in a fixed order; then the rule of the strategy. Pure: the same group and policy give the same decision.
 *
 * @see docs/algorithm.md
 */
export function decide(group: Group, policy: Policy): Decision {
  const closed = firstHold(group, policy);
  if (closed !== undefined) return hold(closed.reason, closed.detail);
  return STRATEGIES[policy.strategy](group, policy);
}
