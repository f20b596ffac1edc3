/** The rules of the folders bite: a breach that is planted in a copy is found. */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BUNDLE } from "../scripts/build.ts";
import { bundledPackages } from "../scripts/licences.ts";

const root = resolve(import.meta.dirname, "..");

describe("the lint rules", () => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "planted-"));
    cpSync(join(root, ".oxlintrc.json"), join(copy, ".oxlintrc.json"));
    cpSync(join(root, "src"), join(copy, "src"), { recursive: true });
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  /** What oxlint says of this file, put into the copy in the place of one that is not there. */
  function lint(path: string, source: string): string {
    const file = join(copy, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, source);
    const oxlint = join(root, "node_modules", ".bin", "oxlint");
    const { stdout, stderr } = spawnSync(oxlint, ["-c", join(copy, ".oxlintrc.json"), path], {
      cwd: copy,
      encoding: "utf8",
    });
    rmSync(file);
    return stdout + stderr;
  }

  const CORE = 'import { decide } from "../decision/decide.ts";\nexport const planted = decide;\n';

  it.each(["decision", "podstate", "prometheus", "kubernetes"])("let %s import the core", (folder) => {
    expect(lint(`src/${folder}/planted.ts`, CORE)).toMatch(/Found 0 warnings and 0 errors/);
  });

  it.each([
    ["an adapter", 'import { createHttpClient } from "../http.ts";\nexport const planted = createHttpClient;\n'],
    ["the metrics", 'import { PROFILES } from "../metrics/profiles.ts";\nexport const planted = PROFILES;\n'],
    ["the Kubernetes adapter", 'import { rotate } from "../kubernetes/manager.ts";\nexport const planted = rotate;\n'],
    [
      "the Kafka adapter",
      'import { readGroup } from "../kafka/admin/read-group.ts";\nexport const planted = readGroup;\n',
    ],
    ["the run", 'import { rebalance } from "../rebalance.ts";\nexport const planted = rebalance;\n'],
    ["the settings", 'import { OPTIONS } from "../config/options.ts";\nexport const planted = OPTIONS;\n'],
    ["the log", 'import { createNarrator } from "../logging/logger.ts";\nexport const planted = createNarrator;\n'],
    ["the output", 'import { renderPlan } from "../output/table.ts";\nexport const planted = renderPlan;\n'],
    [
      "the metrics client",
      'import { parseSamples } from "../prometheus/parse.ts";\nexport const planted = parseSamples;\n',
    ],
    ["the demo", 'import { runDemo } from "../demo/demo.ts";\nexport const planted = runDemo;\n'],
    [
      "the simulation",
      'import { createWorld } from "../simulation/kubernetes-world.ts";\nexport const planted = createWorld;\n',
    ],
    ["files", 'import { readSecretFile } from "../secret-file.ts";\nexport const planted = readSecretFile;\n'],
    ["a Node API", 'import { readFileSync } from "node:fs";\nexport const planted = readFileSync;\n'],
    ["a package", 'import { pino } from "pino";\nexport const planted = pino;\n'],
    ["the process", "export const planted = process.env;\n"],
    ["a clock", "export const planted = Date.now();\n"],
    ["a clock of a signal", "export const planted = AbortSignal.timeout(1);\n"],
    ["the process by another name", "export const planted = globalThis.process;\n"],
    ["a timer", "export const planted = setTimeout;\n"],
    ["chance", "export const planted = Math.random();\n"],
  ])("keep %s out of the core", (_name, source) => {
    for (const folder of ["decision", "podstate", "forecast", "kafka", "kafka/assignors"]) {
      expect(lint(`src/${folder}/planted.ts`, source)).toMatch(
        /planted\.ts.*\n(?:.*\n)*.*Found 0 warnings and 1 error/,
      );
    }
  });

  it.each([
    ["a Node API", 'import { readFileSync } from "node:fs";\nexport const planted = readFileSync;\n'],
    ["real time", "export const planted = Date.now();\n"],
    ["a timer", "export const planted = setTimeout;\n"],
    ["chance", "export const planted = Math.random();\n"],
  ])("keep %s out of the simulation", (_name, source) => {
    expect(lint("src/simulation/planted.ts", source)).toMatch(/planted\.ts.*\n(?:.*\n)*.*Found 0 warnings and 1 error/);
  });

  it("keep what Node 22 does not have out of the product", () => {
    const source = "export const planted = new DisposableStack();\n";
    expect(lint("src/prometheus/planted.ts", source)).toMatch(/DisposableStack/);
  });
});

describe("a plain run", () => {
  it("loads no library that it does not need", async () => {
    const { metafile } = await build({ ...BUNDLE, write: false, absWorkingDir: root });
    const loaded = new Set(["dist/pod-rebalancer.js"]);
    for (const path of loaded) {
      const { imports = [] } = metafile.outputs[path] ?? {};
      for (const { kind, path: imported } of imports) if (kind === "import-statement") loaded.add(imported);
    }
    const outputs = Object.entries(metafile.outputs).filter(([path]) => loaded.has(path));
    const packages = bundledPackages({ ...metafile, outputs: Object.fromEntries(outputs) });
    expect(packages).toContain("node_modules/pino");
    for (const late of ["@platformatic/kafka", "prom-client", "yaml", "zod"]) {
      expect(packages).not.toContain(`node_modules/${late}`);
    }
  });
});
