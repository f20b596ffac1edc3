import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { goldenText, readRounds, type Round } from "../../../test/kafka/librdkafka-golden.ts";
import type { Assignment, Assignor, Member, TopicPartition } from "./assignor.ts";
import { librdkafkaSticky } from "./librdkafka-sticky.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

const rounds = readRounds(goldenText("librdkafka-cooperative-sticky"));

const sameTopics = ({ members }: Round): boolean => new Set(members.map(({ topics }) => topics.join())).size === 1;

const model: Assignor = librdkafkaSticky;

/** What the model says, in the form of the golden vectors; undefined when it refuses. */
function predict({ partitions, members }: Round): Round["assigned"] {
  try {
    const assignment = model(partitions, members);
    return members.map(({ id }) => assignment.get(id) ?? []);
  } catch (error) {
    if (error instanceof UnpredictableAssignment) return undefined;
    throw error;
  }
}

describe("librdkafkaSticky on the golden vectors", () => {
  it("has thousands of them, of each kind", () => {
    expect(rounds.filter(sameTopics).length).toBeGreaterThan(3_000);
    expect(rounds.filter((round) => !sameTopics(round)).length).toBeGreaterThan(1_000);
    expect(rounds.filter(({ assigned }) => assigned === undefined).length).toBeGreaterThan(10);
  });

  it.each([
    ["the same topics", true],
    ["different topics", false],
  ])("gives each member who subscribes to %s exactly what librdkafka gives, in its order", (_what, same) => {
    for (const round of rounds.filter((one) => sameTopics(one) === same)) {
      expect(predict(round), `group ${round.group}`).toEqual(round.assigned);
    }
  });
});

const ONE_TOPIC = new Map([["orders", 12]]);

function member(id: string, numbers: readonly number[] = [], topics: readonly string[] = ["orders"]): Member {
  const owned = numbers.map((partition) => ({ topic: "orders", partition }));
  return { id, topics, owned, generation: owned.length > 0 ? 1 : -1 };
}

function numbersOf(assignment: Assignment): Record<string, number[]> {
  return Object.fromEntries([...assignment].map(([id, owned]) => [id, owned.map(({ partition }) => partition)]));
}

describe("librdkafkaSticky", () => {
  it("deals a new group's partitions out in turn, by member id", () => {
    const assignment = librdkafkaSticky(ONE_TOPIC, [member("c"), member("a"), member("b")]);
    expect(numbersOf(assignment)).toEqual({ a: [0, 3, 6, 9], b: [1, 4, 7, 10], c: [2, 5, 8, 11] });
  });

  it("gives the partitions of a member that left to the others, the highest first", () => {
    const assignment = librdkafkaSticky(ONE_TOPIC, [member("a", [0, 3, 6, 9]), member("b", [1, 4, 7, 10])]);
    expect(numbersOf(assignment)).toEqual({ a: [0, 3, 6, 9, 11, 5], b: [1, 4, 7, 10, 8, 2] });
  });

  it("hands the lowest numbers of each over to a newcomer", () => {
    const survivors = [member("a", [0, 3, 6, 9, 11, 5]), member("b", [1, 4, 7, 10, 8, 2])];
    const assignment = librdkafkaSticky(ONE_TOPIC, [...survivors, member("d")]);
    expect(numbersOf(assignment)).toEqual({ a: [5, 6, 9, 11], b: [4, 7, 8, 10], d: [1, 0, 2, 3] });
  });

  it("gives a member that joins as another leaves exactly what that one had", () => {
    const assignment = librdkafkaSticky(ONE_TOPIC, [
      member("a", [0, 3, 6, 9]),
      member("b", [1, 4, 7, 10]),
      member("d"),
    ]);
    expect(numbersOf(assignment)).toEqual({ a: [0, 3, 6, 9], b: [1, 4, 7, 10], d: [11, 8, 5, 2] });
  });

  it("gives a partition that two members of one generation claim to neither of them for that", () => {
    const assignment = librdkafkaSticky(new Map([["orders", 2]]), [member("b", [0]), member("a", [0])]);
    expect(numbersOf(assignment)).toEqual({ b: [1], a: [0] });
  });

  it("forgets topics that are gone, and partitions beyond the end", () => {
    const lost = { ...member("a", [0, 14]), owned: [{ topic: "gone", partition: 0 }, ...member("a", [0, 14]).owned] };
    expect(numbersOf(librdkafkaSticky(new Map([["orders", 1]]), [lost, member("b")]))).toEqual({ a: [0], b: [] });
  });

  it("gives nothing to nobody", () => {
    expect(librdkafkaSticky(ONE_TOPIC, [])).toEqual(new Map());
  });
});

const anyTopics = fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1 });
const anyPartitions = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 3, maxLength: 3 }).map(
  ([a = 0, b = 0, c = 0]) =>
    new Map([
      ["a", a],
      ["b", b],
      ["c", c],
    ]),
);
const anyIds = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 8 });

/** A group of which all subscribe to the same, after its first rebalance and some changes. */
const anySettled = fc
  .record({ partitions: anyPartitions, topics: anyTopics, first: anyIds, second: anyIds })
  .map(({ partitions, topics, first, second }) => {
    const newcomers = (ids: readonly string[]): Member[] =>
      ids.map((id) => ({ id, topics, owned: [], generation: -1 }));
    const before = librdkafkaSticky(partitions, newcomers(first));
    return { partitions, members: withOwned(newcomers(second), before) };
  });

function withOwned(members: readonly Member[], assignment: Assignment): Member[] {
  return members.map((one) => {
    const owned = assignment.get(one.id);
    return owned === undefined ? one : { ...one, owned, generation: 1 };
  });
}

function names(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic} ${partition}`).toSorted();
}

describe("any group of which all subscribe to the same", () => {
  it("has each partition once, and numbers that differ by one at most", () => {
    fc.assert(
      fc.property(anySettled, ({ partitions, members }) => {
        const assignment = [...librdkafkaSticky(partitions, members).values()];
        const wanted = [...partitions].filter(([topic]) => members[0]?.topics.includes(topic));
        const all = wanted.flatMap(([topic, count]) =>
          Array.from({ length: count }, (_none, partition) => ({ topic, partition })),
        );
        expect(names(assignment.flat())).toEqual(names(all));
        const counts = assignment.map(({ length }) => length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("stays as it is when nobody comes or goes", () => {
    fc.assert(
      fc.property(anySettled, ({ partitions, members }) => {
        const settled = librdkafkaSticky(partitions, members);
        const again = librdkafkaSticky(partitions, withOwned(members, settled));
        for (const { id } of members) expect(names(again.get(id) ?? [])).toEqual(names(settled.get(id) ?? []));
      }),
    );
  });

  it("leaves with each member all it had, unless another would have two less", () => {
    fc.assert(
      fc.property(anySettled, ({ partitions, members }) => {
        const assignment = librdkafkaSticky(partitions, members);
        const fewest = Math.min(...[...assignment.values()].map(({ length }) => length));
        for (const { id, owned } of members) {
          const now = new Set(names(assignment.get(id) ?? []));
          const lost = names(owned).some((name) => !now.has(name));
          if (lost) expect(now.size).toBeLessThanOrEqual(fewest + 1);
          if (owned.length <= fewest) expect(lost).toBe(false);
        }
      }),
    );
  });
});
