/** The rule of `STRATEGY=forecast`: rotate where the forecast says that it helps; without one, only where chance rarely does worse. */

import { short } from "../figures.ts";
import { type Board, boardOf } from "../forecast/board.ts";
import { PLANNING_SECONDS } from "../forecast/budget.ts";
import { forecastInSlices } from "../forecast/forecast.ts";
import { hotPartition } from "../forecast/futility.ts";
import { likelyOrders } from "../forecast/likely-orders.ts";
import type { Ownership } from "../forecast/ownership.ts";
import { MATTERS } from "../forecast/play.ts";
import { rateErrorOf } from "../forecast/rate-error.ts";
import { UnpredictableAssignment } from "../kafka/assignors/unpredictable.ts";
import { OutOfTime, type Slices } from "../slices.ts";
import type { CandidateForecast, Forecast, Group, PassedOver, PodState, Policy, Target } from "../types.ts";
import type { Choice } from "./choice.ts";
import { ineligibility } from "./eligible.ts";
import { tooFewPods } from "./gates.ts";
import { chooseInTheTail } from "./in-the-tail.ts";

/** A busiest pod within 10 % of the mean is even enough: a HorizontalPodAutoscaler's default tolerance. */
const EVEN = 1.1;

/** To be asked where the gates before let pass; without the partitions' rates or a model of the assignor it looks no further than today. */
export function* chooseByForecast(group: Group, policy: Policy): Slices<Choice> {
  const { ownership } = group;
  const board = ownership && boardOf(ownership);
  if (ownership === undefined || board === undefined) return chooseInTheTail(group, policy);
  try {
    return yield* chooseOn(board, ownership, group, policy);
  } catch (thrown) {
    // The assignor's answer is an accident.
    if (thrown instanceof UnpredictableAssignment) return chooseInTheTail(group, policy);
    if (thrown instanceof OutOfTime) return NOTHING_FORECAST;
    throw thrown;
  }
}

/** The time was up before today's imbalance and its floor were known, so that there is not even a forecast without candidates. */
const NOTHING_FORECAST: Choice = {
  against: { planning_timeout: `no candidate was forecast within the planning budget of ${PLANNING_SECONDS} s` },
  because: [],
  targets: [],
  atOnce: false,
  passedOver: [],
};

function* chooseOn(board: Board, ownership: Ownership, group: Group, policy: Policy): Slices<Choice> {
  const states = new Map(group.pods.map((state) => [state.pod.name, state]));
  const { removable, passedOver } = candidatesAmong(board, states, policy);
  const inTurn = policy.maxPodsToDelete > 1;
  const pairs = { inTurn, atOnce: inTurn && tooFewPods(group.snapshot, policy, 2) === undefined };
  const scope = { removable, pairs, orders: likelyOrders(group), rateError: rateErrorOf(board.owners, group.pods) };
  const made = yield* forecastInSlices(board, scope, policy);
  const targets = (made.chosen?.pods ?? []).flatMap((name): Target[] => {
    const { pod, score = 0 } = states.get(name) ?? {};
    return pod === undefined ? [] : [{ pod, role: "best_forecast", score }];
  });
  return {
    against: {
      hot_partition: hotPartition(ownership, made),
      balanced: evenness(made),
      no_eligible_target: removable.length === 0 ? "no pod may be removed" : undefined,
      planning_timeout: made.chosen === undefined && isCut(made) ? noGain(made) : undefined,
      no_gain: made.chosen === undefined ? noGain(made) : undefined,
    },
    because: [`${todayIn(made)}; ${lookedAt(made)}the rotation ${expectationOf(made.chosen)}`],
    targets,
    atOnce: targets.length > 1 && made.chosen?.atOnce === true,
    passedOver,
    forecast: made,
  };
}

function candidatesAmong({ owners }: Board, states: ReadonlyMap<string, PodState>, policy: Policy) {
  const passedOver: PassedOver[] = [];
  const removable: number[] = [];
  for (const [number, { pod }] of owners.entries()) {
    const state = states.get(pod ?? "");
    if (state === undefined) continue;
    const why = ineligibility(state, policy);
    if (why === undefined) removable.push(number);
    else passedOver.push({ pod: state.pod.name, role: "best_forecast", why });
  }
  return { removable, passedOver };
}

function evenness(made: Forecast): string | undefined {
  if (made.imbalance < EVEN) return `${todayIn(made)}, less than ${EVEN}`;
  if (made.floor <= made.imbalance * (1 - MATTERS)) return undefined;
  return `${todayIn(made)}; the least that equal numbers of partitions come to is ${short(made.floor)}`;
}

/** Not all was looked at that was to be. */
function isCut({ candidates, planned }: Forecast): boolean {
  return candidates.length < planned;
}

/** "12 of 100 candidates were forecast within the planning budget of 20 s; "; nothing where all were. */
function lookedAt(made: Forecast): string {
  if (!isCut(made)) return "";
  return `${made.candidates.length} of ${made.planned} candidates were forecast within the planning budget of ${PLANNING_SECONDS} s; `;
}

function noGain(made: Forecast): string {
  const [best] = made.candidates;
  const most = best && `the best, ${best.pods.join(" and ")}, ${expectationOf(best)}`;
  return `${todayIn(made)}; ${lookedAt(made)}${most ?? "none was forecast"}`;
}

function todayIn({ imbalance }: Forecast): string {
  return `busiest / mean is ${short(imbalance)}`;
}

/** "is expected to bring 1.49, and 1.53 at the pessimistic end". */
function expectationOf(candidate: CandidateForecast | undefined): string {
  const { p50 = 0, p90 = 0 } = candidate?.after ?? {};
  return `is expected to bring ${short(p50)}, and ${short(p90)} at the pessimistic end`;
}
