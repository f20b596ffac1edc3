import { inOneGo, type Slices } from "../slices.ts";
import type { Decision, Group, Policy } from "../types.ts";
import { chooseByForecast } from "./by-forecast.ts";
import { chooseOutliers } from "./by-outliers.ts";
import type { Choice } from "./choice.ts";
import { firstHold } from "./gates.ts";

function* choose(group: Group, policy: Policy): Slices<Choice> {
  return policy.strategy === "forecast" ? yield* chooseByForecast(group, policy) : chooseOutliers(group, policy);
}

/**
 * Decides what a run does: rotate, or hold for one reason.
 *
 * The gates are asked in a fixed order; the last of them judge what the strategy chooses. Pure: the same group and policy give the same
 * decision.
 *
 * @see docs/algorithm.md
 */
export function decide(group: Group, policy: Policy): Decision {
  return inOneGo(decideInSlices(group, policy));
}

/** As {@link decide}; out of time it goes by what was forecast until then. */
export function* decideInSlices(group: Group, policy: Policy): Slices<Decision> {
  const early = firstHold(group, policy);
  if (early !== undefined) return { action: "hold", ...early, passedOver: [] };
  const { against, ...rotation } = yield* choose(group, policy);
  const held = firstHold(group, policy, { against, ...rotation });
  if (held === undefined) return { action: "rotate", ...rotation };
  const { passedOver, forecast } = rotation;
  return { action: "hold", ...held, passedOver, ...(forecast && { forecast }) };
}
