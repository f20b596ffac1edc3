/** The npm package: what is in it, and that it runs where nothing else is installed. */

import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { temporaryFolder } from "../harness/processes.ts";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");

describe("the npm package", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let tarball: string;
  beforeAll(async () => {
    folder = await temporaryFolder("package");
    // The build that packing would make first takes `dist` away from whoever uses it at that moment.
    const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder.path];
    const { stdout } = await run("npm", args, { cwd: ROOT });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    tarball = join(folder.path, filename);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  it("holds the bundle, the documents and the manifests, and neither sources nor tests", async () => {
    const { stdout } = await run("tar", ["-tzf", tarball]);
    const whole = globSync(["dist/**/*.*", "docs/**/*.*", "deploy/{alerts,kubernetes}/**/*.*"], { cwd: ROOT });
    const single = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];
    const expected = [...whole, ...single].map((path) => `package/${path}`);
    expect(stdout.trimEnd().split("\n").toSorted()).toEqual(expected.toSorted());
  });

  it("runs the demo where it is installed without a registry", async () => {
    const cwd = join(folder.path, "elsewhere");
    await mkdir(cwd);
    await run("npm", ["install", "--offline", "--cache", join(folder.path, "cache"), tarball], { cwd });
    const { stdout } = await run("npx", ["--no", "pod-rebalancer", "demo"], { cwd });
    expect(stdout).toMatch(/is replaced: 8 pods are Ready/);
  });
});
