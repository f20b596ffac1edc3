import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { consumerGroupOf, memberOf } from "../../test/fakes/consumer-group.ts";
import type { ConsumerGroup, GroupMember, PartitionLoad } from "../kafka/group.ts";
import { contradictionWithin, unownedPartitions, unsettledPartitions } from "./consistency.ts";

function at(partition: number, topic = "orders") {
  return { topic, partition };
}

function partitions(...numbers: readonly number[]): PartitionLoad[] {
  return numbers.map((partition) => ({ ...at(partition), rate: 1, lag: 0 }));
}

/** Two members with two partitions each. */
function groupOf(changes: Partial<ConsumerGroup> = {}): ConsumerGroup {
  return consumerGroupOf({
    members: [memberOf({ id: "a", owned: [at(0), at(1)] }), memberOf({ id: "b", owned: [at(2), at(3)] })],
    partitions: partitions(0, 1, 2, 3),
    ...changes,
  });
}

function withSecond(changes: Partial<GroupMember>): Partial<ConsumerGroup> {
  const [first] = groupOf().members;
  return { members: [first!, memberOf({ id: "b", owned: [at(2), at(3)], ...changes })] };
}

describe("a group", () => {
  it("that fits together is not held against itself", () => {
    expect(contradictionWithin(groupOf())).toBeUndefined();
    expect(unsettledPartitions(groupOf())).toBeUndefined();
    expect(unownedPartitions(groupOf())).toBeUndefined();
  });

  it.each<[string, Partial<ConsumerGroup>, string]>([
    [
      "owns what is not there, while as many have no owner",
      withSecond({ topics: ["orders", "ghost"], owned: [at(2), at(0, "ghost")] }),
      "b owns ghost-0, and the topics that the group subscribes to have no such partition",
    ],
    ["has a topic with half of its partitions", { partitions: partitions(0, 1) }, "b owns orders-2, and the topics"],
    [
      "owns what it does not subscribe to",
      withSecond({ topics: ["refunds"] }),
      "b owns orders-2, and does not subscribe to orders",
    ],
    ["has two owners of a partition", withSecond({ owned: [at(1), at(2), at(3)] }), "orders-1 is owned by a and by b"],
    [
      "has a member that owns a partition twice",
      withSecond({ owned: [at(2), at(2)] }),
      "orders-2 is owned by b and by b",
    ],
    ["lists a member twice", withSecond({ id: "a" }), "member a is listed twice"],
    ["has a member without an id", withSecond({ id: "" }), "a member has no id"],
    ["lists a partition twice", { partitions: partitions(0, 1, 2, 2, 3) }, "orders-2 is listed twice"],
    ["has a negative partition", { partitions: partitions(-1, 0, 1, 2, 3) }, "orders--1 is no partition"],
    [
      "knows none of the topics that it subscribes to",
      { members: [memberOf({ id: "a", topics: ["orders", "refunds"] })], partitions: [] },
      "none of the topics that the members subscribe to is there: orders, refunds",
    ],
    [
      "subscribes to nothing that is known",
      { members: [memberOf({ id: "a", topics: [] })], partitions: [] },
      "no member is known to subscribe to a topic",
    ],
  ])("contradicts itself where it %s", (_name, changes, clause) => {
    expect(contradictionWithin(groupOf(changes))).toContain(clause);
    // What changes just now need not fit.
    expect(contradictionWithin(groupOf({ ...changes, state: "PreparingRebalance" }))).toBeUndefined();
  });

  it("names the partitions that have no owner, and one that is missing between others", () => {
    const some = groupOf({ partitions: partitions(0, 1, 2, 3, 4, 6) });
    expect(unsettledPartitions(some)).toBe("2 of 6 partitions have no owner: orders-4, orders-6");
    const many = groupOf({ partitions: partitions(...Array.from({ length: 20 }, (_, partition) => partition)) });
    expect(unsettledPartitions(many)).toBe(
      "16 of 20 partitions have no owner: orders-4, orders-5, orders-6, orders-7, orders-8 and 11 more",
    );
    const gap = groupOf({ ...withSecond({ owned: [at(2), at(4)] }), partitions: partitions(0, 1, 2, 4) });
    expect(unsettledPartitions(gap)).toBe("orders-3 is not known, though the topic has partitions behind it");
  });

  it("is not settled while Kafka cannot tell a rate; other sources need not know any", () => {
    const blind = partitions(0, 1, 2, 3).map((one) => (one.partition === 2 ? { ...one, rate: undefined } : one));
    expect(unsettledPartitions(groupOf({ partitions: blind }))).toMatch(/^the rates of 1 of 4 .*: orders-2$/);
    expect(unsettledPartitions(groupOf({ partitions: blind, source: "exporter" }))).toBeUndefined();
  });

  it("is found out whichever partitions change, though their number does not", () => {
    const owners = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 4, maxLength: 12 });
    fc.assert(
      fc.property(owners, fc.nat(), fc.integer({ min: 0, max: 40 }), (deal, seat, other) => {
        const all = deal.map((_, partition) => partition);
        const moved = all.map((partition) => (partition === seat % all.length ? other : partition));
        const members = [0, 1].map((owner) =>
          memberOf({ id: `m${owner}`, owned: moved.filter((_, place) => deal[place] === owner).map((one) => at(one)) }),
        );
        const group = groupOf({ members, partitions: partitions(...all) });
        const fits = other === seat % all.length;
        expect(contradictionWithin(group) === undefined && unsettledPartitions(group) === undefined).toBe(fits);
      }),
    );
  });
});
