import { describe, expect, it } from "vitest";

import { BoundedReader } from "./bounded-reader.ts";

function over(...bytes: readonly number[]): BoundedReader {
  return new BoundedReader(Buffer.from(bytes));
}

describe("a reader", () => {
  it.each<[string, BoundedReader, (reader: BoundedReader) => unknown, RegExp]>([
    ["beyond the end", over(3, 65), (reader) => reader.readString(), /a length is 2, and 1 bytes are left/],
    ["back", over(0xff, 0xfb, 0), (reader) => reader.readString(false), /a length is -5/],
    [
      "over more items than there are bytes",
      over(0x7f, 1),
      (reader) => reader.readArray((r) => r.readInt8()),
      /is 126/,
    ],
    ["lengths of 32 bits", over(0xff, 0xff, 0xff, 0xff, 0x0f), (reader) => reader.readUnsignedVarInt(), /31 bits/],
    [
      "lengths without an end",
      over(...Array.from({ length: 9 }, () => 0x80)),
      (reader) => reader.readBytes(),
      /31 bits/,
    ],
    ["over a step back", over(1, 2), (reader) => reader.skip(-1), /a length is -1/],
    ["numbers that are cut off", over(1, 2, 3), (reader) => reader.readInt32(), /Out of bounds/],
  ])("never goes %s", (_name, reader, read, message) => {
    expect(() => read(reader)).toThrow(message);
    expect(reader.position).toBeLessThanOrEqual(9);
  });

  it("reads what is there, and nothing where nothing is", () => {
    const reader = over(3, 0x68, 0x69, 0, 0, 3, 7, 8, 5);
    expect([reader.readString(), reader.readNullableString(), reader.readNullableBytes()]).toEqual(["hi", null, null]);
    expect(reader.readArray((r) => r.readInt8(), true, false)).toEqual([7, 8]);
    expect(reader.remaining).toBe(1);
  });

  it("ends at more items than any answer has", () => {
    const many = Buffer.concat([Buffer.of(0xe1, 0xa7, 0x12), Buffer.alloc(300_000)]);
    const read = () => new BoundedReader(many).readArray((r) => r.readInt8(), true, false);
    expect(read).toThrow("there are more than 250000 items");
  });
});
