import type { HoldReason } from "../reasons.ts";
import type { Forecast, PassedOver, Target } from "../types.ts";

/** Reasons to hold that only show once the strategy has chosen. */
export type ChoiceHold = Extract<
  HoldReason,
  "hot_partition" | "balanced" | "not_unusual" | "no_eligible_target" | "planning_timeout" | "no_gain"
>;

/** What a strategy would do, were nothing against it. */
export interface Choice {
  /** What speaks against it, as clauses; which of them names the reason is decided by the order of the gates. */
  readonly against: Readonly<Partial<Record<ChoiceHold, string | undefined>>>;
  /** See `RotateDecision` for these. */
  readonly because: readonly string[];
  readonly targets: readonly Target[];
  readonly atOnce: boolean;
  readonly passedOver: readonly PassedOver[];
  readonly forecast?: Forecast;
}
