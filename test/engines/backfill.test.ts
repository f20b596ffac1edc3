/** Every query of every profile on real engines: the same series, one evaluation time, the same truth. */

import { beforeAll, describe, expect, it } from "vitest";

import { PROFILES, type MetricsProfile } from "../../src/metrics/profiles.ts";
import { podsPattern, queryOf } from "../../src/metrics/queries.ts";
import { SIGNALS, type Signals } from "../../src/types.ts";
import { METRICS_OPTIONS } from "../fakes/metrics-options.ts";
import { startPrometheus } from "../harness/prometheus.ts";
import { type Case, CASES, MIB, PREFIX, STRANGERS } from "./cases.ts";
import { expectClose, fetchSignals, KINDS, missing, podInfo, podsOfRows, told, useEngines } from "./engines.ts";
import { addressOf, backfilled, cadvisor, lagExporter, micrometer, NOW, seedExporter, type Series } from "./series.ts";

const profiles = Object.keys(PROFILES) as MetricsProfile[];

/** All signals of one sound pod. */
function podSeries(labels: Record<string, string>, cpuCores: number, lag = 10): Series[] {
  return [
    ...cadvisor(labels, [{ cpuCores, memoryBytes: 100 * MIB }]),
    ...seedExporter(labels, [lag], 5),
    ...micrometer(labels, [lag], 5),
    ...lagExporter(labels, [lag], 5),
  ];
}

// A StatefulSet, its neighbours by name, and its namesakes in another namespace.
const STATEFUL = "stateful";
const ordinals = ["consumer-0", "consumer-1", "consumer-10"];
const statefulPods = ordinals.map((name) => podInfo(name, "consumer-", "StatefulSet", STATEFUL));
const stateful = [
  ...ordinals.flatMap((pod, index) => podSeries({ namespace: STATEFUL, pod }, index + 1)),
  ...["consumer-eu-0", "consumer-eu-1", "consumer-0-debug"].flatMap((pod) =>
    podSeries({ namespace: STATEFUL, pod }, 50),
  ),
  ...ordinals.flatMap((pod) => podSeries({ namespace: "stateful-eu", pod }, 60)),
];

// A name with dots, a neighbour that an unescaped dot would catch, and a name that the API server cut at 58 characters.
const DOTTED = "dotted";
const LONG = "a-very-long-name-of-a-consumer-that-is-cut-by-the-api-serv";
const dottedPods = [
  podInfo("consumer.v2-6d4cf5-x2k9q", "consumer.v2-6d4cf5-", "ReplicaSet", DOTTED),
  podInfo(`${LONG}m4tqz`, LONG, "ReplicaSet", DOTTED),
];
const dotted = [...dottedPods.map(({ name }) => name), "consumer-v2-6d4cf5-x2k9q"].flatMap((pod, index) =>
  podSeries({ namespace: DOTTED, pod }, index + 1),
);

// One pod name in two clusters whose metrics meet in one server.
const TWICE = "twice";
const twicePod = {
  ...podInfo("consumer-1-aaaaa", "consumer-1-"),
  ip: addressOf({ namespace: TWICE, pod: "consumer-1-aaaaa", cluster: "eu" }),
};
const twice = ["eu", "us"].flatMap((cluster, index) =>
  podSeries({ namespace: TWICE, pod: twicePod.name, cluster }, index + 1),
);

// A thousand pods, each different.
const MANY = "many";
const BIG_PREFIX = "worker-77c9d8b6f4-";
const many = Array.from({ length: 1_000 }, (_, index) => ({
  pod: podInfo(`${BIG_PREFIX}${index.toString(5).padStart(5, "b")}`, BIG_PREFIX, "ReplicaSet", MANY),
  cpu: 0.01 + index / 500,
  lag: index * 3,
}));
const manySeries = many.flatMap(({ pod, cpu, lag }) => podSeries({ namespace: MANY, pod: pod.name }, cpu, lag));

const casePods = CASES.map(({ pod, address }) => ({ ...podInfo(pod, PREFIX), ip: address }));
const everything = backfilled([
  ...CASES.flatMap((each) => each.series),
  ...STRANGERS,
  ...stateful,
  ...dotted,
  ...twice,
  ...manySeries,
]);

describe.skipIf(missing !== undefined)("back-filled metrics", () => {
  const urlOf = useEngines(everything);

  describe.each(KINDS)("%s", (kind) => {
    const engine = () => ({ url: urlOf(kind), time: NOW });

    describe.each(profiles)("profile %s", (profile) => {
      let signals: Signals;
      beforeAll(async () => {
        signals = await fetchSignals(engine(), casePods, { profile });
      });
      const cases = CASES.filter((each) => each.profiles.includes(profile));

      it.each(cases)("$why", (each: Case) => {
        const expected = { ...each.expected, ...each.expectedOf[kind] };
        for (const signal of SIGNALS) expectClose(told(signals[signal], each.pod), expected[signal]);
      });

      it("knows no pod but those of the list", () => {
        const known = new Set(casePods.map(({ name }) => name));
        for (const signal of SIGNALS) {
          const named = [...(signals[signal]?.values.keys() ?? []), ...(signals[signal]?.rejected ?? [])];
          expect(named.filter((pod) => !known.has(pod))).toEqual([]);
        }
      });

      it("reads a StatefulSet's pods, and asks for no neighbour's", async () => {
        const { cpu, lag } = await fetchSignals(engine(), statefulPods, { profile, namespace: STATEFUL });
        ordinals.forEach((name, index) => expectClose(told(cpu, name), index + 1));
        expect(lag?.values.size).toBe(3);
        const query = queryOf("memory", statefulPods, { ...METRICS_OPTIONS, profile, namespace: STATEFUL });
        expect(await podsOfRows(engine(), query ?? "")).toEqual(ordinals);
      });

      it("reads names with dots and names that were cut, and asks for no neighbour's", async () => {
        const { cpu } = await fetchSignals(engine(), dottedPods, { profile, namespace: DOTTED });
        dottedPods.forEach(({ name }, index) => expectClose(told(cpu, name), index + 1));
        const query = queryOf("memory", dottedPods, { ...METRICS_OPTIONS, profile, namespace: DOTTED });
        expect(await podsOfRows(engine(), query ?? "")).toEqual(dottedPods.map(({ name }) => name).toSorted());
      });

      it("reads 1,000 pods", async () => {
        const pods = many.map(({ pod }) => pod);
        const { cpu, lag, rate, memory } = await fetchSignals(engine(), pods, { profile, namespace: MANY });
        for (const each of many) {
          expectClose(told(cpu, each.pod.name), each.cpu);
          expectClose(told(lag, each.pod.name), each.lag);
          expectClose(told(rate, each.pod.name), 5);
          expectClose(told(memory, each.pod.name), 100 * MIB);
        }
      });

      it("refuses a pod that two clusters have, and reads it with PROMETHEUS_MATCHERS", async () => {
        const changes = { profile, namespace: TWICE };
        await expect(fetchSignals(engine(), [twicePod], changes)).rejects.toMatchObject({
          code: "METRIC_AMBIGUOUS",
          message: expect.stringMatching(/consumer-1-aaaaa has two rows.*cluster="eu".*cluster="us"/),
        });
        const { cpu } = await fetchSignals(engine(), [twicePod], { ...changes, matchers: `cluster="us", job!="x"` });
        expectClose(told(cpu, twicePod.name), 2);
      });

      it("reads one replica alone when no label tells replicas apart", async () => {
        const changes = { namespace: TWICE, matchers: 'cluster="eu",prometheus_replica="b"', replicaLabels: [] };
        const { cpu, lag } = await fetchSignals(engine(), [twicePod], { ...changes, profile });
        expectClose(told(cpu, twicePod.name), 1);
        expectClose(told(lag, twicePod.name), 10);
      });
    });

    it("sends a custom query as it is, with its variables replaced", async () => {
      const cpu = `sum by (pod) (max by (pod, container) (rate(container_cpu_usage_seconds_total{namespace="$namespace",pod=~"$pods",container="consumer",$matchers}[$window])) / ($staleness / 60))`;
      const queries = { cpu, lag: "none", rate: "none", memory: "none" };
      const found = await fetchSignals(engine(), casePods.slice(0, 1), { queries });
      expectClose(told(found.cpu, casePods[0]!.name), 0.15);
      expect(found.lag).toBeUndefined();
    });

    it("reads a custom query that yields a range", async () => {
      const queries = {
        lag: `kafka_consumer_lag_sum{namespace="$namespace",pod=~"$pods",topic="topic-1",prometheus_replica="a"}[1m]`,
      };
      const { lag } = await fetchSignals(engine(), casePods.slice(0, 1), { queries });
      expectClose(told(lag, casePods[0]!.name), 200);
    });

    it("takes what is evaluated now, and nothing that is evaluated at another time", async () => {
      const [pod] = casePods;
      const cpu = `label_replace(vector(time() > bool 0), "pod", "${pod!.name}", "", "")`;
      const queries = { cpu, lag: "none", rate: "none", memory: "none" };
      const { cpu: found } = await fetchSignals({ url: urlOf(kind) }, [pod!], { queries });
      expect(told(found, pod!.name)).toBe(1);
      for (const seconds of [-86_400, 86_400]) {
        const url = `${urlOf(kind)}?time=${Math.round(Date.now() / 1_000) + seconds}`;
        await expect(fetchSignals({ url }, [pod!], { queries })).rejects.toMatchObject({ code: "QUERY_MISTIMED" });
      }
    });

    it.each([
      [
        "a custom query without pod labels",
        "sum(up) or vector(1)",
        "METRIC_INVALID",
        /cpu query: a row has no pod label/,
      ],
      [
        "a custom query that yields one number",
        "time()",
        "QUERY_FAILED|METRIC_INVALID",
        /cpu query: (it yields a scalar|a row has no pod label)/,
      ],
      [
        "a query that the server cannot read",
        "sum by (pod",
        "QUERY_FAILED",
        /cpu query \(POST .*; the query: sum by \(pod$/,
      ],
      [
        "the bare query",
        'rate(container_cpu_usage_seconds_total{pod=~"consumer-.*"}[5m])',
        "METRIC_AMBIGUOUS",
        /has two rows/,
      ],
    ])("refuses %s", async (_, cpu, code, message) => {
      await expect(fetchSignals(engine(), casePods, { queries: { cpu } })).rejects.toMatchObject({
        code: expect.stringMatching(`^(${code})$`),
        message: expect.stringMatching(message),
      });
    });

    it("would be refused a list of names that the pattern stands for", async () => {
      const names = many.map(({ pod }) => pod.name).join("|");
      expect(podsPattern(many.map(({ pod }) => pod)).length).toBeLessThan(30);
      const listed = podsOfRows(
        engine(),
        `count by (pod) (kafka_consumer_lag_sum{namespace="${MANY}",pod=~"${names}"})`,
      );
      if (kind === "victoriametrics") await expect(listed).rejects.toMatchObject({ code: "QUERY_FAILED" });
      else expect(await listed).toHaveLength(1_000);
    });
  });

  it("does not act on a reply with Prometheus' warnings", async () => {
    const config = JSON.stringify({ remote_read: [{ url: "http://127.0.0.1:1/read", read_recent: true }] });
    await using blind = await startPrometheus({ config });
    await expect(fetchSignals({ url: blind.url }, casePods)).rejects.toMatchObject({
      code: "QUERY_INCOMPLETE",
      message: expect.stringMatching(/query: the server warns: remote_read/),
    });
  });
});
