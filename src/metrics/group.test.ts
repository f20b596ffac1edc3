import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { METRICS_OPTIONS } from "../../test/fakes/metrics-options.ts";
import { nameOf } from "../kafka/assignors/assignor.ts";
import type { Prometheus } from "../prometheus/client.ts";
import type { Sample } from "../prometheus/parse.ts";
import type { PodInfo } from "../types.ts";
import { createMetricsGroupSource } from "./group.ts";

const NEVER = new AbortController().signal;
const PODS = [{ name: "a", namePrefix: "a", controller: { kind: "ReplicaSet" } }] as unknown as readonly PodInfo[];
const OPTIONS = { ...METRICS_OPTIONS, queries: { ownership: "OWNERS", partitionRate: 'RATES{topic=~"$topics"}' } };

function row(labels: Record<string, string>, value = 1): Sample {
  return { labels, value };
}

function owner(pod: string, topic: string, partition: number, lag = 1): Sample {
  return row({ pod, topic, partition: String(partition) }, lag);
}

function rate(topic: string, partition: number, value: number): Sample {
  return row({ topic, partition: String(partition) }, value);
}

function read(
  owners: readonly Sample[],
  rates: readonly Sample[] = [],
  options = OPTIONS,
  asked: string[] = [],
  pods = PODS,
) {
  const prometheus: Pick<Prometheus, "query"> = {
    query(what, promql) {
      asked.push(`${what}: ${promql}`);
      return Promise.resolve([...(promql === "OWNERS" ? owners : rates)]);
    },
  };
  return createMetricsGroupSource(prometheus, options, "client-metrics").read(pods, NEVER);
}

describe("what metrics know of a group", () => {
  it("is who owns what, what is written to it, and nothing else", async () => {
    const group = await read(
      [owner("b", "orders", 10, 7), owner("b", "orders", 2, 0), owner("a", "orders", 0, 5)],
      [rate("orders", 2, 20), rate("orders", 0, 0), rate("orders", 3, 4), rate("audit", 0, 900)],
    );
    const member = { clientId: undefined, host: undefined, instanceId: undefined, topics: ["orders"] };
    expect(group).toEqual({
      source: "client-metrics",
      name: "orders",
      type: undefined,
      state: undefined,
      assignor: undefined,
      protocol: undefined,
      topicIds: new Map(),
      members: [
        { ...member, id: "a", pod: "a", owned: [{ topic: "orders", partition: 0 }] },
        {
          ...member,
          id: "b",
          pod: "b",
          owned: [
            { topic: "orders", partition: 2 },
            { topic: "orders", partition: 10 },
          ],
        },
      ],
      partitions: [
        { topic: "orders", partition: 0, rate: 0, lag: 5 },
        { topic: "orders", partition: 2, rate: 20, lag: 0 },
        { topic: "orders", partition: 3, rate: 4, lag: undefined },
        { topic: "orders", partition: 10, rate: undefined, lag: 7 },
      ],
    });
  });

  it("is asked in two queries, the second for the topics that the first named", async () => {
    const asked: string[] = [];
    await read([owner("a", "com.shop", 0), owner("a", "orders", 0)], [], OPTIONS, asked);
    expect(asked).toEqual(["ownership query: OWNERS", 'partition rate query: RATES{topic=~"com[._]shop|orders"}']);
  });

  it.each([
    ["nobody owns anything", [], OPTIONS, ["ownership query: OWNERS"]],
    ["the ownership query is none", [owner("a", "orders", 0)], { ...OPTIONS, queries: { ownership: "none" } }, []],
    ["the profile has none", [owner("a", "orders", 0)], METRICS_OPTIONS, []],
  ])("is nothing where %s", async (_, owners, options, expected) => {
    const asked: string[] = [];
    expect(await read(owners, [], options as typeof OPTIONS, asked)).toBeUndefined();
    expect(asked).toEqual(expected);
  });

  it("is not asked for without pods", async () => {
    const asked: string[] = [];
    expect(await read([owner("a", "orders", 0)], [], OPTIONS, asked, [])).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it("holds no rates where their query is none", async () => {
    const queries = { ...OPTIONS.queries, partitionRate: "none" };
    const group = await read([owner("a", "orders", 0)], [rate("orders", 0, 9)], { ...OPTIONS, queries });
    expect(group?.partitions).toEqual([{ topic: "orders", partition: 0, rate: undefined, lag: 1 }]);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("takes a lag of %d for one that nobody knows", async (lag) => {
    const group = await read([owner("a", "orders", 0, lag)]);
    expect(group?.partitions).toEqual([{ topic: "orders", partition: 0, rate: undefined, lag: undefined }]);
  });

  it("is that the one with a lag owns a partition, where another gave it up", async () => {
    const group = await read([
      owner("a", "com.shop", 0, Number.NaN),
      owner("b", "com_shop", 0, 3),
      owner("a", "x", 0, 9),
    ]);
    expect(group?.members.map(({ id, owned }) => [id, owned.map(nameOf)])).toEqual([
      ["a", ["x 0"]],
      ["b", ["com_shop 0"]],
    ]);
    await expect(read([owner("a", "x", 0, Number.NaN), owner("b", "x", 0, Number.NaN)])).rejects.toMatchObject({
      code: "METRIC_AMBIGUOUS",
    });
  });

  it.each<[Record<string, string>, object]>([
    [{ pod: "a" }, { id: "a", pod: "a" }],
    [
      { pod: "a", clientId: "c" },
      { id: "a/c", pod: "a", clientId: "c" },
    ],
    [
      { client_id: "c", member_host: "/fd00:0:0:0:0:0:0:7" },
      { id: "/fd00:0:0:0:0:0:0:7/c", clientId: "c", host: "fd00::7" },
    ],
    [
      { pod: "a", client_id: "c" },
      { id: "a/c", pod: "a", clientId: "c" },
    ],
    [
      { pod: "a", clientid: "c", client_id: "" },
      { id: "a/c", pod: "a", clientId: "c" },
    ],
    [
      { consumer_id: "c-1", client_id: "c", member_host: "/10.1.2.3" },
      { id: "c-1", pod: undefined, clientId: "c", host: "10.1.2.3" },
    ],
    [{ member_host: "n1.local/10.1.2.3" }, { id: "n1.local/10.1.2.3", host: "10.1.2.3", pod: undefined }],
    [
      { member_host: "10.1.2.3", client_id: "c" },
      { id: "10.1.2.3/c", host: "10.1.2.3", clientId: "c" },
    ],
    [{ client_id: "c" }, { id: "c", clientId: "c", host: undefined }],
  ])("tells members apart by what a row says: %j", async (labels, expected) => {
    const group = await read([row({ topic: "orders", partition: "0", ...labels })]);
    expect(group?.members).toEqual([expect.objectContaining(expected)]);
  });

  it("keeps pods that are not in the list, since they may be of the group all the same", async () => {
    const group = await read([owner("a", "orders", 0), owner("elsewhere", "orders", 1)]);
    expect(group?.members.map(({ pod }) => pod)).toEqual(["a", "elsewhere"]);
  });

  it("calls a topic by its true name, whoever shows it without its dots", async () => {
    const group = await read(
      [owner("a", "com_shop_orders", 0), owner("b", "com.shop.orders", 1), owner("b", "com_shop_orders", 1)],
      [rate("com.shop.orders", 0, 5)],
    );
    expect(group?.members.map(({ owned }) => owned)).toEqual([
      [{ topic: "com.shop.orders", partition: 0 }],
      [{ topic: "com.shop.orders", partition: 1 }],
    ]);
    expect(group?.partitions.map(({ topic, partition }) => [topic, partition])).toEqual([
      ["com.shop.orders", 0],
      ["com.shop.orders", 1],
    ]);
  });
});

describe("rows that are in doubt", () => {
  const sound = owner("a", "orders", 0);

  it.each<[string, Sample[], Sample[], string, string]>([
    [
      "a partition that two pods own",
      [sound, owner("b", "orders", 0)],
      [],
      "METRIC_AMBIGUOUS",
      'ownership query: orders 0 has two rows, {pod="a", topic="orders", partition="0"} and {pod="b", topic="orders", partition="0"}, expected one',
    ],
    [
      "a pod that two clusters have",
      ["eu", "us"].flatMap((cluster) =>
        ["a.b", "a_b"].map((topic) => row({ pod: "a", topic, partition: "0", cluster })),
      ),
      [],
      "METRIC_AMBIGUOUS",
      'ownership query: a.b 0 has two rows, {pod="a", topic="a.b", partition="0", cluster="eu"} and {pod="a", topic="a.b", partition="0", cluster="us"}, expected one',
    ],
    [
      "one that two own under two names",
      [owner("a", "a.b", 0), owner("b", "a_b", 0)],
      [],
      "METRIC_AMBIGUOUS",
      'ownership query: a.b 0 has two rows, {pod="a", topic="a.b", partition="0"} and {pod="b", topic="a_b", partition="0"}, expected one',
    ],
    [
      "a row of nobody",
      [row({ pod: "", topic: "orders", partition: "0" })],
      [],
      "METRIC_INVALID",
      'ownership query: a row has no pod, consumer_id, client_id or member_host label: {pod="", topic="orders", partition="0"}',
    ],
    [
      "a row without a topic",
      [row({ pod: "a", partition: "0" })],
      [],
      "METRIC_INVALID",
      'ownership query: a row has no topic label: {pod="a", partition="0"}',
    ],
    ...["", "-1", "1.5", "0x1", "one", " 1"].map((partition): [string, Sample[], Sample[], string, string] => [
      `a partition label ${JSON.stringify(partition)}`,
      [row({ pod: "a", topic: "orders", partition })],
      [],
      "METRIC_INVALID",
      `ownership query: the partition label of a row is no number: {pod="a", topic="orders", partition=${JSON.stringify(partition)}}`,
    ]),
    ...[Number.NaN, -0.1, Number.POSITIVE_INFINITY].map((value): [string, Sample[], Sample[], string, string] => [
      `a rate of ${value}`,
      [sound],
      [rate("orders", 0, value)],
      "METRIC_INVALID",
      `partition rate query: the rate of orders 0 is ${value}, expected a finite one >= 0: {topic="orders", partition="0"}`,
    ]),
    [
      "two rates of a partition",
      [sound],
      [rate("orders", 0, 1), row({ topic: "orders", partition: "0", job: "x" })],
      "METRIC_AMBIGUOUS",
      'partition rate query: orders 0 has two rows, {topic="orders", partition="0"} and {topic="orders", partition="0", job="x"}, expected one',
    ],
    [
      "a rate without a partition",
      [sound],
      [row({ topic: "orders" })],
      "METRIC_INVALID",
      'partition rate query: the partition label of a row is no number: {topic="orders"}',
    ],
  ])("are refused by name: %s", async (_, owners, rates, code, message) => {
    await expect(read(owners, rates)).rejects.toMatchObject({ code, message });
  });

  it("gives each partition one owner and one load, or an error", async () => {
    const labels = fc.record({
      pod: fc.constantFrom("a", "b", ""),
      topic: fc.constantFrom("orders", "a.b", "a_b", ""),
      partition: fc.constantFrom("0", "1", "x"),
    });
    const rows = fc.array(fc.record({ labels, value: fc.double() }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(rows, rows, async (owners, rates) => {
        const group = await read(owners, rates).catch((thrown: unknown) => {
          expect(thrown).toMatchObject({ code: expect.stringMatching(/^METRIC_(INVALID|AMBIGUOUS)$/) });
        });
        if (group === undefined) return;
        const owned = group.members.flatMap((member) => member.owned.map(nameOf));
        const partitions = group.partitions.map(nameOf);
        expect(new Set(owned).size).toBe(owned.length);
        expect(new Set(partitions).size).toBe(partitions.length);
        expect(owned.filter((one) => !partitions.includes(one))).toEqual([]);
        const amounts = group.partitions.flatMap((partition) => [partition.rate ?? 0, partition.lag ?? 0]);
        for (const amount of amounts) expect(Number.isFinite(amount) && amount >= 0).toBe(true);
      }),
    );
  });
});
