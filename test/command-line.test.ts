/** The built product at the command line, as far as it needs no server. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const program = join(root, "dist", "pod-rebalancer.js");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((done) => {
    child.once("close", (exitCode) => done({ exitCode, stdout, stderr }));
  });
  return { child, ended };
}

describe("the command line", { concurrent: true }, () => {
  it("says its version", async () => {
    expect(await start(["--version"]).ended).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each([["--help"], ["-h"], ["help"], ["run", "--help"]])("explains itself: %s %s", async (...args) => {
    const { exitCode, stdout, stderr } = await start(args).ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/Usage: pod-rebalancer run\|plan\|demo/);
  });

  it.each<[string[], string]>([
    [[], "no command"],
    [["rebalance"], '"rebalance" is not a command'],
    [["demo", "--seed", "1"], 'demo takes no options, and "--seed" was given'],
    [["demo", "--seed=1"], 'demo takes no options, and "--seed" was given'],
  ])("refuses what it does not know: %j", async (args, why) => {
    expect(await start(args).ended).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `pod-rebalancer: ${why}; expected run, plan or demo (see pod-rebalancer --help)\n`,
    });
  });

  it("refuses wrong settings, all at once, before it looks for a cluster", async () => {
    const { exitCode, stdout, stderr } = await start(["run", "--cooldown", "1m"], { DRY_RUN: "yes", DRYRUN: "1" })
      .ended;
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr.split("\n").map((line) => line.slice(0, 30))).toEqual([
      "pod-rebalancer: DRYRUN is not ",
      'pod-rebalancer: DRY_RUN is "ye',
      "pod-rebalancer: COOLDOWN is 1m",
      "",
    ]);
  });

  it("reports a run that finds no cluster like any other", async () => {
    const { exitCode, stdout, stderr } = await start(["run", "--dry-run", "--output", "json"], { HOME: "/nowhere" })
      .ended;
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ reason: "failed", exitCode: 1, error: { code: "CREDENTIALS_INVALID" } });
    expect(JSON.parse(stderr)).toMatchObject({ msg: expect.stringMatching(/no kubeconfig: \/nowhere/), exitCode: 1 });
  });

  it("shows the demo, without any setting from outside", async () => {
    const { exitCode, stdout, stderr } = await start(["demo"], { DRY_RUN: "true", MAX_PODS_TO_DELETE: "nonsense" })
      .ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/is replaced: 8 pods are Ready/);
    expect(stdout).toMatch(/A second run right after it: Held: the last removal is too recent/);
  });

  it("ends the demo when it is told to", async () => {
    const { child, ended } = start(["demo"]);
    child.stdout.once("data", () => child.kill("SIGTERM"));
    const { exitCode, stdout } = await ended;
    expect([1, 3]).toContain(exitCode);
    expect(stdout).toMatch(/The run was told to stop/);
  });
});
