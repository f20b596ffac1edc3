/** The same queries on series that real engines scrape themselves: real time, staleness markers, labels of two jobs. */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { PROFILES, type MetricsProfile } from "../../src/metrics/profiles.ts";
import { SIGNALS } from "../../src/types.ts";
import { startLoopback } from "../fakes/loopback.ts";
import { type MetricsServer, startPrometheus, startVictoriaMetrics } from "../harness/prometheus.ts";
import { CASES, MIB, NAMESPACE, PREFIX, STRANGERS } from "./cases.ts";
import { expectClose, fetchSignals, missing, podInfo, readGroup, told } from "./engines.ts";
import {
  cadvisor,
  exposition,
  lagExporter,
  latestOffset,
  memberPartition,
  micrometer,
  seedExporter,
  type Series,
} from "./series.ts";

const profiles = Object.keys(PROFILES) as MetricsProfile[];
const WINDOW = { windowSeconds: 10 };

/** What has no beginning and no end. */
const steady = CASES.filter(({ series }) =>
  series.every(({ span: { from, to } }) => from === undefined && to === undefined),
);

const doomed = podInfo(`${PREFIX}doomd`, PREFIX);
const restarted = podInfo(`${PREFIX}rstrt`, PREFIX);
const pods = [...steady.map(({ pod, address }) => ({ ...podInfo(pod, PREFIX), ip: address })), doomed, restarted];

function podSeries(pod: string, run: { readonly id: string; readonly memoryBytes: number }): Series[] {
  const labels = { namespace: NAMESPACE, pod };
  return [
    ...cadvisor(labels, [{ ...run, cpuCores: 0.5 }]),
    ...seedExporter(labels, [50], 5),
    ...micrometer(labels, [50], 5),
    ...lagExporter(labels, [50], 5),
  ];
}

function isMoving({ topic }: { readonly topic: string }): boolean {
  return topic === "moving";
}

/** A partition of the group, with what is written to it. */
function partitionOf(address: string): Series[] {
  const moving = { topic: "moving", partition: 0 };
  return [...memberPartition({ ...moving, lag: 5, perSecond: 10, address }), latestOffset("moving", 0, 10)];
}

/** Checks that the partition above is known to be this member's. */
async function expectOwner(engine: MetricsServer, address: string): Promise<void> {
  const group = await readGroup(engine, pods, { ...WINDOW, profile: "kafka-lag-exporter" });
  expect(group?.members.find(({ owned }) => owned.some(isMoving))?.id).toBe(`consumer-1-${address}`);
  expectClose(group?.partitions.find(isMoving)?.rate ?? "none", 10);
}

describe.skipIf(missing !== undefined)("scraped metrics", () => {
  const begun = performance.now();
  const stack = new AsyncDisposableStack();
  let engines: readonly MetricsServer[] = [];
  let living: readonly Series[] = [
    ...steady.flatMap(({ series }) => series),
    ...STRANGERS,
    ...podSeries(doomed.name, { id: "1", memoryBytes: 700 * MIB }),
    ...podSeries(restarted.name, { id: "1", memoryBytes: 700 * MIB }),
    ...partitionOf("10.3.0.1"),
  ];
  let failing = false;

  beforeAll(async () => {
    const exporter = stack.use(
      await startLoopback(({ url }) => ({
        status: failing ? 500 : 200,
        headers: { "content-type": "text/plain; version=0.0.4" },
        // Empty, as VictoriaMetrics compares even a failed reply's text with the last one.
        body: failing ? "" : exposition(living, url.pathname === "/b" ? "b" : "a", (performance.now() - begun) / 1_000),
      })),
    );
    const scrape = (["a", "b"] as const).map((replica) => ({
      job: `replica-${replica}`,
      url: `${exporter.url}/${replica}`,
      labels: { job: "consumers", prometheus_replica: replica },
    }));
    engines = await Promise.all([startPrometheus({ scrape }), startVictoriaMetrics({ scrape })]);
    for (const engine of engines) stack.use(engine);
  });
  afterAll(() => stack.disposeAsync());

  /** Checks every profile on every engine until it holds: what a scrape changes is seen a moment later. */
  async function eventually(check: (engine: MetricsServer, profile: MetricsProfile) => Promise<void>): Promise<void> {
    const all = engines.flatMap((engine) => profiles.map((profile) => [engine, profile] as const));
    await Promise.all(
      all.map(([engine, profile]) => vi.waitFor(() => check(engine, profile), { timeout: 40_000, interval: 500 })),
    );
  }

  it("gives every pod its true value once the window is full", async () => {
    await eventually(async (engine, profile) => {
      const signals = await fetchSignals(engine, pods, { ...WINDOW, profile });
      for (const each of steady.filter((one) => one.profiles.includes(profile))) {
        const expected = { ...each.expected, ...each.expectedOf[engine.kind] };
        for (const signal of SIGNALS) expectClose(told(signals[signal], each.pod), expected[signal]);
      }
      for (const { name } of [doomed, restarted]) expectClose(told(signals.cpu, name), 0.5);
    });
  });

  it("forgets a pod whose series end, at once, and a container's run before its restart", async () => {
    const gone = new Set([doomed.name, restarted.name]);
    // The lag exporter shows a topic for each pod, and its own pod's name.
    living = living.filter(({ labels: { pod = "", topic = "" } }) => {
      return !gone.has(pod) && !gone.has(topic.replace(`${NAMESPACE}.`, ""));
    });
    living = [...living, ...podSeries(restarted.name, { id: "2", memoryBytes: 100 * MIB })];
    await eventually(async (engine, profile) => {
      const { cpu, lag, rate, memory } = await fetchSignals(engine, pods, { ...WINDOW, profile });
      for (const samples of [cpu, lag, rate, memory]) expect(told(samples, doomed.name)).toBe("none");
      expect(told(cpu, restarted.name)).toBe("none");
      expectClose(told(memory, restarted.name), 100 * MIB);
      expectClose(told(rate, restarted.name), 5);
    });
  });

  it("sees a partition's next owner within seconds, and its rate without a break", async () => {
    for (const engine of engines)
      await vi.waitFor(() => expectOwner(engine, "10.3.0.1"), { timeout: 40_000, interval: 500 });
    living = [...living.filter(({ labels }) => labels["topic"] !== "moving"), ...partitionOf("10.3.0.2")];
    await Promise.all(
      engines.map((engine) => vi.waitFor(() => expectOwner(engine, "10.3.0.2"), { timeout: 40_000, interval: 500 })),
    );
  });

  it("knows nothing of an exporter that fails, long before the staleness limit", async () => {
    failing = true;
    await eventually(async (engine, profile) => {
      const signals = await fetchSignals(engine, pods, { ...WINDOW, profile });
      for (const signal of SIGNALS) expect(signals[signal]?.values.size).toBe(0);
    });
  });
});
