/** What the built product pushes, as real receivers take it and real queries read it back. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { refuses } from "../faults/misbehaviour.ts";
import { endProducts } from "../faults/product.ts";
import { DRY, LIVE, on, type Scene, startScene } from "../faults/scene.ts";
import { startPushgateway } from "../harness/alerting.ts";
import { type MetricsServer, seriesText, startPrometheus, startVictoriaMetrics } from "../harness/prometheus.ts";
import { missing } from "./engines.ts";

interface Receiver extends AsyncDisposable {
  readonly pushUrl: string;
  /** Where it can be read. */
  readonly server: MetricsServer;
}

async function pushgateway(): Promise<Receiver> {
  await using started = new AsyncDisposableStack();
  const { url: pushUrl } = started.use(await startPushgateway());
  const server = started.use(await startPrometheus({ scrape: [{ job: "scraped", url: `${pushUrl}/metrics` }] }));
  const running = started.move();
  return { pushUrl, server, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function victoriaMetrics(): Promise<Receiver> {
  const server = await startVictoriaMetrics();
  const pushUrl = `${server.url}/api/v1/import/prometheus`;
  return { pushUrl, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe.skipIf(missing).each([
  ["the Pushgateway, scraped by Prometheus,", pushgateway],
  ["VictoriaMetrics", victoriaMetrics],
])(`a run that is pushed to %s${missing ? ` (${missing})` : ""}`, (_name, start) => {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await start();
  });
  afterAll(async () => {
    endProducts();
    await receiver[Symbol.asyncDispose]();
  });

  /** Runs once as a group of its own. */
  function run(scene: Scene, args: readonly string[], selector: string, settings = {}) {
    const env = { METRICS_PUSH_URL: receiver.pushUrl, KUBE_LABEL_SELECTOR: selector, ...settings };
    return scene.start(args, env).ended;
  }

  /** The value of the one series with this name and these labels, once it is there. */
  async function value(name: string, selector: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const [row] = await receiver.server.waitForRows(seriesText(name, { selector, ...labels }), 1);
    expect(row?.labels).toMatchObject({ job: "pod-rebalancer", namespace: "shop" });
    return row?.value ?? Number.NaN;
  }

  it("can be read back, every figure of it", async () => {
    await using scene = await startScene();
    const selector = "app=orders,example.com/tier!=b";
    const before = Date.now() / 1_000;
    const ended = await run(scene, LIVE, selector);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines.filter(({ level }) => level === "warn")).toEqual([]);
    expect(await value("rebalancer_executions_total", selector, { status: "success" })).toBe(1);
    expect(await value("rebalancer_executions_total", selector, { status: "error" })).toBe(0);
    expect(await value("rebalancer_pods_analyzed", selector)).toBe(6);
    expect(await value("rebalancer_pods_analyzed_total", selector)).toBe(6);
    for (const [type, removed] of Object.entries({ most_busy: 1, least_busy: 1, best_forecast: 0 })) {
      expect(await value("rebalancer_pods_deleted_total", selector, { type })).toBe(removed);
    }
    expect(await value("rebalancer_removed_share_1h", selector)).toBeCloseTo(2 / 6, 6);
    expect(await value("rebalancer_load_variance_current", selector, { signal: "lag" })).toBeGreaterThan(0.5);
    expect(await value("rebalancer_load_variance_threshold", selector, { signal: "lag" })).toBe(0.5);
    expect(await value("rebalancer_decisions_total", selector, { reason: "rotated" })).toBe(1);
    expect(await value("rebalancer_execution_duration_seconds", selector)).toBeGreaterThan(0);
    for (const end of ["last_run", "last_success"]) {
      const at = await value(`rebalancer_${end}_timestamp_seconds`, selector);
      expect(at).toBeGreaterThan(before);
      expect(at).toBeLessThanOrEqual(Date.now() / 1_000);
    }
  });

  it("and fails leaves the time of the last success, and no figure of the run before it", async () => {
    let broken = false;
    await using scene = await startScene({
      prometheus: (...call) => (broken ? on("cpu query", refuses(403))(...call) : undefined),
    });
    const selector = "app=orders";
    await run(scene, DRY, selector);
    const success = await value("rebalancer_last_success_timestamp_seconds", selector);
    broken = true;
    expect(await run(scene, DRY, selector)).toMatchObject({ exitCode: 1 });
    await receiver.server.waitForRows(`rebalancer_executions_total{selector="${selector}",status="error"} == 1`, 1);
    expect(await value("rebalancer_last_success_timestamp_seconds", selector)).toBe(success);
    expect(await value("rebalancer_last_run_timestamp_seconds", selector)).toBeGreaterThan(success);
    // A comparison with NaN has no row.
    const known = `rebalancer_load_variance_current{selector="${selector}"} >= 0`;
    if (receiver.server.kind === "prometheus") await receiver.server.waitForRows(known, 0);
  });

  it("of an idle group has a threshold that nothing is above", async () => {
    await using scene = await startScene();
    for (const [pod, samples] of scene.samples)
      scene.samples.set(pod, { ...samples, lag: pod === scene.hot.name ? 9 : 0 });
    const selector = "app=orders,idle!=no";
    await run(scene, DRY, selector);
    expect(await value("rebalancer_load_variance_current", selector, { signal: "lag" })).toBeGreaterThan(4);
    expect(await value("rebalancer_load_variance_threshold", selector, { signal: "lag" })).toBe(Infinity);
  });
});
