import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { isThere, readTextFile } from "./text-file.ts";

const directory = mkdtempSync(join(tmpdir(), "text-file-"));
afterAll(() => rmSync(directory, { recursive: true }));

const MIB = 2 ** 20;

/** A file of this many bytes, none of which takes room on the disk. */
function sized(name: string, bytes: number): string {
  const path = join(directory, name);
  writeFileSync(path, "");
  truncateSync(path, bytes);
  return path;
}

function pipe(): string {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

describe("a file of the user", () => {
  it("is read whole, up to 4 MiB, also through a link", async () => {
    const path = join(directory, "text");
    writeFileSync(path, "wörds\n");
    symlinkSync(path, join(directory, "link"));
    expect(await readTextFile(join(directory, "link"))).toBe("wörds\n");
    expect(await readTextFile(sized("large", 4 * MIB))).toHaveLength(4 * MIB);
    expect(await readTextFile(sized("empty", 0))).toBe("");
  });

  it("is read whole where its size is not told", async () => {
    expect(await readTextFile("/proc/self/status")).toMatch(/^Name:/);
  });

  it.each<[string, () => string, RegExp]>([
    ["is not there", () => join(directory, "none"), /none cannot be read \(ENOENT\)$/],
    ["is a directory", () => directory, / is a directory, expected a regular file$/],
    ["is a pipe that nobody writes to", pipe, /pipe is a pipe, expected a regular file$/],
    ["is a device without end", () => "/dev/zero", /^\/dev\/zero is a device or a socket, expected a regular file$/],
    ["is too large", () => sized("huge", 64 * 2 ** 30), /huge is larger than 4 MiB$/],
  ])("that %s is refused by name", async (_how, path, message) => {
    const refused = { code: "CREDENTIALS_INVALID", message: expect.stringMatching(message) };
    await expect(readTextFile(path())).rejects.toMatchObject(refused);
  });

  it("on a mount that hangs is given up", async () => {
    const never = new Promise<never>(() => {});
    for (const files of [
      { open, stat: () => never },
      { stat, open: () => never },
    ]) {
      await expect(readTextFile(import.meta.filename, { files, patienceMillis: 1 })).rejects.toMatchObject({
        code: "CREDENTIALS_INVALID",
        message: `${import.meta.filename} was not read within 0.001 s; expected a file whose disk or mount answers`,
      });
    }
  });

  it("that was exchanged for a pipe after the look does not block", async () => {
    const path = join(directory, "exchanged");
    execFileSync("mkfifo", [path]);
    const files = { open, stat: () => stat(import.meta.filename) };
    expect(await readTextFile(path, { files })).toBe("");
  });
});

describe("whether a file is there", () => {
  it("is told without reading it", async () => {
    expect(await isThere(directory)).toBe(true);
    expect(await isThere(join(directory, "none"))).toBe(false);
    expect(await isThere("/dev/null/none")).toBe(false);
  });

  it("is denied where nothing answers", async () => {
    const files = { open, stat: () => new Promise<never>(() => {}) };
    expect(await isThere("/", { files, patienceMillis: 1 })).toBe(false);
  });
});
