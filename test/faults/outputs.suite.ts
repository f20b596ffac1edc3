/** Outputs that cannot be written: a disk that is full, a pipe that is full and that nobody reads. */

import { execFileSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { eventually } from "../fakes/loopback.ts";
import { hang } from "./misbehaviour.ts";
import { startProduct } from "./product.ts";
import { DRY, LIVE, on, type Scene, startScene } from "./scene.ts";

const ONE = { MAX_PODS_TO_DELETE: "1" };

interface FullPipe extends Disposable {
  /** To be written to; a write blocks. */
  readonly end: number;
  /** Takes all that is in it. */
  read(): string;
}

/** A pipe with no room left, whose reader is there and does not read. */
function fullPipe(directory: string): FullPipe {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  const ours = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  // Not ours: whether a write blocks is kept with what was opened.
  const end = openSync(path, "w");
  untilItBlocks(() => writeSync(ours, "\n".repeat(4_096)));
  untilItBlocks(() => writeSync(ours, "\n"));
  return {
    end,
    read() {
      const chunks: string[] = [];
      const buffer = Buffer.alloc(65_536);
      untilItBlocks(() => chunks.push(buffer.toString("utf8", 0, readSync(ours, buffer))));
      return chunks.join("");
    },
    [Symbol.dispose]() {
      closeSync(end);
      closeSync(ours);
    },
  };
}

function untilItBlocks(step: () => unknown): void {
  try {
    for (;;) step();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EAGAIN") throw thrown;
  }
}

function startWith(scene: Scene, args: readonly string[], streams: { stdout?: number; stderr?: number }) {
  const { stdout = "pipe", stderr = "pipe" } = streams;
  return scene.start(args, ONE, ["ignore", stdout, stderr]);
}

describe("a log that nobody reads", { concurrent: true }, () => {
  it("holds up no run", async () => {
    await using scene = await startScene();
    using pipe = fullPipe(scene.directory);
    const ended = await startWith(scene, LIVE, { stderr: pipe.end }).ended;
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("does not keep a run that is told to stop", async () => {
    await using scene = await startScene({ kubernetes: on("list pods", hang) });
    using pipe = fullPipe(scene.directory);
    const product = startWith(scene, LIVE, { stderr: pipe.end });
    await eventually(() => scene.calls("list pods").length === 1);
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1 });
  });

  it("holds up no fault in the settings", async () => {
    await using scene = await startScene();
    using pipe = fullPipe(scene.directory);
    expect(await startWith(scene, ["run"], { stderr: pipe.end }).ended).toMatchObject({ exitCode: 2 });
  });

  it("is whole once it is read again", async () => {
    await using scene = await startScene({ prometheus: on("lag query", hang) });
    using pipe = fullPipe(scene.directory);
    const product = startWith(scene, LIVE, { stderr: pipe.end });
    await eventually(() => scene.calls("lag query").length === 1);
    const begun = pipe.read();
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1 });
    const sentences = (begun + pipe.read())
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(sentences[0]).toMatch(/^Found 6 pods/);
    expect(sentences.at(-1)).toMatch(/^The run was told to stop/);
  });
});

describe.each(["json", "table", "metrics"])("a result (%s) that nobody reads", { concurrent: true }, (output) => {
  it("is an error of its own, and the run ends", async () => {
    await using scene = await startScene();
    using pipe = fullPipe(scene.directory);
    const ended = await startWith(scene, [...DRY, "--output", output], { stdout: pipe.end }).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "would_rotate" });
    expect(ended.lines.at(-1)).toMatchObject({
      level: "error",
      error: { code: "OUTPUT_FAILED" },
      msg: "Dry run: The result was not written: stdout was not read in time. The exit code is 1.",
    });
  });
});

function fullDisk(): Disposable & { readonly end: number } {
  const end = openSync("/dev/full", "w");
  return { end, [Symbol.dispose]: () => closeSync(end) };
}

describe.runIf(existsSync("/dev/full"))("a full disk behind stdout", { concurrent: true }, () => {
  it.each([
    ["plan", ["plan", "--output", "json"]],
    ["plan with a table", ["plan"]],
    ["a dry run", [...DRY, "--output", "metrics"]],
  ])("fails %s", async (_name, args) => {
    await using scene = await startScene();
    using disk = fullDisk();
    const ended = await startWith(scene, args, { stdout: disk.end }).ended;
    expect(ended.exitCode).toBe(1);
    expect(ended.lines.at(-1)).toMatchObject({
      level: "error",
      error: { code: "OUTPUT_FAILED" },
      msg: "Dry run: The result was not written: stdout cannot be written (ENOSPC). The exit code is 1.",
    });
  });

  it("leaves a run that removed pods its exit code, and the log says so", async () => {
    await using scene = await startScene();
    using disk = fullDisk();
    const ended = await startWith(scene, [...LIVE, "--output", "json"], { stdout: disk.end }).ended;
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines.at(-1)).toMatchObject({
      level: "error",
      msg: "The result was not written: stdout cannot be written (ENOSPC). The exit code stays 0, because this run removed pods.",
    });
  });

  it("leaves a run that could judge nothing its exit code", async () => {
    await using scene = await startScene({ pods: 1 });
    scene.world.pods.splice(0);
    using disk = fullDisk();
    const ended = await startWith(scene, [...DRY, "--output", "json"], { stdout: disk.end }).ended;
    expect(ended).toMatchObject({ exitCode: 4, reason: "no_pods" });
    expect(ended.lines.at(-1)?.msg).toMatch(/\(ENOSPC\)\. The exit code stays 4\.$/);
  });

  it("behind stderr changes nothing", async () => {
    await using scene = await startScene();
    using disk = fullDisk();
    const ended = await startWith(scene, [...LIVE, "--output", "json"], { stderr: disk.end }).ended;
    expect(ended.exitCode).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ reason: "rotated" });
  });

  it("behind stderr leaves a fault in the settings its exit code", async () => {
    await using scene = await startScene();
    using disk = fullDisk();
    expect((await startWith(scene, ["run"], { stderr: disk.end }).ended).exitCode).toBe(2);
  });

  it.each([["--help"], ["--version"], ["demo"]])("fails %s", async (command) => {
    using disk = fullDisk();
    const ended = await startProduct([command], {}, ["ignore", disk.end, "pipe"]).ended;
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(/^pod-rebalancer: stdout cannot be written \(ENOSPC\)\n/);
  });
});
