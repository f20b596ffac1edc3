/** What a container or a machine may lack: a home, a place in the list of users, descriptors. */

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import type { Product } from "./product.ts";
import { DRY, LIVE, on, startScene } from "./scene.ts";

describe.runIf(spawnSync("prlimit", ["--version"]).status === 0)("no descriptor left", { concurrent: true }, () => {
  it.each(["list pods", "get lease"])("after `%s` ends the run, and is named as what it is", async (call) => {
    let product: Product | undefined;
    /** Answers once the product can open nothing more. */
    const closingIn: Misbehaviour = (response, honest) => {
      const { pid } = product!;
      const open = new Set(readdirSync(`/proc/${pid}/fd`));
      let next = 0;
      while (open.has(String(next))) next += 1;
      execFileSync("prlimit", ["--pid", String(pid), `--nofile=${next}:`]);
      const { status, body } = honest();
      response.writeHead(status).end(JSON.stringify(body));
    };
    await using scene = await startScene({ kubernetes: on(call, closingIn) });
    product = scene.start(LIVE);
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TOO_MANY_FILES" });
    expect(ended.said).toMatch(/EMFILE.*Raise the limit of open files/);
    expect(scene.removed()).toEqual([]);
  });
});

describe("no home", { concurrent: true }, () => {
  it("is no obstacle where KUBECONFIG is set", async () => {
    await using scene = await startScene();
    expect(await scene.run(DRY, { HOME: "" })).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it("never means the kubeconfig of the working directory", async () => {
    await using scene = await startScene();
    const ended = await scene.start(DRY, { HOME: "", KUBECONFIG: "" }).ended;
    expect(ended).toMatchObject({ exitCode: 1, code: "CREDENTIALS_INVALID" });
    expect(ended.said).toMatch(
      /no kubeconfig: neither KUBECONFIG nor HOME is set, and this user has no home directory/,
    );
  });
});
