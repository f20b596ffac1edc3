/** The coordinator's uniform algorithm for members with unequal subscriptions (`UniformHeterogeneousAssignmentBuilder`). */

import type { TopicPartition } from "./assignor.ts";
import { tableOf } from "./java-map.ts";
import { Balancer } from "./uniform-balancer.ts";
import { changeable, compareIds, give, type Hand, take, type Target, type UniformGroup } from "./uniform-group.ts";

/** Members are known by their places in the group. */
interface Balance {
  readonly group: UniformGroup;
  readonly target: Target;
  /** By topic, who wants it; ascending. */
  readonly subscribers: ReadonlyMap<string, readonly number[]>;
  /** By topic, for each partition, who has it. */
  readonly owners: ReadonlyMap<string, (number | undefined)[]>;
  /** By member, how many partitions it has. */
  readonly sizes: number[];
}

/** So often it goes through all topics at most, whether the group is even then or not. */
const MOST_PASSES = 16;

/**
 * Takes away what a member does not want any more, deals what nobody has to those with the fewest, and then moves partitions,
 * topic by topic, from those with the most to those with the fewest.
 */
export function assignToUnequal(group: UniformGroup): Target {
  const balance = startBalance(group);
  const topics = [...group.topics.keys()].toSorted((one, other) => compareTopics(balance, one, other));
  for (const topic of topics) dealFree(balance, topic);
  evenOut(
    balance,
    topics.filter((topic) => subscribersOf(balance, topic).length > 1),
  );
  return balance.target;
}

function startBalance(group: UniformGroup): Balance {
  const topics = [...group.topics];
  const subscribers = topics.map(
    ([topic]) =>
      [topic, group.members.flatMap((member, place) => (member.topics.includes(topic) ? [place] : []))] as const,
  );
  const balance: Balance = {
    group,
    target: new Map(),
    subscribers: new Map(subscribers),
    owners: new Map(topics.map(([topic, count]) => [topic, Array.from({ length: count }, () => undefined)])),
    sizes: group.members.map(() => 0),
  };
  for (const [place, { hand }] of group.members.entries()) keepWanted(balance, place, hand);
  return balance;
}

function keepWanted(balance: Balance, place: number, hand: Hand): void {
  for (const [topic, numbers] of hand.entries()) {
    if (subscribersOf(balance, topic).includes(place)) {
      for (const partition of numbers.keys()) ownersOf(balance, topic)[partition] = place;
      balance.sizes[place] = (balance.sizes[place] ?? 0) + numbers.size;
    } else {
      handAt(balance, place).delete(topic);
    }
  }
}

/** First those with the most partitions for each subscriber; then those with the fewest subscribers; then by id. */
function compareTopics(balance: Balance, one: string, other: string): number {
  const { topics, idOf } = balance.group;
  const wanting = subscribersOf(balance, one).length;
  const otherWanting = subscribersOf(balance, other).length;
  return (
    (topics.get(other) ?? 0) / otherWanting - (topics.get(one) ?? 0) / wanting ||
    wanting - otherWanting ||
    compareIds(idOf(one), idOf(other))
  );
}

function dealFree(balance: Balance, topic: string): void {
  const balancer = new Balancer(subscribersOf(balance, topic), balance.sizes);
  for (const [partition, owner] of [...ownersOf(balance, topic)].entries()) {
    if (owner === undefined) assign(balance, { topic, partition }, balancer.nextLeast());
  }
}

/** Goes round the topics until none has changed since it came by last. */
function evenOut(balance: Balance, topics: readonly string[]): void {
  let lastChanged: number | undefined;
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    for (const [place, topic] of topics.entries()) {
      if (place === lastChanged) return;
      const moved = evenOutTopic(balance, topic);
      if (moved || lastChanged === undefined) lastChanged = place;
    }
  }
}

/** @returns whether it moved anything. */
function evenOutTopic(balance: Balance, topic: string): boolean {
  const subscribers = subscribersOf(balance, topic);
  const sizes = subscribers.map((member) => balance.sizes[member] ?? 0);
  if (Math.max(...sizes) - Math.min(...sizes) <= 1) return false;
  const balancer = new Balancer(subscribers, balance.sizes);
  const movable = Map.groupBy(ownersOf(balance, topic).keys(), (partition) => ownersOf(balance, topic)[partition]);
  let moved = false;
  for (;;) {
    const giver = balancer.nextMost((member) => (movable.get(member)?.length ?? 0) > 0);
    const partition = movable.get(giver)?.pop();
    if (giver === undefined || partition === undefined) return moved;
    const taker = balancer.nextLeast();
    if (balancer.isEven) return moved;
    assign(balance, { topic, partition }, taker);
    moved = true;
  }
}

function assign(balance: Balance, { topic, partition }: TopicPartition, to: number): void {
  const from = ownersOf(balance, topic)[partition];
  if (from !== undefined) {
    take(handAt(balance, from), { topic, partition });
    balance.sizes[from] = (balance.sizes[from] ?? 0) - 1;
  }
  give(handAt(balance, to), { topic, partition }, tableForShare(balance, topic));
  balance.sizes[to] = (balance.sizes[to] ?? 0) + 1;
  ownersOf(balance, topic)[partition] = to;
}

/** The table is made for as many partitions as each subscriber would have if all got as many. */
function tableForShare(balance: Balance, topic: string): number {
  const share = Math.ceil((balance.group.topics.get(topic) ?? 0) / subscribersOf(balance, topic).length);
  return tableOf(Math.floor(share / 0.75 + 1));
}

/** What the member at this place is to have, for changes. */
function handAt({ group, target }: Balance, place: number): Hand {
  const member = group.members[place];
  if (member === undefined) throw new RangeError(`no member at place ${place}`);
  return changeable(group, target, member);
}

function ownersOf({ owners }: Balance, topic: string): (number | undefined)[] {
  return owners.get(topic) ?? [];
}

function subscribersOf({ subscribers }: Balance, topic: string): readonly number[] {
  return subscribers.get(topic) ?? [];
}
