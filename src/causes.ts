/** Why a group is uneven. One table: log, table, JSON and docs take their words from here. */

interface CauseFacts {
  /** A whole sentence without the facts of the case; the diagnosis' `evidence` adds those. */
  readonly sentence: string;
  readonly remedy: string;
}

export const CAUSES = {
  hot_partition: {
    sentence: "One partition alone brings more than a pod's fair share.",
    remedy:
      "Split its key, or write to more partitions; a rotation can take other partitions off its owner, and no more.",
  },
  skewed_partitions: {
    sentence: "The partitions differ in rate, so that equal numbers of them are unequal loads.",
    remedy: "Spread the keys better, or have more partitions; a rotation deals the same partitions anew.",
  },
  count_imbalance: {
    sentence: "The pods have different numbers of partitions.",
    remedy: "Make the number of partitions a multiple of the number of pods, and not smaller than it.",
  },
  slow_pod: {
    sentence: "A message costs more CPU in some pods than in the others.",
    remedy:
      "Look at what is different in them (version, settings, neighbours), and replace them: they may land elsewhere.",
  },
  slow_node: {
    sentence: "A message costs more CPU in the pods of one node.",
    remedy: "Cordon the node and move the pods away; then look for noisy neighbours, throttling or slower hardware.",
  },
  stalled_consumer: {
    sentence: "Some consumers hardly consume, and the others do.",
    remedy: "Look at their logs for a message that fails again and again, a deadlock or a lost session; restart them.",
  },
  downstream_slow: {
    sentence: "All pods alike consume less than comes in.",
    remedy:
      "Look at what the consumers wait for (a database, another service); if their CPU is at its limit, run more pods. A rotation makes none of them faster.",
  },
  even: {
    sentence: "Nothing stands out.",
    remedy: "There is nothing to repair.",
  },
  unknown: {
    sentence: "The signals do not say what makes the group uneven.",
    remedy: "Look at the signals that the evidence names, and at the next run once they are whole.",
  },
} as const satisfies Record<string, CauseFacts>;

export type Cause = keyof typeof CAUSES;
