/** How uneven a group has been, on real engines. */

import { describe, expect, it } from "vitest";

import { createHistorySource } from "../../src/metrics/history.ts";
import type { Prometheus } from "../../src/prometheus/client.ts";
import { createManualClock } from "../fakes/manual-clock.ts";
import { METRICS_OPTIONS } from "../fakes/metrics-options.ts";
import type { BackfillSeries } from "../harness/prometheus.ts";
import { KINDS, missing, podInfo, useEngines, withClient } from "./engines.ts";
import { NOW } from "./series.ts";

const PREFIX = "consumer-5d8f7c9b-";
const PODS = ["a", "b", "c"].map((name) => podInfo(`${PREFIX}${name}`, PREFIX));
const DAY = 86_400;

/** What a pod has consumed, every minute, as two replicas of one Prometheus scrape it. */
function consumed(pod: string, from: number, to: number, perSecond: (at: number) => number): BackfillSeries[] {
  const samples: [number, number][] = [];
  let total = 0;
  for (let at = from; at <= to; at += 60) {
    samples.push([NOW + at, total]);
    total += 60 * perSecond(at);
  }
  const labels = { namespace: "shop", pod, topic: "orders" };
  return ["a", "b"].map((replica) => ({
    name: "kafka_consumer_messages_consumed_total",
    labels: { ...labels, prometheus_replica: replica },
    samples,
  }));
}

const past = [
  // Since the middle of the day one of three has half as much again as the mean.
  ...consumed(`${PREFIX}a`, -DAY, 0, (at) => (at < -DAY / 2 ? 10 : 15)),
  ...consumed(`${PREFIX}b`, -DAY, 0, () => 10),
  ...consumed(`${PREFIX}c`, -DAY, 0, (at) => (at < -DAY / 2 ? 10 : 5)),
  // Neither one of before the last rollout, nor a neighbour.
  ...consumed("consumer-6f7d8c9b-a", -2 * DAY, -DAY, () => 90),
  ...consumed("other-5d8f7c9b-a", -DAY, 0, () => 90),
];

describe.skipIf(missing !== undefined)("the past", () => {
  const urlOf = useEngines(past);

  function imbalances(kind: string, rate?: string): Promise<readonly number[]> {
    const options = { ...METRICS_OPTIONS, queries: rate === undefined ? {} : { rate } };
    const clock = createManualClock(new Date(NOW * 1_000));
    return withClient(urlOf(kind), undefined, (prometheus: Prometheus) =>
      createHistorySource(prometheus, options, clock).imbalances(PODS, new AbortController().signal),
    );
  }

  describe.each(KINDS)("%s", (kind) => {
    it("is told every half hour, of this rollout's pods alone", async () => {
      const found = await imbalances(kind);
      expect(found.length).toBeGreaterThanOrEqual(47);
      expect(found.length).toBeLessThanOrEqual(50);
      const even = found.slice(0, 22);
      const uneven = found.slice(-22);
      for (const one of even) expect(one).toBeCloseTo(1, 2);
      for (const one of uneven) expect(one).toBeCloseTo(1.5, 2);
    });

    it("is told by a custom query that ends with a comment", async () => {
      const found = await imbalances(
        kind,
        `max without (prometheus_replica) (rate(kafka_consumer_messages_consumed_total{pod=~"$pods"}[$window])) # ours`,
      );
      expect(found.at(-1)).toBeCloseTo(1.5, 2);
    });

    it("is nothing where nobody consumed, and where the rate is left out", async () => {
      expect(await imbalances(kind, "none")).toEqual([]);
      expect(await imbalances(kind, "no_such_metric")).toEqual([]);
    });
  });
});
