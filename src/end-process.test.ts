import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

const MODULE = join(import.meta.dirname, "end-process.ts");

describe("the end of the process", () => {
  it.each([
    ["nothing hangs", ""],
    ["a thread hangs in the kernel", 'const opened = open("pipe", "r");'],
    ["all threads hang there", 'for (let n = 0; n < 8; n += 1) void open("pipe", "r");'],
  ])("comes with its code where %s", async (_name, hangs) => {
    const directory = mkdtempSync(join(tmpdir(), "end-process-"));
    try {
      execFileSync("mkfifo", [join(directory, "pipe")]);
      const script = `
        import { open } from "node:fs/promises";
        import { endProcess } from ${JSON.stringify(MODULE)};
        ${hangs}
        setImmediate(() => endProcess(3));`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: directory });
      onTestFinished(() => void child.kill("SIGKILL"));
      expect(await once(child, "close")).toEqual([3, null]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
