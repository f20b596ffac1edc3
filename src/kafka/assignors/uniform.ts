import type { Assignment, Member } from "./assignor.ts";
import { assignToEqual } from "./uniform-equal.ts";
import { settleTarget, uniformGroup } from "./uniform-group.ts";
import { assignToUnequal } from "./uniform-unequal.ts";

/**
 * `org.apache.kafka.coordinator.group.assignor.UniformAssignor` (KIP-848), of Kafka 4.4, with which the coordinator itself
 * assigns: balances the *numbers* of partitions and lets members keep what they have as far as that allows. Two algorithms: one
 * for members that all subscribe to the same topics, one for all others.
 *
 * What it computes is the target that the members move to. What counts as owned is the target before it, whatever they have at the
 * moment. Instance ids and racks do not count. Not modelled: a group in which some members subscribe by a regular expression and
 * others by none or another one.
 *
 * Ties go by the hash codes of member ids and topic ids, and within one bucket of a hash table by what came first.
 * ConsumerGroupDescribe tells these orders, that of the members and that of each one's target: with them the result is exact.
 *
 * A newcomer's id is random, and nobody knows it before. With one newcomer after the leave that seldom matters, because it
 * gets what the others have too much of. When it joins before the leave, or several join, its place among the others often
 * decides who gives up what and who gets it, and a prediction is then one of several that are equally likely.
 *
 * @param members - in the order in which ConsumerGroupDescribe lists them; newcomers last.
 * @param topicIds - may be left out where the members subscribe to one topic only.
 * @throws UnpredictableAssignment where there are several topics and not all ids are known.
 */
export function uniform(
  partitions: ReadonlyMap<string, number>,
  members: readonly Member[],
  topicIds: ReadonlyMap<string, string> = new Map(),
): Assignment {
  const group = uniformGroup(partitions, members, topicIds);
  return settleTarget(group, subscribeEqually(members) ? assignToEqual(group) : assignToUnequal(group));
}

/** Topics that do not exist count here. */
function subscribeEqually(members: readonly Member[]): boolean {
  const wanted = new Set(members.flatMap(({ topics }) => topics));
  return members.every(({ topics }) => new Set(topics).size === wanted.size);
}
