/** Where nobody can say what a rotation brings: the busiest pod goes, and only while the load is more uneven than chance makes it. */

import { percent, short } from "../figures.ts";
import { percentileOf } from "../forecast/deals.ts";
import { imbalanceOf } from "../forecast/imbalance.ts";
import { imbalanceToday, loadsToday } from "../forecast/rotations.ts";
import { seededRandom } from "../random.ts";
import type { Group, PodState, Policy } from "../types.ts";
import type { Choice } from "./choice.ts";
import { ineligibility } from "./eligible.ts";
import { isUneven, judgeSignals } from "./thresholds.ts";

/** Of random deals so many are more even: from there on a blind rotation of the busiest helps nearly always. */
const TAIL = 0.95;

export function chooseInTheTail(group: Group, policy: Policy): Choice {
  const { unusual, clause } = judge(group, policy);
  const busiest = busiestOf(group);
  const why = busiest && ineligibility(busiest, policy);
  const unfit = busiest ? why && `${busiest.pod.name} is ${why}` : "no pod";
  return {
    against: { not_unusual: unusual ? undefined : clause, no_eligible_target: unfit },
    because: [clause],
    targets: busiest ? [{ pod: busiest.pod, role: "most_busy", score: busiest.score ?? 0 }] : [],
    atOnce: false,
    passedOver: [],
  };
}

/** So many moments of the past, a day of half hours, tell what is usual. */
const LEAST_HISTORY = 48;

/** Against random deals of the group's own partitions, where their rates are known. */
function judge(group: Group, policy: Policy): { readonly unusual: boolean; readonly clause: string } {
  const { ownership } = group;
  const rates = ownership?.group.partitions.map(({ rate }) => rate) ?? [];
  if (ownership === undefined || !rates.every((rate) => rate !== undefined)) {
    return judgeByHistory(group, policy);
  }
  const imbalance = imbalanceOf([...loadsToday(group).values()]);
  const percentile = percentileOf(imbalance, rates, ownership.owners.length, seededRandom(1));
  const clause = `busiest / mean is ${short(imbalance)}, more than in ${percent(percentile)} of random deals`;
  return { unusual: percentile >= TAIL, clause };
}

/**
 * By the thresholds on the signals, which chance seldom passes where partitions are alike. Where they are not it may always
 * pass them, so the group's own past must be more even, too, as far as it is known. The past alone says nothing: half of it
 * is more even than today's in a group that never changes.
 */
function judgeByHistory(group: Group, policy: Policy): { readonly unusual: boolean; readonly clause: string } {
  const verdicts = judgeSignals(group, policy);
  const uneven = verdicts.filter(isUneven);
  if (uneven.length === 0) return { unusual: false, clause: verdicts.map(({ spread }) => spread).join(", ") };
  const clauses = uneven.map((one) => one.uneven);
  const imbalance = imbalanceToday(group);
  if (imbalance === undefined || group.history.length < LEAST_HISTORY) {
    return { unusual: true, clause: clauses.join(", ") };
  }
  const share = group.history.filter((past) => past < imbalance).length / group.history.length;
  const past = `busiest / mean is ${short(imbalance)}, more than in ${percent(share)} of the last week`;
  return { unusual: share >= TAIL, clause: [...clauses, past].join(", ") };
}

/** By the load that its partitions bring or that it consumes; by the score where that was left out. Ties break by name. */
function busiestOf(group: Group): PodState | undefined {
  const loads = loadsToday(group);
  const load = ({ pod, score = 0 }: PodState) => (loads.size === 0 ? score : (loads.get(pod.name) ?? 0));
  return group.pods.toSorted((a, b) => load(b) - load(a) || (a.pod.name < b.pod.name ? -1 : 1))[0];
}
