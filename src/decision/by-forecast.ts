/** The rule of `STRATEGY=forecast`: rotate where the forecast says that it helps; without one, only where chance rarely does worse. */

import { short } from "../figures.ts";
import { type Board, boardOf } from "../forecast/board.ts";
import { forecast } from "../forecast/forecast.ts";
import { futilityOf, hotPartitionOf, otherKindOf } from "../forecast/futility.ts";
import { likelyOrders } from "../forecast/likely-orders.ts";
import { type Ownership, unownedPartitions } from "../forecast/ownership.ts";
import { MATTERS } from "../forecast/play.ts";
import { rateErrorOf } from "../forecast/rate-error.ts";
import { ineffectiveRotations } from "../forecast/rotations.ts";
import { UnpredictableAssignment } from "../kafka/assignors/unpredictable.ts";
import type {
  CandidateForecast,
  Decision,
  Forecast,
  Group,
  HoldDecision,
  PassedOver,
  PodState,
  Policy,
  Target,
} from "../types.ts";
import { ineligibility } from "./eligible.ts";
import { tooFewPods } from "./gates.ts";
import { type Hold, hold } from "./hold.ts";
import { decideInTheTail } from "./in-the-tail.ts";

/** A busiest pod within 10 % of the mean is even enough: a HorizontalPodAutoscaler's default tolerance. */
const EVEN = 1.1;

export function decideByForecast(group: Group, policy: Policy): Decision {
  const useless = ineffectiveRotations(group);
  if (useless !== undefined) return hold("ineffective", useless);
  const { ownership, contradiction } = group;
  if (contradiction !== undefined) return hold("sources_contradict", contradiction);
  if (ownership === undefined) return decideInTheTail(group, policy);
  const other = otherKindOf(ownership);
  if (other !== undefined) return hold(other.reason, other.detail);
  return unready(ownership, group) ?? decideKnowing(ownership, group, policy);
}

/** What keeps the group from being judged at the moment. */
function unready({ group, podsWithoutMember }: Ownership, { pods }: Group): HoldDecision | undefined {
  const { state = "Stable", name = "", members, partitions, source } = group;
  if (members.length === 0) return hold("members_unmatched", `group ${name} is ${state} and has no members`);
  if (state !== "Stable") return hold("group_unstable", `group ${name} is ${state}`);
  const unowned = unownedPartitions(group);
  if (unowned > 0) return hold("group_unstable", `${unowned} of ${partitions.length} partitions have no owner`);
  // A pod that is not Ready has not joined yet, or has left.
  const ready = new Set(pods.filter((pod) => pod.ready).map(({ pod }) => pod.name));
  const unmatched = podsWithoutMember.filter((pod) => ready.has(pod));
  if (unmatched.length === 0) return undefined;
  return hold("members_unmatched", `${source} knows no member of ${unmatched.join(", ")}`);
}

function decideKnowing(ownership: Ownership, group: Group, policy: Policy): Decision {
  const futile = futilityOf(ownership);
  if (futile !== undefined) return hold(futile.reason, futile.detail);
  const board = boardOf(ownership);
  if (board === undefined) return decideInTheTail(group, policy);
  return decideOn(board, ownership, group, policy);
}

function decideOn(board: Board, ownership: Ownership, group: Group, policy: Policy): Decision {
  const states = new Map(group.pods.map((state) => [state.pod.name, state]));
  const { removable, passedOver } = candidatesAmong(board, states, policy);
  const inTurn = policy.maxPodsToDelete > 1;
  const pairs = { inTurn, atOnce: inTurn && tooFewPods(group.snapshot, policy, 2) === undefined };
  const scope = { removable, pairs, orders: likelyOrders(group), rateError: rateErrorOf(board.owners, group.pods) };
  const made = unlessUnpredictable(() => forecast(board, scope, policy));
  if (made === undefined) return decideInTheTail(group, policy);
  const known = { passedOver, forecast: made };
  const held = reasonToHold(made, ownership, removable.length);
  if (held !== undefined) return hold(held.reason, held.detail, known);
  const targets = (made.chosen?.pods ?? []).flatMap((name): Target[] => {
    const { pod, score = 0 } = states.get(name) ?? {};
    return pod === undefined ? [] : [{ pod, role: "best_forecast", score }];
  });
  const because = [`${todayIn(made)}; the rotation ${expectationOf(made.chosen)}`];
  return { action: "rotate", because, targets, atOnce: targets.length > 1 && made.chosen?.atOnce === true, ...known };
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

function reasonToHold(made: Forecast, ownership: Ownership, removable: number): Hold | undefined {
  const hot = hotPartitionOf(ownership, made);
  if (hot !== undefined) return hot;
  const today = todayIn(made);
  if (made.imbalance < EVEN) return { reason: "balanced", detail: `${today}, less than ${EVEN}` };
  if (made.floor > made.imbalance * (1 - MATTERS)) {
    const least = `the least that equal numbers of partitions come to is ${short(made.floor)}`;
    return { reason: "balanced", detail: `${today}; ${least}` };
  }
  if (removable === 0) return { reason: "no_eligible_target", detail: "no pod may be removed" };
  if (made.chosen !== undefined) return undefined;
  const [best] = made.candidates;
  return { reason: "no_gain", detail: `${today}; the best, ${best?.pods.join(" and ")}, ${expectationOf(best)}` };
}

function todayIn({ imbalance }: Forecast): string {
  return `busiest / mean is ${short(imbalance)}`;
}

/** "is expected to bring 1.49, and 1.53 at the pessimistic end". */
function expectationOf(candidate: CandidateForecast | undefined): string {
  const { p50 = 0, p90 = 0 } = candidate?.after ?? {};
  return `is expected to bring ${short(p50)}, and ${short(p90)} at the pessimistic end`;
}

/** undefined where the assignor's answer is an accident. */
function unlessUnpredictable<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof UnpredictableAssignment) return undefined;
    throw thrown;
  }
}
