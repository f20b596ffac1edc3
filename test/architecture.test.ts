/** The rules of the folders bite: a breach that is planted in a copy is found. */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";

import { BUNDLE } from "../scripts/build.ts";
import { bundledPackages } from "../scripts/licences.ts";

const root = resolve(import.meta.dirname, "..");

/** A file that is not in the source, and its text. */
type Plant = readonly [path: string, source: string];

const FROM_THE_CORE = 'import { decide } from "../decision/decide.ts";\nexport const planted = decide;\n';
const FREE = ["decision", "podstate", "prometheus", "kubernetes"].map((folder): Plant => [
  `src/${folder}/planted-free.ts`,
  FROM_THE_CORE,
]);

const CORE = ["decision", "podstate", "forecast", "kafka", "kafka/assignors"];

const KEPT_FROM_THE_CORE: readonly (readonly [what: string, source: string])[] = [
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
];

const KEPT_FROM_THE_SIMULATION: readonly (readonly [what: string, source: string])[] = [
  ["a Node API", 'import { readFileSync } from "node:fs";\nexport const planted = readFileSync;\n'],
  ["real time", "export const planted = Date.now();\n"],
  ["a timer", "export const planted = setTimeout;\n"],
  ["chance", "export const planted = Math.random();\n"],
];

const NOT_IN_NODE_22: Plant = ["src/prometheus/planted-22.ts", "export const planted = new DisposableStack();\n"];

const TIMED: readonly Plant[] = [
  ["src/decision/planted-elapsed.test.ts", "export const planted = performance.now();\n"],
  ["src/planted-elapsed.test.ts", "export const planted = performance.now();\n"],
];

function plants(folder: string, kept: typeof KEPT_FROM_THE_CORE): Plant[] {
  return kept.map(([what, source]) => [`src/${folder}/planted-${what.replaceAll(" ", "-")}.ts`, source]);
}

describe("the lint rules", () => {
  /** What oxlint says of each planted file: the rules that it breaks. Asked once for all of them. */
  const broken = new Map<string, string[]>();
  beforeAll(() => {
    const copy = mkdtempSync(join(tmpdir(), "planted-"));
    cpSync(join(root, ".oxlintrc.json"), join(copy, ".oxlintrc.json"));
    cpSync(join(root, "src"), join(copy, "src"), { recursive: true });
    const all = [
      ...FREE,
      ...CORE.flatMap((folder) => plants(folder, KEPT_FROM_THE_CORE)),
      ...plants("simulation", KEPT_FROM_THE_SIMULATION),
      NOT_IN_NODE_22,
      ...TIMED,
    ];
    for (const [path, source] of all) writeFileSync(join(copy, path), source);
    const oxlint = join(root, "node_modules", ".bin", "oxlint");
    const args = ["-c", join(copy, ".oxlintrc.json"), "--format", "json", ...all.map(([path]) => path)];
    const { stdout } = spawnSync(oxlint, args, { cwd: copy, encoding: "utf8", maxBuffer: 2 ** 26 });
    const { diagnostics, number_of_files: files } = JSON.parse(stdout) as LintReport;
    expect(files).toBe(all.length);
    for (const [path] of all) broken.set(path, []);
    for (const { code, filename } of diagnostics) broken.get(filename)?.push(code);
    rmSync(copy, { recursive: true });
  });

  it.each(FREE)("let %s import the core", (path) => {
    expect(broken.get(path)).toEqual([]);
  });

  it.each(KEPT_FROM_THE_CORE)("keep %s out of the core", (...kept) => {
    for (const [path] of CORE.flatMap((folder) => plants(folder, [kept]))) {
      expect(broken.get(path), path).toEqual([expect.stringContaining("no-restricted-")]);
    }
  });

  it.each(KEPT_FROM_THE_SIMULATION)("keep %s out of the simulation", (...kept) => {
    for (const [path] of plants("simulation", [kept])) {
      expect(broken.get(path), path).toEqual([expect.stringContaining("no-restricted-")]);
    }
  });

  it.each(TIMED)("keep the time that something takes out of the tests: %s", (path) => {
    expect(broken.get(path)).toEqual([expect.stringContaining("no-restricted-properties")]);
  });

  it("keep what Node 22 does not have out of the product", () => {
    expect(broken.get(NOT_IN_NODE_22[0])).toEqual([expect.stringContaining("no-restricted-globals")]);
  });
});

interface LintReport {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string }[];
  readonly number_of_files: number;
}

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
