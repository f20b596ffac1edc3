/** Who owns which partition, and what is written to it, on real engines: the same series, one evaluation time, the same truth. */

import { describe, expect, it } from "vitest";

import { ownershipOf } from "../../src/forecast/ownership.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import { fetchSignals, KINDS, missing, podInfo, readGroup, useEngines } from "./engines.ts";
import {
  backfilled,
  clientPartition,
  counter,
  currentOffset,
  gauge,
  latestOffset,
  type MemberPartition,
  memberPartition,
  NOW,
  RECORDS_CONSUMED,
  type Series,
} from "./series.ts";

const PREFIX = "consumer-5d8f7c9b-";
/** Nothing in it is safe in a query, in any quotes or in a regular expression. */
const ODD_GROUP = `or"d'e\`r\\s|.*{}\n$pods ü`;

function podsIn(namespace: string, ...names: string[]) {
  return names.map((name, index) => ({
    ...podInfo(`${PREFIX}${name}`, PREFIX, "ReplicaSet", namespace),
    ip: `10.2.0.${index + 1}`,
  }));
}

const pods = podsIn("shop", "a", "b");

function owns(address: string, topic: string, partition: number, rest: Partial<MemberPartition> = {}): Series[] {
  return memberPartition({ address, topic, partition, lag: 100, perSecond: 1, ...rest });
}

const exporter: readonly Series[] = [
  ...owns("10.2.0.1", "com.shop.orders", 0),
  ...owns("10.2.0.1", "com.shop.orders", 1, { lag: 0 }),
  // Until a minute ago this one was the first pod's too.
  ...owns("10.2.0.1", "com.shop.orders", 2, { span: { to: -60 } }),
  ...owns("10.2.0.2", "com.shop.orders", 2, { span: { from: -59 }, lag: 300 }),
  // A consumer that is not of Kubernetes, with a lag that is not known.
  ...owns("192.0.2.7", "refunds", 0, { lag: -1 }),
  ...[10, 20, 30, 5].map((perSecond, partition) => latestOffset("com.shop.orders", partition, perSecond)),
  latestOffset("refunds", 0, 7),
  // What is not of this group: other topics, the same topic in another Kafka, other groups.
  latestOffset("audit", 0, 900),
  latestOffset("com.shop.orders", 0, 900, { cluster_name: "other" }),
  ...owns("10.2.0.2", "com.shop.orders", 0, { labels: { group: "orders-eu" } }),
  ...owns("10.2.0.2", "odd", 0, { labels: { group: ODD_GROUP } }),
  latestOffset("odd", 0, 3),
  ...owns("10.2.0.1", "stopped", 0, { labels: { group: "stopped" }, span: { to: -170 } }),
  ...owns("unknown", "left", 0, { labels: { group: "left", member_host: "unknown", consumer_id: "unknown" } }),
  ...owns("10.2.0.1", "two-kafkas", 0, { labels: { group: "twice" } }),
  ...owns("10.2.0.2", "two-kafkas", 0, { labels: { group: "twice", cluster_name: "other" } }),
  // Two members that own a partition at once, each of the same scrape; an old lag beside the true one.
  ...owns("10.2.0.1", "torn", 0, { lag: 50_000, labels: { group: "torn" } }),
  ...owns("10.2.0.2", "torn", 0, { lag: 10, labels: { group: "torn" } }),
  ...owns("10.2.0.2", "torn", 1, { lag: 20, labels: { group: "torn" } }),
  // The same, but the first of them gave it up.
  ...owns("10.2.0.1", "given-up", 0, { lag: Number.NaN, labels: { group: "given-up" } }),
  ...owns("10.2.0.2", "given-up", 0, { lag: 10, labels: { group: "given-up" } }),
  ...owns("10.2.0.1", "given-up", 1, { lag: 20, labels: { group: "given-up" } }),
];

function clientOf(namespace: string, name: string, id = "consumer-orders-1") {
  return { namespace, pod: `${PREFIX}${name}`, client_id: id, kafka_version: "4.1.0" };
}

const clients: readonly Series[] = [
  // A new client shows a topic with dots twice, an old one only without them.
  ...["com.shop.orders", "com_shop_orders"].flatMap((topic) => [
    ...clientPartition(clientOf("shop", "a"), topic, 0, 40),
    ...clientPartition(clientOf("shop", "a"), topic, 1),
  ]),
  ...clientPartition(clientOf("shop", "b"), "com_shop_refunds", 0, 0),
  ...clientPartition(clientOf("shop", "b", "consumer-orders-2"), "com_shop_refunds", 1, 8),
  ...clientPartition(clientOf("shop", "gone"), "com.shop.orders", 1, 900, { to: -170 }),
  ...clientPartition(clientOf("shop-eu", "a"), "com.shop.orders", 0, 900),
  currentOffset("com.shop.orders", 0, 10),
  // Of its exporter another pod has taken over within the window.
  currentOffset("com.shop.orders", 1, 20, {}, { to: -170 }),
  currentOffset("com.shop.orders", 1, 20, { pod: "kafka-exporter-1" }, { from: -169 }),
  currentOffset("com.shop.orders", 2, 30),
  currentOffset("com.shop.refunds", 0, 40, {}, { to: -105, replicas: ["a"] }),
  currentOffset("com.shop.refunds", 1, 50, {}, { to: -170 }),
  currentOffset("com.shop.refunds", 2, 60, {}, { from: -120 }),
  currentOffset("com-shop-orders", 0, 900),
  // Two at once.
  ...clientPartition(clientOf("rivals", "a"), "contested", 0, 1),
  ...clientPartition(clientOf("rivals", "b"), "contested", 0, 1),
  // Three consumers of one pod, which no label that is known tells apart.
  ...["x", "y", "z"].flatMap((name, partition) => [
    ...clientPartition({ namespace: "blurred", pod: `${PREFIX}a`, consumer_name: name }, "blurred", partition, 7),
    counter(RECORDS_CONSUMED, { namespace: "blurred", pod: `${PREFIX}a`, consumer_name: name, topic: "blurred" }, 600),
  ]),
  // One consumer, whose metrics Micrometer binds twice.
  ...[{ spring_id: "factory.consumer-orders-1" }, { kafka_version: "4.1.0" }].flatMap((binding) => {
    const client = { namespace: "bound-twice", pod: `${PREFIX}a`, client_id: "consumer-orders-1", ...binding };
    return [
      ...clientPartition(client, "bound", 0, 7),
      ...clientPartition(client, "bound", 1),
      counter(RECORDS_CONSUMED, { ...client, topic: "bound" }, 600),
    ];
  }),
  // The same topic in two Kafkas.
  ...clientPartition(clientOf("kafkas", "a"), "both", 0, 1),
  currentOffset("both", 0, 1, { job: "kafka-one" }),
  currentOffset("both", 0, 900, { job: "kafka-two" }),
  // Nobody shows its offsets.
  ...clientPartition(clientOf("alone", "a"), "unseen", 0, 12),
];

function numberOf(value: number | undefined): string {
  return value === undefined ? "?" : String(Number(value.toFixed(2)));
}

/** Each partition as "topic/number: rate, lag", after who owns it. */
function told(group: ConsumerGroup | undefined): Record<string, string[]> | undefined {
  if (group === undefined) return undefined;
  const owned = new Map(
    group.members.flatMap(({ id, owned: own }) => own.map((one) => [`${one.topic}/${one.partition}`, id])),
  );
  const lines = group.partitions.map(({ topic, partition, rate, lag }) => {
    const name = `${topic}/${partition}`;
    return { owner: owned.get(name) ?? "nobody", line: `${name}: ${numberOf(rate)}/s, ${numberOf(lag)}` };
  });
  const byOwner = Map.groupBy(lines, ({ owner }) => owner);
  return Object.fromEntries([...byOwner].map(([owner, all]) => [owner, all.map(({ line }) => line)]));
}

describe.skipIf(missing !== undefined)("the group in back-filled metrics", () => {
  const urlOf = useEngines(backfilled([...exporter, ...clients, gauge("up", { job: "x" }, 1)]));

  describe.each(KINDS)("%s", (kind) => {
    const engine = () => ({ url: urlOf(kind), time: NOW });

    describe("profile kafka-lag-exporter", () => {
      const profile = "kafka-lag-exporter";

      it("knows each partition's owner of now, its rate and its lag, and those that nobody owns", async () => {
        const group = await readGroup(engine(), pods, { profile });
        expect(group).toMatchObject({ source: "exporter", name: "orders" });
        expect(told(group)).toEqual({
          "consumer-1-10.2.0.1": ["com.shop.orders/0: 10/s, 100", "com.shop.orders/1: 20/s, 0"],
          "consumer-1-10.2.0.2": ["com.shop.orders/2: 30/s, 300"],
          nobody: ["com.shop.orders/3: 5/s, ?"],
          "consumer-1-192.0.2.7": ["refunds/0: 7/s, ?"],
        });
      });

      it("lets members be found by their addresses", async () => {
        const group = await readGroup(engine(), pods, { profile });
        const { owners } = ownershipOf(group!, pods);
        expect(owners.map(({ pod, load }) => [pod, Math.round(load ?? 0)])).toEqual([
          [`${PREFIX}a`, 30],
          [`${PREFIX}b`, 30],
          [undefined, 7],
        ]);
      });

      it("reads a group whatever its name", async () => {
        const group = await readGroup(engine(), pods, { profile, group: ODD_GROUP });
        expect(told(group)).toEqual({ "consumer-1-10.2.0.2": ["odd/0: 3/s, 100"] });
      });

      it.each(["stopped", "left", "unheard-of", ""])(
        "knows nothing of a group that is not seen, or has no members: %j",
        async (group) => {
          expect(await readGroup(engine(), pods, { profile, group })).toBeUndefined();
        },
      );

      it("refuses a group that two Kafka clusters have", async () => {
        await expect(readGroup(engine(), pods, { profile, group: "twice" })).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(/^ownership query: two-kafkas 0 has two rows, .*cluster_name="/),
        });
      });

      it("refuses a partition that two members own at once, whatever is asked of it", async () => {
        const changes = { profile, group: "torn" } as const;
        await expect(readGroup(engine(), pods, changes)).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(/^ownership query: torn 0 has two rows, .*10\.2\.0\..* and .*10\.2\.0\./),
        });
        for (const signal of ["lag", "rate"] as const) {
          const queries = { cpu: "none", lag: "none", rate: "none", memory: "none", [signal]: undefined } as object;
          await expect(fetchSignals(engine(), pods, { ...changes, queries })).rejects.toMatchObject({
            code: "METRIC_AMBIGUOUS",
            message: expect.stringMatching(/^(lag|rate) query: torn 0 has two rows, .*10\.2\.0\..* and .*10\.2\.0\./),
          });
        }
      });

      it("takes the lag that is a number, where another member gave the partition up", async () => {
        const group = await readGroup(engine(), pods, { profile, group: "given-up" });
        expect(told(group)).toEqual({
          "consumer-1-10.2.0.2": ["given-up/0: ?/s, 10"],
          "consumer-1-10.2.0.1": ["given-up/1: ?/s, 20"],
        });
        const { lag } = await fetchSignals(engine(), pods, { profile, group: "given-up" });
        expect([...(lag?.values ?? [])]).toEqual([
          [`${PREFIX}a`, 20],
          [`${PREFIX}b`, 10],
        ]);
      });

      it("reads one replica alone when no label tells replicas apart", async () => {
        const changes = { matchers: 'prometheus_replica="b"', replicaLabels: [] };
        const group = await readGroup(engine(), pods, { profile, ...changes });
        expect(group?.partitions).toHaveLength(5);
      });
    });

    describe("profile java-client", () => {
      const profile = "java-client";

      it("knows each partition's owner, idle or not, under its true name", async () => {
        const group = await readGroup(engine(), pods, { profile });
        expect(group).toMatchObject({ source: "client-metrics", name: "orders" });
        expect(told(group)).toEqual({
          [`${PREFIX}a/consumer-orders-1`]: ["com.shop.orders/0: 10/s, 40", "com.shop.orders/1: 20/s, ?"],
          [`${PREFIX}b/consumer-orders-1`]: ["com.shop.refunds/0: 40/s, 0"],
          [`${PREFIX}b/consumer-orders-2`]: ["com.shop.refunds/1: ?/s, 8"],
          nobody: ["com.shop.orders/2: 30/s, ?"],
        });
      });

      it("knows no rates where nobody shows offsets", async () => {
        const group = await readGroup(engine(), podsIn("alone", "a"), { profile, namespace: "alone" });
        expect(told(group)).toEqual({ [`${PREFIX}a/consumer-orders-1`]: ["unseen/0: ?/s, 12"] });
      });

      it("knows nothing where no consumer shows itself", async () => {
        expect(await readGroup(engine(), podsIn("empty", "a"), { profile, namespace: "empty" })).toBeUndefined();
      });

      it("refuses a partition that two pods own", async () => {
        const namespace = "rivals";
        await expect(readGroup(engine(), podsIn(namespace, "a", "b"), { profile, namespace })).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(/^ownership query: contested 0 has two rows, .*9b-a".* and .*9b-b"/),
        });
      });

      it("refuses consumers that no label tells apart, and shows what it has", async () => {
        const namespace = "blurred";
        const [own] = podsIn(namespace, "a");
        await expect(readGroup(engine(), [own!], { profile, namespace })).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(
            /^ownership query: two clients of pod .*-a have none of the labels .*consumer_name="([xyz])".* and .*consumer_name="(?!\1)[xyz]"/,
          ),
        });
        const queries = { cpu: "none", lag: "none", memory: "none" };
        await expect(fetchSignals(engine(), [own!], { profile, namespace, queries })).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(
            /^rate query: two clients of pod .*-a have none of the labels .*consumer_name="([xyz])".* and .*consumer_name="(?!\1)[xyz]"/,
          ),
        });
        // Other pods are not concerned.
        const other = await fetchSignals(engine(), podsIn(namespace, "b"), { profile, namespace, queries });
        expect(other.rate?.values.size).toBe(0);
      });

      it("takes the metrics of one consumer that are bound twice for one", async () => {
        const namespace = "bound-twice";
        const [own] = podsIn(namespace, "a");
        const group = await readGroup(engine(), [own!], { profile, namespace });
        expect(group?.members).toHaveLength(1);
        expect(group?.partitions.map(({ partition, lag }) => [partition, lag])).toEqual([
          [0, 7],
          [1, undefined],
        ]);
        const queries = { cpu: "none", lag: "none", memory: "none" };
        const { rate } = await fetchSignals(engine(), [own!], { profile, namespace, queries });
        expect([...(rate?.values.values() ?? [])].map((value) => Math.round(value))).toEqual([600]);
        const lags = await fetchSignals(engine(), [own!], {
          profile,
          namespace,
          queries: { cpu: "none", rate: "none", memory: "none" },
        });
        expect(lags.lag?.values.get(own!.name)).toBe(7);
      });

      it("refuses the rates of two Kafka clusters", async () => {
        const namespace = "kafkas";
        await expect(readGroup(engine(), podsIn(namespace, "a"), { profile, namespace })).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(/^partition rate query: both 0 has two rows, .*kafka-(one|two)/),
        });
      });

      it("reads one replica alone when no label tells replicas apart", async () => {
        const changes = { matchers: 'prometheus_replica="a"', replicaLabels: [] };
        const group = await readGroup(engine(), pods, { profile, ...changes });
        expect(group?.partitions.map(({ rate }) => rate?.toFixed(0))).toEqual(["10", "20", "30", "40", undefined]);
      });
    });

    it("asks custom queries, with the group and its topics replaced", async () => {
      const queries = {
        ownership: `max by (client_id, topic, partition) (kafka_consumergroup_group_lag{group='$group',$matchers})`,
        partitionRate: `max by (topic, partition) (rate(kafka_partition_latest_offset{topic=~"$topics"}[$window]))`,
      };
      const group = await readGroup(engine(), pods, { queries, group: ODD_GROUP });
      expect(told(group)).toEqual({ "consumer-1": ["odd/0: 3/s, 100"] });
    });
  });
});
