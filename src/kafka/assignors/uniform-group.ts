/** The group as both of the coordinator's uniform algorithms see it, and what they give: in the orders of Java's hash tables. */

import type { Assignment, Member, TopicPartition } from "./assignor.ts";
import { assignableTopics, compareText, hashOfText, inBuckets, inHashOrder } from "./java-group.ts";
import { JavaMap, tableOf, tableOfCopy } from "./java-map.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

type Numbers = JavaMap<number, true>;

/** What one member has: numbers of partitions by topic. */
export type Hand = JavaMap<string, Numbers>;

export interface UniformMember extends Pick<Member, "id" | "topics"> {
  readonly hand: Hand;
}

export interface UniformGroup {
  /** Number of partitions of the topics that exist and that somebody wants. */
  readonly topics: ReadonlyMap<string, number>;
  readonly idOf: (topic: string) => TopicId;
  /** In the order in which the assignor walks through them. */
  readonly members: readonly UniformMember[];
}

/** By member id, the hands that change: copies, whose tables are not always as large as those that they come from. */
export type Target = Map<string, Hand>;

/** `org.apache.kafka.common.Uuid`, as far as it orders anything. */
export interface TopicId {
  readonly hash: number;
  readonly bits: readonly [most: bigint, least: bigint];
}

const NO_ID: TopicId = { hash: 0, bits: [0n, 0n] };

/** @throws UnpredictableAssignment where there are several topics and not all ids are known. */
export function uniformGroup(
  partitions: ReadonlyMap<string, number>,
  members: readonly Member[],
  topicIds: ReadonlyMap<string, string>,
): UniformGroup {
  const topics = assignableTopics(partitions, members);
  const nameless = [...topics.keys()].find((topic) => !topicIds.has(topic));
  if (topics.size > 1 && nameless !== undefined) {
    throw new UnpredictableAssignment(
      `the coordinator deals several topics in the order of their ids, and that of ${JSON.stringify(nameless)} is not known`,
    );
  }
  const idOf = idsOf(topicIds);
  return {
    topics,
    idOf,
    members: inHashOrder(members, ({ id }) => hashOfText(id)).map((member) => ({
      ...member,
      hand: handOf(member.owned, idOf),
    })),
  };
}

/** Of each group, whose ids stay the same while its members change. */
const IDS = new WeakMap<ReadonlyMap<string, string>, ReadonlyMap<string, TopicId>>();

/** By topic; a topic whose id is not known is given one. */
function idsOf(topicIds: ReadonlyMap<string, string>): (topic: string) => TopicId {
  const ids = IDS.get(topicIds) ?? new Map([...topicIds].map(([topic, text]) => [topic, readTopicId(text)]));
  IDS.set(topicIds, ids);
  return (topic) => ids.get(topic) ?? NO_ID;
}

/** The topics that all want, in the order in which `HashSet` after `HashSet` has them: of names first, then of ids. */
export function inIdOrder({ topics, idOf }: UniformGroup, wanted: readonly string[]): string[] {
  const names = [...new Set(wanted)].toSorted(compareText);
  const buckets = tableOfCopy(names.length);
  const existing = inBuckets(names, hashOfText, buckets).filter((topic) => topics.has(topic));
  return inBuckets(existing, (topic) => idOf(topic).hash, buckets);
}

export function compareIds(one: TopicId, other: TopicId): number {
  const differing = one.bits[0] === other.bits[0] ? 1 : 0;
  if (one.bits[differing] === other.bits[differing]) return 0;
  return one.bits[differing] < other.bits[differing] ? -1 : 1;
}

/** What this member is to have, for changes. */
export function changeable({ idOf }: UniformGroup, target: Target, { id, hand }: UniformMember): Hand {
  const copied = target.get(id);
  if (copied !== undefined) return copied;
  const copy: Hand = new JavaMap((topic) => idOf(topic).hash, tableOf(hand.size));
  for (const [topic, numbers] of hand.entries()) copy.set(topic, numbersOf(numbers.keys()));
  target.set(id, copy);
  return copy;
}

/** @param buckets - of the table to begin with, if this is the first partition of its topic. */
export function give(hand: Hand, { topic, partition }: TopicPartition, buckets?: number): void {
  const numbers: Numbers = hand.get(topic) ?? new JavaMap(hashOfNumber, buckets);
  if (!hand.has(topic)) hand.setFirst(topic, numbers);
  numbers.set(partition, true);
}

export function take(hand: Hand, { topic, partition }: TopicPartition): void {
  const numbers = hand.get(topic);
  numbers?.delete(partition);
  if (numbers?.size === 0) hand.delete(topic);
}

/**
 * What becomes of the target: for each member whose target has changed the coordinator writes it to its log, and reads it from there
 * into new tables. Who has the same as before has it in the same order.
 */
export function settleTarget({ members, idOf }: UniformGroup, target: Target): Assignment {
  return new Map(
    members.map(({ id, hand }) => {
      const before = listed(hand);
      const changed = target.get(id);
      if (changed === undefined) return [id, before];
      const after = listed(changed);
      const isSame =
        before.length === after.length && after.every(({ topic, partition }) => hand.get(topic)?.has(partition));
      return [id, isSame ? before : listed(handOf(after, idOf))];
    }),
  );
}

/** The order in which the coordinator has what it reads in this order from its log. */
export function asRead(owned: readonly TopicPartition[], topicIds: ReadonlyMap<string, string>): TopicPartition[] {
  return listed(handOf(owned, idsOf(topicIds)));
}

function handOf(owned: readonly TopicPartition[], idOf: (topic: string) => TopicId): Hand {
  const hand: Hand = new JavaMap((topic) => idOf(topic).hash);
  for (const [topic, partitions] of Map.groupBy(owned, (one) => one.topic)) {
    hand.set(topic, numbersOf(partitions.map(({ partition }) => partition)));
  }
  return hand;
}

function numbersOf(partitions: readonly number[]): Numbers {
  const numbers: Numbers = new JavaMap(hashOfNumber, tableOfCopy(partitions.length));
  for (const partition of partitions) numbers.set(partition, true);
  return numbers;
}

function listed(hand: Hand): TopicPartition[] {
  return hand.entries().flatMap(([topic, numbers]) => numbers.keys().map((partition) => ({ topic, partition })));
}

/** `Integer.hashCode`. */
function hashOfNumber(partition: number): number {
  return partition;
}

/** @param text - 16 bytes in base64url without padding. */
function readTopicId(text: string): TopicId {
  const characters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new DataView(Uint8Array.from(characters, (one) => one.charCodeAt(0)).buffer);
  const words = [0, 4, 8, 12].map((at) => bytes.getInt32(at));
  return {
    hash: words.reduce((hash, word) => hash ^ word, 0),
    bits: [bytes.getBigInt64(0), bytes.getBigInt64(8)],
  };
}
