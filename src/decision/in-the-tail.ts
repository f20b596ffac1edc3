/** Where nobody can say what a rotation brings: the busiest pod goes, and only while the load is more uneven than chance makes it. */

import { percent, short } from "../figures.ts";
import { percentileOf } from "../forecast/deals.ts";
import { imbalanceOf } from "../forecast/imbalance.ts";
import { loadsToday } from "../forecast/rotations.ts";
import { seededRandom } from "../random.ts";
import type { Decision, Group, PodState, Policy } from "../types.ts";
import { ineligibility } from "./eligible.ts";
import { hold } from "./hold.ts";
import { isUneven, judgeSignals } from "./thresholds.ts";

/** Of random deals so many are more even: from there on a blind rotation of the busiest helps nearly always. */
const TAIL = 0.95;

export function decideInTheTail(group: Group, policy: Policy): Decision {
  const { unusual, clause } = judge(group, policy);
  if (!unusual) return hold("not_unusual", clause);
  const busiest = busiestOf(group);
  const why = busiest && ineligibility(busiest, policy);
  if (busiest === undefined || why !== undefined) {
    return hold("no_eligible_target", busiest ? `${busiest.pod.name} is ${why}` : "no pod");
  }
  const target = { pod: busiest.pod, role: "most_busy", score: busiest.score ?? 0 } as const;
  return { action: "rotate", because: [clause], targets: [target], atOnce: false, passedOver: [] };
}

/**
 * Against random deals of the group's own partitions, where their rates are known; or else by the thresholds on the signals, which
 * chance seldom passes.
 */
function judge(group: Group, policy: Policy): { readonly unusual: boolean; readonly clause: string } {
  const { ownership } = group;
  const rates = ownership?.group.partitions.map(({ rate }) => rate) ?? [];
  if (ownership === undefined || !rates.every((rate) => rate !== undefined)) {
    const verdicts = judgeSignals(group, policy);
    const uneven = verdicts.filter(isUneven);
    const clauses = uneven.length > 0 ? uneven.map((one) => one.uneven) : verdicts.map(({ spread }) => spread);
    return { unusual: uneven.length > 0, clause: clauses.join(", ") };
  }
  const imbalance = imbalanceOf([...loadsToday(group).values()]);
  const percentile = percentileOf(imbalance, rates, ownership.owners.length, seededRandom(1));
  const clause = `busiest / mean is ${short(imbalance)}, more than in ${percent(percentile)} of random deals`;
  return { unusual: percentile >= TAIL, clause };
}

/** By the load that its partitions bring or that it consumes; by the score where that was left out. Ties break by name. */
function busiestOf(group: Group): PodState | undefined {
  const loads = loadsToday(group);
  const load = ({ pod, score = 0 }: PodState) => (loads.size === 0 ? score : (loads.get(pod.name) ?? 0));
  return group.pods.toSorted((a, b) => load(b) - load(a) || (a.pod.name < b.pod.name ? -1 : 1))[0];
}
