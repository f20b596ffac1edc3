/**
 * Runs Kafka's own assignors, those of the Java client and those of the coordinator (KIP-848). As a script it writes their golden
 * vectors anew (`node test/harness/java-assignors.ts`).
 */

import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { classPathOf, ensureKafka } from "./kafka.ts";
import { failInCi } from "./processes.ts";

/** The assignors whose vectors are checked in, and how many groups of each. */
const GROUPS = {
  range: 3_000,
  "round-robin": 3_000,
  sticky: 4_500,
  "cooperative-sticky": 4_500,
  "kip848-range": 3_000,
  "kip848-uniform": 4_500,
} as const;

const run = promisify(execFile);

/**
 * Why the real assignors cannot be asked here; undefined when they can. Fetches Kafka from Maven's registry where it is not in
 * the cache.
 *
 * @throws Error instead, where `CI` is set.
 */
export async function assignorsMissing(): Promise<string | undefined> {
  if (spawnSync("javac", ["-version"]).status !== 0)
    return failInCi("a JDK (17 or newer) is not installed (npm run tools)");
  return failInCi(
    await ensureKafka().then(
      () => undefined,
      (error: unknown) => `Kafka is not there: ${String(error)}`,
    ),
  );
}

/** @returns the lines of these numbers, as GoldenVectors.java writes them. */
export async function askAssignor(assignor: string, from: number, count: number): Promise<string[]> {
  return await goldenVectors([assignor, String(from), String(count)]);
}

/** @returns the groups that were given, each with the answer of an assignor of the client. */
export async function answersTo(assignor: string, lines: readonly string[]): Promise<string[]> {
  return await goldenVectors([assignor], `${lines.join("\n")}\n`);
}

/** What `java` is started with; the program is compiled once. */
export async function goldenVectorsCommand(): Promise<readonly string[]> {
  return ["-XX:TieredStopAtLevel=1", "-cp", await classPathOf("GoldenVectors"), "GoldenVectors"];
}

async function goldenVectors(args: readonly string[], input = ""): Promise<string[]> {
  const running = run("java", [...(await goldenVectorsCommand()), ...args], { maxBuffer: 256 * 1024 * 1024 });
  running.child.stdin?.end(input);
  const { stdout } = await running;
  return stdout.trimEnd().split("\n");
}

if (import.meta.main) {
  for (const [assignor, count] of Object.entries(GROUPS)) {
    const lines = await askAssignor(assignor, 0, count);
    const path = join(import.meta.dirname, "..", "kafka", "golden", `${assignor}.txt.gz`);
    writeFileSync(path, gzipSync(`${lines.join("\n")}\n`, { level: 9 }));
  }
}
