/** `npm run security` against registries on loopback: it passes only where the locked versions were really checked. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Misbehaviour, startLoopback } from "../../src/demo/loopback.ts";
import { hang, says } from "../faults/misbehaviour.ts";

const SCRIPT = resolve(import.meta.dirname, "../../scripts/security.ts");

const LOCKED = { version: "1.0.0", dev: true, integrity: "sha512-AA==" };

let project: string;
let empty: string;
beforeAll(() => {
  [project, empty] = ["audit-", "audit-empty-"].map((prefix) => mkdtempSync(join(tmpdir(), prefix))) as [
    string,
    string,
  ];
  const root = { name: "audited", version: "1.0.0", devDependencies: { "left-out": "1.0.0" } };
  const packages = { "": root, "node_modules/left-out": LOCKED };
  writeFileSync(join(project, "package.json"), JSON.stringify(root));
  writeFileSync(join(project, "package-lock.json"), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
});
afterAll(() => {
  for (const directory of [project, empty]) rmSync(directory, { recursive: true });
});

/** What a registry says of a package, as `npm audit` asks for it. */
function advisory(name: string, severity: string): object {
  const url = `https://github.com/advisories/GHSA-planted-${name}`;
  return { [name]: [{ id: 1, url, title: `Planted in ${name}`, severity, vulnerable_versions: "<2" }] };
}

const KNOWS = advisory("minimist", "critical");

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The check, with a registry that answers every audit like this and knows of nothing else. */
async function check(answer: Misbehaviour, env: Readonly<Record<string, string>> = {}, cwd = project): Promise<Ended> {
  await using registry = await startLoopback(() => ({ status: 404, body: {} }), {
    intercept: ({ method }) => (method === "POST" ? answer : undefined),
  });
  const settings = {
    PATH: process.env["PATH"] ?? "",
    HOME: project,
    npm_config_registry: registry.url.href,
    npm_config_fetch_retries: "0",
    npm_config_fetch_timeout: "2000",
    npm_config_update_notifier: "false",
  };
  const child = spawn(process.execPath, [SCRIPT], { cwd, env: { ...settings, ...env } });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const { promise, resolve: done } = Promise.withResolvers<number | null>();
  child.once("close", done);
  return { exitCode: await promise, stdout, stderr };
}

describe("npm run security", { concurrent: true, timeout: 60_000 }, () => {
  it("passes where nothing is known of the locked versions, by a registry that does know", async () => {
    expect(await check(says(200, KNOWS))).toEqual({
      exitCode: 0,
      stdout: "security: 0 of 1 packages in package-lock.json are vulnerable\n",
      stderr: "",
    });
  });

  const leavingOut = {
    NODE_ENV: "production",
    npm_config_omit: "dev",
    npm_config_audit_level: "none",
    npm_config_local_prefix: resolve(import.meta.dirname, "../.."),
  };

  it.each([[{}], [leavingOut]])("names package, version and advisory, of whatever severity, with %j", async (env) => {
    expect(await check(says(200, { ...KNOWS, ...advisory("left-out", "low") }), env)).toEqual({
      exitCode: 1,
      stdout: "security: 1 of 1 packages in package-lock.json are vulnerable\n",
      stderr:
        "security: left-out 1.0.0 (low): Planted in left-out, https://github.com/advisories/GHSA-planted-left-out\n",
    });
  });

  it.each<[string, Misbehaviour]>([
    ["has no audits (405)", says(405, { error: "Method Not Allowed" })],
    ["answers with nothing", says(200, "")],
    ["answers with an error that looks like success", says(200, { error: "\u001B[31mnot here" })],
    ["knows of nothing at all", says(200, {})],
    ["never answers", hang],
  ])("says that it checked nothing where the registry %s", async (_name, answer) => {
    const { exitCode, stdout, stderr } = await check(answer);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^security: NOT CHECKED: [^\p{Cc}]+\n$/u);
  });

  it.each<[string, () => Promise<Ended>, RegExp]>([
    ["registry", () => check(hang, { npm_config_registry: "http://127.0.0.1:1" }), /ECONNREFUSED/],
    ["npm", () => check(hang, { PATH: "/nowhere" }), /npm ENOENT/],
    ["lock file", () => check(says(200, KNOWS), {}, empty), /package-lock\.json/],
  ])("says so where there is no %s", async (_name, run, why) => {
    const { exitCode, stdout, stderr } = await run();
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^security: NOT CHECKED: /);
    expect(stderr).toMatch(why);
  });
});
