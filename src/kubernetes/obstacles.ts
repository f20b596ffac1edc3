/** Why pods that were chosen are left alone after all. */

import { ineligibility } from "../decision/eligible.ts";
import { firstWorldHold, tooFewPods } from "../decision/gates.ts";
import { formatDuration } from "../durations.ts";
import type { RebalancerError } from "../errors.ts";
import { candidate } from "../podstate/assess.ts";
import type { Clock, Objection } from "../ports.ts";
import type { Reason } from "../reasons.ts";
import type { PodInfo, Policy, Snapshot, Target } from "../types.ts";
import { graceOf } from "./replacement.ts";

/** Why no further pod is touched. */
export interface Halt {
  readonly reason: Reason;
  readonly detail: string;
  readonly error?: RebalancerError;
}

/** The targets that are still to go, and how many go together with them. */
export interface Going {
  readonly targets: readonly Target[];
  readonly together: number;
}

export interface Rules {
  /** The world in which the targets were chosen. */
  readonly seen: Snapshot;
  readonly policy: Policy;
  readonly clock: Clock;
  /** The run's deadline, by `clock`. */
  readonly deadline: Date;
}

/** What speaks against the removal: the same rules as for the decision, on fresh data. */
export function obstacleTo({ targets, together }: Going, fresh: Snapshot, rules: Rules): Halt | undefined {
  const { seen, policy } = rules;
  const hold = firstWorldHold(fresh, policy);
  if (hold) return hold;
  if (fresh.workload?.uid !== seen.workload?.uid) {
    return { reason: "target_changed", detail: "the workload was deleted and created anew" };
  }
  for (const { pod } of targets) {
    const now = fresh.pods.find(({ uid }) => uid === pod.uid);
    if (now === undefined) return alreadyGone(pod);
    const why = objectionTo(pod, policy)(now, fresh.observedAt);
    if (why !== undefined) return nowOtherwise(pod, why);
  }
  const tooFew = tooFewPods(fresh, policy, together);
  if (tooFew !== undefined) return { reason: "would_breach_minimum", detail: tooFew };
  return tooLate(targets, rules);
}

/** What speaks against the removal of this target, whenever it is looked at: the rule by which it was chosen. */
export function objectionTo({ controller }: PodInfo, policy: Policy): Objection {
  return (now, at) => {
    if (now.controller.uid !== controller.uid) return `a pod of ${now.controller.kind}/${now.controller.name}`;
    return ineligibility(candidate(now, at), policy);
  };
}

function tooLate(targets: readonly Target[], { policy, clock, deadline }: Rules): Halt | undefined {
  const needed = graceOf(targets.map(({ pod }) => pod)) + policy.replacementTimeoutSeconds;
  const left = Math.max(0, Math.floor((deadline.getTime() - clock.now().getTime()) / 1_000));
  if (left >= needed) return undefined;
  const [rest, whole] = [formatDuration(left), formatDuration(needed)];
  return { reason: "deadline_near", detail: `${rest} are left of RUN_DEADLINE, and one removal may take ${whole}` };
}

export function nowOtherwise({ name }: PodInfo, why: string): Halt {
  return { reason: "target_changed", detail: `${name} is now ${why}` };
}

export function alreadyGone({ name }: PodInfo): Halt {
  return { reason: "target_changed", detail: `${name} was already gone` };
}
