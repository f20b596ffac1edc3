import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { createExecPlugin, type ExecSpec, type ExecSurroundings, gist } from "./exec-plugin.ts";

const SECRET = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ";
const directory = mkdtempSync(join(tmpdir(), "exec-plugin-"));
afterAll(() => rmSync(directory, { recursive: true }));

const SURROUNDINGS: ExecSurroundings = {
  env: { PATH: process.env["PATH"], OUTER: "outer" },
  cluster: {
    server: "https://api.example:6443",
    "certificate-authority-data": "Q0E=",
    "insecure-skip-tls-verify": undefined,
    "tls-server-name": undefined,
  },
  directory,
};

/** A plugin that is a script for Node. */
function scripted(script: string, changes: Partial<ExecSpec> = {}): ExecSpec {
  return { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: ["-e", script], ...changes };
}

function printing(status: object): ExecSpec {
  const credential = { kind: "ExecCredential", status };
  return scripted(`process.stdout.write(${JSON.stringify(JSON.stringify(credential))})`);
}

/** A plugin that counts its runs in a file. */
function counting(name: string, expires: string | undefined): { spec: ExecSpec; runs: () => number } {
  const file = join(directory, name);
  const spec = scripted(
    `const fs = require("node:fs"); fs.appendFileSync(${JSON.stringify(file)}, "x");
     const status = { token: "t" + fs.readFileSync(${JSON.stringify(file)}).length, expirationTimestamp: ${JSON.stringify(expires)} };
     process.stdout.write(JSON.stringify({ status }))`,
  );
  return { spec, runs: () => readFileSync(file).length };
}

describe("a credential plugin", () => {
  it("gives a token", async () => {
    const plugin = createExecPlugin(printing({ token: ` ${SECRET}\n` }), SURROUNDINGS);
    expect(await plugin()).toMatchObject({ token: SECRET, cert: undefined, key: undefined });
  });

  it("gives a client certificate", async () => {
    const plugin = createExecPlugin(printing({ clientCertificateData: "C", clientKeyData: "K" }), SURROUNDINGS);
    expect(await plugin()).toMatchObject({ token: undefined, cert: "C", key: "K" });
  });

  it("sees its arguments, both environments, and what it may know of the cluster", async () => {
    const spec = scripted(
      "process.stdout.write(JSON.stringify({status:{token:[process.env.OUTER,process.env.OWN,process.env.KUBERNETES_EXEC_INFO,process.argv[1]].join('|')}}))",
      { env: [{ name: "OWN", value: "own" }], provideClusterInfo: true },
    );
    const { token } = await createExecPlugin({ ...spec, args: [...spec.args!, "argument"] }, SURROUNDINGS)();
    const [outer, own, info, argument] = token!.split("|");
    expect([outer, own, argument]).toEqual(["outer", "own", "argument"]);
    expect(JSON.parse(info!)).toEqual({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: {
        interactive: false,
        cluster: { server: "https://api.example:6443", "certificate-authority-data": "Q0E=" },
      },
    });
  });

  it("is run once while its credential is good, also for calls at once", async () => {
    const { spec, runs } = counting("good", "2999-01-01T00:00:00Z");
    const plugin = createExecPlugin(spec, SURROUNDINGS);
    await Promise.all([plugin(), plugin()]);
    await plugin();
    expect(runs()).toBe(1);
  });

  it("is run once when its credential does not expire", async () => {
    const { spec, runs } = counting("endless", undefined);
    const plugin = createExecPlugin(spec, SURROUNDINGS);
    await plugin();
    await plugin();
    expect(runs()).toBe(1);
  });

  it("is run again when its credential is about to expire", async () => {
    const { spec } = counting("short", new Date(new Date().getTime() + 5_000).toISOString());
    const plugin = createExecPlugin(spec, SURROUNDINGS);
    expect((await plugin()).token).toBe("t1");
    expect((await plugin()).token).toBe("t2");
  });

  it("is run again after it failed", async () => {
    const file = join(directory, "flaky");
    const plugin = createExecPlugin(
      scripted(
        `const fs = require("node:fs"); if (!fs.existsSync(${JSON.stringify(file)})) { fs.writeFileSync(${JSON.stringify(file)}, ""); process.exit(1); }
         process.stdout.write(JSON.stringify({ status: { token: "t" } }))`,
      ),
      SURROUNDINGS,
    );
    await expect(plugin()).rejects.toThrow(/it failed \(1\)/);
    expect((await plugin()).token).toBe("t");
  });

  it("is killed when it gives no answer, with what it started", async () => {
    const hanging = scripted(
      "require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 3000)'], { stdio: 'inherit' }); process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)",
    );
    await expect(createExecPlugin(hanging, SURROUNDINGS, 200)()).rejects.toMatchObject({
      code: "CREDENTIALS_INVALID",
      message: expect.stringMatching(/no answer within 0\.2 s$/),
    });
  });

  it("gets no answer to a question", async () => {
    const asking = scripted(
      "process.stdin.on('end', () => { console.error('no password given'); process.exit(3); }).resume()",
    );
    await expect(createExecPlugin(asking, SURROUNDINGS)()).rejects.toThrow(/it failed \(3\): no password given$/);
  });

  it("is looked for beside the kubeconfig when its path is relative", async () => {
    writeFileSync(join(directory, "plugin.sh"), `#!/bin/sh\necho '{"status":{"token":"beside"}}'\n`, { mode: 0o700 });
    const plugin = createExecPlugin({ command: "./plugin.sh" }, SURROUNDINGS);
    expect((await plugin()).token).toBe("beside");
  });

  it.each<[string, ExecSpec, RegExp]>([
    [
      "that is not there",
      { command: "no-such-plugin", installHint: "brew install it" },
      /^credential plugin no-such-plugin: the command was not found; its hint: brew install it$/,
    ],
    ["without a command", {}, /the kubeconfig names no command/],
    ["that prints no JSON", scripted(`process.stdout.write("${SECRET}")`), /its output is not JSON$/],
    ["that prints something else", printing({}), /neither a token nor a certificate with a key$/],
    ["that prints null", scripted("process.stdout.write('null')"), /neither a token nor/],
    ["that prints no status", scripted(`process.stdout.write('{"status":null}')`), /neither a token nor/],
    ["that prints a token that is no text", printing({ token: 31337 }), /neither a token nor/],
    [
      "that prints no time",
      printing({ token: SECRET, expirationTimestamp: "soon" }),
      /its output has an expirationTimestamp that is no time$/,
    ],
    ["whose arguments no program can be given", scripted("\0"), /it cannot be started \(ERR_INVALID_ARG_VALUE\)$/],
    ["that prints half a certificate", printing({ clientCertificateData: "C" }), /neither a token nor/],
    [
      "that fails",
      scripted(
        `console.error("\\u001b[31mAccess denied for token ${SECRET}, password=hunter2. Sign in again."); process.exit(2)`,
      ),
      /it failed \(2\): Access denied for token …, password=… Sign in again\.$/,
    ],
    [
      "that traces what its environment holds",
      scripted("console.error('+ login --as', process.env.LOGIN, process.env.MODE); process.exit(1)", {
        env: [
          { name: "LOGIN", value: `hunter2 ${SECRET.slice(0, 9)}` },
          { name: "MODE", value: "cli" },
          { name: "EMPTY" },
        ],
      }),
      /it failed \(1\): \+ login --as … cli$/,
    ],
  ])("%s is told, without secrets", async (_name, spec, message) => {
    const error = await createExecPlugin(spec, SURROUNDINGS)().catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "CREDENTIALS_INVALID", message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain(SECRET);
  });
});

describe("gist", () => {
  it.each([
    [`Authorization: Bearer ${SECRET}`, "Authorization: Bearer …"],
    [`{"access_token": "${SECRET}"}`, `{"access_token": "…"}`],
    ["the session for profile prod has expired", "the session for profile prod has expired"],
  ])("of %j is %j", (said, expected) => {
    expect(gist(said)).toBe(expected);
  });
});
