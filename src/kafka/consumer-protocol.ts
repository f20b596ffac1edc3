/**
 * What the members of a classic group write for each other (`ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`), and the
 * coordinator hands on unread.
 */

import type { TopicPartition } from "./assignors/assignor.ts";

/** What a member said when it joined. */
export interface Subscription {
  readonly version: number;
  readonly topics: readonly string[];
  /** Whatever its assignor wants to know; undefined where it is null, which is not the same as empty. */
  readonly userData: Uint8Array | undefined;
  /** client.rack; undefined where it has none. */
  readonly rack: string | undefined;
}

/** What the group's leader wrote for a member. */
export interface WrittenAssignment {
  readonly version: number;
  /** In the order in which it was written. */
  readonly owned: readonly TopicPartition[];
  readonly userData: Uint8Array | undefined;
}

/** @returns undefined where these bytes are no subscription; the coordinator gives none while the group rebalances. */
export function parseSubscription(bytes: Uint8Array): Subscription | undefined {
  return attempt(() => {
    const reader = createReader(bytes);
    const version = reader.int16();
    const topics = reader.list(() => reader.text());
    const userData = reader.bytes();
    if (version >= 1) partitionsOf(reader);
    if (version >= 2) reader.int32();
    const rack = version >= 3 ? reader.nullableText() : undefined;
    // librdkafka writes an empty rack where there is none.
    return { version, topics, userData, rack: rack === "" ? undefined : rack };
  });
}

/** @returns undefined where these bytes are no assignment; a member that waits for its first one has none. */
export function parseAssignment(bytes: Uint8Array): WrittenAssignment | undefined {
  return attempt(() => {
    const reader = createReader(bytes);
    return { version: reader.int16(), owned: partitionsOf(reader), userData: reader.bytes() };
  });
}

/** Whether this is the sticky assignors' own user data (KIP-54): what the member had, and in which generation. */
export function isStickyUserData(bytes: Uint8Array): boolean {
  const left = attempt(() => {
    const reader = createReader(bytes);
    partitionsOf(reader);
    reader.int32();
    return reader.left();
  });
  return left === 0;
}

function partitionsOf(reader: Reader): TopicPartition[] {
  const topics = reader.list(() => ({ topic: reader.text(), partitions: reader.list(() => reader.int32()) }));
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

interface Reader {
  int16(): number;
  int32(): number;
  nullableText(): string | undefined;
  text(): string;
  bytes(): Uint8Array | undefined;
  list<Item>(item: () => Item): Item[];
  left(): number;
}

/** Of topics or partitions of one member; a cluster has 200,000 partitions at most. */
const MOST_ITEMS = 250_000;

/** Each read throws a RangeError where the bytes end too early. */
function createReader(all: Uint8Array): Reader {
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  let position = 0;
  const advance = (by: number): number => {
    if (position + by > all.length) throw new RangeError("the bytes end too early");
    position += by;
    return position - by;
  };
  const take = (length: number): Uint8Array => all.subarray(advance(length), position);
  const reader: Reader = {
    int16: () => view.getInt16(advance(2)),
    int32: () => view.getInt32(advance(4)),
    nullableText() {
      const length = reader.int16();
      return length < 0 ? undefined : new TextDecoder().decode(take(length));
    },
    text: () => reader.nullableText() ?? "",
    bytes() {
      const length = reader.int32();
      return length < 0 ? undefined : take(length);
    },
    list(item) {
      const count = reader.int32();
      const items = [];
      // What is a few bytes here takes a hundred in memory.
      if (count > MOST_ITEMS) throw new RangeError("that many are never owned by one");
      for (let index = 0; index < count; index += 1) items.push(item());
      return items;
    },
    left: () => all.length - position,
  };
  return reader;
}

function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}
