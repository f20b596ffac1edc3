/** A small HTTP exporter whose pods the test sets: cAdvisor's and a lag exporter's series, as they look on real clusters. */

import { createServer } from "node:http";

/** What one pod shows. A signal that is undefined has no series. */
export interface ExporterPod {
  readonly namespace: string;
  readonly pod: string;
  /** How fast the CPU counter of the pod's container grows: cores. */
  readonly cpuCores?: number | undefined;
  /** Messages. */
  readonly lag?: number | undefined;
  /** How fast the counter of consumed messages grows: messages per second. */
  readonly rate?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

export interface Exporter extends AsyncDisposable {
  /** The address of the exposition text. */
  readonly url: string;
  /** Replaces the pods. The counters of a pod that stays go on from where they are. */
  setPods(pods: readonly ExporterPod[]): void;
  /** Adds lines to every answer, unchanged; replaces those set before. */
  setExtraLines(lines: readonly string[]): void;
  /** While true, every scrape fails with status 500. */
  setFailing(failing: boolean): void;
  /** How often it was scraped with success since the last `setPods`, `setExtraLines` or `setFailing`. */
  scrapes(): number;
  /** What a scrape answers now. */
  text(): string;
}

/** Counter values at one moment. */
interface Counters {
  readonly cpuSeconds: number;
  readonly pauseCpuSeconds: number;
  readonly consumed: number;
}

/** Far from 0, because `rate()` extrapolates differently near the start of a counter. */
const FRESH: Counters = { cpuSeconds: 1_000, pauseCpuSeconds: 1_000, consumed: 1_000 };
const PAUSE_CPU_CORES = 0.001;
const PAUSE_MEMORY_BYTES = 500_000;

/** Starts an exporter on a free loopback port; its counters grow linearly with real time. */
export async function startExporter(initial: readonly ExporterPod[] = []): Promise<Exporter> {
  let pods = initial;
  let extraLines: readonly string[] = [];
  let failing = false;
  let scrapes = 0;
  let countedAt = performance.now();
  let counters = new Map<string, Counters>();

  function count(): void {
    const now = performance.now();
    const seconds = (now - countedAt) / 1_000;
    countedAt = now;
    const next = new Map<string, Counters>();
    for (const pod of pods) {
      const before = counters.get(keyOf(pod));
      next.set(keyOf(pod), before === undefined ? FRESH : grown(before, pod, seconds));
    }
    counters = next;
  }

  function text(): string {
    count();
    const lines = pods.flatMap((pod) => podLines(pod, counters.get(keyOf(pod))!));
    // The text format wants all lines of a metric together.
    return [...lines.toSorted(byMetric), ...extraLines, ""].join("\n");
  }

  const server = createServer((_request, response) => {
    if (failing) {
      response.writeHead(500).end();
      return;
    }
    scrapes += 1;
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text());
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  return {
    url: `http://127.0.0.1:${port}/metrics`,
    setPods(next) {
      count();
      pods = next;
      count();
      scrapes = 0;
    },
    setExtraLines(lines) {
      extraLines = lines;
      scrapes = 0;
    },
    setFailing(next) {
      failing = next;
      scrapes = 0;
    },
    scrapes: () => scrapes,
    text,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function keyOf({ namespace, pod }: ExporterPod): string {
  return `${namespace}/${pod}`;
}

function grown(before: Counters, pod: ExporterPod, seconds: number): Counters {
  return {
    cpuSeconds: before.cpuSeconds + (pod.cpuCores ?? 0) * seconds,
    pauseCpuSeconds: before.pauseCpuSeconds + PAUSE_CPU_CORES * seconds,
    consumed: before.consumed + (pod.rate ?? 0) * seconds,
  };
}

function byMetric(a: string, b: string): number {
  const [left, right] = [a.slice(0, a.indexOf("{")), b.slice(0, b.indexOf("{"))];
  return left < right ? -1 : Number(left > right);
}

/** cAdvisor shows each value three times: for the container, for the pause container, and for the pod as their sum. */
function podLines(pod: ExporterPod, counters: Counters): string[] {
  const labels = `namespace="${pod.namespace}",pod="${pod.pod}"`;
  const threefold = (metric: string, container: number, pause: number): string[] => [
    `${metric}{${labels},container="consumer",image="consumer:1",name="consumer"} ${container}`,
    `${metric}{${labels},container="POD",image="pause:3",name="pause"} ${pause}`,
    `${metric}{${labels},container="",image="",name=""} ${container + pause}`,
  ];
  const lines: string[] = [];
  if (pod.cpuCores !== undefined) {
    lines.push(...threefold("container_cpu_usage_seconds_total", counters.cpuSeconds, counters.pauseCpuSeconds));
  }
  if (pod.memoryBytes !== undefined) {
    lines.push(...threefold("container_memory_working_set_bytes", pod.memoryBytes, PAUSE_MEMORY_BYTES));
  }
  if (pod.lag !== undefined) lines.push(`kafka_consumer_lag_sum{${labels}} ${pod.lag}`);
  if (pod.rate !== undefined) lines.push(`kafka_consumer_messages_consumed_total{${labels}} ${counters.consumed}`);
  return lines;
}
