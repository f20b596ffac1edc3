import { Reader } from "@platformatic/kafka";

/**
 * In all arrays of an answer, equal lists of strings counted once: what is a few bytes there takes a hundred in memory. 10,000 partitions
 * with five replicas are 60,000.
 */
const MOST_ITEMS = 250_000;

/**
 * The client library's reader of Kafka's types, which never goes back nor beyond the end, whatever the bytes say: the library's own
 * takes a negative length for a step back, and a count for true, so that a few bytes keep it busy, or fill the memory, without an end.
 *
 * Each read throws a RangeError where the bytes end too early or a length cannot be.
 */
export class BoundedReader extends Reader {
  #items = 0;
  /** By their bytes. */
  readonly #lists = new Map<string, readonly string[]>();

  constructor(bytes: Buffer) {
    super(Reader.from(bytes).buffer);
  }

  override skip(length: number): this {
    this.#insistOn(length);
    return super.skip(length);
  }

  /** At most 31 bits: lengths, counts and numbers of tags are no longer. */
  override readUnsignedVarInt(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.readUnsignedInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value < 2 ** 31) return value;
        break;
      }
    }
    throw new RangeError("a length has more than 31 bits");
  }

  override readNullableString(compact = true, encoding: BufferEncoding = "utf-8"): string | null {
    const length = compact ? this.readUnsignedVarInt() - 1 : this.readInt16();
    return length === -1 ? null : this.#take(length).toString(encoding);
  }

  override readNullableBytes(compact = true): Buffer | null {
    const length = compact ? this.readUnsignedVarInt() - 1 : this.readInt32();
    return length === -1 ? null : this.#take(length);
  }

  override readNullableArray<Item>(
    read: (reader: Reader, index: number) => Item,
    compact = true,
    tagged = true,
  ): Item[] | null {
    const count = compact ? this.readUnsignedVarInt() - 1 : this.readInt32();
    if (count === -1) return null;
    // Each takes a byte at least.
    this.#insistOn(count);
    this.#items += count;
    if (this.#items > MOST_ITEMS) throw new RangeError(`there are more than ${MOST_ITEMS} items`);
    const items: Item[] = [];
    for (let index = 0; index < count; index += 1) {
      items.push(read(this, index));
      if (tagged) this.readTaggedFields();
    }
    return items;
  }

  /** A list that was in the answer before is not read again but shared: a thousand members subscribe to the same thousand topics. */
  readStrings(): readonly string[] {
    const from = this.position;
    const count = this.readUnsignedVarInt() - 1;
    for (let index = 0; index < count; index += 1) this.skip(this.readUnsignedVarInt() - 1);
    const bytes = this.buffer.slice(from, this.position).toString("latin1");
    const known = this.#lists.get(bytes);
    if (known !== undefined) return known;
    this.position = from;
    const list = this.readArray((reader) => reader.readString(), true, false);
    this.#lists.set(bytes, list);
    return list;
  }

  /** Passes over an array of 32-bit numbers that nobody wants to know. */
  skipInt32s(): void {
    this.skip(4 * Math.max(0, this.readUnsignedVarInt() - 1));
  }

  #take(length: number): Buffer {
    const from = this.position;
    return this.skip(length).buffer.slice(from, from + length);
  }

  #insistOn(length: number): void {
    if (length < 0 || length > this.remaining) {
      throw new RangeError(`a length is ${length}, and ${this.remaining} bytes are left`);
    }
  }
}
