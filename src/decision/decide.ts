import type { Decision, Group, Policy } from "../types.ts";
import { chooseByForecast } from "./by-forecast.ts";
import { chooseOutliers } from "./by-outliers.ts";
import type { Choice } from "./choice.ts";
import { firstHold } from "./gates.ts";

const STRATEGIES: Readonly<Record<Policy["strategy"], (group: Group, policy: Policy) => Choice>> = {
  balanced: chooseOutliers,
  forecast: chooseByForecast,
};

/**
 * Decides what a run does: rotate, or hold for one reason.
 *
 * The gates are asked in a fixed order; the last of them judge what the strategy chooses. Pure: the same group and policy give the same
 * decision.
 *
 * @see docs/algorithm.md
 */
export function decide(group: Group, policy: Policy): Decision {
  let choice: Choice | undefined;
  const choose = () => (choice ??= STRATEGIES[policy.strategy](group, policy));
  const held = firstHold(group, policy, choose);
  if (held !== undefined) {
    const { passedOver = [], forecast } = choice ?? {};
    return { action: "hold", ...held, passedOver, ...(forecast && { forecast }) };
  }
  const { against: _none, ...rotation } = choose();
  return { action: "rotate", ...rotation };
}
