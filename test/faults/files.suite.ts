/**
 * Files that the user names and that are none, or never end, or never answer: each is an error that names it, and the process ends.
 *
 * By the built product: what hangs would hold up the files of all tests of one process.
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { describe, expect, it } from "vitest";

import { eventually } from "../fakes/loopback.ts";
import type { Environment } from "./product.ts";
import { LIVE, type Scene, type SceneOptions, startScene } from "./scene.ts";

/** Where a path leads that is no file. */
const NO_FILES: readonly (readonly [string, (directory: string) => string, RegExp])[] = [
  ["a pipe that nobody writes to", pipeIn, / is a pipe, expected a regular file/],
  ["a device without end", () => "/dev/zero", / is a device or a socket, expected a regular file/],
  ["a directory", (directory) => directory, / is a directory, expected a regular file/],
  ["a file without end", sparseIn, / is larger than 4 MiB/],
];

function pipeIn(directory: string): string {
  const path = join(directory, "no-file");
  execFileSync("mkfifo", [path]);
  return path;
}

function sparseIn(directory: string): string {
  const path = join(directory, "no-file");
  writeFileSync(path, "");
  truncateSync(path, 64 * 2 ** 30);
  return path;
}

/** A scene whose named file is what `place` makes. */
interface Reader {
  readonly options?: SceneOptions;
  readonly env?: (path: string) => Environment;
}

/** The file of a name that the scene's own files mention, beside them. */
const NO_FILE = "no-file";
const CREDENTIALS: readonly (readonly [string, Reader])[] = [
  ["KUBECONFIG", { env: (path) => ({ KUBECONFIG: path }) }],
  ["tokenFile of the kubeconfig", { options: { kubeconfig: { user: { tokenFile: NO_FILE } } } }],
  [
    "certificate-authority of the kubeconfig",
    { options: { kubeconfig: { cluster: { "certificate-authority": NO_FILE } } } },
  ],
  ["client-key of the kubeconfig", { options: { kubeconfig: { user: { "client-key": NO_FILE } } } }],
  ["bearer_token_file of PROMETHEUS_HTTP_CONFIG", { options: { httpConfig: { bearer_token_file: NO_FILE } } }],
];

const KAFKA = { KAFKA_BOOTSTRAP_SERVERS: "127.0.0.1:1", KAFKA_GROUP: "orders" };
const SETTINGS: readonly (readonly [string, (path: string) => Environment])[] = [
  ["PROMETHEUS_HTTP_CONFIG", (path) => ({ PROMETHEUS_HTTP_CONFIG: path })],
  ["METRICS_PUSH_HTTP_CONFIG", (path) => ({ METRICS_PUSH_HTTP_CONFIG: path, METRICS_PUSH_URL: "http://127.0.0.1:1" })],
  ["KAFKA_CONFIG", (path) => ({ KAFKA_CONFIG: path, ...KAFKA })],
];

function expectUntouched(scene: Scene): void {
  expect(scene.calls("evict")).toEqual([]);
  expect(scene.removed()).toEqual([]);
}

describe.each(CREDENTIALS)("%s", { concurrent: true }, (_name, { options = {}, env = () => ({}) }) => {
  it("that is a pipe that nobody writes to ends the run", async () => {
    await using scene = await startScene(options);
    const path = pipeIn(scene.directory);
    const ended = await scene.start(LIVE, env(path)).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toContain(`${path} is a pipe, expected a regular file`);
    expectUntouched(scene);
  });
});

describe.each(NO_FILES)("%s", { concurrent: true }, (_name, place, words) => {
  it("in the place of KUBECONFIG ends the run", async () => {
    await using scene = await startScene();
    const ended = await scene.start(LIVE, { KUBECONFIG: place(scene.directory) }).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toMatch(words);
    expectUntouched(scene);
  });

  it.each(SETTINGS)("in the place of %s is a wrong setting", async (name, env) => {
    await using scene = await startScene();
    const ended = await scene.start(LIVE, env(place(scene.directory))).ended;
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(new RegExp(`^pod-rebalancer: ${name}: .*${words.source}\n$`));
    expectUntouched(scene);
  });
});

describe("a plugin that hangs", { concurrent: true }, () => {
  it("does not keep a run that is told to stop, and ends with it", async () => {
    await using scene = await startScene({ kubeconfig: { user: { exec: { command: "./plugin" } } } });
    const begun = join(scene.directory, "begun");
    writeFileSync(join(scene.directory, "plugin"), `#!/bin/sh\necho $$ > "${begun}"\nexec sleep 60\n`, { mode: 0o755 });
    const product = scene.start(LIVE, { PATH: process.env["PATH"] ?? "" });
    await eventually(() => existsSync(begun) && readFileSync(begun, "utf8") !== "");
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1, reason: "interrupted", code: "CANCELLED" });
    // Nor is it left behind.
    expect(existsSync(`/proc/${readFileSync(begun, "utf8").trim()}`)).toBe(false);
  });
});

/** Mounting takes rights that a container seldom has. */
function canMount(): boolean {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

const MOUNTER = resolve(import.meta.dirname, "../harness/hung-mount.py");

/** A mount in this directory of which nothing can be read, and not even whether there is anything. */
async function hungMountIn(directory: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = join(directory, "hung");
  mkdirSync(path);
  const mounter = spawn("python3", [MOUNTER, path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((done) => void mounter.once("close", done));
  const [line] = (await once(createInterface(mounter.stdout), "line")) as [string];
  expect(line).toBe("mounted");
  return {
    path,
    async [Symbol.asyncDispose]() {
      mounter.stdin.end();
      await ended;
    },
  };
}

describe.runIf(canMount())("a mount that hangs", { concurrent: true }, () => {
  it.each<[string, (path: string) => Environment]>([
    ["KUBECONFIG", (path) => ({ KUBECONFIG: `${path}/config` })],
    ["the home directory", (path) => ({ KUBECONFIG: "", HOME: path })],
  ])("behind %s ends the run with its code", async (_name, env) => {
    await using scene = await startScene();
    await using mount = await hungMountIn(scene.directory);
    const ended = await scene.start(LIVE, env(mount.path)).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toMatch(/hung\/.*config was not read within 5 s; expected a file whose disk or mount answers/);
    expectUntouched(scene);
  });

  it.each(SETTINGS)("behind %s is a wrong setting", async (name, env) => {
    await using scene = await startScene();
    await using mount = await hungMountIn(scene.directory);
    const ended = await scene.start(LIVE, env(`${mount.path}/file`)).ended;
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(new RegExp(`^pod-rebalancer: ${name}: .*hung/file was not read within 5 s`));
  });

  it("behind the token file ends the run", async () => {
    await using scene = await startScene({ kubeconfig: { user: { tokenFile: "hung/token" } } });
    await using mount = await hungMountIn(scene.directory);
    const ended = await scene.start(LIVE).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toContain(`user "test": ${mount.path}/token was not read within 5 s`);
    expectUntouched(scene);
  });
});
