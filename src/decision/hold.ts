import type { HoldReason } from "../reasons.ts";
import type { Forecast, HoldDecision, PassedOver } from "../types.ts";

/** Why a run holds, with the facts behind it as a clause. */
export interface Hold {
  readonly reason: HoldReason;
  readonly detail: string;
}

/** The decision to hold, with what else is known. */
export function hold(
  reason: HoldReason,
  detail: string,
  known: { readonly passedOver?: readonly PassedOver[]; readonly forecast?: Forecast } = {},
): HoldDecision {
  return { action: "hold", reason, detail, passedOver: [], ...known };
}
