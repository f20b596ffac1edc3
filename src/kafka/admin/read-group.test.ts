import { describe, expect, it } from "vitest";

import { systemClock } from "../../clock.ts";
import type { Clock } from "../../ports.ts";
import type { Address, Broker, Connections } from "./connections.ts";
import { readGroup } from "./read-group.ts";

const NEVER = new AbortController().signal;

/** What a broker answers, by the beginning of what it is asked; of several answers each once, the last for ever. */
type Answers = Readonly<Record<string, readonly unknown[]>>;

const hex = (text: string) => Buffer.from(text, "hex");
function member(memberId: string, assignment: string, metadata = "000300000001000174ffffffff00000000ffffffffffff") {
  const known = { memberId, clientId: "app", groupInstanceId: null, clientHost: "/10.0.0.7" };
  return { ...known, memberMetadata: hex(metadata), memberAssignment: hex(assignment) };
}

/** Partitions 0 and 1 of the topic "t". */
const BOTH = "000300000001000174000000020000000000000001ffffffff";
const NONE = "000300000000ffffffff";

function classic(members: readonly unknown[], facts: object = {}) {
  const group = { errorCode: 0, groupState: "Stable", protocolType: "consumer", protocolData: "range", members };
  return { groups: [{ ...group, ...facts }] };
}

const VERSIONS = [
  [2, 7],
  [3, 12],
  [9, 8],
  [10, 4],
  [15, 5],
  [16, 5],
];

function listing(groupType: string, groupState = "Stable") {
  return { errorCode: 0, groups: [{ groupId: "orders", groupType, groupState }] };
}

function ends(...offsets: readonly (number | [errorCode: number])[]) {
  const partitions = offsets.map((offset, partitionIndex) =>
    typeof offset === "number"
      ? { partitionIndex, errorCode: 0, offset: BigInt(offset) }
      : { partitionIndex, errorCode: offset[0], offset: -1n },
  );
  return { topics: [{ name: "t", partitions }] };
}

function committed(...offsets: readonly number[]) {
  const partitions = offsets.map((offset, partitionIndex) => ({
    partitionIndex,
    errorCode: 0,
    committedOffset: BigInt(offset),
  }));
  return { groups: [{ errorCode: 0, topics: [{ name: "t", partitions }] }] };
}

/** The topic "t", whose partitions have their replicas on these brokers; the first leads. */
function placed(...replicas: readonly (readonly number[])[]) {
  const partitions = replicas.map((replicaNodes, partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: replicaNodes[0] ?? -1,
    replicaNodes,
  }));
  const topic = { errorCode: 0, name: "t", topicId: "00112233-4455-6677-8899-aabbccddeeff", partitions };
  const brokers = [1, 2, 3].map((nodeId) => ({ nodeId, host: `kafka-${nodeId}`, port: 9092, rack: `rack-${nodeId}` }));
  return { brokers, topics: [topic] };
}

const USUAL: Answers = {
  "ask for the versions": [
    { apiKeys: VERSIONS.map(([apiKey, version]) => ({ apiKey, minVersion: 0, maxVersion: version })) },
  ],
  "find the coordinator": [{ coordinators: [{ errorCode: 0, host: "kafka-1", port: 9092 }] }],
  "list the groups": [listing("classic")],
  "describe group": [classic([member("one", BOTH), member("two", NONE)])],
  "ask for the partitions": [placed([1], [1])],
  "ask for the ends": [ends(100, 200), ends(120, 200)],
  "ask for the committed": [committed(70, -1)],
};

async function to({ host, port }: Address): Promise<Broker> {
  return { where: `${host}:${port}` } as Broker;
}

/** A cluster that answers so, and what it was asked: "describe group at kafka-1:9092". */
function clusterOf(changed: Answers) {
  const answers = new Map(Object.entries({ ...USUAL, ...changed }).map(([what, some]) => [what, [...some]]));
  const asked: string[] = [];
  const connections: Connections = {
    first: () => to({ host: "bootstrap", port: 9092 }),
    to,
    async ask<Reply>({ where }: Broker, what: string) {
      const [known = "", some = []] = [...answers].find(([beginning]) => what.startsWith(beginning)) ?? [];
      asked.push(`${known} at ${where}`);
      return (some.length > 1 ? some.shift() : some[0]) as Reply;
    },
    close: async () => undefined,
  };
  return { connections, asked };
}

/** A clock that stands still but for the pause. */
function pausingClock(): Clock {
  let millis = 0;
  return {
    now: () => new Date(millis),
    async sleep(pause) {
      millis += pause;
    },
  };
}

async function read(changed: Answers = {}) {
  const { connections, asked } = clusterOf(changed);
  const look = { group: "orders", sampleMillis: 2_000, clock: pausingClock() };
  return { group: await readGroup(look, connections, NEVER), asked };
}

describe("a look at a group", () => {
  it("takes members, partitions and loads together", async () => {
    const { group, asked } = await read();
    expect(group).toEqual({
      source: "kafka",
      name: "orders",
      type: "classic",
      state: "Stable",
      assignor: "range",
      protocol: "java-range",
      members: [
        {
          id: "one",
          clientId: "app",
          host: "10.0.0.7",
          instanceId: undefined,
          pod: undefined,
          topics: ["t"],
          owned: [
            { topic: "t", partition: 0 },
            { topic: "t", partition: 1 },
          ],
        },
        {
          id: "two",
          clientId: "app",
          host: "10.0.0.7",
          instanceId: undefined,
          pod: undefined,
          topics: ["t"],
          owned: [],
        },
      ],
      partitions: [
        { topic: "t", partition: 0, rate: 10, lag: 50 },
        { topic: "t", partition: 1, rate: 0, lag: undefined },
      ],
      topicIds: new Map([["t", "ABEiM0RVZneImaq7zN3u_w"]]),
    });
    expect(asked).toHaveLength(9);
  });

  it("asks each leader twice, however many partitions it leads", async () => {
    const { asked } = await read({ "ask for the partitions": [placed([1], [2], [1], [2], [1])] });
    expect(asked.filter((one) => one.startsWith("ask for the ends")).toSorted()).toEqual([
      "ask for the ends at kafka-1:9092",
      "ask for the ends at kafka-1:9092",
      "ask for the ends at kafka-2:9092",
      "ask for the ends at kafka-2:9092",
    ]);
  });

  it.each(["Share", "Streams"])("tells only type and state of a group of the type %s", async (type) => {
    const { group, asked } = await read({ "list the groups": [listing(type, "Empty")] });
    const nothing = { assignor: undefined, protocol: undefined, members: [], partitions: [] };
    expect(group).toMatchObject({ type: type.toLowerCase(), state: "Empty", ...nothing });
    expect(asked).toHaveLength(3);
  });

  it("knows Kafka Streams by its assignor", async () => {
    const { group } = await read({ "describe group": [classic([member("one", BOTH)], { protocolData: "stream" })] });
    expect(group).toMatchObject({ type: "streams", state: "Stable", members: [], protocol: undefined });
  });

  it("does not take what others than consumers write for partitions", async () => {
    const connect = { protocolType: "connect", protocolData: "sessioned" };
    const { group } = await read({ "describe group": [classic([member("one", BOTH)], connect)] });
    expect(group).toMatchObject({ assignor: "sessioned", protocol: undefined, partitions: [] });
    expect(group.members).toMatchObject([{ id: "one", topics: [], owned: [] }]);
  });

  it.each([
    [
      "a member left",
      [classic([member("one", BOTH), member("two", NONE)]), classic([member("one", BOTH)])],
      "PreparingRebalance",
    ],
    ["partitions moved", [classic([member("one", BOTH)]), classic([member("one", NONE)])], "PreparingRebalance"],
    [
      "it was rebalancing at first",
      [classic([member("one", BOTH)], { groupState: "CompletingRebalance" }), classic([member("one", BOTH)])],
      "CompletingRebalance",
    ],
    [
      "it rebalances at last",
      [classic([member("one", BOTH)]), classic([member("one", "", "")], { groupState: "PreparingRebalance" })],
      "PreparingRebalance",
    ],
    ["nothing changed", [classic([member("one", BOTH)]), classic([member("one", BOTH)])], "Stable"],
  ])("is not stable where it is not: %s", async (_name, described, state) => {
    expect((await read({ "describe group": described })).group.state).toBe(state);
  });

  it("knows no rate and no lag where the leader is changing, or the log has become shorter", async () => {
    const moved = await read({
      "ask for the ends": [ends([6], 200), ends(120, 190)],
      "ask for the committed": [committed(70, 195)],
    });
    expect(moved.group.partitions).toMatchObject([
      { rate: undefined, lag: 50 },
      { rate: undefined, lag: 0 },
    ]);
    const leaderless = await read({
      "ask for the partitions": [placed([], [1])],
      "ask for the ends": [{ topics: [] }],
    });
    expect(leaderless.group.partitions).toMatchObject([
      { rate: undefined, lag: undefined },
      { rate: undefined, lag: undefined },
    ]);
  });

  it("knows no model where racks decide", async () => {
    const inRack = member("one", BOTH, "000300000001000174ffffffff00000000ffffffff00067261636b2d31");
    const { group } = await read({
      "describe group": [classic([inRack])],
      "ask for the partitions": [placed([1, 2], [2, 3])],
    });
    expect(group).toMatchObject({ assignor: "range", protocol: undefined });
    const all = await read({
      "describe group": [classic([inRack])],
      "ask for the partitions": [placed([1, 2], [2, 1])],
    });
    expect(all.group.protocol).toBe("java-range");
    const dealt = classic([inRack], { protocolData: "roundrobin" });
    const unaware = await read({ "describe group": [dealt], "ask for the partitions": [placed([1, 2], [2, 3])] });
    expect(unaware.group.protocol).toBe("java-roundrobin");
  });

  it("writes an IPv6 address as Kubernetes does", async () => {
    const described = classic([{ ...member("one", BOTH), clientHost: "/fd00:0:0:0:0:0:a:7" }]);
    expect((await read({ "describe group": [described] })).group.members[0]?.host).toBe("fd00::a:7");
  });

  it("leaves out topics that are not there", async () => {
    const { group } = await read({
      "ask for the partitions": [{ brokers: [], topics: [{ errorCode: 3, name: "t" }] }],
    });
    expect(group).toMatchObject({ partitions: [], topicIds: new Map() });
  });

  it.each<[Answers, string, RegExp]>([
    [
      { "ask for the versions": [{ apiKeys: [] }] },
      "REQUEST_REJECTED",
      /^bootstrap:9092 takes .* Kafka 3\.0 or newer$/,
    ],
    [
      { "find the coordinator": [{ coordinators: [{ errorCode: 15 }] }] },
      "SERVER_ERROR",
      /"orders" at bootstrap:9092: COORDINATOR_NOT_AVAILABLE/,
    ],
    [
      { "list the groups": [{ errorCode: 14, groups: [] }] },
      "SERVER_ERROR",
      /at kafka-1:9092: COORDINATOR_LOAD_IN_PROGRESS/,
    ],
    [
      { "describe group": [classic([], { errorCode: 30 })] },
      "FORBIDDEN",
      /expected the right DESCRIBE on group "orders"$/,
    ],
    [
      { "ask for the partitions": [{ brokers: [], topics: [{ errorCode: 29, name: "t" }] }] },
      "FORBIDDEN",
      /the right DESCRIBE on topic "t"$/,
    ],
    [{ "ask for the ends": [ends([29], 1)] }, "FORBIDDEN", /the right DESCRIBE on topic "t"$/],
    [{ "ask for the committed": [{ groups: [{ errorCode: 16, topics: [] }] }] }, "SERVER_ERROR", /NOT_COORDINATOR/],
    [{ "describe group": [{ groups: [] }] }, "REQUEST_REJECTED", /UNKNOWN_SERVER_ERROR/],
  ])("fails, and says why: %#", async (answers, code, message) => {
    await expect(read(answers)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("ends with the pause", async () => {
    const { connections } = clusterOf({});
    const stopped = AbortSignal.abort(new Error("stopped"));
    const look = { group: "orders", sampleMillis: 60_000, clock: systemClock };
    await expect(readGroup(look, connections, stopped)).rejects.toThrow("stopped");
  });
});
