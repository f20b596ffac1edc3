import { describe, expect, it } from "vitest";

import { parseAssignment, parseSubscription } from "./consumer-protocol.ts";
import { classicModel, kip848Model, racksDecide, type RegisteredMember } from "./model-choice.ts";

/** A member as DescribeGroups of Kafka 4.4 showed it: its metadata and its assignment. */
function member([metadata, assignment]: readonly [string, string], instanceId?: string): RegisteredMember {
  return {
    instanceId,
    subscription: parseSubscription(Buffer.from(metadata, "hex")),
    assignment: parseAssignment(Buffer.from(assignment, "hex")),
  };
}

/** Of librdkafka 2.16.1 and the Java client 4.4.0 unless it says otherwise, by what the member had been through. */
const RECORDED = {
  "librdkafka cooperative, joined first": [
    "0003000000010001740000000000000000ffffffff0000",
    "0000000000010001740000000600000000000000010000000200000003000000040000000500000000",
  ],
  "librdkafka cooperative, in its second rebalance": [
    "00030000000100017400000017000000010001740000000200000004000000050000000300000001000174000000020000000400000005000000030000",
    "000000000001000174000000020000000400000005000000170000000100017400000002000000040000000500000003",
  ],
  "librdkafka cooperative, with nothing yet": [
    "0003000000010001740000000000000000ffffffff0000",
    "00000000000000000000",
  ],
  "librdkafka range": [
    "0003000000010001740000000000000000ffffffff0000",
    "0000000000010001740000000300000000000000010000000200000000",
  ],
  "Java cooperative, joined first": [
    "00030000000100017400000004ffffffff00000000ffffffffffff",
    "00030000000100017400000006000000000000000100000002000000030000000400000005ffffffff",
  ],
  "Java cooperative, in its third rebalance": [
    "000300000001000174000000040000000300000001000174000000010000000400000003ffff",
    "000300000001000174000000020000000400000002ffffffff",
  ],
  "Java sticky, joined first": [
    "000300000001000174ffffffff00000000ffffffffffff",
    "00030000000100017400000003000000030000000400000005ffffffff",
  ],
  "Java sticky, in its second rebalance": [
    "0003000000010001740000001b0000000100017400000003000000000000000100000002000000020000000000000002ffff",
    "000300000001000174000000020000000000000001ffffffff",
  ],
  "Java range": [
    "000300000001000174ffffffff0000000000000001ffff",
    "00030000000100017400000003000000000000000100000002ffffffff",
  ],
  "Java 3.3 cooperative, joined first": [
    "00010000000100017400000004ffffffff00000000",
    "00010000000100017400000006000000000000000100000002000000030000000400000005ffffffff",
  ],
  "Java 2.4, any assignor, joined first": [
    "000100000001000174ffffffff00000000",
    "00010000000100017400000006000000000000000100000002000000030000000400000005ffffffff",
  ],
  "librdkafka 2.0 range": [
    "0001000000010001740000000000000000",
    "0000000000010001740000000600000000000000010000000200000003000000040000000500000000",
  ],
} as const;

const recorded = (...names: (keyof typeof RECORDED)[]) => names.map((name) => member(RECORDED[name]));

describe("the model of a classic group", () => {
  it.each([
    [
      "cooperative-sticky",
      ["librdkafka cooperative, joined first", "librdkafka cooperative, in its second rebalance"],
      "librdkafka-cooperative-sticky",
    ],
    ["cooperative-sticky", ["librdkafka cooperative, with nothing yet"], "librdkafka-cooperative-sticky"],
    [
      "cooperative-sticky",
      ["Java cooperative, joined first", "Java cooperative, in its third rebalance"],
      "java-cooperative-sticky",
    ],
    ["sticky", ["Java sticky, joined first", "Java sticky, in its second rebalance"], "java-sticky"],
    ["range", ["librdkafka range", "librdkafka range"], "librdkafka-range"],
    ["roundrobin", ["librdkafka range"], "librdkafka-roundrobin"],
    ["range", ["Java range"], "java-range"],
    ["roundrobin", ["Java range"], "java-roundrobin"],
    ["cooperative-sticky", ["Java 3.3 cooperative, joined first"], "java-cooperative-sticky"],
    ["range", ["Java 2.4, any assignor, joined first"], "java-range"],
    ["range", ["librdkafka 2.0 range"], "librdkafka-range"],
    // Without a generation: an older algorithm, which no model was held against.
    ["cooperative-sticky", ["Java 2.4, any assignor, joined first"], undefined],
    // Contradictions, and what has no model.
    ["cooperative-sticky", ["Java cooperative, joined first", "librdkafka cooperative, joined first"], undefined],
    ["cooperative-sticky", ["Java range"], undefined],
    ["range", ["Java range", "librdkafka range"], undefined],
    ["range", ["Java cooperative, joined first"], undefined],
    ["sticky", ["librdkafka cooperative, in its second rebalance"], undefined],
    ["RoundRobinAssigner", ["librdkafka range"], undefined],
    ["constructor", ["Java range"], undefined],
    ["range", [], undefined],
  ] as const)("named %s, with %j, is %s", (assignor, names, model) => {
    expect(classicModel(assignor, recorded(...names))).toBe(model);
  });

  it.each([
    // franz-go: version 3, the sticky assignor's user data, and an assignment of version 0 with none.
    ["cooperative-sticky", "0003000000010001740000000800000000ffffffff00000000ffffffffffff", "000000000000ffffffff"],
    // sarama: in the subscription like Java.
    ["cooperative-sticky", "00030000000100017400000004000000030000000000000003ffff", "000000000000ffffffff"],
    // kafka-python: version 0, empty user data.
    ["range", "00000000000100017400000000", "00000000000000000000"],
    // sarama: version 0, no user data.
    ["range", "000000000001000174ffffffff", "000000000000ffffffff"],
    // A group that rebalances: no metadata.
    ["range", "", "000300000000ffffffff"],
    ["range", "000300000001000174ffffffff0000000000000001ffff", ""],
  ])("named %s is not guessed for other clients: %s", (assignor, metadata, assignment) => {
    expect(classicModel(assignor, [member([metadata, assignment])])).toBeUndefined();
  });

  it("is none for librdkafka where only some members are static, but for the one that goes by member ids alone", () => {
    const range = RECORDED["librdkafka range"];
    const cooperative = RECORDED["librdkafka cooperative, joined first"];
    expect(classicModel("range", [member(range), member(range, "static")])).toBeUndefined();
    expect(classicModel("range", [member(range, "one"), member(range, "two")])).toBe("librdkafka-range");
    expect(classicModel("cooperative-sticky", [member(cooperative), member(cooperative, "static")])).toBe(
      "librdkafka-cooperative-sticky",
    );
    const java = RECORDED["Java range"];
    expect(classicModel("range", [member(java), member(java, "static")])).toBe("java-range");
  });
});

describe("the model of a group of KIP-848", () => {
  it.each([
    ["uniform", [undefined, undefined], "kip848-uniform"],
    ["range", [undefined], "kip848-range"],
    ["uniform", ["a.*", "a.*"], "kip848-uniform"],
    ["uniform", ["a.*", undefined], undefined],
    ["uniform", ["a.*", "b.*"], undefined],
    ["org.example.Own", [undefined], undefined],
  ] as const)("named %s, with subscriptions %j, is %s", (assignor, expressions, model) => {
    expect(kip848Model(assignor, expressions)).toBe(model);
  });
});

describe("racks", () => {
  it.each([
    ["no member says where it is", [], [["a"], ["b"]], false],
    ["nobody says where the replicas are", ["a"], [[], []], false],
    ["no replica is where a member is", ["c"], [["a"], ["b"]], false],
    [
      "every partition is everywhere",
      ["a"],
      [
        ["a", "b"],
        ["b", "a"],
      ],
      false,
    ],
    [
      "some partition is not everywhere",
      ["a"],
      [
        ["a", "b"],
        ["b", "b"],
      ],
      true,
    ],
  ])("where %s: %j, %j: %s", (_name, members, partitions, expected) => {
    expect(racksDecide(members, partitions)).toBe(expected);
  });
});
