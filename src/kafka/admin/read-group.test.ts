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
  const group = {
    errorCode: 0,
    groupId: "orders",
    groupState: "Stable",
    protocolType: "consumer",
    protocolData: "range",
    members,
  };
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

function partitionEnds(...partitions: readonly number[]) {
  const told = partitions.map((partitionIndex) => ({ partitionIndex, errorCode: 0, offset: 100n }));
  return { topics: [{ name: "t", partitions: told }] };
}

function committed(...offsets: readonly number[]) {
  const partitions = offsets.map((offset, partitionIndex) => ({
    partitionIndex,
    errorCode: 0,
    committedOffset: BigInt(offset),
  }));
  return { groups: [{ groupId: "orders", errorCode: 0, topics: [{ name: "t", partitions }] }] };
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

/** Topics with these partitions, all with one id and led by one broker. */
function topics(...all: readonly (readonly [name: string, ...partitions: number[]])[]) {
  const {
    brokers,
    topics: [usual],
  } = placed([1]);
  const made = all.map(([name, ...numbers]) => ({
    ...usual,
    name,
    partitions: numbers.map((partitionIndex) => ({ errorCode: 0, partitionIndex, leaderId: 1, replicaNodes: [1] })),
  }));
  return { brokers, topics: made };
}

/** What there is to say of no partitions. */
const NO_OFFSETS: Answers = {
  "ask for the ends": [{ topics: [] }],
  "ask for the committed": [{ groups: [{ groupId: "orders", errorCode: 0, topics: [] }] }],
};

/** Subscribed to "s" and "t". */
const TO_BOTH_TOPICS = "0003000000020001730001740000000000000000ffffffffffff";

const COORDINATOR = { key: "orders", errorCode: 0, host: "kafka-1", port: 9092 };

const USUAL: Answers = {
  "ask for the versions": [
    { errorCode: 0, apiKeys: VERSIONS.map(([apiKey, version]) => ({ apiKey, minVersion: 0, maxVersion: version })) },
  ],
  "find the coordinator": [{ coordinators: [COORDINATOR] }],
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

/** A group of KIP-848 that owns both partitions of the topic "t" with this id. */
function consumerOf(topicId: string): Answers {
  const assignment = { topicPartitions: [{ topicId, topicName: "t", partitions: [0, 1] }] };
  const one = { memberId: "one", clientId: "app", clientHost: "/10.0.0.7", subscribedTopicNames: ["t"] };
  const members = [{ ...one, assignment, targetAssignment: assignment }];
  const group = { errorCode: 0, groupId: "orders", groupState: "Stable", groupEpoch: 3, assignorName: "uniform" };
  return { "list the groups": [listing("consumer")], "describe group": [{ groups: [{ ...group, members }] }] };
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
    const both = [partitionEnds(0, 2, 4), partitionEnds(1, 3)];
    const { asked } = await read({
      "ask for the partitions": [placed([1], [2], [1], [2], [1])],
      "ask for the ends": [...both, ...both],
      "ask for the committed": [committed(1, 1, 1, 1, 1)],
    });
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
    const { group } = await read({
      "describe group": [classic([member("one", BOTH)], connect)],
      "ask for the partitions": [topics()],
      ...NO_OFFSETS,
    });
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
      // What is committed lies behind the end: that was another log.
      { rate: undefined, lag: undefined },
    ]);
    const leaderless = await read({
      "ask for the partitions": [placed([], [1])],
      "ask for the ends": [partitionEnds(1)],
    });
    expect(leaderless.group.partitions).toMatchObject([
      { rate: undefined, lag: undefined },
      { rate: 0, lag: undefined },
    ]);
    const [usual] = placed([1], [1]).topics;
    const partitions = usual!.partitions.map((one, at) => (at === 0 ? { ...one, errorCode: 5 } : one));
    const electing = await read({
      "ask for the partitions": [{ ...placed([1]), topics: [{ ...usual, partitions }] }],
      "ask for the ends": [partitionEnds(1)],
    });
    expect(electing.group.partitions).toMatchObject([{ rate: undefined }, { rate: 0 }]);
  });

  it("knows no model where racks decide", async () => {
    const inRack = member("one", BOTH, "000300000001000174ffffffff00000000ffffffff00067261636b2d31");
    const apart: Answers = {
      "ask for the partitions": [placed([1, 2], [2, 3])],
      "ask for the ends": [partitionEnds(0), partitionEnds(1), partitionEnds(0), partitionEnds(1)],
    };
    const { group } = await read({ "describe group": [classic([inRack])], ...apart });
    expect(group).toMatchObject({ assignor: "range", protocol: undefined });
    const all = await read({
      "describe group": [classic([inRack])],
      ...apart,
      "ask for the partitions": [placed([1, 2], [2, 1])],
    });
    expect(all.group.protocol).toBe("java-range");
    const dealt = classic([inRack], { protocolData: "roundrobin" });
    expect((await read({ "describe group": [dealt], ...apart })).group.protocol).toBe("java-roundrobin");
  });

  it("of KIP-848 is not stable while its members own partitions of an earlier topic of the same name", async () => {
    const ID = "00112233-4455-6677-8899-aabbccddeeff";
    expect((await read(consumerOf(ID))).group.state).toBe("Stable");
    expect((await read(consumerOf(ID.replace("0", "f")))).group.state).toBe("Reconciling");
  });

  it("writes an IPv6 address as Kubernetes does", async () => {
    const described = classic([{ ...member("one", BOTH), clientHost: "/fd00:0:0:0:0:0:a:7" }]);
    expect((await read({ "describe group": [described] })).group.members[0]?.host).toBe("fd00::a:7");
  });

  it("leaves out topics that are not there", async () => {
    const { group } = await read({
      "ask for the partitions": [{ brokers: [], topics: [{ errorCode: 3, name: "t" }] }],
      ...NO_OFFSETS,
    });
    expect(group).toMatchObject({ partitions: [], topicIds: new Map() });
  });

  it.each<[Answers, string, RegExp]>([
    [
      { "ask for the versions": [{ errorCode: 35, apiKeys: [] }] },
      "REQUEST_REJECTED",
      /^bootstrap:9092 is older than Kafka 2\.4, expected 3\.0 or newer$/,
    ],
    [
      { "ask for the versions": [{ errorCode: 7, apiKeys: [] }] },
      "SERVER_ERROR",
      /^ask for the versions at bootstrap:9092: REQUEST_TIMED_OUT/,
    ],
    [
      { "ask for the versions": [{ errorCode: 0, apiKeys: [] }] },
      "REQUEST_REJECTED",
      /^bootstrap:9092 takes .* Kafka 3\.0 or newer$/,
    ],
    [
      { "find the coordinator": [{ coordinators: [{ ...COORDINATOR, errorCode: 15 }] }] },
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
    [
      { "ask for the committed": [{ groups: [{ groupId: "orders", errorCode: 16, topics: [] }] }] },
      "SERVER_ERROR",
      /NOT_COORDINATOR/,
    ],
    [{ "describe group": [{ groups: [] }] }, "REPLY_INVALID", /the answer says nothing of "orders"; expected each/],
    [
      { "describe group": [classic([], { groupId: "refunds" })] },
      "REPLY_INVALID",
      /^describe group "orders" at kafka-1:9092: the answer speaks of "refunds"; expected each/,
    ],
    [{ "describe group": [classic([], { groupState: "" })] }, "REPLY_INVALID", /the group has no state/],
    [
      { "find the coordinator": [{ coordinators: [{ ...COORDINATOR, key: "refunds" }] }] },
      "REPLY_INVALID",
      /speaks of "refunds"/,
    ],
    [{ "find the coordinator": [{ coordinators: [] }] }, "REPLY_INVALID", /says nothing of "orders"/],
    [
      {
        "list the groups": [{ errorCode: 0, groups: [...listing("classic").groups, ...listing("consumer").groups] }],
      },
      "REPLY_INVALID",
      /group "orders" is listed twice/,
    ],
    [{ "ask for the partitions": [topics()] }, "REPLY_INVALID", /says nothing of "t"/],
    [{ "ask for the partitions": [topics(["t", 0, 1], ["ghost", 0])] }, "REPLY_INVALID", /speaks of "ghost"/],
    [{ "ask for the partitions": [topics(["t", 0], ["t", 1])] }, "REPLY_INVALID", /speaks of "t" twice/],
    [{ "ask for the partitions": [topics(["t"])] }, "REPLY_INVALID", /topic "t" has no partitions/],
    [{ "ask for the partitions": [topics(["t", 0, 0])] }, "REPLY_INVALID", /has a partition 0 among 2/],
    [{ "ask for the partitions": [topics(["t", 1, 2])] }, "REPLY_INVALID", /has a partition 1 among 2/],
    [{ "ask for the partitions": [topics(["t", -1, 0])] }, "REPLY_INVALID", /has a partition -1 among 2/],
    [
      {
        "describe group": [classic([member("one", BOTH, TO_BOTH_TOPICS)])],
        "ask for the partitions": [topics(["s", 0], ["t", 0, 1])],
      },
      "REPLY_INVALID",
      /the topics "s" and "t" have one id, ABEiM0RVZneImaq7zN3u_w; expected one each/,
    ],
    [{ "ask for the ends": [ends(-1, -1)] }, "REPLY_INVALID", /the log of t-0 ends at -1; expected an offset >= 0/],
    [{ "ask for the ends": [ends(100)] }, "REPLY_INVALID", /says nothing of "t-1"/],
    [{ "ask for the ends": [ends(100, 200, 300)] }, "REPLY_INVALID", /speaks of "t-2"/],
    [{ "ask for the committed": [committed(70)] }, "REPLY_INVALID", /says nothing of "t-1"/],
    [{ "ask for the committed": [committed(70, -2)] }, "REPLY_INVALID", /committed for t-1 is -2/],
    [
      { "ask for the committed": [{ groups: [{ groupId: "refunds", errorCode: 0, topics: [] }] }] },
      "REPLY_INVALID",
      /speaks of "refunds"/,
    ],
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
