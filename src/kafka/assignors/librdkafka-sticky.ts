import { allPartitions, type Assignment, type Member, type TopicPartition } from "./assignor.ts";
import { compareText } from "./java-group.ts";
import { insist, Movements } from "./librdkafka-movements.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

/** What a member holds while the assignor works. */
interface Hand {
  readonly id: string;
  /** Its place among all by id, which decides between those who hold as many. */
  readonly rank: number;
  readonly topics: ReadonlySet<string>;
  /** How many partitions the member could hold at most. */
  readonly reach: number;
  partitions: TopicPartition[];
}

/** The group as the assignor sees it, and changes it. */
interface Group {
  /** By topic, in the order of the metadata: only topics that exist and that somebody subscribes to. */
  readonly topics: ReadonlyMap<string, Topic>;
  /** In the order of the members. */
  readonly hands: ReadonlyMap<string, Hand>;
  /**
   * Who is taken for the owner. Where members of two generations claim a partition it is the last of them, though it is the
   * one of the newest generation who holds it: a mistake of the original that can leave a partition with two members.
   */
  readonly owners: Map<TopicPartition, string>;
  /** Who held a partition before its present owner did, where two generations claim it. */
  readonly previous: Map<TopicPartition, string>;
}

interface Topic {
  readonly partitions: readonly TopicPartition[];
  /** In the order of the members. */
  readonly subscribers: readonly Hand[];
}

/** By topic, whoever holds the least of those who want it, until the next change. */
type Least = Map<string, Hand | undefined>;

/** What may still be moved, and between whom. */
interface Scope {
  readonly group: Group;
  readonly least: Least;
  readonly movements: Movements;
  /** No two generations claim a partition: then each has one holder, who is its owner. */
  readonly plain: boolean;
}

/**
 * `cooperative-sticky` of librdkafka (KIP-54, KIP-341, KIP-429), as `rd_kafka_sticky_assignor_assign_cb` computes it in
 * `rdkafka_sticky_assignor.c` of version 2.15.1: the target of a rebalance. The members keep what they have, whoever holds the
 * least takes what has no owner, and whoever holds most hands over, the lowest numbers first.
 *
 * A member's generation is that of its JoinGroup request (version 2 of the protocol); the user data is not read. Without racks:
 * it is what the library computes when `client.rack` is not set. Text is compared by UTF-16 code unit, which differs from the
 * library's bytes only beyond the Basic Multilingual Plane.
 *
 * @param partitions - in the order of the broker's metadata: what has no owner is dealt out backwards.
 * @param members - in the order of the JoinGroup response: it counts where members of several generations claim a partition.
 * @throws UnpredictableAssignment where the library crashes or uses freed memory. It can where subscriptions differ, or where
 *   members of several generations claim a partition.
 */
export function librdkafkaSticky(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Assignment {
  if (members.length === 0) return new Map();
  const group = seat(partitions, members);
  claim(group, members);
  const candidates = inOrderOfMoving(group);
  const { orphans, revoked } = dropInvalid(group, candidates);
  const initializing = [...group.hands.values()].every(({ partitions: held }) => held.length === 0);
  const least: Least = new Map();
  for (const orphan of orphans) give(group, least, orphan);
  const scope = narrow(group);
  const movable = (some: readonly TopicPartition[]): TopicPartition[] => some.filter((one) => canMove(group, one));
  const open = [...scope.group.hands.values()];
  const before = open.map((hand) => ({ hand, partitions: [...hand.partitions] }));
  if (!revoked) even(scope, movable(orphans));
  const changed = even(scope, movable(candidates));
  const gained = imbalance(open.map(countOf)) < imbalance(before.map(countOf));
  if (!initializing && changed && !gained) for (const { hand, partitions: kept } of before) hand.partitions = kept;
  return new Map([...group.hands.values()].map((hand) => [hand.id, hand.partitions]));
}

function seat(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Group {
  const wanted = new Set(members.flatMap((member) => member.topics));
  const existing = [...allPartitions(partitions)].filter(([topic, all]) => all.length > 0 && wanted.has(topic));
  const ranks = new Map(
    members
      .map(({ id }) => id)
      .toSorted(compareText)
      .map((id, rank) => [id, rank]),
  );
  const hands = members.map((member): Hand => {
    const topics = new Set(member.topics);
    const reach = existing.reduce((sum, [topic, all]) => sum + (topics.has(topic) ? all.length : 0), 0);
    return { id: member.id, rank: ranks.get(member.id) ?? 0, topics, reach, partitions: [] };
  });
  const topics = existing.map(([topic, all]): [string, Topic] => [
    topic,
    { partitions: all, subscribers: hands.filter((hand) => hand.topics.has(topic)) },
  ]);
  return {
    topics: new Map(topics),
    hands: new Map(hands.map((hand) => [hand.id, hand])),
    owners: new Map(),
    previous: new Map(),
  };
}

/** Gives each member what it says it owns; of several claims to a partition that of the newest generation holds. */
function claim(group: Group, members: readonly Member[]): void {
  const claims = new Map<TopicPartition, readonly Member[]>();
  const same = interned(group);
  for (const member of members) {
    const alone = [member];
    for (const owned of member.owned) {
      const partition = same(owned);
      const others = claims.get(partition);
      claims.set(partition, others === undefined ? alone : [...others, member]);
      group.owners.set(partition, member.id);
    }
  }
  // The library's maps walk from the newest entry to the oldest.
  for (const partition of [...claims.keys()].toReversed()) settleClaim(group, partition, claims.get(partition) ?? []);
}

function settleClaim(group: Group, partition: TopicPartition, claimants: readonly Member[]): void {
  const [only, another] = claimants;
  if (another === undefined) {
    group.hands.get(only?.id ?? "")?.partitions.push(partition);
    return;
  }
  if (new Set(claimants.map(({ generation }) => generation)).size < claimants.length) {
    // Two of the same generation: nobody has it.
    group.owners.delete(partition);
    return;
  }
  const [newest, older] = claimants.toSorted((one, other) => other.generation - one.generation);
  group.hands.get(newest?.id ?? "")?.partitions.push(partition);
  if (older !== undefined) group.previous.set(partition, older.id);
}

/** One object for each partition, so that it can be a key: that of the topic, or one that stands for a partition that is gone. */
function interned({ topics }: Group): (partition: TopicPartition) => TopicPartition {
  const gone = new Map<string, TopicPartition>();
  return (partition) => {
    const existing = topics.get(partition.topic)?.partitions[partition.partition];
    if (existing !== undefined) return existing;
    const name = `${partition.partition} of ${partition.topic}`;
    const known = gone.get(name) ?? partition;
    gone.set(name, known);
    return known;
  };
}

/**
 * All partitions, in the order in which they are tried later. Where all members want the same: in turn from whoever has the
 * most left, its lowest number first, but before them what another member held in an older generation; what has no owner
 * comes last. Where they do not: those that the fewest members want first.
 */
function inOrderOfMoving(group: Group): TopicPartition[] {
  const all = [...group.topics.values()].flatMap((topic) => topic.partitions);
  if (!wantTheSame(group)) {
    const wantedBy = (partition: TopicPartition): number => subscribersOf(group, partition).length;
    return all.toSorted((one, other) => wantedBy(one) - wantedBy(other) || comparePartitions(one, other));
  }
  const dealt = inTurn(group);
  if (dealt.length === 0) return all.toSorted(comparePartitions);
  const seen = new Set(dealt);
  return [...dealt, ...all.toReversed().filter((partition) => !seen.has(partition))];
}

function wantTheSame({ topics, hands }: Group): boolean {
  return [...topics.values()].every((topic) => topic.subscribers.length === hands.size);
}

function inTurn(group: Group): TopicPartition[] {
  const dealt: TopicPartition[] = [];
  for (const hand of group.hands.values()) hand.partitions.sort(comparePartitions);
  const left = [...group.hands.values()]
    .toSorted((one, other) => compareText(other.id, one.id))
    .map(({ partitions }) => partitions.filter((partition) => subscribersOf(group, partition).length > 0));
  // Whoever has the most left, and of those the last by id: level by level, all that have so many are next in turn.
  for (let most = Math.max(...left.map((partitions) => partitions.length)); most > 0; most -= 1) {
    for (const partitions of left) {
      if (partitions.length < most) continue;
      const moved = group.previous.size === 0 ? 0 : partitions.findIndex((partition) => group.previous.has(partition));
      dealt.push(...partitions.splice(Math.max(moved, 0), 1));
    }
  }
  return dealt;
}

/**
 * Takes away from the members what is gone or what they no longer want.
 *
 * @returns what has no owner now; and whether somebody lost a partition that is still there.
 */
function dropInvalid(
  group: Group,
  candidates: readonly TopicPartition[],
): { orphans: TopicPartition[]; revoked: boolean } {
  const kept = new Set<TopicPartition>();
  let revoked = false;
  for (const hand of group.hands.values()) {
    const existing = hand.partitions.filter((partition) => subscribersOf(group, partition).length > 0);
    hand.partitions = existing.filter(({ topic }) => hand.topics.has(topic));
    revoked ||= hand.partitions.length < existing.length;
    for (const partition of hand.partitions) kept.add(partition);
  }
  return { orphans: candidates.filter((partition) => !kept.has(partition)), revoked };
}

/** Whoever holds the least, of those who want it, takes it. */
function give(group: Group, least: Least, partition: TopicPartition): void {
  const taker = leastOf(group, least, partition.topic);
  if (taker === undefined) return;
  taker.partitions.push(partition);
  group.owners.set(partition, taker.id);
  least.clear();
}

/** Leaves out the members who have all they want, and nothing that another one wants. */
function narrow(group: Group): Scope {
  const open = [...group.hands].filter(
    ([, { partitions, reach }]) =>
      partitions.length < reach || partitions.some((partition) => canMove(group, partition)),
  );
  return {
    group: { ...group, hands: new Map(open) },
    least: new Map(),
    movements: new Movements(),
    plain: group.previous.size === 0,
  };
}

/** More passes than any group takes whose balancing ends. */
const MOST_PASSES = 200;

/**
 * Goes through these partitions until none of them moves any more, or the group is balanced.
 *
 * @returns whether any was moved.
 * @throws UnpredictableAssignment where the library would never end.
 */
function even(scope: Scope, partitions: readonly TopicPartition[]): boolean {
  let changed = false;
  // Asked again after a move only: between two, nothing changes.
  let balanced: boolean | undefined;
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    let modified = false;
    for (const partition of partitions) {
      balanced ??= hasNothingToMove(scope);
      if (balanced) break;
      const taker = takerOf(scope, partition);
      if (taker === undefined) continue;
      move(scope, partition, taker);
      balanced = undefined;
      modified = true;
      changed = true;
    }
    if (!modified) return changed;
  }
  throw new UnpredictableAssignment("librdkafka's sticky assignor never ends on this group");
}

/**
 * As the library asks it before each partition, which ends the balancing. In a plain group it ends as it does without: nobody takes
 * anything from anybody then. To ask all the same would cost more than all else together.
 */
function hasNothingToMove(scope: Scope): boolean {
  return !scope.plain && isBalanced(scope);
}

/** Who should have the partition instead: the one who had it before, or whoever holds the least; nobody when that gains nothing. */
function takerOf({ group, least, plain }: Scope, partition: TopicPartition): Hand | undefined {
  const owner = handOf(group, group.owners.get(partition));
  const holdsTwoLess = (hand: Hand): boolean => hand.partitions.length + 1 < owner.partitions.length;
  const taker = leastOf(group, least, partition.topic);
  if (plain) return taker !== undefined && holdsTwoLess(taker) ? taker : undefined;
  const before = group.previous.get(partition);
  if (before !== undefined && holdsTwoLess(handOf(group, before))) return handOf(group, before);
  const asked = subscribersOf(group, partition);
  return asked.some(({ id }) => id !== owner.id && holdsTwoLess(handOf(group, id))) ? taker : undefined;
}

function leastOf(group: Group, known: Least, topic: string): Hand | undefined {
  const subscribers = known.has(topic) ? [] : (group.topics.get(topic)?.subscribers ?? []);
  let least = known.get(topic);
  for (const hand of subscribers) {
    if (group.hands.has(hand.id) && (least === undefined || compareHands(hand, least) < 0)) least = hand;
  }
  known.set(topic, least);
  return least;
}

function move({ group, least, movements }: Scope, wanted: TopicPartition, taker: Hand): void {
  const { partition, giver } = movements.move(wanted, group.owners, taker.id);
  taker.partitions.push(partition);
  const { partitions } = handOf(group, giver);
  const place = partitions.indexOf(partition);
  if (place >= 0) partitions.splice(place, 1);
  group.owners.set(partition, taker.id);
  least.clear();
}

/** No two members differ by more than one, or nobody can get a partition from one who holds more. */
function isBalanced({ group }: Scope): boolean {
  const ranked = [...group.hands.values()].toSorted(compareHands);
  const least = ranked[0]?.partitions.length ?? 0;
  const most = ranked.at(-1)?.partitions.length ?? 0;
  if (least >= most - 1) return true;
  const holders = holdersOf(group);
  return ranked.every((hand) => hand.partitions.length === hand.reach || !couldGain(group, holders, hand));
}

function couldGain(group: Group, holders: ReadonlyMap<TopicPartition, Hand>, hand: Hand): boolean {
  const own = new Set(hand.partitions);
  for (const [name, topic] of group.topics) {
    if (!hand.topics.has(name)) continue;
    for (const partition of topic.partitions) {
      if (own.has(partition)) continue;
      const holder = holders.get(partition);
      insist(holder !== undefined);
      if (hand.partitions.length < holder.partitions.length) return true;
    }
  }
  return false;
}

/** Of two holders, which only a mistake makes, the one who comes first. */
function holdersOf({ hands }: Group): Map<TopicPartition, Hand> {
  const holders = new Map<TopicPartition, Hand>();
  for (const hand of [...hands.values()].toReversed()) {
    for (const partition of hand.partitions) holders.set(partition, hand);
  }
  return holders;
}

/** The sum of the differences between any two members: of each to all that have no more, and less to all that have no less. */
function imbalance(counts: readonly number[]): number {
  return counts
    .toSorted((one, other) => one - other)
    .reduce((sum, count, place) => sum + count * (2 * place + 1 - counts.length), 0);
}

function countOf({ partitions }: { readonly partitions: readonly TopicPartition[] }): number {
  return partitions.length;
}

function subscribersOf({ topics }: Group, { topic, partition }: TopicPartition): readonly Hand[] {
  const found = topics.get(topic);
  return found !== undefined && partition < found.partitions.length ? found.subscribers : [];
}

function canMove(group: Group, partition: TopicPartition): boolean {
  return subscribersOf(group, partition).length >= 2;
}

function handOf({ hands }: Group, id: string | undefined): Hand {
  const hand = hands.get(id ?? "");
  insist(hand !== undefined);
  return hand;
}

function compareHands(one: Hand, other: Hand): number {
  return one.partitions.length - other.partitions.length || one.rank - other.rank;
}

function comparePartitions(one: TopicPartition, other: TopicPartition): number {
  return compareText(one.topic, other.topic) || one.partition - other.partition;
}
