/**
 * The shipped alerts, woken by runs of the built product: once by way of a Pushgateway and Prometheus, once by way of VictoriaMetrics
 * and vmalert. A minute of the rules is a second here, and the schedule's ten minutes are ten seconds.
 */

import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { endProducts } from "../faults/product.ts";
import { type Receiver, startAlertmanager, startPushgateway, startVmalert } from "../harness/alerting.ts";
import { toolsMissing } from "../harness/build.ts";
import { failInCi, temporaryFolder } from "../harness/processes.ts";
import { type MetricsServer, numberOf, startPrometheus, startVictoriaMetrics } from "../harness/prometheus.ts";
import { CASES, selectorOf, SLOTS, startAlertScene } from "./alert-cases.ts";
import { fasterRules, type Fired, promtoolTest, type Recorded } from "./alert-rules.ts";
import { missing as enginesAreMissing } from "./engines.ts";

const missing = enginesAreMissing ?? failInCi(toolsMissing(["vmalert"]));

const SLOT_SECONDS = 10;
const TIMELINE_MILLIS = (SLOTS + 8) * SLOT_SECONDS * 1_000;

/** Where runs are pushed to, and where the rules are evaluated. */
interface Watch extends AsyncDisposable {
  readonly pushUrl: string;
  readonly server: MetricsServer;
  /** Every series that was pushed, from that time on. */
  recorded(from: number, until: number): Promise<Recorded[]>;
}

const PUSHED = '{__name__=~"rebalancer_.+"}';

async function prometheusWatch(rules: string, alertmanager: Receiver): Promise<Watch> {
  await using started = new AsyncDisposableStack();
  const gateway = started.use(await startPushgateway());
  const config = JSON.stringify({
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanager.url).host] }] }] },
    scrape_configs: [
      { job_name: "gateway", honor_labels: true, static_configs: [{ targets: [new URL(gateway.url).host] }] },
    ],
  });
  const server = started.use(await startPrometheus({ config }));
  const running = started.move();
  return {
    pushUrl: gateway.url,
    server,
    async recorded(from, until) {
      // A range query repeats samples for five minutes; those of a scrape come each second anyway.
      const query = new URLSearchParams({ query: PUSHED, start: String(from), end: String(until), step: "1" });
      const { data } = await json<{
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      }>(`${server.url}/api/v1/query_range?${query.toString()}`);
      return data.result.map(({ metric, values }) => ({
        labels: metric,
        samples: values.map(([at, value]) => [at, numberOf(value)] as const),
      }));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function victoriaMetricsWatch(rules: string, alertmanager: Receiver): Promise<Watch> {
  await using started = new AsyncDisposableStack();
  const server = started.use(await startVictoriaMetrics({ flags: ["-search.latencyOffset=0s"] }));
  started.use(await startVmalert(rules, { metrics: server.url, alertmanager: alertmanager.url }));
  const running = started.move();
  return {
    pushUrl: `${server.url}/api/v1/import/prometheus`,
    server,
    async recorded() {
      const query = new URLSearchParams({ "match[]": PUSHED });
      const text = await (await fetch(`${server.url}/api/v1/export?${query.toString()}`)).text();
      const rows = text.split("\n").filter((line) => line !== "");
      return rows.map((line) => {
        const row = JSON.parse(line.replaceAll("+Inf", "1e999")) as {
          metric: Record<string, string>;
          values: (number | string | null)[];
          timestamps: number[];
        };
        const samples = row.values.map((value, index) => [row.timestamps[index]! / 1_000, Number(value)] as const);
        return { labels: row.metric, samples };
      });
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function json<Body>(url: string): Promise<Body> {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
  return (await reply.json()) as Body;
}

/** Each case at its own offset, so that the runs do not wait for each other. */
async function playOut(pushUrl: string): Promise<void> {
  await Promise.all(
    CASES.map(async (alertCase, index) => {
      await using scene = await startAlertScene(alertCase, pushUrl);
      const begun = Date.now() + (index * SLOT_SECONDS * 1_000) / CASES.length;
      for (let slot = 0; slot < SLOTS; slot += 1) {
        await sleep(Math.max(0, begun + slot * SLOT_SECONDS * 1_000 - Date.now()));
        await scene.run(slot);
      }
    }),
  );
}

/** In one order, so that a difference shows. */
function sorted(fired: readonly Fired[]): Fired[] {
  return fired.toSorted((a, b) => (`${a.alertname} ${a.selector}` < `${b.alertname} ${b.selector}` ? -1 : 1));
}

const NEVER_PUSHED: Fired = { alertname: "PodRebalancerFailing", selector: "" };
const EXPECTED = sorted([
  NEVER_PUSHED,
  ...CASES.flatMap((alertCase) =>
    alertCase.alerts.map((alertname) => ({ alertname, selector: selectorOf(alertCase) })),
  ),
]);

// Both at once: they share the list of what still runs.
afterAll(endProducts);

describe.skipIf(missing).concurrent.each([
  ["a Pushgateway and Prometheus", prometheusWatch],
  ["VictoriaMetrics and vmalert", victoriaMetricsWatch],
])(`the alerts, by way of %s${missing ? ` (${missing})` : ""}`, (_name, start) => {
  const stack = new AsyncDisposableStack();
  let watch: Watch;
  let alertmanager: Receiver;
  let [from, until] = [0, 0];

  beforeAll(async () => {
    const { path } = stack.use(await temporaryFolder("alerts"));
    const rules = join(path, "rules.yaml");
    await writeFile(rules, fasterRules());
    alertmanager = stack.use(await startAlertmanager());
    watch = stack.use(await start(rules, alertmanager));
    // Nothing was there before, either: what needs fifteen minutes of nothing shall have them in promtool's minutes, too.
    from = Date.now() / 1_000 - 5;
    await watch.server.waitForRows('ALERTS{alertname="PodRebalancerFailing",alertstate="firing"}', 1, 60_000);
    await playOut(watch.pushUrl);
    until = Date.now() / 1_000;
  }, TIMELINE_MILLIS);
  afterAll(() => stack.disposeAsync());

  it("fire for the groups that need somebody, and for no other", async () => {
    const rows = await watch.server.query(
      'max by (alertname, selector) (max_over_time(ALERTS{alertstate="firing"}[10m]))',
    );
    const fired = rows.map(({ labels: { alertname = "", selector = "" } }) => ({ alertname, selector }));
    expect(sorted(fired)).toEqual(EXPECTED);
  });

  it("end when the group has recovered, and when the first run has been pushed", async () => {
    const recovered = selectorOf(CASES.find(({ name }) => name.includes("recovers"))!);
    for (const selector of [recovered, ""]) {
      await watch.server.waitForRows(`last_over_time(ALERTS{alertstate="firing",selector="${selector}"}[3s])`, 0);
    }
  });

  it("reach the Alertmanager, and say of which group they speak", async () => {
    const known = await json<{ labels: Record<string, string>; annotations: Record<string, string> }[]>(
      `${alertmanager.url}/api/v2/alerts?active=true`,
    );
    const selector = selectorOf(CASES.find(({ name }) => name === "has no pods")!);
    const told = known.find(({ labels }) => labels["alertname"] === "PodRebalancerNoPods");
    expect(told).toMatchObject({
      labels: { namespace: "shop", selector, severity: "warning" },
      annotations: {
        summary: `No pod in shop matches ${selector}.`,
        runbook: "docs/runbook.md#podrebalancernopods",
      },
    });
  });

  it("fire as they are shipped, in promtool, for the same series at their own pace", async () => {
    await using folder = await temporaryFolder("promtool");
    const test = join(folder.path, "test.yaml");
    await writeFile(test, promtoolTest(await watch.recorded(from, until), from, until, EXPECTED));
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", test], { encoding: "utf8" });
    expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });
});
