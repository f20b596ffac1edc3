import { spawnSync } from "node:child_process";
import { Writable } from "node:stream";

import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { groupOf, reportOf, UNEVEN } from "../../test/fakes/report.ts";
import { type OutputKind, outputSink } from "./report.ts";

const report = reportOf(groupOf(UNEVEN));
const settings = { policy: POLICY, columns: 100, colour: false };
const never = new AbortController().signal;

/** A stream that has taken a chunk only once `finish` is called. */
function slowStream() {
  const callbacks: ((error?: Error) => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (_chunk, _encoding, callback) => void callbacks.push(callback),
  });
  return { stream, finish: (error?: Error) => callbacks.shift()?.(error) };
}

async function written(kind: OutputKind): Promise<string> {
  const chunks: string[] = [];
  const stdout = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  await outputSink(kind, { stdout, ...settings }).write(report, never);
  return chunks.join("");
}

describe("the result on stdout", () => {
  it("is what was asked for", async () => {
    expect(await written("table")).toMatch(/^shop {2}app=consumer/);
    expect(JSON.parse(await written("json"))).toMatchObject({ schemaVersion: 1 });
    expect(await written("metrics")).toContain(
      'rebalancer_executions_total{status="success",namespace="shop",selector="app=consumer"} 1',
    );
    const { stream } = slowStream();
    expect(outputSink("none", { stdout: stream, ...settings }).concerns?.(report)).toBe(false);
  });

  it("is not done before the stream has taken it", async () => {
    const { stream, finish } = slowStream();
    let done = false;
    const writing = outputSink("json", { stdout: stream, ...settings })
      .write(report, never)
      .then(() => (done = true));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(done).toBe(false);
    finish();
    await writing;
    expect(done).toBe(true);
  });

  it("may lose its reader", async () => {
    const { stream, finish } = slowStream();
    const writing = outputSink("table", { stdout: stream, ...settings }).write(report, never);
    await Promise.resolve();
    finish(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await expect(writing).resolves.toBeUndefined();
  });

  it("may not be lost in any other way", async () => {
    const { stream, finish } = slowStream();
    const writing = outputSink("table", { stdout: stream, ...settings }).write(report, never);
    await Promise.resolve();
    finish(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
    await expect(writing).rejects.toMatchObject({
      code: "OUTPUT_FAILED",
      message: "stdout cannot be written (ENOSPC)",
    });
  });

  it("waits for a stuck reader only as long as it may", async () => {
    const stop = new AbortController();
    const { stream } = slowStream();
    const writing = outputSink("table", { stdout: stream, ...settings }).write(report, stop.signal);
    await Promise.resolve();
    stop.abort(new Error("out of time"));
    const late = { code: "OUTPUT_FAILED", message: "stdout was not read in time" };
    await expect(writing).rejects.toMatchObject(late);
    await expect(outputSink("table", { stdout: stream, ...settings }).write(report, stop.signal)).rejects.toMatchObject(
      late,
    );
  });

  it("does not crash a real process whose reader leaves after one line", () => {
    const script = `
      import { outputSink } from "./src/output/report.ts";
      import { groupOf, manyPods, reportOf } from "./test/fakes/report.ts";
      import { POLICY } from "./test/fakes/policy.ts";
      const sink = outputSink("json", { stdout: process.stdout, policy: POLICY, columns: 100, colour: false });
      await sink.write(reportOf(groupOf(manyPods(3000))), new AbortController().signal);
      process.stderr.write("ended well\\n");`;
    const command = `"$NODE" --input-type=module-typescript -e "$SCRIPT" | head -n 1`;
    const env = { ...process.env, NODE: process.execPath, SCRIPT: script, NODE_NO_WARNINGS: "1" };
    const { stdout, stderr } = spawnSync("sh", ["-c", command], { env, encoding: "utf8" });
    expect([stdout, stderr]).toEqual(["{\n", "ended well\n"]);
  });
});
