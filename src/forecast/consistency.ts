/** Whether what a source says of a group fits together: by the names of its partitions, since numbers agree by accident. */

import { nameOf, type TopicPartition } from "../kafka/assignors/assignor.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";

/**
 * In what a group at rest contradicts itself, as a clause; undefined where it fits together, or is not at rest: what changes just now
 * need not fit.
 */
export function contradictionWithin(group: ConsumerGroup): string | undefined {
  const { state = "Stable", members } = group;
  if (state !== "Stable" || members.length === 0) return undefined;
  return (
    memberTwice(group) ?? partitionTwice(group) ?? ownedTwice(group) ?? ownedUnknown(group) ?? topicsUnknown(group)
  );
}

/** What is yet to settle in a group that contradicts itself in nothing: partitions without an owner, or without a known rate. */
export function unsettledPartitions(group: ConsumerGroup): string | undefined {
  return unownedPartitions(group) ?? unrated(group);
}

/** Which partitions no member owns, as a clause; also the first that nobody speaks of although its topic has higher numbers. */
export function unownedPartitions({ members, partitions }: ConsumerGroup): string | undefined {
  const owned = new Set(members.flatMap((member) => member.owned.map(nameOf)));
  const unowned = partitions.filter((partition) => !owned.has(nameOf(partition)));
  if (unowned.length > 0) {
    return `${unowned.length} of ${partitions.length} partitions have no owner: ${listed(unowned.map(labelOf))}`;
  }
  const gap = firstGap(partitions);
  return gap && `${labelOf(gap)} is not known, though the topic has partitions behind it`;
}

/** An assignor deals the partitions from 0 on without a gap. */
function firstGap(partitions: readonly TopicPartition[]): TopicPartition | undefined {
  const known = new Set(partitions.map(nameOf));
  const before = partitions.map(({ topic, partition }) => ({ topic, partition: partition - 1 }));
  return before.find((one) => one.partition >= 0 && !known.has(nameOf(one)));
}

function memberTwice({ members }: ConsumerGroup): string | undefined {
  if (members.some(({ id }) => id === "")) return "a member has no id";
  const twice = firstTwice(members.map(({ id }) => id));
  return twice && `member ${twice} is listed twice`;
}

function partitionTwice({ partitions }: ConsumerGroup): string | undefined {
  const odd = partitions.find(({ partition }) => !Number.isInteger(partition) || partition < 0);
  if (odd !== undefined) return `${labelOf(odd)} is no partition, expected a number from 0`;
  const twice = firstTwice(partitions.map(labelOf));
  return twice && `${twice} is listed twice`;
}

function ownedTwice({ members }: ConsumerGroup): string | undefined {
  const owners = new Map<string, GroupMember>();
  for (const member of members) {
    for (const partition of member.owned) {
      const other = owners.get(nameOf(partition));
      if (other !== undefined) return `${labelOf(partition)} is owned by ${other.id} and by ${member.id}`;
      owners.set(nameOf(partition), member);
    }
  }
  return undefined;
}

/** A topic that was deleted, or made anew with fewer partitions, is still owned for a while; so is one that nobody subscribes to. */
function ownedUnknown({ members, partitions }: ConsumerGroup): string | undefined {
  const known = new Set(partitions.map(nameOf));
  for (const { id, topics, owned } of members) {
    const stranger = owned.find((partition) => !known.has(nameOf(partition)));
    if (stranger !== undefined) {
      return `${id} owns ${labelOf(stranger)}, and the topics that the group subscribes to have no such partition`;
    }
    const unwanted = owned.find(({ topic }) => !topics.includes(topic));
    if (unwanted !== undefined) return `${id} owns ${labelOf(unwanted)}, and does not subscribe to ${unwanted.topic}`;
  }
  return undefined;
}

function topicsUnknown({ members, partitions }: ConsumerGroup): string | undefined {
  if (partitions.length > 0) return undefined;
  const topics = [...new Set(members.flatMap((member) => member.topics))].toSorted();
  if (topics.length === 0) return "no member is known to subscribe to a topic";
  return `none of the topics that the members subscribe to is there: ${listed(topics)}`;
}

/** Kafka knows the end of every log. Where it does not say, the partition has no leader, or its log was cut off or began anew. */
function unrated({ source, partitions }: ConsumerGroup): string | undefined {
  if (source !== "kafka") return undefined;
  const unknown = partitions.filter(({ rate }) => rate === undefined);
  if (unknown.length === 0) return undefined;
  return `the rates of ${unknown.length} of ${partitions.length} partitions are not known (no leader, or a log that became shorter): ${listed(unknown.map(labelOf))}`;
}

/** "orders-3", as Kafka itself writes it. */
function labelOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

const MOST_LISTED = 5;

function listed(names: readonly string[]): string {
  const more = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function firstTwice(texts: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
}
