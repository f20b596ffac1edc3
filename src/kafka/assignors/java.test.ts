/**
 * The models of Kafka's own assignors, those of the Java client and those of the coordinator: against what the real ones answered,
 * and by what must hold for any group.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { answered, goldenLines, readGroup } from "../../../test/kafka/java-golden.ts";
import type { Assignment, Assignor, Member } from "./assignor.ts";
import { type Group, replaceMembers } from "./orders.ts";
import { range } from "./range.ts";
import { roundRobin } from "./round-robin.ts";
import { cooperativeSticky, sticky } from "./sticky.ts";
import { uniform } from "./uniform.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";

const ASSIGNORS: readonly (readonly [string, Assignor])[] = [
  ["range", range],
  ["round-robin", roundRobin],
  ["sticky", sticky],
  ["cooperative-sticky", cooperativeSticky],
  ["kip848-range", range],
  ["kip848-uniform", uniform],
];

const TOPICS = ["a", "b", "c"];
const TOPIC_IDS = new Map([
  ["a", "uobc-ad98CJfOeJCQHKPsg"],
  ["b", "RzhJBOOMAUBvAMgAZawQZA"],
  ["c", "pH_QkQ_-7NTT48fIfXxS4Q"],
]);
/** Two more that the real assignor answered so, of kinds too rare to be among the checked-in ones. */
const ENDLESS =
  "orders=51,payments=9,clicks=21,audit-log=51;m-f11e/2/1,m-9c94/2/0,m-1be7/2/0,m-817c/2/2,m-9e9b/2/03,m-28ca/2/12,m-3a58/2/0123,m-f9f0/2/123,m-ee7f/-1/02,m-fbdb/-1/3;GGCBCBCBCBCBCBCBCBCBCBCBCBCBCBECBECBECGGBECGEBECGCB,AAAAAAAAA,DDDDDDDDDFFFFFFFFFFFD,HHHHHEGHEGHEGHEGHEGHEGHEGHEGHEGHEGHEGHEGHEGH;!";
const TWICE =
  "orders=6,payments=12,clicks=21,audit-log=4,users.v2=20,x=10;m-641e/4/1235,m-a2cb/4/03,m-f3bc/4/1235,m-6b6a/4/245,m-fc19/4/012345,m-8f81/4/013,m-583d/-1/01345,m-aed4/-1/24,m-9ea2/-1/1234;BBBBBB,FFFFFFFFFFFF,ACAECDDEDEDEDEDEACACA,BBBB,DEDEDEDEDEDEDEDEDEDE,CACACACACACACACACACAC;BBBBBB,FFFFFFFFFFFF/IFGGGGGGGGGG,ACAECDDEDEDEDEDEACACA/HHIHIHIHIHIHIHIHIHIHI,BBBB/BIBG,HGIHDEDEDEDEDEDEDEDE,GGCACACACACACACACACAC";

const memberId = fc.string({ minLength: 1, maxLength: 4 });
const partitions = fc
  .array(fc.integer({ min: 1, max: 20 }), { minLength: TOPICS.length, maxLength: TOPICS.length })
  .map((counts) => new Map(TOPICS.map((topic, at) => [topic, counts[at] ?? 1])));
const ids = fc.uniqueArray(memberId, { minLength: 1, maxLength: 12 });
const alike = ids.map((all) => all.map((id) => newcomer(id, TOPICS)));
const mixed = fc
  .uniqueArray(fc.tuple(memberId, fc.subarray(TOPICS)), { minLength: 1, maxLength: 12, selector: ([id]) => id })
  .map((all) => all.map(([id, topics]) => newcomer(id, topics)));

function newcomer(id: string, topics: readonly string[]): Member {
  return { id, topics, owned: [], generation: -1 };
}

function owning(id: string, partition: number): Member {
  return { ...newcomer(id, ["a"]), owned: [{ topic: "a", partition }], generation: 1 };
}

function holding(members: readonly Member[], assignment: Assignment): Member[] {
  return members.map((member) => ({ ...member, owned: assignment.get(member.id) ?? [], generation: 1 }));
}

function named(assignment: Assignment): string[] {
  return [...assignment]
    .flatMap(([id, own]) => own.map(({ topic, partition }) => `${topic}/${partition} ${id}`))
    .toSorted();
}

describe.each(ASSIGNORS)("%s", (name, assign) => {
  it("answers the golden groups as Kafka does", () => {
    const lines = goldenLines(name);
    expect(lines.length).toBeGreaterThanOrEqual(3_000);
    const wrong = lines.flatMap((line, number) => (answered(line, assign) === line ? [] : [number]));
    expect(wrong).toEqual([]);
  });

  it("gives each partition of a topic with subscribers to exactly one of them", () => {
    fc.assert(
      fc.property(partitions, mixed, (counts, members) => {
        const assignment = assign(counts, members, TOPIC_IDS);
        const wanted = TOPICS.filter((topic) => members.some(({ topics }) => topics.includes(topic)));
        const all = wanted.flatMap((topic) =>
          Array.from({ length: counts.get(topic) ?? 0 }, (_none, at) => `${topic}/${at}`),
        );
        const given = named(assignment).map((line) => line.split(" ")[0] ?? "");
        expect(given.toSorted()).toEqual(all.toSorted());
      }),
    );
  });

  it("gives the same to a group in which nothing changed", () => {
    fc.assert(
      fc.property(partitions, fc.oneof(alike, mixed), (counts, members) => {
        const before = assign(counts, members, TOPIC_IDS);
        expect(named(assign(counts, holding(members, before), TOPIC_IDS))).toEqual(named(before));
      }),
    );
  });
});

describe.each([
  ["round-robin", roundRobin],
  ["sticky", sticky],
  ["cooperative-sticky", cooperativeSticky],
  ["kip848-uniform", uniform],
] as const)("%s, for equal subscriptions", (_name, assign) => {
  it("gives nobody two more than anybody else", () => {
    fc.assert(
      fc.property(partitions, alike, (counts, members) => {
        const sizes = [...assign(counts, members, TOPIC_IDS).values()].map((own) => own.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe.each([
  ["sticky", sticky],
  ["kip848-uniform", uniform],
] as const)("%s", (_name, assign) => {
  it("takes nothing from a survivor when others leave", () => {
    fc.assert(
      fc.property(partitions, alike, fc.nat(), (counts, members, leaving) => {
        fc.pre(members.length > 1);
        const settled = holding(members, assign(counts, members, TOPIC_IDS));
        const survivors = settled.filter((_member, at) => at !== leaving % members.length);
        const after = assign(counts, survivors, TOPIC_IDS);
        for (const { id, owned } of survivors) expect(after.get(id)).toEqual(expect.arrayContaining([...owned]));
      }),
    );
  });
});

describe("sticky", () => {
  it("fails where the client fails: whoever comes first keeps a partition that is no more in the place of one that is", () => {
    expect(() => sticky(new Map([["a", 1]]), [owning("x", 1), owning("z", 0)])).toThrow(/no member for them/);
    expect(named(sticky(new Map([["a", 1]]), [owning("x", 0), owning("z", 1)]))).toEqual(["a/0 x"]);
  });

  it("says so where the client never ends: it moves the same partitions in a circle", () => {
    const { partitions: counts, members } = readGroup(ENDLESS);
    expect(() => sticky(counts, members)).toThrow(/never ends/);
  });

  it("does not take from another what a member has itself, where both were given it", () => {
    expect(answered(TWICE, sticky)).toBe(TWICE);
  });
});

/** Who has what, without the newcomer's id. */
function outcome({ members }: Group, joined: string): string[] {
  return named(new Map(members.map(({ id, owned }) => [id === joined ? "newcomer" : id, owned])));
}

describe("kip848-uniform", () => {
  const members = ["x", "y", "z"].map((id) => newcomer(id, ["a"]));

  it("foresees one replacement after the leave in 95 of 100 groups, whatever the newcomer's id", () => {
    const protocol = { assign: uniform, rebalances: "incremental" } as const;
    const groups = goldenLines("kip848-uniform")
      .slice(0, 1_500)
      .map(readGroup)
      .filter((group) => group.members.length > 1 && group.members.every(({ generation }) => generation >= 0));
    const depending = groups.filter((group) => {
      const [first] = group.members;
      const [one, other] = ["sA8dD7ePQ1yC3g0pYk-0Zw", "Wm3Kq_x2TfGvEr5uZ9LbHg"].map((id) => {
        const replacement = { leaves: first?.id ?? "", joins: { id, topics: first?.topics ?? [] } };
        return outcome(replaceMembers(protocol, group, [replacement], "leave-first"), id).join();
      });
      return one !== other;
    });
    expect(groups.length).toBeGreaterThan(500);
    expect(depending.length / groups.length).toBeLessThan(0.05);
  });

  it("needs no topic ids where there is one topic", () => {
    const counts = new Map([["a", 7]]);
    expect(named(uniform(counts, members))).toEqual(named(uniform(counts, members, TOPIC_IDS)));
  });

  it("refuses several topics whose ids it does not know: they decide", () => {
    const counts = new Map([
      ["a", 7],
      ["b", 2],
    ]);
    const both = members.map((member) => ({ ...member, topics: ["a", "b"] }));
    const exchanged = new Map([
      ["a", TOPIC_IDS.get("b") ?? ""],
      ["b", TOPIC_IDS.get("a") ?? ""],
    ]);
    expect(() => uniform(counts, both, new Map([["a", TOPIC_IDS.get("a") ?? ""]]))).toThrow(UnpredictableAssignment);
    expect(named(uniform(counts, both, exchanged))).not.toEqual(named(uniform(counts, both, TOPIC_IDS)));
  });
});
