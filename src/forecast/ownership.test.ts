import { describe, expect, it } from "vitest";

import { consumerGroupOf, memberOf } from "../../test/fakes/consumer-group.ts";
import { podsNamed } from "../../test/fakes/pods.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import { contradictionIn, ownershipOf } from "./ownership.ts";

function groupOf(members: readonly Partial<GroupMember>[], changes: Partial<ConsumerGroup> = {}): ConsumerGroup {
  return consumerGroupOf({
    members: members.map((member, seat) => memberOf({ id: `m${seat}`, ...member })),
    partitions: [0, 1, 2, 3].map((partition) => ({ topic: "orders", partition, rate: 10 * (partition + 1), lag: 0 })),
    ...changes,
  });
}

function at(partition: number) {
  return { topic: "orders", partition };
}

describe("who owns what", () => {
  it.each<[string, Partial<GroupMember>]>([
    ["what the source says", { pod: "orders-1" }],
    ["a client id that is the pod's name", { clientId: "orders-1" }],
    ["a client id that begins with it", { clientId: "orders-1-consumer-3" }],
    ["an instance id", { clientId: "rdkafka", instanceId: "orders-1" }],
    ["the pod's address", { clientId: "rdkafka", host: "10.0.0.1" }],
  ])("is told by %s", (_, member) => {
    const { owners, podsWithoutMember } = ownershipOf(
      groupOf([member]),
      podsNamed(["orders-0", "orders-1", "orders-10"]),
    );
    expect(owners.map(({ pod }) => pod)).toEqual(["orders-1"]);
    expect(podsWithoutMember).toEqual(["orders-0", "orders-10"]);
  });

  it("prefers the longest name that fits", () => {
    const { owners } = ownershipOf(groupOf([{ clientId: "orders-1-0-a" }]), podsNamed(["orders-1", "orders-1-0"]));
    expect(owners.map(({ pod }) => pod)).toEqual(["orders-1-0"]);
  });

  it("does not tell by an address that two pods share", () => {
    const pods = podsNamed(["a", "b"]).map((pod) => ({ ...pod, ip: "10.0.0.9" }));
    expect(ownershipOf(groupOf([{ host: "10.0.0.9" }]), pods).owners.map(({ pod }) => pod)).toEqual([undefined]);
  });

  it("goes by addresses where Java numbers the consumers of each process like pods", () => {
    const pods = podsNamed(["consumer-orders-0", "consumer-orders-1", "consumer-orders-2"]);
    const members = [2, 1, 0].map((pod) => ({ clientId: "consumer-orders-1", host: `10.0.0.${pod}` }));
    const { owners, podsWithoutMember, mismatch } = ownershipOf(groupOf(members), pods);
    expect(owners.map(({ pod, members: [member] }) => [pod, member?.id])).toEqual([
      ["consumer-orders-0", "m2"],
      ["consumer-orders-1", "m1"],
      ["consumer-orders-2", "m0"],
    ]);
    expect([podsWithoutMember, mismatch]).toEqual([[], undefined]);
  });

  it("knows no pod of a member from elsewhere whose number is like a pod's name", () => {
    const pods = podsNamed(["consumer-orders-0", "consumer-orders-1"]);
    const members = ["10.0.0.0", "10.0.0.1", "10.9.9.9"].map((host) => ({ clientId: "consumer-orders-1", host }));
    expect(ownershipOf(groupOf(members), pods).owners.map(({ pod }) => pod)).toEqual([
      ...pods.map(({ name }) => name),
      undefined,
    ]);
  });

  it("knows no pod by numbers that several members behind one address have", () => {
    const pods = podsNamed(["consumer-orders-0", "consumer-orders-1", "consumer-orders-2"]);
    const members = pods.flatMap(() =>
      pods.map(({ name }, number) => ({ clientId: name, host: "192.168.0.9", owned: [at(number)] })),
    );
    const { owners, podsWithoutMember } = ownershipOf(groupOf(members), pods);
    expect(owners.map(({ pod }) => pod)).toEqual(members.map(() => undefined));
    expect(podsWithoutMember).toEqual(pods.map(({ name }) => name));
  });

  it.each([
    ["the pods' own addresses", ["10.0.0.0", "10.0.0.1", "10.0.0.0"], ["consumer-orders-0", "consumer-orders-1"]],
    ["one address of all", ["192.168.0.9", "192.168.0.9", "192.168.0.9"], [undefined, undefined, undefined]],
  ])("takes a number for none where others of its series have several members, at %s", (_name, hosts, expected) => {
    const numbers = ["consumer-orders-1", "consumer-orders-1", "consumer-orders-2"];
    const members = numbers.map((clientId, seat) => ({ clientId, host: hosts[seat]! }));
    const pods = podsNamed(["consumer-orders-0", "consumer-orders-1", "consumer-orders-2"]);
    const { owners, mismatch } = ownershipOf(groupOf(members), pods);
    expect([owners.map(({ pod }) => pod), mismatch]).toEqual([expected, undefined]);
  });

  it("goes by an id of several members where each of them has the address of the pod that it names", () => {
    const members = ["orders-0", "orders-0", "orders-1"].map((clientId) => ({ clientId, host: "10.0.0.0" }));
    const { owners, mismatch } = ownershipOf(groupOf(members), podsNamed(["orders-0", "orders-1"]));
    expect(owners.map(({ pod, members: own }) => [pod, own.length])).toEqual([
      ["orders-0", 2],
      [undefined, 1],
    ]);
    expect(mismatch).toMatch(/^member m2 /);
  });

  it.each<[string, string | undefined]>([
    ["of a sidecar, which all have", "127.0.0.6"],
    ["of a node", "192.168.0.9"],
    ["that is not known", undefined],
  ])("goes by the ids where the address is that %s", (_name, host) => {
    const members = ["a", "b", "b-2"].map((clientId) => ({ clientId, ...(host !== undefined && { host }) }));
    const { owners, mismatch } = ownershipOf(groupOf(members), podsNamed(["a", "b"]));
    expect(owners.map(({ pod, members: own }) => [pod, own.length])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    expect(mismatch).toBeUndefined();
  });

  it("goes by the ids where pods share their node's address", () => {
    const pods = podsNamed(["a", "b"]).map((pod) => ({ ...pod, ip: "192.168.0.9" }));
    const members = ["a", "b"].map((clientId) => ({ clientId, host: "192.168.0.9" }));
    expect(ownershipOf(groupOf(members), pods).owners.map(({ pod }) => pod)).toEqual(["a", "b"]);
  });

  it("knows an IPv6 address however it is written", () => {
    const pods = podsNamed(["a"]).map((pod) => ({ ...pod, ip: "fd00::a:7" }));
    expect(ownershipOf(groupOf([{ host: "/fd00:0:0:0:0:0:A:7" }]), pods).owners[0]?.pod).toBe("a");
  });

  it.each<[string, Partial<GroupMember>, string]>([
    [
      "client id and address",
      { clientId: "orders-1-7", host: "10.0.0.0" },
      "member m0 has the address 10.0.0.0, which is that of orders-0, and the client.id orders-1-7, which names orders-1",
    ],
    [
      "instance id and address",
      { instanceId: "orders-1", host: "10.0.0.0" },
      "member m0 has the address 10.0.0.0, which is that of orders-0, and the group.instance.id orders-1, which names orders-1",
    ],
    [
      "client id and instance id",
      { clientId: "orders-0", instanceId: "orders-1" },
      "member m0 has the client.id orders-0, which is that of orders-0, and the group.instance.id orders-1, which names orders-1",
    ],
  ])("does not choose between %s that name two pods", (_name, member, clause) => {
    const { owners, mismatch } = ownershipOf(groupOf([member]), podsNamed(["orders-0", "orders-1"]));
    expect(owners.map(({ pod }) => pod)).toEqual([undefined]);
    expect(mismatch).toBe(clause);
  });

  it("adds up the members of a pod, and keeps those without a pod apart, behind the pods", () => {
    const members = [
      { clientId: "elsewhere", owned: [at(3)] },
      { clientId: "b-1", owned: [at(0)] },
      { clientId: "a", owned: [at(1)] },
      { clientId: "b-2", owned: [at(2)] },
    ];
    const { owners } = ownershipOf(groupOf(members), podsNamed(["a", "b"]));
    expect(owners.map(({ pod, load, members: own }) => [pod, load, own.length])).toEqual([
      ["a", 20, 1],
      ["b", 40, 2],
      [undefined, 40, 1],
    ]);
  });

  it("does not know a load of which one rate is unknown", () => {
    const partitions = [{ ...at(0), rate: 5, lag: 0 }];
    const group = groupOf([{ clientId: "a", owned: [at(0), at(7)] }], { partitions });
    expect(ownershipOf(group, podsNamed(["a"])).owners[0]?.load).toBeUndefined();
  });
});

describe("two sources", () => {
  const pods = podsNamed(["a", "b"]);
  const kafka = ownershipOf(
    groupOf([
      { clientId: "a", owned: [at(0)] },
      { clientId: "b", owned: [at(1)] },
    ]),
    pods,
  );
  const other = (members: readonly Partial<GroupMember>[]) =>
    ownershipOf(groupOf(members, { source: "client-metrics" }), pods);

  it("agree where neither names another pod for a partition", () => {
    expect(contradictionIn(kafka, other([{ pod: "a", owned: [at(0), at(2)] }]))).toBeUndefined();
    expect(contradictionIn(kafka, other([{ pod: "elsewhere", owned: [at(1)] }]))).toBeUndefined();
  });

  it("contradict each other where they name two", () => {
    expect(contradictionIn(kafka, other([{ pod: "b", owned: [at(0)] }]))).toBe(
      "orders-0 is owned by a (kafka) and by b (client-metrics)",
    );
  });
});
