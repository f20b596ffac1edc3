/** What a run says of metrics that it does not find, on real engines. */

import { describe, expect, it } from "vitest";

import { createMetricsSource } from "../../src/metrics/fetch.ts";
import type { MetricsOptions } from "../../src/metrics/queries.ts";
import type { Signal } from "../../src/types.ts";
import { METRICS_OPTIONS } from "../fakes/metrics-options.ts";
import { KINDS, missing, podInfo, useEngines, withClient } from "./engines.ts";
import { backfilled, cadvisor, memberPartition, micrometer, NOW, seedExporter, type Series } from "./series.ts";

const PREFIX = "consumer-5d8f7c9b-";
const PODS = ["a", "b"].map((name) => podInfo(`${PREFIX}${name}`, PREFIX));

function renamed(series: readonly Series[], from: string, to: string): Series[] {
  return series.map(({ labels: { [from]: value = "", ...labels }, ...rest }) => ({
    ...rest,
    labels: { ...labels, [to]: value },
  }));
}

const ofPods = (of: (pod: Record<string, string>) => Series[], namespace: string) =>
  PODS.flatMap(({ name }) => of({ namespace, pod: name }));
const seedOf = (pod: Record<string, string>) => seedExporter(pod, [5], 5);

// The lag exporter and the namesakes of these pods in another namespace are found without asking for either.
const all: readonly Series[] = [
  ...renamed(ofPods(seedOf, "monitoring"), "pod", "exported_pod"),
  ...ofPods((pod) => cadvisor(pod, []), "shop"),
  ...memberPartition({
    topic: "orders",
    partition: 0,
    lag: 5,
    perSecond: 1,
    address: "192.0.2.1",
    labels: { group: "o" },
  }),
  ...micrometer({ namespace: "shop", pod: "other-1" }, [5], 5),
];

describe.skipIf(missing !== undefined)("a search", () => {
  const urlOf = useEngines(backfilled(all));

  describe.each(KINDS)("%s", (kind) => {
    function clues(signals: readonly Signal[], changes: Partial<MetricsOptions> = {}): Promise<readonly string[]> {
      return withClient(urlOf(kind), NOW, async (prometheus) => {
        const source = createMetricsSource(prometheus, { ...METRICS_OPTIONS, ...changes });
        return (await source.searchFor?.(signals, PODS, new AbortController().signal)) ?? [];
      });
    }

    it("finds the pods under another label, and series without containers", async () => {
      expect(await clues(["lag", "cpu", "rate"])).toEqual([
        expect.stringContaining(
          "4 series of it name these pods in the label exported_pod: scrape it with honor_labels",
        ),
        expect.stringContaining("have no label container, as with the Docker runtime: set CPU_QUERY"),
        expect.stringContaining("4 series of it name these pods in the label exported_pod"),
      ]);
    });

    it("finds the series of other pods, of other groups, and what PROMETHEUS_MATCHERS leaves out", async () => {
      expect(await clues(["lag", "memory"], { profile: "java-client", matchers: 'cluster="eu"' })).toEqual([
        expect.stringMatching(/there is none of these pods, but kafka_consumer_lag_sum .* set METRICS_PROFILE=seed$/),
        expect.stringContaining("memory: profile java-client looks for container_memory_working_set_bytes"),
      ]);
      expect(await clues(["rate"], { profile: "kafka-lag-exporter", group: "orders" })).toEqual([
        expect.stringContaining("but of the groups o: correct KAFKA_GROUP"),
      ]);
      expect(await clues(["lag"], { profile: "kafka-lag-exporter", group: "o" })).toEqual([
        expect.stringContaining("2 series of it exist, but no member_host is the address of one of these pods"),
      ]);
    });
  });
});
