/**
 * What Kafka's own assignors share, those of the Java client and those of the coordinator: the topics in question, and the orders
 * in which Java compares and walks.
 */

import type { Member, TopicPartition } from "./assignor.ts";

/** Topics that exist and that somebody subscribes to, by name; only these are assigned. */
export function assignableTopics(
  partitions: ReadonlyMap<string, number>,
  members: readonly Member[],
): Map<string, number> {
  const wanted = new Set(members.flatMap(({ topics }) => topics));
  const entries = [...partitions].filter(([topic, count]) => count > 0 && wanted.has(topic));
  return new Map(entries.toSorted(([one], [other]) => compareText(one, other)));
}

/** As Java's `String.compareTo`: by UTF-16 code unit. */
export function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Static members first, by instance id; then the others, by member id (KIP-345). */
export function inMemberOrder(members: readonly Member[]): Member[] {
  return members.toSorted((one, other) => {
    if (one.instanceId !== undefined && other.instanceId !== undefined) {
      return compareText(one.instanceId, other.instanceId);
    }
    if (one.instanceId !== undefined) return -1;
    return other.instanceId === undefined ? compareText(one.id, other.id) : 1;
  });
}

/** An empty assignment to add to. */
export function emptyHands(members: readonly Member[]): Map<string, TopicPartition[]> {
  return new Map(members.map(({ id }) => [id, []]));
}

/** Java's `String.hashCode`. */
export function hashOfText(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return hash;
}

/** `TopicPartition.hashCode` of the Java client. */
export function hashOfPartition({ topic, partition }: TopicPartition): number {
  return (Math.imul(31, 31 + partition) + hashOfText(topic)) | 0;
}

const SMALLEST_TABLE = 16;
const FULL_AT = 0.75;

/**
 * The order in which a Java `HashMap` or `HashSet` walks through its keys. It is no accident that may be left out: the Java
 * client keeps its members in one, and who comes first in it keeps more.
 *
 * A bucket that Java turns into a tree (more than 8 keys of 64 or more in one of them) is not modelled.
 *
 * @param items - in the order in which they were put in.
 * @param peak - the largest number it ever held: the table never shrinks.
 */
export function inHashOrder<Item>(
  items: readonly Item[],
  hashOf: (item: Item) => number,
  peak: number = items.length,
): Item[] {
  return inBuckets(items, hashOf, tableFor(peak));
}

/** The number of buckets of a table that has grown from `buckets` to hold `peak` keys. */
export function tableFor(peak: number, buckets: number = SMALLEST_TABLE): number {
  let size = buckets;
  while (peak > size * FULL_AT) size *= 2;
  return size;
}

/** As {@link inHashOrder}, for a table with a number of buckets that is known: a power of two. */
export function inBuckets<Item>(items: readonly Item[], hashOf: (item: Item) => number, buckets: number): Item[] {
  let [last, inOrder] = [0, true];
  const placed = items.map((item) => {
    const hash = hashOf(item);
    const bucket = (hash ^ (hash >>> 16)) & (buckets - 1);
    inOrder &&= bucket >= last;
    last = bucket;
    return { item, bucket };
  });
  // The sort is stable: in one bucket the older key comes first. Most often there is nothing to sort.
  if (!inOrder) placed.sort((one, other) => one.bucket - other.bucket);
  return placed.map(({ item }) => item);
}
