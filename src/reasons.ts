/** Why a run ended as it did. One table: log, report, metric label, Event and docs take their words from here. */

import type { ErrorCode, RebalancerError } from "./errors.ts";

interface ReasonFacts {
  /** "failure" is 1. Whatever is not 0 becomes 3 once something was removed. */
  readonly exit: 0 | 4 | "failure";
  /** A whole sentence without the facts of the case; the run's `detail` adds those. */
  readonly sentence: string;
  readonly advice: string;
}

/** What holds a run back, in the order in which the gates are asked (`GATES` in src/decision/gates.ts). */
export const HOLD_REASONS = {
  no_pods: {
    exit: 4,
    sentence: "No pod matches the selector.",
    advice:
      "Check KUBE_NAMESPACE (`kubectl get namespace`) and KUBE_LABEL_SELECTOR (`kubectl get pods --show-labels`).",
  },
  ambiguous_group: {
    exit: 4,
    sentence: "The pods do not belong to exactly one Deployment or StatefulSet.",
    advice:
      "Narrow KUBE_LABEL_SELECTOR until it matches one Deployment or StatefulSet; pods that anything else makes cannot be rotated.",
  },
  workload_deleting: {
    exit: 0,
    sentence: "The workload is being deleted, and nothing would replace its pods.",
    advice: "Nothing to do; if it shall stay, find out who deleted it, and which finalizer it waits for.",
  },
  suspended: {
    exit: 0,
    sentence: "Rebalancing is suspended.",
    advice: "Unset SUSPEND and remove the annotation pod-rebalancer.io/suspend to go on.",
  },
  locked: {
    exit: 0,
    sentence: "Another run holds the workload's Lease.",
    advice: "Wait for it; a Lease that is not renewed expires within a minute.",
  },
  rollout_in_progress: {
    exit: 0,
    sentence: "The workload is rolling out.",
    advice: "Wait for the rollout, or undo it if it is stuck.",
  },
  scaling_in_progress: {
    exit: 0,
    sentence: "The workload is being scaled.",
    advice: "Wait until there are as many pods as spec.replicas and the autoscaler ask for.",
  },
  pods_not_ready: {
    exit: 0,
    sentence: "Too few of the wanted pods are Ready.",
    advice: "Find out why pods are missing or not Ready; rotating would make it worse.",
  },
  too_few_pods: {
    exit: 0,
    sentence: "Not more pods are Ready than must stay.",
    advice: "Run more replicas, or lower MIN_PODS_REQUIRED if that is safe.",
  },
  cooldown: {
    exit: 0,
    sentence: "The last removal is too recent.",
    advice: "Wait: the metrics' window must have left the last rotation behind (COOLDOWN).",
  },
  insufficient_metrics: {
    exit: 4,
    sentence: "Too few pods have every signal.",
    advice: "Check the exporters, METRICS_PROFILE and the queries; a log at level debug has each query as it was sent.",
  },
  idle: {
    exit: 0,
    sentence: "The group is idle: no signal reaches its floor.",
    advice: "Nothing to do; CPU_FLOOR and LAG_FLOOR say what counts as load.",
  },
  ineffective: {
    exit: 0,
    sentence: "The last three rotations had no effect on this group.",
    advice: "Rotating does not help here; the cause and its remedy do. It is tried again once the group has changed.",
  },
  sources_contradict: {
    exit: 4,
    sentence: "What is known of who owns which partition contradicts itself.",
    advice:
      "Wait for the next run if the group has just rebalanced, or a topic was deleted or made anew; else check KAFKA_GROUP and the exporter's labels.",
  },
  streams_group: {
    exit: 0,
    sentence: "Kafka Streams assigns its tasks by their state, which a rotation would have to move.",
    advice: "Leave it to Kafka Streams; raise num.standby.replicas, or give the topology more partitions.",
  },
  share_group: {
    exit: 0,
    sentence: "In a share group no consumer owns a partition.",
    advice: "Nothing to do: the broker hands out messages, not partitions.",
  },
  group_unstable: {
    exit: 0,
    sentence: "The consumer group is rebalancing, or one of its partitions is not at rest.",
    advice:
      "Wait until it is Stable and each partition has a leader and an owner. If that never is, look for consumers that exceed max.poll.interval.ms or crash, and at the named partitions.",
  },
  members_unmatched: {
    exit: 4,
    sentence: "Pods cannot be matched with members of the consumer group.",
    advice:
      "Check KAFKA_GROUP; let each client.id begin with the name of its own pod and of no other, or let the members have the pods' own IP addresses.",
  },
  few_partitions: {
    exit: 0,
    sentence: "There are no more partitions than consumers: a rotation can only swap them.",
    advice: "Add partitions, or run fewer pods.",
  },
  stateless_assignor: {
    exit: 0,
    sentence: "With this assignor a rotation changes which pod has which load, and nothing else.",
    advice:
      "Use a sticky assignor (CooperativeStickyAssignor, cooperative-sticky, or uniform of KIP-848), or more partitions.",
  },
  static_membership: {
    exit: 0,
    sentence: "Static members get back what they had (group.instance.id).",
    advice: "Give up static membership, or move partitions by changing the number of pods.",
  },
  hot_partition: {
    exit: 0,
    sentence: "One partition alone is more than a fair share, wherever it is.",
    advice: "Split its key, or add partitions; rotating only moves it.",
  },
  balanced: {
    exit: 0,
    sentence: "The load is not uneven enough for a rotation.",
    advice: "Nothing to do. If lag grows on all pods alike, the group is too small, not uneven.",
  },
  not_unusual: {
    exit: 0,
    sentence: "The load is no more uneven than chance makes it, so that a blind rotation may as well make it worse.",
    advice:
      "Let the tool know who owns which partition (KAFKA_BOOTSTRAP_SERVERS and KAFKA_GROUP), so that it can look ahead.",
  },
  no_eligible_target: {
    exit: 0,
    sentence: "No pod that was to be rotated may be removed now.",
    advice: "Look at why each was passed over (age, readiness, exemption).",
  },
  planning_timeout: {
    exit: 4,
    sentence: "The forecast was not ready in time, and what was ready promises too little.",
    advice:
      "Give the run more CPU (the limit of its container). A group that cannot be looked at in time is left alone.",
  },
  no_gain: {
    exit: 0,
    sentence: "No rotation promises enough.",
    advice: "Nothing to do; the report (`--output table` or `json`) shows what each would bring.",
  },
} as const satisfies Record<string, ReasonFacts>;

/** What ends a rotation or a run after the decision to rotate. */
const ACT_REASONS = {
  rotated: {
    exit: 0,
    sentence: "The chosen pods were rotated.",
    advice: "Compare the next run's figures with this one's.",
  },
  would_rotate: {
    exit: 0,
    sentence: "A live run would rotate the chosen pods.",
    advice: "Turn the dry run off (DRY_RUN=false) to act.",
  },
  target_changed: {
    exit: 0,
    sentence: "A chosen pod changed before it was its turn.",
    advice: "Nothing to do; the next run chooses anew.",
  },
  would_breach_minimum: {
    exit: 0,
    sentence: "One removal more would leave fewer Ready pods than must stay.",
    advice: "Find out which pods are not Ready, or run more replicas.",
  },
  blocked_by_pdb: {
    exit: 0,
    sentence: "A PodDisruptionBudget refuses the eviction.",
    advice: "Look at `kubectl get pdb`: it allows no disruption now, or several budgets match the pod.",
  },
  blocked_by_admission: {
    exit: 0,
    sentence: "Admission control does not let the eviction pass.",
    advice: "Ask whoever runs the webhook or the policy that is named; exempt the pods that it guards.",
  },
  not_allowed: {
    exit: "failure",
    sentence: "A live run by this account would fail.",
    advice: "Grant the named right to the account that is to make the live run (deploy/kubernetes/base/role.yaml).",
  },
  deadline_near: {
    exit: 0,
    sentence: "The run's deadline leaves no room for one more removal.",
    advice: "Raise RUN_DEADLINE (and the CronJob's activeDeadlineSeconds), or lower MAX_PODS_TO_DELETE.",
  },
  replacement_timeout: {
    exit: "failure",
    sentence: "The replacement of a removed pod did not become Ready in time.",
    advice: "Look at the new pod: image, scheduling, readiness probe. Raise REPLACEMENT_TIMEOUT if it is only slow.",
  },
  lock_lost: {
    exit: "failure",
    sentence: "The Lease was lost.",
    advice: "Check the API server's health and that only one schedule runs for this workload.",
  },
  run_deadline: {
    exit: "failure",
    sentence: "The run reached its deadline.",
    advice: "The slow step is the one after the last that the log tells of; raise RUN_DEADLINE if it is only slow.",
  },
  interrupted: {
    exit: "failure",
    sentence: "The run was told to stop.",
    advice: "The next run looks again. If this one removed a pod, see that its replacement becomes Ready.",
  },
  failed: { exit: "failure", sentence: "The run failed.", advice: "Read the error." },
} as const satisfies Record<string, ReasonFacts>;

export const REASONS = { ...HOLD_REASONS, ...ACT_REASONS };

export type HoldReason = keyof typeof HOLD_REASONS;
export type Reason = keyof typeof REASONS;

/** What the exit code of the process says. */
export const EXIT_CODES = {
  0: {
    meaning: "done, or held or stopped for a good reason, even after one removal",
    advice: "Nothing; the end of the log names the reason.",
  },
  1: {
    meaning: "failed, told to stop, or its result could not be written; nothing was removed",
    advice: "Read how the log ends. The next run looks at the world anew.",
  },
  2: {
    meaning: "wrong settings or usage; nothing was read or changed",
    advice: "Correct what stderr names; all faults are listed together.",
  },
  3: {
    meaning: "something was removed, or may have been, and then the run failed or was told to stop",
    advice: "Look at the group's pods first: is each removed pod replaced and Ready? Then read how the log ends.",
  },
  4: {
    meaning: "nothing could be judged: no pods, an ambiguous group, too few metrics, too little time to look ahead",
    advice: "Correct the selector or the metrics, or give the run more CPU. Until then the group is not watched.",
  },
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/**
 * The exit code of a run that ended for this reason.
 * @param removed - whether any pod was, or may have been, removed by this run.
 */
export function exitCodeOf(reason: Reason, removed: boolean): ExitCode {
  const { exit } = REASONS[reason];
  if (exit === 0) return 0;
  if (removed) return 3;
  return exit === "failure" ? 1 : exit;
}

const REASON_OF_ERROR: Readonly<Partial<Record<ErrorCode, Reason>>> = {
  LOCK_LOST: "lock_lost",
  REPLACEMENT_LATE: "replacement_timeout",
  RUN_DEADLINE: "run_deadline",
  CANCELLED: "interrupted",
};

/** What ended a run that threw this. */
export function reasonOf({ code }: RebalancerError): Reason {
  return REASON_OF_ERROR[code] ?? "failed";
}
