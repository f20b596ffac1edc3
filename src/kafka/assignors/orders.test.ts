/** The orders of leaving and joining, by the statements that the planning of rotations rests on. */

import { describe, expect, it } from "vitest";

import type { Assignor, Member } from "./assignor.ts";
import { type Group, type Order, type Protocol, replaceMembers, settle } from "./orders.ts";
import { range } from "./range.ts";
import { roundRobin } from "./round-robin.ts";
import { cooperativeSticky, sticky } from "./sticky.ts";
import { uniform } from "./uniform.ts";

const ORDERS: readonly Order[] = ["leave-first", "join-first", "one-barrier", "one-at-a-time"];
const EAGER: Protocol = { assign: sticky, rebalances: "eager" };
const COOPERATIVE: Protocol = { assign: cooperativeSticky, rebalances: "cooperative" };
const INCREMENTAL: Protocol = { assign: uniform, rebalances: "incremental" };

function groupOf(protocol: Protocol, members: readonly string[], partitions = 32): Group {
  const joining = members.map((id): Member => ({ id, topics: ["t"], owned: [], generation: -1 }));
  return settle(protocol, { partitions: new Map([["t", partitions]]), members: joining });
}

function replacing(leaves: string, joins: string): { leaves: string; joins: Pick<Member, "id" | "topics"> } {
  return { leaves, joins: { id: joins, topics: ["t"] } };
}

function owned(group: Group, id: string): number[] {
  const own = group.members.find((member) => member.id === id)?.owned ?? [];
  return own.map(({ partition }) => partition).toSorted((one, other) => one - other);
}

function bundles(group: Group): string[] {
  return group.members.map(({ id }) => owned(group, id).join(" ")).toSorted();
}

describe.each<[string, Protocol]>([
  ["range", { assign: range, rebalances: "eager" }],
  ["round-robin", { assign: roundRobin, rebalances: "eager" }],
  ["KIP-848 range", { assign: range, rebalances: "incremental" }],
])("%s", (_name, protocol) => {
  it.each(ORDERS)("%s: a rotation only changes who holds which bundle", (order) => {
    const before = groupOf(protocol, ["a", "b", "c", "d", "e"]);
    const after = replaceMembers(protocol, before, [replacing("b", "x"), replacing("d", "y")], order);
    expect(after.members.map(({ id }) => id)).toEqual(["a", "c", "e", "x", "y"]);
    expect(bundles(after)).toEqual(bundles(before));
  });
});

describe.each([
  ["sticky", EAGER],
  ["cooperative-sticky", COOPERATIVE],
  ["KIP-848 uniform", INCREMENTAL],
] as const)("%s", (_name, protocol) => {
  const before = groupOf(protocol, ["a", "b", "c", "d"]);

  it("one barrier, one pod: the newcomer takes over exactly what its predecessor had", () => {
    const after = replaceMembers(protocol, before, [replacing("b", "x")], "one-barrier");
    expect(owned(after, "x")).toEqual(owned(before, "b"));
    for (const id of ["a", "c", "d"]) expect(owned(after, id)).toEqual(owned(before, id));
  });

  it("one at a time: as leave first for each", () => {
    const both = [replacing("a", "x"), replacing("c", "y")];
    const inTurn = both.reduce((group, one) => replaceMembers(protocol, group, [one], "leave-first"), before);
    const after = replaceMembers(protocol, before, both, "one-at-a-time");
    expect(bundles(after)).toEqual(bundles(inTurn));
    expect(bundles(after)).not.toEqual(bundles(replaceMembers(protocol, before, both, "leave-first")));
  });

  it("join first: the survivors keep what they have left when the old one goes", () => {
    const joined = settle(protocol, {
      ...before,
      members: [...before.members, { id: "x", topics: ["t"], owned: [], generation: -1 }],
    });
    const after = replaceMembers(protocol, before, [replacing("b", "x")], "join-first");
    for (const id of ["a", "c", "d", "x"]) expect(owned(after, id)).toEqual(expect.arrayContaining(owned(joined, id)));
  });
});

describe.each([
  ["sticky", EAGER],
  ["cooperative-sticky", COOPERATIVE],
] as const)("%s", (_name, protocol) => {
  const before = groupOf(protocol, ["a", "b", "c", "d"]);

  it("leave first: each survivor hands its highest numbers to the newcomer", () => {
    const orphaned = settle(protocol, { ...before, members: before.members.filter(({ id }) => id !== "b") });
    const after = replaceMembers(protocol, before, [replacing("b", "x")], "leave-first");
    expect(owned(after, "x")).toHaveLength(8);
    for (const id of ["a", "c", "d"]) expect(owned(after, id)).toEqual(owned(orphaned, id).slice(0, 8));
  });

  it("one barrier, two pods: what they had is dealt in turn", () => {
    const after = replaceMembers(protocol, before, [replacing("a", "x"), replacing("c", "y")], "one-barrier");
    const union = [...owned(before, "a"), ...owned(before, "c")].toSorted((one, other) => one - other);
    expect(owned(after, "x")).toEqual(union.filter((_partition, turn) => turn % 2 === 0));
    expect(owned(after, "y")).toEqual(union.filter((_partition, turn) => turn % 2 === 1));
  });
});

describe("KIP-848 uniform", () => {
  const before = groupOf(INCREMENTAL, ["a", "b", "c", "d"]);
  const both = [replacing("a", "x"), replacing("c", "y")];
  const newcomers = both.map(({ joins }): Member => ({ ...joins, owned: [], generation: -1 }));

  it.each([
    ["leave-first", "bd bdx bdxy"],
    ["join-first", "abcdx abcdxy bdxy"],
    ["one-barrier", "bdxy"],
    ["one-at-a-time", "bcd bcdx bdx bdxy"],
  ] as const)("%s: who leaves leaves together, who joins has a target computed", (order, targets) => {
    let expected = before;
    for (const present of targets.split(" ")) {
      const joining = newcomers.filter(({ id }) => expected.members.every((member) => member.id !== id));
      const members = [...expected.members, ...joining].filter(({ id }) => present.includes(id));
      expected = settle(INCREMENTAL, { partitions: before.partitions, members });
    }
    expect(replaceMembers(INCREMENTAL, before, both, order).members).toEqual(expected.members);
  });

  it("one barrier, two pods: what they had goes to one and then to the other", () => {
    const after = replaceMembers(INCREMENTAL, before, both, "one-barrier");
    const union = [...owned(before, "a"), ...owned(before, "c")].toSorted((one, other) => one - other);
    expect([owned(after, "x"), owned(after, "y")].toSorted(([one = 0], [other = 0]) => one - other)).toEqual([
      union.slice(0, 8),
      union.slice(8),
    ]);
  });

  it("hands the topic ids on to each target", () => {
    const topicIds = new Map([
      ["t", "uobc-ad98CJfOeJCQHKPsg"],
      ["u", "RzhJBOOMAUBvAMgAZawQZA"],
    ]);
    const partitions = new Map([
      ["t", 8],
      ["u", 8],
    ]);
    const members = before.members.map((member) => ({ ...member, topics: ["t", "u"], owned: [] }));
    const group = settle(INCREMENTAL, { partitions, topicIds, members });
    const replacement = { leaves: "b", joins: { id: "x", topics: ["t", "u"] } };
    const after = replaceMembers(INCREMENTAL, group, [replacement], "leave-first");
    expect(after.members.flatMap(({ owned: own }) => own)).toHaveLength(16);
  });
});

describe("settle", () => {
  it("takes a second round where a partition has to be given up first", () => {
    const joining = { id: "x", topics: ["t"], owned: [], generation: -1 };
    const group = groupOf(COOPERATIVE, ["a"], 4);
    const members = [...group.members, joining];
    expect([...cooperativeSticky(group.partitions, members).values()].map((own) => own.length)).toEqual([2, 0]);
    const after = settle(COOPERATIVE, { ...group, members });
    expect([owned(after, "a"), owned(after, "x")]).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(after.members.map(({ generation }) => generation)).toEqual([3, 3]);
  });

  it("gives up on a group that moves partitions for ever", () => {
    let turn = 0;
    const restless: Assignor = (_partitions, members) => {
      turn += 1;
      return new Map(
        members.map(({ id }, at) => [id, at === turn % members.length ? [{ topic: "t", partition: 0 }] : []]),
      );
    };
    const group = groupOf(COOPERATIVE, ["a", "b"], 1);
    expect(() => settle({ assign: restless, rebalances: "cooperative" }, group)).toThrow(/does not settle/);
  });
});
