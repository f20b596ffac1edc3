/**
 * Runs librdkafka's own assignors, built from its source as the npm package `@confluentinc/kafka-javascript` brings it.
 *
 * As a script it writes the golden vectors anew (`node test/harness/librdkafka.ts`), or prints some of them
 * (`node test/harness/librdkafka.ts --from 17 --count 1 --assignor range`).
 */

import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { cachedPath, ensureCached } from "./build.ts";
import { failInCi } from "./processes.ts";

const PACKAGE = "@confluentinc/kafka-javascript@1.10.1";
const INTEGRITY = "sha512-KVePUBn21EqCVP9mfxzEuM3SYJHHEF7X+iiC2e43QQgDSyEaksInmCGooT3w5q+cNAdkSCrK71j0ICfqoSqZLw==";

const FOLDER = join(import.meta.dirname, "librdkafka");
const GOLDEN = join(import.meta.dirname, "..", "kafka", "golden");

/** Of the library only what the assignors need; the linker leaves out what these files do not use of each other. */
const LINKED = [
  "rdkafka_sticky_assignor.c",
  "rdkafka_range_assignor.c",
  "rdkafka_roundrobin_assignor.c",
  "rdkafka_assignor.c",
  "rdkafka_partition.c",
  "rdlist.c",
  "rdmap.c",
  "rdports.c",
  "rdregex.c",
  "rdstring.c",
];
/** Globals are not watched: that would keep the library's unit tests, and with them the whole library. */
const FLAGS = ["-g", "-O1", "-w", "-fsanitize=address", "--param", "asan-globals=0"];
const SECTIONS = ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"];

/** The assignors whose vectors are checked in, and how many groups of each. */
const GROUPS = { "cooperative-sticky": 2_000, range: 200, roundrobin: 200 } as const;
export type LibrdkafkaAssignor = keyof typeof GROUPS;

const run = promisify(execFile);

function archivePath(): string {
  return cachedPath("librdkafka-source", [PACKAGE, INTEGRITY]);
}

function programPath(): string {
  const sources = ["vectors.c", "absent.c", "config.h"].map((file) => readFileSync(join(FOLDER, file)));
  return cachedPath("librdkafka-vectors", [PACKAGE, INTEGRITY, ...LINKED, ...FLAGS, ...SECTIONS, ...sources]);
}

/**
 * Why the assignors can neither be found nor built here; undefined when they can.
 *
 * @throws Error instead, where `CI` is set.
 */
export async function librdkafkaMissing(): Promise<string | undefined> {
  if (existsSync(programPath())) return undefined;
  const absent = ["gcc", "tar", "npm"].filter((program) => spawnSync(program, ["--version"]).status !== 0);
  if (absent.length > 0) return failInCi(`librdkafka's assignors must be built, and ${absent.join(", ")} is missing`);
  return failInCi(await ensureArchive().then(() => undefined, String));
}

/** The vectors of these groups, as the golden files have them. */
export async function librdkafkaVectors(assignor: LibrdkafkaAssignor, from: number, count: number): Promise<string> {
  const program = await ensureLibrdkafkaVectors();
  const { stdout } = await run(program, [assignor, String(from), String(count)], { maxBuffer: 256 * 1024 * 1024 });
  return stdout;
}

/** @returns the path of the program that asks the assignors. */
export async function ensureLibrdkafkaVectors(): Promise<string> {
  return await ensureCached(programPath(), build);
}

async function ensureArchive(): Promise<string> {
  return await ensureCached(archivePath(), async (scratch) => {
    const patience = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=3000"];
    const args = ["pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", scratch, ...patience];
    const { stdout } = await run("npm", args, { cwd: scratch });
    const archive = join(scratch, stdout.trim());
    const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: its integrity is ${integrity}`);
    return archive;
  });
}

async function build(scratch: string): Promise<string> {
  await run("tar", ["-xzf", await ensureArchive(), "-C", scratch, "package/deps/librdkafka/src"]);
  const library = join(scratch, "package", "deps", "librdkafka");
  const source = join(library, "src");
  await copyFile(join(FOLDER, "config.h"), join(library, "config.h"));
  const program = join(scratch, "vectors");
  const own = ["vectors.c", "absent.c"].map((file) => join(FOLDER, file));
  const args = [...FLAGS, ...SECTIONS, `-I${source}`, "-o", program, ...own, ...LINKED, "-lpthread", "-lm"];
  await run("gcc", args, { cwd: source, maxBuffer: 64 * 1024 * 1024 });
  return program;
}

async function writeGolden(): Promise<void> {
  for (const [assignor, count] of Object.entries(GROUPS) as [LibrdkafkaAssignor, number][]) {
    const text = await librdkafkaVectors(assignor, 0, count);
    writeFileSync(join(GOLDEN, `librdkafka-${assignor}.txt.gz`), gzipSync(text, { level: 9 }));
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { assignor: { type: "string" }, from: { type: "string" }, count: { type: "string" } },
  });
  if (values.from === undefined) await writeGolden();
  else {
    const assignor = (values.assignor ?? "cooperative-sticky") as LibrdkafkaAssignor;
    process.stdout.write(await librdkafkaVectors(assignor, Number(values.from), Number(values.count ?? 1)));
  }
}
