/** The sticky assignors' algorithm for members that do not all subscribe to the same topics. */

import type { Member, TopicPartition } from "./assignor.ts";
import { compareText } from "./java-group.ts";
import { type Claims, remove, type StickyGroup, withoutTaken } from "./sticky-claims.ts";
import { type Moves, noMoves, noteMove, whichToMove } from "./sticky-moves.ts";

/** A member, while the phases give to it and take from it. */
interface Seat {
  readonly id: string;
  /** Its place among all by id, which decides between those with equally many. */
  readonly rank: number;
  /** Its topics that exist. */
  readonly wishes: ReadonlySet<string>;
  /** How many partitions it could have at most. */
  readonly reach: number;
  own: TopicPartition[];
  /** Has nothing to give and nothing to take, and takes no part any more. */
  aside: boolean;
}

/** What the phases work on. */
interface Balance {
  /** In the client's order. */
  readonly seats: readonly Seat[];
  /** Topic -> the members that subscribe to it, in the client's order. */
  readonly subscribers: ReadonlyMap<string, readonly Seat[]>;
  readonly partitionsOf: ReadonlyMap<string, readonly TopicPartition[]>;
  readonly owners: Map<TopicPartition, Seat>;
  /** Who owned a partition in an older generation than the newest one. */
  readonly formerOwners: ReadonlyMap<TopicPartition, Seat>;
  /** Nobody holds a partition that is gone, and nobody is a former owner: then no partition is held twice, either. */
  readonly plain: boolean;
  readonly moves: Moves;
  /** Topic -> its subscriber with the fewest, until the next change. */
  readonly least: Map<string, Seat>;
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
  const { seats } = balance;
  const all = byFewestSubscribers(balance);
  const beginning = seats.every(({ own }) => own.length === 0);
  const kept = seats
    .flatMap(({ own }) => own)
    .toSorted((one, other) => compareTopics(balance, one.topic, other.topic) || one.partition - other.partition);
  const free = withoutTaken(all, kept);
  for (const partition of free) giveToLeast(balance, partition);

  const movable = (partition: TopicPartition): boolean => subscribersOf(balance, partition.topic).length > 1;
  setAside(balance);
  const active = seats.filter(({ aside }) => !aside);
  const before = active.map(({ own }) => [...own]);
  if (!lostSubscription) evenOut(balance, free.filter(movable));
  const changed = evenOut(balance, all.filter(movable));
  const undo = !beginning && changed && unevenness(active.map(({ own }) => own)) >= unevenness(before);
  const hands = active.map(({ id, own }, place) => [id, undo ? (before[place] ?? []) : own] as const);
  return new Map([...hands, ...seats.filter(({ aside }) => aside).map(({ id, own }) => [id, own] as const)]);
}

function keepSubscribed(group: StickyGroup, { owned }: Claims): { balance: Balance; lostSubscription: boolean } {
  const seats = seatsOf(group, owned);
  const seatOf = new Map(seats.map((seat) => [seat.id, seat]));
  const subscribers = new Map<string, Seat[]>([...group.topics.keys()].map((topic) => [topic, []]));
  for (const seat of seats) for (const topic of seat.wishes) subscribers.get(topic)?.push(seat);
  const former = formerOwners(group.members, seatOf);
  const exists = ({ topic, partition }: TopicPartition): boolean => partition < (group.topics.get(topic) ?? 0);
  return {
    balance: {
      seats,
      subscribers,
      partitionsOf: group.partitionsOf,
      owners: new Map(seats.flatMap((seat) => seat.own.map((partition) => [partition, seat] as const))),
      formerOwners: former,
      plain: former.size === 0 && seats.every(({ own }) => own.every(exists)),
      moves: noMoves(),
      least: new Map(),
    },
    lostSubscription: seats.some(({ id, own }) => (owned.get(id)?.length ?? 0) > own.length),
  };
}

function seatsOf({ topics, members }: StickyGroup, owned: Claims["owned"]): Seat[] {
  const ranks = new Map(
    members
      .map(({ id }) => id)
      .toSorted(compareText)
      .map((id, rank) => [id, rank]),
  );
  return members.map((member) => {
    const wishes = member.topics.filter((topic) => topics.has(topic));
    const wanted = new Set(wishes);
    return {
      id: member.id,
      rank: ranks.get(member.id) ?? 0,
      wishes: wanted,
      reach: wishes.reduce((sum, topic) => sum + (topics.get(topic) ?? 0), 0),
      own: (owned.get(member.id) ?? []).filter(({ topic }) => wanted.has(topic)),
      aside: false,
    };
  });
}

/** Of several, the one of the newest generation; of the same generation, the first. */
function formerOwners(members: readonly Member[], seatOf: ReadonlyMap<string, Seat>): Map<TopicPartition, Seat> {
  const newest = Math.max(...members.map(({ generation }) => generation));
  const former = new Map<TopicPartition, Member>();
  for (const member of members.filter(({ generation }) => generation < newest)) {
    for (const partition of member.owned) {
      if (member.generation > (former.get(partition)?.generation ?? -Infinity)) former.set(partition, member);
    }
  }
  return new Map(
    [...former].flatMap(([partition, { id }]) => {
      const seat = seatOf.get(id);
      return seat === undefined ? [] : [[partition, seat] as const];
    }),
  );
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
  const seat = leastLoaded(balance, partition.topic);
  seat.own.push(partition);
  balance.owners.set(partition, seat);
  balance.least.clear();
}

/** Those that have nothing to give and nothing to take are out of the balance from now on. */
function setAside({ seats, subscribers, least }: Balance): void {
  const isWantedByOthers = ({ topic }: TopicPartition): boolean => (subscribers.get(topic)?.length ?? 0) > 1;
  for (const seat of seats) seat.aside = seat.own.length >= seat.reach && !seat.own.some(isWantedByOthers);
  least.clear();
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
  // Asked again after a move only: between two, nothing changes.
  let even: boolean | undefined;
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    let moved = false;
    for (const partition of candidates) {
      even ??= hasNothingToMove(balance);
      if (even) break;
      if (!moveIfBetter(balance, partition)) continue;
      even = undefined;
      moved = true;
    }
    if (!moved) return everMoved;
    everMoved = true;
  }
  throw new Error("the assignor never ends: it moves the same partitions in a circle");
}

/**
 * As the client asks it before each partition, which ends the balancing. In a plain group it ends as it does without: whoever lacks a
 * partition of a member with two more is one that {@link moveIfBetter} finds, too. To ask all the same costs as much as all else
 * together, many times over.
 */
function hasNothingToMove(balance: Balance): boolean {
  return !balance.plain && isEven(balance);
}

/** A former owner with fewer partitions has it back; otherwise the subscriber with the fewest gets it. */
function moveIfBetter(balance: Balance, partition: TopicPartition): boolean {
  const size = handOf(balance.owners.get(partition)).length;
  const relieves = (seat: Seat): boolean => size > handOf(seat).length + 1;
  const former = balance.formerOwners.get(partition);
  if (former !== undefined && relieves(former)) {
    move(balance, partition, former);
    return true;
  }
  const { topic } = partition;
  // In a plain group nobody that subscribes stands aside, so that the one with the fewest answers for all.
  const asked = balance.plain ? [leastLoaded(balance, topic)] : subscribersOf(balance, topic);
  if (!asked.some(relieves)) return false;
  move(balance, partition, leastLoaded(balance, topic));
  return true;
}

function move(balance: Balance, asked: TopicPartition, to: Seat): void {
  const partition = whichToMove(balance.moves, asked, { from: balance.owners.get(asked)?.id ?? "", to: to.id });
  const from = balance.owners.get(partition);
  noteMove(balance.moves, partition, { from: from?.id ?? "", to: to.id });
  remove(handOf(from), partition);
  handOf(to).push(partition);
  balance.owners.set(partition, to);
  balance.least.clear();
}

/** Nobody could have a partition of somebody who has at least two more. */
function isEven(balance: Balance): boolean {
  const active = balance.seats.filter(({ aside }) => !aside);
  const sizes = active.map(({ own }) => own.length);
  if (Math.min(...sizes) >= Math.max(...sizes) - 1) return true;
  const owned = ownedByTopic(balance, active);
  return active.every(({ own, reach, wishes }) => {
    if (own.length === reach) return true;
    return [...wishes].every((topic) => !couldTake(own, owned.get(topic) ?? []));
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

function ownedByTopic({ partitionsOf }: Balance, active: readonly Seat[]): Map<string, OwnedPartition[]> {
  const sizes = new Map(active.flatMap(({ own }) => own.map((partition) => [partition, own.length] as const)));
  return new Map(
    [...partitionsOf].map(([topic, partitions]) => [
      topic,
      partitions.map((partition) => ({ partition, size: sizes.get(partition) ?? 0 })),
    ]),
  );
}

/** The sum of the differences between any two members. */
function unevenness(hands: readonly (readonly TopicPartition[])[]): number {
  const sizes = hands.map((own) => own.length);
  return sizes.reduce(
    (sum, size, at) => sum + sizes.slice(at).reduce((part, other) => part + Math.abs(size - other), 0),
    0,
  );
}

/** Of the subscribers that still take part: the one with the fewest partitions, by id among equals. */
function leastLoaded(balance: Balance, topic: string): Seat {
  const known = balance.least.get(topic);
  if (known !== undefined) return known;
  let least: Seat | undefined;
  for (const seat of subscribersOf(balance, topic)) {
    if (!seat.aside && (least === undefined || hasLess(seat, least))) least = seat;
  }
  if (least === undefined) throw new Error("the assignor has nobody for a partition");
  balance.least.set(topic, least);
  return least;
}

function hasLess(one: Seat, other: Seat): boolean {
  return one.own.length < other.own.length || (one.own.length === other.own.length && one.rank < other.rank);
}

function subscribersOf({ subscribers }: Balance, topic: string): readonly Seat[] {
  return subscribers.get(topic) ?? [];
}

/** @throws Error where the client's own assignor fails: who stands aside is not there any more. */
function handOf(seat: Seat | undefined): TopicPartition[] {
  if (seat === undefined || seat.aside) throw new Error("the assignor lost a member that it set aside");
  return seat.own;
}
