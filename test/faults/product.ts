/** The built product as a child process, with an environment of its own. */

import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const PROGRAM = resolve(import.meta.dirname, "../../dist/pod-rebalancer.js");

/** Hundreds of processes need not compile the same bundle each time. */
const NODE_COMPILE_CACHE = join(tmpdir(), "pod-rebalancer-compile-cache");

/** What the tests read of a log line. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly step?: string;
  readonly reason?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** How a process ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The log: those lines of stderr that are JSON, in order. */
  readonly lines: readonly LogLine[];
  /** Of the run's last line. */
  readonly reason: string | undefined;
  /** Of the error in the run's last line. */
  readonly code: string | undefined;
  /** The run's last sentence; all of stderr where there was no run. */
  readonly said: string;
}

export interface Product {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves once its log has these words; never where it does not come to that. */
  whenSaid(words: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Closes our end: what the product writes from then on is refused (EPIPE). */
  stopReading(output: "stdout" | "stderr"): void;
}

export type Environment = Readonly<Record<string, string>>;

const running = new Set<ChildProcess>();

/** Ends what still runs when the tests are over: a test that failed did not wait for it. */
export function endProducts(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** @param stdio - of the child; by default nobody types, and both outputs are kept. */
export function startProduct(args: readonly string[], env: Environment, stdio: StdioOptions = "pipe"): Product {
  if (!existsSync(PROGRAM)) throw new Error("dist/pod-rebalancer.js is missing: run `npm run build` first");
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...env, NODE_COMPILE_CACHE }, stdio });
  running.add(child);
  child.stdin?.end();
  let [stdout, stderr] = ["", ""];
  // Whole characters only: one may be cut in two between chunks.
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const whenSaid = (words: string) =>
    new Promise<void>((heard) => {
      child.stderr?.on("data", () => {
        if (stderr.includes(words)) heard();
      });
    });
  const { promise: ended, resolve: done, reject } = Promise.withResolvers<Ended>();
  child.once("error", reject);
  child.once("close", (exitCode) => {
    running.delete(child);
    done(endedWith(exitCode, { stdout, stderr, lines: linesOf(stderr) }));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    whenSaid,
    kill: (signal) => void child.kill(signal),
    stopReading: (output) => void child[output]?.destroy(),
  };
}

/** Finds what the last line of the log says of the run. */
export function endedWith(exitCode: number | null, said: Pick<Ended, "stdout" | "stderr" | "lines">): Ended {
  const last = said.lines.findLast(({ step }) => step === "report");
  return { exitCode, ...said, reason: last?.reason, code: last?.error?.code, said: last?.msg ?? said.stderr };
}

/** The log: those lines that are JSON, in order. */
export function linesOf(stderr: string): LogLine[] {
  return stderr.split("\n").flatMap(parseLine);
}

function parseLine(text: string): LogLine[] {
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return [];
  }
}
