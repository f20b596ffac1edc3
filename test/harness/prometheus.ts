/** Real metrics servers on loopback: Prometheus and VictoriaMetrics, as Debian packages them. */

import { execFile, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { failInCi, freePorts, type ServerProcess, startProcess, temporaryFolder, waitUntilReady } from "./processes.ts";

/** One scraped address. Two jobs with the same address and different labels make the duplicates of a second replica. */
export interface ScrapeJob {
  readonly job: string;
  /** The full address of the exposition text. */
  readonly url: string;
  /** Added to every series that does not have them. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A series to be there from the start. */
export interface BackfillSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of time; values may be NaN or infinite. */
  readonly samples: readonly (readonly [unixSeconds: number, value: number])[];
}

export interface MetricsServerOptions {
  readonly scrape?: readonly ScrapeJob[];
  /** Default 1. */
  readonly scrapeIntervalSeconds?: number;
  readonly backfill?: readonly BackfillSeries[];
  /** A complete configuration instead of `scrape`, in Prometheus' format. */
  readonly config?: string;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Another binary than Debian's, for example a newer one. */
  readonly binary?: string;
}

/** One row of an instant query's answer. */
export interface QueryRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Unix seconds; of a vector always the evaluation time. */
  readonly time: number;
}

export interface MetricsServer extends AsyncDisposable {
  readonly kind: "prometheus" | "victoriametrics";
  readonly url: string;
  /** Temporary. */
  readonly directory: string;
  /**
   * Instant query, with `nocache=1`. A range (`m[5m]`) yields the last sample of each series.
   *
   * @param options.time - Unix seconds; default now.
   * @throws Error with the server's words.
   */
  query(expression: string, options?: { readonly time?: number }): Promise<QueryRow[]>;
  /** Asks until the query has `rows` rows. */
  waitForRows(expression: string, rows: number, timeoutMillis?: number): Promise<QueryRow[]>;
}

export interface VictoriaMetrics extends MetricsServer {
  /** Adds series while the server runs; they can be queried at once. */
  import(series: readonly BackfillSeries[]): Promise<void>;
  /** Makes what was written so far visible to queries. */
  flush(): Promise<void>;
}

export const READY_TIMEOUT_MILLIS = 30_000;
/** The Debian package of each program. */
const PACKAGES = {
  prometheus: "prometheus",
  promtool: "prometheus",
  "victoria-metrics": "victoria-metrics",
  "prometheus-pushgateway": "prometheus-pushgateway",
  "prometheus-alertmanager": "prometheus-alertmanager",
} as const;

const run = promisify(execFile);

/**
 * Which metrics engines are not installed, and where they come from; undefined when all are there.
 *
 * @throws Error instead, where `CI` is set: there a missing server is a failure, not a reason to skip.
 */
export function enginesMissing(): string | undefined {
  const missing = Object.keys(PACKAGES).filter((program) => !installed(program));
  return failInCi(missing.length === 0 ? undefined : missingSentence(missing as (keyof typeof PACKAGES)[]));
}

/** Starts Prometheus; back-filled series are written as blocks before it starts. */
export async function startPrometheus(options: MetricsServerOptions = {}): Promise<MetricsServer> {
  const program = findProgram("prometheus", options.binary);
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder("prometheus"));
  const data = join(directory, "data");
  if (options.backfill !== undefined && options.backfill.length > 0) {
    const file = join(directory, "backfill.om");
    await writeFile(file, openMetricsText(options.backfill));
    await run(findProgram("promtool"), ["tsdb", "create-blocks-from", "openmetrics", file, data]);
  }
  const config = join(directory, "prometheus.yml");
  await writeFile(config, options.config ?? scrapeConfig(options));
  const [port = 0] = await freePorts(1);
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--storage.tsdb.retention.time=100y",
    ...(options.flags ?? []),
  ];
  const server = started.use(await startProcess({ name: "prometheus", program, args, directory }));
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady(server, () => isOk(`${url}/-/ready`), READY_TIMEOUT_MILLIS);
  const running = started.move();
  const dispose = (): Promise<void> => running.disposeAsync();
  return { kind: "prometheus", directory, ...queries(url, server), [Symbol.asyncDispose]: dispose };
}

/** Starts VictoriaMetrics (single node); back-filled series are imported before this returns. */
export async function startVictoriaMetrics(options: MetricsServerOptions = {}): Promise<VictoriaMetrics> {
  const program = findProgram("victoria-metrics", options.binary);
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder("victoriametrics"));
  const config = join(directory, "scrape.yml");
  await writeFile(config, options.config ?? scrapeConfig(options));
  const [port = 0] = await freePorts(1);
  const args = [
    `-storageDataPath=${join(directory, "data")}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    `-promscrape.config=${config}`,
    "-retentionPeriod=100y",
    ...(options.flags ?? []),
  ];
  const server = started.use(await startProcess({ name: "victoria-metrics", program, args, directory }));
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady(server, () => isOk(`${url}/health`), READY_TIMEOUT_MILLIS);
  // Without a flush, what was queried before its samples arrive stays hidden for seconds.
  const flush = async (): Promise<void> => {
    if (!(await isOk(`${url}/internal/force_flush`))) throw new Error("VictoriaMetrics refused to flush");
  };
  const add = async (series: readonly BackfillSeries[]): Promise<void> => {
    const reply = await fetch(`${url}/api/v1/import/prometheus`, { method: "POST", body: importText(series) });
    if (!reply.ok) throw new Error(`VictoriaMetrics refused the import: ${reply.status} ${await reply.text()}`);
    await flush();
  };
  if (options.backfill !== undefined && options.backfill.length > 0) await add(options.backfill);
  const running = started.move();
  const dispose = (): Promise<void> => running.disposeAsync();
  const shared = { kind: "victoriametrics", directory, ...queries(url, server, flush) } as const;
  return { ...shared, import: add, flush, [Symbol.asyncDispose]: dispose };
}

/** Prometheus' configuration for scrapes; `honor_labels` keeps the `pod` and `namespace` that the exporter gives. */
function scrapeConfig(options: Pick<MetricsServerOptions, "scrape" | "scrapeIntervalSeconds">): string {
  const interval = `${options.scrapeIntervalSeconds ?? 1}s`;
  // JSON is YAML, so no library is needed to write it.
  return JSON.stringify({
    global: { scrape_interval: interval, scrape_timeout: interval },
    scrape_configs: (options.scrape ?? []).map(({ job, url, labels }) => {
      const { protocol, host, pathname } = new URL(url);
      return {
        job_name: job,
        scheme: protocol.slice(0, -1),
        metrics_path: pathname,
        honor_labels: true,
        static_configs: [{ targets: [host], ...(labels === undefined ? {} : { labels }) }],
      };
    }),
  });
}

function queries(
  url: string,
  server: ServerProcess,
  flush?: () => Promise<void>,
): Pick<MetricsServer, "url" | "query" | "waitForRows"> {
  async function query(expression: string, options: { readonly time?: number } = {}): Promise<QueryRow[]> {
    await flush?.();
    const form = new URLSearchParams({ query: expression, nocache: "1" });
    if (options.time !== undefined) form.set("time", String(options.time));
    const reply = await fetch(`${url}/api/v1/query`, { method: "POST", body: form });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${server.name} refused ${expression}: ${reply.status} ${text}`);
    return rowsOf(JSON.parse(text) as QueryReply);
  }
  async function waitForRows(expression: string, count: number, timeoutMillis = 15_000): Promise<QueryRow[]> {
    const deadline = Date.now() + timeoutMillis;
    for (;;) {
      const rows = await query(expression);
      if (rows.length === count) return rows;
      if (Date.now() > deadline) {
        throw new Error(`${server.name}: ${rows.length} rows, not ${count}, for ${expression}:\n${server.logTail()}`);
      }
      await sleep(200);
    }
  }
  return { url, query, waitForRows };
}

type Sample = readonly [time: number, value: string];

interface QueryReply {
  readonly data: {
    readonly resultType: string;
    readonly result: readonly { metric: Record<string, string>; value?: Sample; values?: readonly Sample[] }[] | Sample;
  };
}

function rowsOf({ data }: QueryReply): QueryRow[] {
  if (data.resultType === "scalar") {
    const [time, value] = data.result as Sample;
    return [{ labels: {}, time, value: numberOf(value) }];
  }
  const rows = data.result as Exclude<QueryReply["data"]["result"], Sample>;
  return rows.map(({ metric, value, values }) => {
    const [time, text] = value ?? values!.at(-1)!;
    return { labels: metric, time, value: numberOf(text) };
  });
}

/** Prometheus writes `+Inf`, which `Number` does not know. */
export function numberOf(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}

function openMetricsText(series: readonly BackfillSeries[]): string {
  // All lines of a metric must stand together.
  const lines = series
    .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
    .flatMap((each) => sampleLines(each, 1));
  return [...lines, "# EOF", ""].join("\n");
}

function importText(series: readonly BackfillSeries[]): string {
  return series.flatMap((each) => sampleLines(each, 1_000)).join("\n") + "\n";
}

function sampleLines({ name, labels, samples }: BackfillSeries, unitsPerSecond: number): string[] {
  const head = seriesText(name, labels);
  return samples.map(([time, value]) => `${head} ${numberText(value)} ${time * unitsPerSecond}`);
}

/** `name{label="value"}`, for an exposition or a query. */
export function seriesText(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(",")}}`;
}

/** The counterpart of `numberOf`. */
export function numberText(value: number): string {
  return String(value).replace("Infinity", "Inf");
}

export async function isOk(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
}

export function findProgram(program: keyof typeof PACKAGES, binary: string = program): string {
  if (!installed(binary))
    throw new Error(binary === program ? missingSentence([program]) : `${binary} is not installed`);
  return binary;
}

function installed(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

function missingSentence(programs: readonly (keyof typeof PACKAGES)[]): string {
  const packages = [...new Set(programs.map((program) => PACKAGES[program]))];
  return `${programs.join(", ")} not installed: apt-get install --no-install-recommends ${packages.join(" ")}`;
}
