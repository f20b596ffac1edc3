/** Runs a program in a process of its own, and tells what that took. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { GROUP, type Servers } from "./servers.ts";

/** What a process used from its start to its end. */
export interface Usage {
  readonly wallMillis: number;
  /** User and system together. */
  readonly cpuMillis: number;
  /** Of its resident memory. */
  readonly peakMebibytes: number;
}

/** What is written by `usage.cjs`. */
type Used = Omit<Usage, "wallMillis">;

const USAGE = join(import.meta.dirname, "usage.cjs");
const PRODUCT = join(import.meta.dirname, "../dist/pod-rebalancer.js");

/**
 * Runs Node with these arguments.
 *
 * @throws Error with the program's words when it does not end with exit code 0.
 */
async function measureNode(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ usage: Usage; stderr: string }> {
  const begun = performance.now();
  const child = spawn(process.execPath, ["--require", USAGE, ...args], {
    env,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const [end, stderr, used] = await Promise.all([
    ended.then((exitCode) => ({ exitCode, wallMillis: performance.now() - begun })),
    text(child.stderr as Readable),
    text(child.stdio[3] as Readable),
  ]);
  if (end.exitCode !== 0) throw new Error(`${args.join(" ")} ended with ${end.exitCode}: ${stderr}`);
  return { usage: { wallMillis: end.wallMillis, ...(JSON.parse(used) as Used) }, stderr };
}

/** The least that Node needs: what all else is compared with. */
export async function measureFloor(): Promise<Usage> {
  return (await measureNode(["-e", "0"], {})).usage;
}

export interface MeasuredRun extends Usage {
  /** Of the step that asks all queries. */
  readonly fetchMillis: number;
}

/** How the product finds the API server, and whatever else differs from a plain run. */
export type Environment = Readonly<Record<string, string>>;

/** The log's lines, as far as they are read. */
interface Line {
  readonly step?: string;
  readonly ms?: number;
  readonly reason?: string;
}

/**
 * One dry run of the built product against these servers.
 *
 * @throws Error unless it would have rotated: any other end is cheaper, and not what is measured.
 */
export async function measureRun(servers: Servers, env: Environment): Promise<MeasuredRun> {
  const settings = {
    KUBE_NAMESPACE: GROUP.namespace,
    KUBE_LABEL_SELECTOR: `app=${GROUP.labels.app}`,
    PROMETHEUS_ENDPOINT: servers.prometheus.origin,
    // The servers give each answer again as they gave it first.
    STALENESS_LIMIT: "1d",
    ...env,
  };
  const { usage, stderr } = await measureNode([PRODUCT, "run", "--dry-run"], settings);
  const lines = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  if (!lines.some(({ reason }) => reason === "would_rotate")) throw new Error(`the run would not rotate: ${stderr}`);
  return { ...usage, fetchMillis: lines.find(({ step }) => step === "fetch")?.ms ?? Number.NaN };
}
