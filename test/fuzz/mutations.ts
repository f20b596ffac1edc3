/** Ways to spoil a frame, each drawn at random. */

import type { Random } from "../../src/random.ts";

/** @param frame - with its length before it; never changed. @returns the pieces that are sent instead. */
export type Mutation = (frame: Buffer, random: Random, earlier: readonly Buffer[]) => readonly Buffer[];

const HEADER_BYTES = 8;

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "nothing but where it is split": (frame, random) => split(frame, random),
  "each byte on its own": (frame) => Array.from(frame, (byte) => Buffer.of(byte)),
  "a few bytes": (frame, random) =>
    one(changed(frame, (copy) => times(upTo(8, random) + 1, () => (copy[inBody(copy, random)] = upTo(256, random))))),
  "one bit": (frame, random) =>
    one(changed(frame, (copy) => void (copy[inBody(copy, random)]! ^= 1 << upTo(8, random)))),
  "a length or a number of 16 bits": (frame, random) =>
    one(
      changed(frame, (copy) =>
        copy.writeInt16BE(pick([-32_768, -5, -2, -1, 0, 1, 32_767], random), inBody(copy, random, 2)),
      ),
    ),
  "a length or a number of 32 bits": (frame, random) =>
    one(
      changed(frame, (copy) =>
        copy.writeInt32BE(pick([-(2 ** 31), -5, -1, 0, 1, 65_536, 2 ** 31 - 1], random), inBody(copy, random, 4)),
      ),
    ),
  "a number of 64 bits": (frame, random) =>
    one(
      changed(frame, (copy) =>
        copy.writeBigInt64BE(pick([-(2n ** 63n), -2n, -1n, 0n, 2n ** 63n - 1n], random), inBody(copy, random, 8)),
      ),
    ),
  "a length of variable length": (frame, random) => {
    const at = inBody(frame, random);
    return one(resized(Buffer.concat([frame.subarray(0, at), varint(random), frame.subarray(at + 1)])));
  },
  "the length of the frame": (frame, random) => {
    const length = frame.length - 4;
    const wrong = [-(2 ** 31), -1, 0, 1, 3, 4, 5, length - 1, length + 1, 2 ** 24, 2 ** 24 + 1, 2 ** 31 - 1];
    return one(changed(frame, (copy) => copy.writeInt32BE(pick(wrong, random), 0)));
  },
  "its number": (frame, random) =>
    one(
      changed(frame, (copy) =>
        copy.writeInt32BE(pick([-1, 0, copy.readInt32BE(4) + 1, copy.readInt32BE(4) - 1, 2 ** 31 - 1], random), 4),
      ),
    ),
  "its end": (frame, random) => one(frame.subarray(0, upTo(frame.length, random))),
  "its end and its length": (frame, random) =>
    one(resized(frame.subarray(0, HEADER_BYTES + upTo(frame.length - HEADER_BYTES, random)))),
  "bytes that are too many": (frame, random) => {
    const at = inBody(frame, random);
    return one(resized(Buffer.concat([frame.subarray(0, at), noise(random), frame.subarray(at)])));
  },
  "bytes that are missing": (frame, random) => {
    const at = inBody(frame, random);
    return one(
      resized(
        Buffer.concat([frame.subarray(0, at), frame.subarray(Math.min(frame.length, at + 1 + upTo(20, random)))]),
      ),
    );
  },
  "a part that is there twice": (frame, random) => {
    const [from, to] = [inBody(frame, random), inBody(frame, random)].toSorted((a, b) => a - b) as [number, number];
    return one(resized(Buffer.concat([frame.subarray(0, to), frame.subarray(from)])));
  },
  "two parts that change places": (frame, random) => {
    const cuts = [inBody(frame, random), inBody(frame, random), inBody(frame, random)].toSorted((a, b) => a - b);
    const [a, b, c] = cuts as [number, number, number];
    return one(Buffer.concat([frame.subarray(0, a), frame.subarray(b, c), frame.subarray(a, b), frame.subarray(c)]));
  },
  "the whole, twice": (frame) => [frame, frame],
  "the whole, not at all": () => [],
  "an earlier answer before it": (frame, random, earlier) => [pick([...earlier, frame], random), frame],
  "the body of an earlier answer": (frame, random, earlier) => {
    const other = pick([...earlier, frame], random);
    return one(resized(Buffer.concat([frame.subarray(0, HEADER_BYTES), other.subarray(HEADER_BYTES)])));
  },
  "its body, by noise": (frame, random) =>
    one(resized(Buffer.concat([frame.subarray(0, HEADER_BYTES), noise(random), noise(random)]))),
  "itself, by noise": (_frame, random) => one(noise(random)),
};

function one(frame: Buffer): readonly Buffer[] {
  return [frame];
}

function upTo(limit: number, random: Random): number {
  return Math.floor(random() * limit);
}

function pick<Item>(items: readonly Item[], random: Random): Item {
  return items[upTo(items.length, random)]!;
}

function times(count: number, work: () => void): void {
  for (let time = 0; time < count; time += 1) work();
}

/** Where something of so many bytes may stand, behind the header. */
function inBody(frame: Buffer, random: Random, size = 1): number {
  return Math.min(frame.length - size, HEADER_BYTES + upTo(frame.length - HEADER_BYTES, random));
}

function changed(frame: Buffer, change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(frame);
  change(copy);
  return copy;
}

/** With the length that it has. */
function resized(frame: Buffer): Buffer {
  return changed(frame, (copy) => copy.writeInt32BE(copy.length - 4, 0));
}

function noise(random: Random): Buffer {
  const dense = random() < 0.5 ? 256 : 4;
  return Buffer.from(Array.from({ length: upTo(64, random) + 1 }, () => upTo(dense, random)));
}

/** Of any length, also longer than one of 32 or 64 bits may be. */
function varint(random: Random): Buffer {
  const bytes = Array.from({ length: upTo(12, random) }, () => 0x80 | upTo(128, random));
  return Buffer.of(...bytes, upTo(128, random));
}

function split(frame: Buffer, random: Random): readonly Buffer[] {
  const at = upTo(frame.length, random);
  return [frame.subarray(0, at), frame.subarray(at)];
}
