import type { TopicPartition } from "./assignor.ts";
import { hashOfPartition, inHashOrder } from "./java-group.ts";

interface Move {
  readonly from: string;
  readonly to: string;
}

/** The partitions of one topic that moved between the same two members. */
interface Lane {
  readonly partitions: Set<TopicPartition>;
  /** The most it ever held: the client's hash set has grown to that. */
  peak: number;
}

/**
 * Remembers which partitions the balancing has moved between which members, so that no two partitions of a topic travel in
 * opposite directions: instead of a second one, the first goes back.
 */
export interface Moves {
  readonly moved: Map<TopicPartition, Move>;
  readonly lanes: Map<string, Lane>;
}

export function noMoves(): Moves {
  return { moved: new Map(), lanes: new Map() };
}

/** The partition to move in the place of this one: one of its topic that came the opposite way, if there is one. */
export function whichToMove({ moved, lanes }: Moves, partition: TopicPartition, { from, to }: Move): TopicPartition {
  const origin = moved.get(partition)?.from ?? from;
  const opposite = lanes.get(laneOf(partition, { from: to, to: origin }));
  if (opposite === undefined) return partition;
  return inHashOrder([...opposite.partitions], hashOfPartition, opposite.peak)[0] ?? partition;
}

/** Notes a move; two moves of one partition make one, and back to where it came from makes none. */
export function noteMove({ moved, lanes }: Moves, partition: TopicPartition, { from, to }: Move): void {
  const earlier = moved.get(partition);
  if (earlier !== undefined) forget({ moved, lanes }, partition, earlier);
  const move = { from: earlier?.from ?? from, to };
  if (earlier !== undefined && move.from === to) return;
  moved.set(partition, move);
  const key = laneOf(partition, move);
  const lane = lanes.get(key) ?? { partitions: new Set(), peak: 0 };
  lanes.set(key, lane);
  lane.partitions.add(partition);
  lane.peak = Math.max(lane.peak, lane.partitions.size);
}

function forget({ moved, lanes }: Moves, partition: TopicPartition, move: Move): void {
  moved.delete(partition);
  const key = laneOf(partition, move);
  const lane = lanes.get(key);
  lane?.partitions.delete(partition);
  if (lane?.partitions.size === 0) lanes.delete(key);
}

function laneOf({ topic }: TopicPartition, { from, to }: Move): string {
  return JSON.stringify([topic, from, to]);
}
