import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { Writable } from "node:stream";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { ErrorFields } from "../error-fields.ts";
import { RebalancerError } from "../errors.ts";
import { createNarrator, linesTo, type LogLevel } from "./logger.ts";

const RUN = { runId: "run-1", dryRun: false, namespace: "shop", selector: "app=orders" };

function record(level: LogLevel = "info", run = RUN) {
  const lines: string[] = [];
  const narrator = createNarrator({ level, run, destination: { write: (line) => void lines.push(line) } });
  return { narrator, lines, entry: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

describe("a line of the log", () => {
  it("is a sentence, with fields for machines", () => {
    const { narrator, lines, entry } = record();
    narrator.info("Found 8 pods of Deployment/orders, 8 Ready.", { step: "observe", ms: 41 });
    expect(lines).toHaveLength(1);
    expect(entry()).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      ...RUN,
      step: "observe",
      ms: 41,
      msg: "Found 8 pods of Deployment/orders, 8 Ready.",
    });
  });

  it("says of every sentence of a dry run that it is one", () => {
    const { narrator, entry } = record("info", { ...RUN, dryRun: true });
    narrator.info("Evicting orders-1.");
    expect(entry()).toMatchObject({ dryRun: true, msg: "Dry run: Evicting orders-1." });
  });

  it.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ] as const)("at level %s is written for %j", (level, expected) => {
    const { narrator, lines } = record(level);
    for (const method of ["debug", "info", "warn", "error"] as const) narrator[method]("Something happened.");
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(expected);
  });

  it("stays one line, and free of what a terminal acts on, whatever comes from outside", () => {
    const outside = fc.string({ unit: fc.oneof(fc.constantFrom("\n", "\u001b[2J", '"', "\u202e"), fc.constant("a")) });
    fc.assert(
      fc.property(outside, (text) => {
        const { narrator, lines, entry } = record();
        const error = new RebalancerError("SERVER_ERROR", text, { cause: new Error(text) });
        narrator.warn(`The server said ${text}.`, { pod: text, error });
        expect(lines.join("").indexOf("\n")).toBe(lines.join("").length - 1);
        const { msg, pod, error: told } = entry() as { msg: string; pod: string; error: ErrorFields };
        for (const shown of [msg, pod, told.message, ...told.causes]) expect(shown).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  it("survives fields that JSON cannot hold", () => {
    const { narrator, entry } = record();
    const ring: Record<string, unknown> = {};
    ring["self"] = ring;
    narrator.info("Still here.", { ring, size: 10n, nothing: undefined });
    expect(entry()).toMatchObject({ msg: "Still here." });
  });
});

describe("an error in the log", () => {
  const cause = new Error("connect ECONNREFUSED 127.0.0.1:6443");
  const error = new RebalancerError("CONNECTION_FAILED", "list pods: no connection", {
    cause,
    reply: { status: 500, headers: { "set-cookie": "session=1" }, body: "a page" },
  });

  it("has code, message, advice and causes; no stack, and not the server's reply", () => {
    const { narrator, entry } = record();
    narrator.error("The run failed.", { error });
    expect(entry()["error"]).toEqual({
      code: "CONNECTION_FAILED",
      message: "list pods: no connection",
      advice: error.advice,
      causes: ["connect ECONNREFUSED 127.0.0.1:6443"],
    });
  });

  it("has its stacks at debug", () => {
    const { narrator, entry } = record("debug");
    narrator.error("The run failed.", { error });
    const { stack } = entry()["error"] as { stack: string };
    expect(stack).toMatch(/^RebalancerError: list pods[^]*\ncaused by Error: connect ECONNREFUSED[^]*logger\.test/);
  });

  it("has its stack at any level where the fault is ours", () => {
    const { narrator, entry } = record("error");
    narrator.error("The run failed.", { error: new TypeError("x is not a function") });
    expect(entry()["error"]).toMatchObject({
      code: "INTERNAL",
      message: "x is not a function",
      stack: expect.stringContaining("caused by TypeError: x is not a function") as string,
    });
  });

  it("may be its own cause", () => {
    const ring = new Error("round and round");
    ring.cause = ring;
    const { narrator, entry } = record();
    narrator.error("The run failed.", { error: new RebalancerError("INTERNAL", "ring", { cause: ring }) });
    expect(entry()["error"]).toMatchObject({ causes: Array.from({ length: 5 }, () => "round and round") });
  });
});

/** A stream that takes nothing until it is told to. */
function stuckStream() {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      taken.push(chunk);
      waiting.push(callback);
    },
  });
  const takeAll = async () => {
    while (waiting.length > 0) {
      waiting.shift()?.();
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  return { stream, taken, takeAll };
}

describe("lines that are not read", () => {
  const line = `${"x".repeat(2 ** 18)}\n`;

  it("wait, up to 1 MiB; how many are dropped then is told in their place", async () => {
    const { stream, taken, takeAll } = stuckStream();
    const lines = linesTo(stream);
    for (let at = 0; at < 7; at += 1) lines.write(line);
    await takeAll();
    lines.write("last\n");
    await takeAll();
    expect(taken.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => line));
    expect(JSON.parse(taken[4] ?? "")).toMatchObject({
      level: "warn",
      msg: "Lines of the log that are missing here: 3, because stderr was not read.",
    });
    expect(taken.slice(5)).toEqual(["last\n"]);
  });

  it("are all told where they are read late", async () => {
    const { stream, taken, takeAll } = stuckStream();
    const lines = linesTo(stream);
    for (const text of ["one\n", "two\n", "three\n"]) lines.write(text);
    await takeAll();
    expect(taken).toEqual(["one\n", "two\n", "three\n"]);
  });
});

describe("the log of a real process", () => {
  const script = `
    import { createNarrator, linesTo } from "./src/logging/logger.ts";
    const destination = linesTo(process.stderr);
    const narrator = createNarrator({ level: "info", run: { runId: "run-1", dryRun: false }, destination });
    narrator.info("First.");
    await new Promise((resolve) => setImmediate(resolve));
    narrator.info("Second.");
    process.stdout.write("alive");
    process.exit(0);`;
  const env = { ...process.env, NODE: process.execPath, SCRIPT: script, NODE_NO_WARNINGS: "1" };
  const run = (redirect: string) => {
    const command = `{ "$NODE" --input-type=module-typescript -e "$SCRIPT" ${redirect}; } 3>&1`;
    return spawnSync("sh", ["-c", command], { env, encoding: "utf8" });
  };

  it("is on stderr, whole, even when the process exits at once", () => {
    const { stdout, stderr } = run("");
    expect(stdout).toBe("alive");
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toEqual(["First.", "Second."]);
  });

  it.runIf(existsSync("/dev/full"))("does not end it when the disk behind it is full", () => {
    expect(run("2>/dev/full").stdout).toBe("alive");
  });

  it("does not end it when nobody reads it any more", () => {
    // Its stderr goes into a pipe whose reader has left, its stdout to us.
    expect(run("2>&1 >&3 3>&- | head -c 0").stdout).toBe("alive");
  });
});
