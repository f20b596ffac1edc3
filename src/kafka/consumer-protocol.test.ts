import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isStickyUserData, parseAssignment, parseSubscription } from "./consumer-protocol.ts";

/** Two digits each. */
function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const t = (...partitions: number[]) => partitions.map((partition) => ({ topic: "t", partition }));

describe("what members write for each other", () => {
  it("is a subscription, of librdkafka 2.16", () => {
    const hex =
      "00030000000100017400000017000000010001740000000200000004000000050000000300000001000174000000020000000400000005000000030000";
    const read = parseSubscription(bytesOf(hex));
    expect(read).toMatchObject({ version: 3, topics: ["t"], rack: undefined });
    expect(read?.userData).toEqual(bytesOf("0000000100017400000002000000040000000500000003"));
  });

  it("is a subscription, of Java 4.4", () => {
    const read = parseSubscription(bytesOf("000300000001000174ffffffff00000000ffffffffffff"));
    expect(read).toEqual({ version: 3, topics: ["t"], userData: undefined, rack: undefined });
  });

  it("is a subscription of an older version, or with a rack", () => {
    expect(parseSubscription(bytesOf("0000000000020001610001620000000101"))).toEqual({
      version: 0,
      topics: ["a", "b"],
      userData: Uint8Array.of(1),
      rack: undefined,
    });
    expect(parseSubscription(bytesOf("000300000001000174ffffffff00000000ffffffff00017a"))?.rack).toBe("z");
    expect(parseSubscription(bytesOf("00030000000100c3"))).toBeUndefined();
  });

  it("is an assignment, in the order in which it was written", () => {
    const java = parseAssignment(bytesOf("00030000000100017400000003000000020000000400000000ffffffff"));
    expect(java).toEqual({ version: 3, owned: t(2, 4, 0), userData: undefined });
    const librdkafka = parseAssignment(bytesOf("00000000000100017400000002000000000000000100000000"));
    expect(librdkafka).toEqual({ version: 0, owned: t(0, 1), userData: new Uint8Array() });
  });

  it("is nothing while the group rebalances", () => {
    expect(parseSubscription(new Uint8Array())).toBeUndefined();
    expect(parseAssignment(new Uint8Array())).toBeUndefined();
  });

  it("is the user data of a sticky assignor only to the last byte", () => {
    expect(isStickyUserData(bytesOf("0000000100017400000002000000040000000500000003"))).toBe(true);
    expect(isStickyUserData(bytesOf("00000000ffffffff"))).toBe(true);
    for (const hex of ["", "00000003", "00000000ffffffff00", "000000010001740000000200000004"]) {
      expect(isStickyUserData(bytesOf(hex))).toBe(false);
    }
  });

  it("may be any bytes, without an exception or endless work", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        parseSubscription(bytes);
        parseAssignment(bytes);
        isStickyUserData(bytes);
      }),
    );
  });
});
