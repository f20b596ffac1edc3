/** First phase of the sticky assignors: which of the partitions that members say they own count as theirs. */

import { allPartitions, type Member, type TopicPartition } from "./assignor.ts";
import { assignableTopics, hashOfText, inHashOrder } from "./java-group.ts";
import { PartitionMap } from "./partition-map.ts";

/** The group as both sticky algorithms see it. Partitions are the same objects throughout, so that `===` and maps work. */
export interface StickyGroup {
  /** Number of partitions by topic, by name. */
  readonly topics: ReadonlyMap<string, number>;
  /** In the order of the Java client's hash map. */
  readonly members: readonly Member[];
  /** All partitions there are of a topic, ascending. */
  readonly partitionsOf: ReadonlyMap<string, readonly TopicPartition[]>;
}

/** Puts one object in the place of all that mean the same partition, and the members in the client's order. */
export function internMembers(partitions: ReadonlyMap<string, number>, members: readonly Member[]): StickyGroup {
  const topics = assignableTopics(partitions, members);
  const existing = allPartitions(partitions);
  const partitionsOf = new Map([...topics.keys()].map((topic) => [topic, existing.get(topic) ?? []]));
  const gone = new PartitionMap<TopicPartition>();
  const intern = (partition: TopicPartition): TopicPartition => {
    const known = partitionsOf.get(partition.topic)?.[partition.partition] ?? gone.get(partition);
    if (known === undefined) gone.set(partition, partition);
    return known ?? partition;
  };
  return {
    topics,
    members: inHashOrder(members, ({ id }) => hashOfText(id)).map((member) => ({
      ...member,
      owned: member.owned.map(intern),
    })),
    partitionsOf,
  };
}

export interface Claims {
  /** Member id -> what it owned, of topics that still exist. */
  readonly owned: ReadonlyMap<string, TopicPartition[]>;
  /** Claimed by two members of the same generation: neither may be believed. */
  readonly disputed: ReadonlySet<TopicPartition>;
}

/**
 * Gives each partition that several members claim to the one of the newest generation; of the same generation, to none.
 * A stale generation alone takes nothing away: who claims what nobody else claims keeps it.
 *
 * Only topics are looked up, not numbers: a partition that its topic no longer has stays a claim, as in the client.
 */
export function settleClaims({ topics, members }: StickyGroup): Claims {
  const owned = new Map<string, TopicPartition[]>(members.map(({ id }) => [id, []]));
  const disputed = new Set<TopicPartition>();
  const claimants = new Map<TopicPartition, Member>();
  for (const member of members) {
    for (const partition of member.owned.filter(({ topic }) => topics.has(topic))) {
      const rival = claimants.get(partition);
      if (rival !== undefined && rival.generation > member.generation) continue;
      claimants.set(partition, member);
      if (rival !== undefined) remove(owned.get(rival.id), partition);
      if (rival?.generation === member.generation) disputed.add(partition);
      else owned.get(member.id)?.push(partition);
    }
  }
  return { owned, disputed };
}

/** Takes the first of these out of the list, where there is one. */
export function remove(list: TopicPartition[] | undefined, partition: TopicPartition): void {
  const at = list?.indexOf(partition) ?? -1;
  if (at >= 0) list?.splice(at, 1);
}

/**
 * The partitions that nobody has yet, in the order of `all`.
 *
 * Walks both lists side by side, as the client does: one in `taken` that `all` does not have (its topic was made anew with
 * fewer) is waited for in vain, and whatever comes after it counts as free.
 *
 * @param taken - in the same order as `all`.
 */
export function withoutTaken(all: readonly TopicPartition[], taken: readonly TopicPartition[]): TopicPartition[] {
  let next = 0;
  return all.filter((partition) => {
    if (partition !== taken[next]) return true;
    next += 1;
    return false;
  });
}
