/** Runs the built product as a process of its own, the way a pod's container runs it. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { expect } from "vitest";

import type { JsonReport } from "../../src/output/json.ts";
import type { Reason } from "../../src/reasons.ts";

/** What ships. */
const PRODUCT = join(import.meta.dirname, "../../dist/pod-rebalancer.js");

/** One line of the log; further fields belong to its step. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly runId: string;
  readonly [field: string]: unknown;
}

/** How a run ended, and all it said. */
export interface Outcome {
  /** null when a signal killed it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stderr that are JSON. */
  readonly log: readonly LogLine[];
  /** stdout as `--output json` writes it; undefined where it is not that. */
  readonly report: JsonReport | undefined;
  readonly reason: Reason | undefined;
}

/** A run that may still go on. */
export interface Run {
  /** The log so far. */
  log(): readonly LogLine[];
  signal(name: "SIGTERM" | "SIGKILL"): void;
  readonly ended: Promise<Outcome>;
}

export interface ProductOptions {
  readonly args: readonly string[];
  /** The whole environment: nothing of the test's own is passed on. */
  readonly env: Readonly<Record<string, string>>;
  /** A command that takes the product's command line as its last arguments. */
  readonly within?: readonly string[];
}

/** Ended when this process is, however a test ends. */
const running = new Set<ChildProcess>();
process.once("exit", () => endProducts());

/** Ends every run that still goes on. */
export function endProducts(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** @throws Error when the product was not built. */
export function startProduct({ args, env, within = [] }: ProductOptions): Run {
  if (!existsSync(PRODUCT)) throw new Error("the product is not built: npm run build");
  return startCommand([...within, process.execPath, PRODUCT, ...args], env);
}

/**
 * Starts a command that runs the product in the end.
 *
 * @param env - the whole environment of the command.
 */
export function startCommand([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv): Run {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
  }
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve(outcomeOf(exitCode, output)));
  }).finally(() => running.delete(child));
  return {
    log: () => logLines(output.stderr),
    signal: (name) => void child.kill(name),
    ended,
  };
}

function outcomeOf(exitCode: number | null, { stdout, stderr }: Pick<Outcome, "stdout" | "stderr">): Outcome {
  const report = stdout.startsWith("{") ? (JSON.parse(stdout) as JsonReport) : undefined;
  return { exitCode, stdout, stderr, log: logLines(stderr), report, reason: report?.reason };
}

/** Whole lines only: the last one may still be on its way. */
function logLines(stderr: string): LogLine[] {
  const lines = stderr.slice(0, stderr.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

/**
 * Holds a run to its exit code and reason; a failure shows its log.
 *
 * @returns the run's report.
 */
export function expectEnd(outcome: Outcome, exitCode: number, reason: Reason): JsonReport {
  const { report } = outcome;
  expect({ exitCode: outcome.exitCode, reason: outcome.reason }, outcome.stderr).toEqual({ exitCode, reason });
  expect(report?.exitCode).toBe(exitCode);
  return report!;
}

/** The names of the pods that a report's decision is to remove, in their order. */
export function targetsOf({ decision }: JsonReport): string[] {
  return decision?.action === "rotate" ? decision.targets.map(({ pod }) => pod) : [];
}
