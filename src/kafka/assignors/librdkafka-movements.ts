/** What librdkafka notes of the partitions that it moved within one rebalance (`PartitionMovements_t`). */

import type { TopicPartition } from "./assignor.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

/** From whom a partition came to whom. */
interface Move {
  readonly from: string;
  readonly to: string;
  /** The library has given its memory back, and may still look at it. */
  freed: boolean;
}

/** The partitions of one topic that made the same move, in the order in which they did. */
interface Moved {
  readonly move: Move;
  readonly partitions: TopicPartition[];
}

/** What is really moved, and from whom. */
interface Step {
  readonly partition: TopicPartition;
  readonly giver: string;
}

/** A place in memory whose first entry is the partition that is meant; another may slide into it, or it may go. */
type Place = readonly TopicPartition[];

/**
 * Keeps the moves of a rebalance short: a partition that would go where another of its topic has just come from is not moved,
 * but that other one is sent back. Moves of more than one step are noted as one.
 *
 * The original makes two mistakes here, which show only where subscriptions or generations differ, and which are part of its
 * result. It never forgets that a partition moved, even when it has moved back; and it goes on using the place of a partition
 * in a list after it has taken the partition out of it: then the next one of the list is moved, or memory is used that was
 * given back.
 *
 * @throws UnpredictableAssignment where the original reads freed memory or ends on an assertion.
 */
export class Movements {
  /** The last move of each partition; never deleted. */
  readonly #last = new Map<TopicPartition, Move>();
  readonly #byTopic = new Map<string, Moved[]>();

  /**
   * Notes that a partition goes to another member.
   *
   * @param wanted - the partition that the balance asks for.
   * @returns the partition to move in its place, often the same; and who gives it.
   */
  move(wanted: TopicPartition, owners: ReadonlyMap<TopicPartition, string>, to: string): Step {
    const place = this.#returning(wanted, ownerOf(wanted, owners), to) ?? [wanted];
    const giver = ownerOf(present(place), owners);
    this.#note(present(place), giver, to);
    return { partition: present(place), giver };
  }

  /** The partitions that came, in the same topic, from where this one would go. */
  #returning(wanted: TopicPartition, owner: string, to: string): Place | undefined {
    const moves = this.#byTopic.get(wanted.topic);
    if (moves === undefined) return undefined;
    const last = this.#last.get(wanted);
    insist(last === undefined || last.to === owner);
    return find(moves, to, owner)?.partitions;
  }

  #note(partition: TopicPartition, from: string, to: string): void {
    const last = this.#last.get(partition);
    if (last === undefined) return this.#add(partition, { from, to, freed: false });
    this.#remove(partition, last);
    insist(last.to === from);
    if (last.from !== to) this.#add(partition, { from: last.from, to, freed: false });
  }

  #add(partition: TopicPartition, move: Move): void {
    const replaced = this.#last.get(partition);
    if (replaced !== undefined) replaced.freed = true;
    this.#last.set(partition, move);
    const moves = this.#byTopic.get(partition.topic) ?? [];
    this.#byTopic.set(partition.topic, moves);
    const alike = find(moves, move.from, move.to);
    if (alike === undefined) moves.push({ move, partitions: [partition] });
    else alike.partitions.push(partition);
  }

  #remove(partition: TopicPartition, last: Move): void {
    const moves = this.#byTopic.get(partition.topic) ?? [];
    const alike = find(moves, last.from, last.to);
    insist(alike !== undefined);
    const place = alike.partitions.indexOf(partition);
    if (place >= 0) alike.partitions.splice(place, 1);
    if (alike.partitions.length === 0) moves.splice(moves.indexOf(alike), 1);
    if (moves.length === 0) this.#byTopic.delete(partition.topic);
  }
}

function find(moves: readonly Moved[], from: string, to: string): Moved | undefined {
  const alike = moves.find(({ move }) => move.from === from && move.to === to);
  insist(alike?.move.freed !== true);
  return alike;
}

function ownerOf(partition: TopicPartition, owners: ReadonlyMap<TopicPartition, string>): string {
  const owner = owners.get(partition);
  insist(owner !== undefined);
  return owner;
}

function present(place: Place): TopicPartition {
  const [partition] = place;
  insist(partition !== undefined);
  return partition;
}

/** What the original takes for granted, or must be able to read. */
export function insist(holds: boolean): asserts holds {
  if (!holds)
    throw new UnpredictableAssignment("librdkafka's sticky assignor crashes, or reads freed memory, on this group");
}
