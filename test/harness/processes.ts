/** Starts the servers that tests need, and makes sure that none of them outlives the test. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const STOP_GRACE_MILLIS = 5_000;
const LOG_TAIL_CHARACTERS = 3_000;

/** A server process whose output goes to a file. */
export interface ServerProcess extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** The end of its output, for error messages. */
  logTail(): string;
  /** False from the moment it ended by itself or was stopped. */
  alive(): boolean;
  /** Ends it: SIGTERM, then SIGKILL. */
  stop(): Promise<void>;
}

interface StartOptions {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What must go when this process does, however it ends: live children, then their folders. */
const children = new Set<ChildProcess>();
const folders = new Set<string>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Where util-linux offers it, the kernel ends the children even when this process is killed with SIGKILL. */
const dieWithParent: readonly string[] =
  spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0 ? ["setpriv", "--pdeathsig", "KILL"] : [];

/** Starts a server; its output is appended to `<directory>/<name>.log`. */
export async function startProcess(options: StartOptions): Promise<ServerProcess> {
  const logFile = join(options.directory, `${options.name}.log`);
  const log = openSync(logFile, "a");
  const [program, ...args] = [...dieWithParent, options.program, ...options.args];
  const child = spawn(program!, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  children.add(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  void ended.then(() => children.delete(child));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", () => resolve());
    child.once("error", (cause) => {
      children.delete(child);
      reject(new Error(`cannot start ${options.name}: ${cause.message}`, { cause }));
    });
  });
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const stop = async (): Promise<void> => {
    if (!alive()) return;
    child.kill("SIGTERM");
    const patience = new AbortController();
    const killed = sleep(STOP_GRACE_MILLIS, undefined, { signal: patience.signal }).then(
      () => child.kill("SIGKILL"),
      () => undefined,
    );
    await ended;
    patience.abort();
    await killed;
  };
  return {
    name: options.name,
    pid: child.pid!,
    logFile,
    logTail: () => readFileSync(logFile, "utf8").slice(-LOG_TAIL_CHARACTERS),
    alive,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Waits until a server answers.
 *
 * @throws Error with the end of the server's log, at once when it ended by itself.
 */
export async function waitUntilReady(
  server: ServerProcess,
  ready: () => Promise<boolean>,
  timeoutMillis: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMillis;
  while (!(await ready().catch(() => false))) {
    if (!server.alive()) throw new Error(`${server.name} ended while it started:\n${server.logTail()}`);
    if (Date.now() > deadline) {
      throw new Error(`${server.name} was not ready within ${timeoutMillis} ms:\n${server.logTail()}`);
    }
    await sleep(50);
  }
}

/** Free loopback ports, all different. Another process may still take one before its server does. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A temporary folder that goes with its owner; it stays, for its logs, where `KEEP_TEST_LOGS` is set. */
export async function temporaryFolder(label: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), `pod-rebalancer-${label}-`));
  const keep = Boolean(process.env["KEEP_TEST_LOGS"]);
  if (!keep) folders.add(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (!keep) await rm(path, { recursive: true, force: true });
      folders.delete(path);
    },
  };
}

/**
 * Asks until the answer is neither false nor undefined.
 *
 * @param description - completes "timed out waiting for …".
 * @returns the answer.
 */
export async function waitFor<T>(
  description: string,
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  timeoutMillis: number,
): Promise<T> {
  const deadline = Date.now() + timeoutMillis;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`timed out after ${timeoutMillis} ms waiting for ${description}`);
    await sleep(100);
  }
}

/** Passes on why something is missing, except where `CI` is set: there it throws, because a skipped suite proves nothing. */
export function failInCi(missing: string | undefined): string | undefined {
  if (missing !== undefined && process.env["CI"]) throw new Error(missing);
  return missing;
}
