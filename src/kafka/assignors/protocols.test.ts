import { describe, expect, it } from "vitest";

import { goldenText, readRounds, type Round } from "../../../test/kafka/librdkafka-golden.ts";
import type { TopicPartition } from "./assignor.ts";
import { PROTOCOLS, protocolOf } from "./protocols.ts";
import { range } from "./range.ts";
import { roundRobin } from "./round-robin.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

/** Neither all members are static nor all dynamic. */
function isMixed({ members }: Round): boolean {
  return new Set(members.map(({ instanceId }) => instanceId === undefined)).size > 1;
}

function names(partitions: readonly TopicPartition[] | undefined): string[] {
  return (partitions ?? []).map(({ topic, partition }) => `${topic} ${partition}`).toSorted();
}

describe.each([
  ["range", range],
  ["roundrobin", roundRobin],
] as const)("librdkafka's %s", (name, javas) => {
  const rounds = readRounds(goldenText(`librdkafka-${name}`));
  const { assign } = PROTOCOLS[`librdkafka-${name}`];
  const agrees = ({ partitions, members, assigned }: Round, assignor: typeof assign): boolean => {
    const assignment = assignor(partitions, members);
    return members.every(({ id }, place) => names(assignment.get(id)).join() === names(assigned?.[place]).join());
  };

  it("gives what Java's gives where all members are dynamic, or all static", () => {
    const plain = rounds.filter((round) => !isMixed(round));
    expect(plain.length).toBeGreaterThan(400);
    expect(plain.filter((round) => !agrees(round, assign)).map(({ group }) => group)).toEqual([]);
  });

  it("is refused where only some are static: there it differs", () => {
    const mixed = rounds.filter(isMixed);
    expect(mixed.filter((round) => !agrees(round, javas)).length).toBeGreaterThan(10);
    for (const { partitions, members } of mixed) {
      expect(() => assign(partitions, members)).toThrow(UnpredictableAssignment);
    }
  });
});

describe("protocolOf", () => {
  it("finds a protocol by its name", () => {
    expect(protocolOf("java-sticky")).toBe(PROTOCOLS["java-sticky"]);
  });

  it("names what cannot be predicted, and says why", () => {
    expect(() => protocolOf("sarama-sticky")).toThrow(UnpredictableAssignment);
    expect(() => protocolOf("sarama-sticky")).toThrow("sarama-sticky cannot be predicted: sarama gives");
  });

  it.each(["java-stickey", "toString", ""])("refuses %j with the names that there are", (name) => {
    expect(() => protocolOf(name)).toThrow(
      `assignor ${JSON.stringify(name)} is not one of java-range, java-roundrobin`,
    );
  });
});
