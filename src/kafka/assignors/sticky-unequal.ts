/** The sticky assignors' algorithm for members that do not all subscribe to the same topics. */

import type { Member, TopicPartition } from "./assignor.ts";
import { compareText } from "./java-group.ts";
import { type Claims, remove, type StickyGroup, withoutTaken } from "./sticky-claims.ts";
import { type Moves, noMoves, noteMove, whichToMove } from "./sticky-moves.ts";

/** What the phases work on. */
interface Balance {
  /** Topic -> the members that subscribe to it, in the client's order. */
  readonly subscribers: ReadonlyMap<string, readonly string[]>;
  /** Member -> its topics that exist. */
  readonly wishes: ReadonlyMap<string, readonly string[]>;
  readonly partitionsOf: ReadonlyMap<string, readonly TopicPartition[]>;
  /** Members whose partitions may still change, and what they have. */
  readonly hands: Map<string, TopicPartition[]>;
  readonly owners: Map<TopicPartition, string>;
  /** Who owned a partition in an older generation than the newest one. */
  readonly formerOwners: ReadonlyMap<TopicPartition, string>;
  readonly moves: Moves;
}

/**
 * 1. Each member keeps what it owned and still subscribes to.
 * 2. Each free partition goes to the subscriber with the fewest; topics with the fewest subscribers first.
 * 3. Whoever can neither give nor take stands aside.
 * 4. Partitions move from members with more to members with fewer, one by one, as long as that helps: if nobody's
 *    subscription took something away, the formerly free ones first.
 * 5. If the result is no more even than before 4, that is undone. (None of 100,000 random groups came to that.)
 */
export function assignToUnequal(group: StickyGroup, claims: Claims): Map<string, TopicPartition[]> {
  const { balance, lostSubscription } = keepSubscribed(group, claims);
  const all = byFewestSubscribers(balance);
  const beginning = [...balance.hands.values()].every((own) => own.length === 0);
  const kept = [...balance.hands.values()]
    .flat()
    .toSorted((one, other) => compareTopics(balance, one.topic, other.topic) || one.partition - other.partition);
  const free = withoutTaken(all, kept);
  for (const partition of free) giveToLeast(balance, partition);

  const movable = (partition: TopicPartition): boolean => subscribersOf(balance, partition.topic).length > 1;
  const aside = setAside(balance);
  const before = new Map([...balance.hands].map(([member, own]) => [member, [...own]]));
  if (!lostSubscription) evenOut(balance, free.filter(movable));
  const changed = evenOut(balance, all.filter(movable));
  const undo = !beginning && changed && unevenness(balance.hands) >= unevenness(before);
  return new Map([...(undo ? before : balance.hands), ...aside]);
}

function keepSubscribed(group: StickyGroup, { owned }: Claims): { balance: Balance; lostSubscription: boolean } {
  const wishes = new Map(
    group.members.map(({ id, topics }) => [id, topics.filter((topic) => group.topics.has(topic))] as const),
  );
  const subscribers = [...group.topics.keys()].map(
    (topic) => [topic, group.members.filter(({ topics }) => topics.includes(topic)).map(({ id }) => id)] as const,
  );
  const hands = new Map(
    [...owned].map(([member, own]) => [member, own.filter(({ topic }) => wishes.get(member)?.includes(topic))]),
  );
  const owners = [...hands].flatMap(([member, own]) => own.map((partition) => [partition, member] as const));
  const lostSubscription = [...owned].some(([member, own]) => own.length > (hands.get(member)?.length ?? 0));
  return {
    balance: {
      subscribers: new Map(subscribers),
      wishes,
      partitionsOf: group.partitionsOf,
      hands,
      owners: new Map(owners),
      formerOwners: formerOwners(group.members),
      moves: noMoves(),
    },
    lostSubscription,
  };
}

/** Of several, the one of the newest generation; of the same generation, the first. */
function formerOwners(members: readonly Member[]): Map<TopicPartition, string> {
  const newest = Math.max(...members.map(({ generation }) => generation));
  const former = new Map<TopicPartition, Member>();
  for (const member of members.filter(({ generation }) => generation < newest)) {
    for (const partition of member.owned) {
      if (member.generation > (former.get(partition)?.generation ?? -Infinity)) former.set(partition, member);
    }
  }
  return new Map([...former].map(([partition, { id }]) => [partition, id]));
}

function byFewestSubscribers(balance: Balance): TopicPartition[] {
  return [...balance.partitionsOf]
    .toSorted(([one], [other]) => compareTopics(balance, one, other))
    .flatMap(([, partitions]) => partitions);
}

function compareTopics(balance: Balance, one: string, other: string): number {
  return subscribersOf(balance, one).length - subscribersOf(balance, other).length || compareText(one, other);
}

function giveToLeast(balance: Balance, partition: TopicPartition): void {
  const member = leastLoaded(balance, partition.topic);
  handOf(balance, member).push(partition);
  balance.owners.set(partition, member);
}

/** @returns those that have nothing to give and nothing to take, out of the balance from now on. */
function setAside({ subscribers, wishes, partitionsOf, hands }: Balance): Map<string, TopicPartition[]> {
  const aside = new Map<string, TopicPartition[]>();
  for (const [member, own] of hands) {
    if (own.length < reach({ wishes, partitionsOf }, member)) continue;
    if (own.some(({ topic }) => (subscribers.get(topic)?.length ?? 0) > 1)) continue;
    aside.set(member, own);
    hands.delete(member);
  }
  return aside;
}

/** How many partitions a member could have at most. */
function reach({ wishes, partitionsOf }: Pick<Balance, "wishes" | "partitionsOf">, member: string): number {
  return (wishes.get(member) ?? []).reduce((sum, topic) => sum + (partitionsOf.get(topic)?.length ?? 0), 0);
}

/** More passes than any group takes whose balancing ends: seldom more than three. */
const MOST_PASSES = 200;

/**
 * Moves what can be moved to even things out.
 *
 * @returns whether anything moved, be it to and fro.
 * @throws Error where the client would never end: it can move the same partitions in a circle.
 */
function evenOut(balance: Balance, candidates: readonly TopicPartition[]): boolean {
  let everMoved = false;
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    let moved = false;
    for (const partition of candidates) {
      if (isEven(balance)) break;
      if (moveIfBetter(balance, partition)) moved = true;
    }
    if (!moved) return everMoved;
    everMoved = true;
  }
  throw new Error("the assignor never ends: it moves the same partitions in a circle");
}

/** A former owner with fewer partitions has it back; otherwise the subscriber with the fewest gets it. */
function moveIfBetter(balance: Balance, partition: TopicPartition): boolean {
  const size = handOf(balance, balance.owners.get(partition)).length;
  const relieves = (member: string): boolean => size > handOf(balance, member).length + 1;
  const former = balance.formerOwners.get(partition);
  if (former !== undefined && relieves(former)) {
    move(balance, partition, former);
    return true;
  }
  if (!subscribersOf(balance, partition.topic).some(relieves)) return false;
  move(balance, partition, leastLoaded(balance, partition.topic));
  return true;
}

function move(balance: Balance, asked: TopicPartition, to: string): void {
  const partition = whichToMove(balance.moves, asked, { from: balance.owners.get(asked) ?? "", to });
  const from = balance.owners.get(partition) ?? "";
  noteMove(balance.moves, partition, { from, to });
  remove(handOf(balance, from), partition);
  handOf(balance, to).push(partition);
  balance.owners.set(partition, to);
}

/** Nobody could have a partition of somebody who has at least two more. */
function isEven(balance: Balance): boolean {
  const sizes = [...balance.hands.values()].map((own) => own.length);
  if (Math.min(...sizes) >= Math.max(...sizes) - 1) return true;
  const owned = ownedByTopic(balance);
  return [...balance.hands].every(([member, own]) => {
    if (own.length === reach(balance, member)) return true;
    return (balance.wishes.get(member) ?? []).every((topic) => !couldTake(own, owned.get(topic) ?? []));
  });
}

/** Whether one of these partitions is of somebody with at least two more, and not (also) one's own. */
function couldTake(own: readonly TopicPartition[], owned: readonly OwnedPartition[]): boolean {
  return owned.some(({ partition, size }) => size > own.length + 1 && !own.includes(partition));
}

interface OwnedPartition {
  readonly partition: TopicPartition;
  /** How many its owner has. */
  readonly size: number;
}

function ownedByTopic({ hands, partitionsOf }: Balance): Map<string, OwnedPartition[]> {
  const sizes = new Map([...hands.values()].flatMap((own) => own.map((partition) => [partition, own.length] as const)));
  return new Map(
    [...partitionsOf].map(([topic, partitions]) => [
      topic,
      partitions.map((partition) => ({ partition, size: sizes.get(partition) ?? 0 })),
    ]),
  );
}

/** The sum of the differences between any two members. */
function unevenness(hands: ReadonlyMap<string, readonly TopicPartition[]>): number {
  const sizes = [...hands.values()].map((own) => own.length);
  return sizes.reduce(
    (sum, size, at) => sum + sizes.slice(at).reduce((part, other) => part + Math.abs(size - other), 0),
    0,
  );
}

/** Of the subscribers that still take part: the one with the fewest partitions, by id among equals. */
function leastLoaded({ subscribers, hands }: Balance, topic: string): string {
  const able = (subscribers.get(topic) ?? []).flatMap((member) => {
    const own = hands.get(member);
    return own === undefined ? [] : [{ member, size: own.length }];
  });
  const [least] = able.toSorted((one, other) => one.size - other.size || compareText(one.member, other.member));
  if (least === undefined) throw new Error("the assignor has nobody for a partition");
  return least.member;
}

function subscribersOf({ subscribers }: Balance, topic: string): readonly string[] {
  return subscribers.get(topic) ?? [];
}

/** @throws Error where the client's own assignor fails: who stands aside is not there any more. */
function handOf({ hands }: Balance, member: string | undefined): TopicPartition[] {
  const own = hands.get(member ?? "");
  if (own === undefined) throw new Error("the assignor lost a member that it set aside");
  return own;
}
