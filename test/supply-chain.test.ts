/** Where the code comes from that is built, tested and shipped, and under which licences. */

import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { build, type Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BUNDLE } from "../scripts/build.ts";
import { bundledPackages, licenceTexts } from "../scripts/licences.ts";

const ROOT = resolve(import.meta.dirname, "..");

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly dependencies?: object;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const { packages } = JSON.parse(read("package-lock.json")) as { packages: Readonly<Record<string, Locked>> };
const manifest = JSON.parse(read("package.json")) as Manifest;
const locked = Object.entries(packages).filter(([path]) => path !== "");

/** What `npm ci` would not install, or not check: as "path: why". */
function doubts(path: string, { integrity = "", resolved = "https:", link, version = "" }: Locked): string[] {
  return [
    ...(path.startsWith("node_modules/") && !link ? [] : [`${path}: is not from a registry`]),
    ...(/^sha512-[\w+/]+=*$/.test(integrity) ? [] : [`${path}: has no sha512`]),
    ...(resolved.startsWith("https:") ? [] : [`${path}: comes from ${resolved}`]),
    ...(/^\d+\.\d+\.\d+/.test(version) ? [] : [`${path}: has the version ${version}`]),
  ];
}

/** Ranges are written with "^", and with no other sign. */
function satisfies(version: string, range: string): boolean {
  const [, least = "", fixed] = /^\^((0\.\d+|[1-9]\d*)\.\d+(?:\.\d+)?)$/.exec(range) ?? [];
  const order = new Intl.Collator("en", { numeric: true });
  return fixed !== undefined && version.startsWith(`${fixed}.`) && order.compare(version, least) >= 0;
}

describe("the lock file", () => {
  it("holds every package by its hash, from a registry", () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(locked.flatMap(([path, entry]) => doubts(path, entry))).toEqual([]);
  });

  it.each<[string, Locked]>([
    ["node_modules/a", { version: "1.0.0" }],
    ["node_modules/a", { version: "1.0.0", integrity: "sha1-AA==" }],
    ["node_modules/a", { version: "1.0.0", integrity: "sha512-AA==", resolved: "git+ssh://git@host/a.git#1" }],
    ["node_modules/a", { version: "1.0.0", integrity: "sha512-AA==", resolved: "http://host/a.tgz" }],
    ["node_modules/a", { version: "1.0.0", integrity: "sha512-AA==", resolved: "file:../a.tgz" }],
    ["node_modules/a", { version: "file:../a", integrity: "sha512-AA==" }],
    ["../a", { version: "1.0.0", integrity: "sha512-AA==" }],
    ["node_modules/a", { version: "1.0.0", integrity: "sha512-AA==", link: true }],
  ])("would be doubted with %s: %j", (path, entry) => {
    expect(doubts(path, entry)).toHaveLength(1);
  });

  it("satisfies package.json, which has no dependencies at run time", () => {
    expect(manifest.dependencies).toBeUndefined();
    expect(packages[""]?.devDependencies).toEqual(manifest.devDependencies);
    for (const [name, range] of Object.entries(manifest.devDependencies)) {
      const { version = "" } = packages[`node_modules/${name}`] ?? {};
      expect(satisfies(version, range), `${name} ${version} for ${range}`).toBe(true);
    }
  });

  it.each([
    ["1.2.3", "^1.2.3", true],
    ["1.10.0", "^1.9.3", true],
    ["0.28.4", "^0.28.2", true],
    ["1.2.2", "^1.2.3", false],
    ["2.0.0", "^1.2.3", false],
    ["0.29.0", "^0.28.2", false],
    ["1.2.3", "latest", false],
  ])("has %s for %s: %s", (version, range, expected) => {
    expect(satisfies(version, range)).toBe(expected);
  });

  it("lets only those packages run a script that package.json allows", () => {
    const own = locked.flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [path] : []));
    expect(own.toSorted()).toEqual(
      Object.keys(manifest.allowScripts)
        .map((name) => `node_modules/${name}`)
        .toSorted(),
    );
  });
});

/**
 * What may be installed besides, and why.
 * - the oldest Node that is supported, to run the demo on: one Node alone can be in the lock file;
 * - the package that was packed here, which depends on nothing.
 *
 * Not among the commands, and outside the lock file too: the install script of the package `node` fetches the binary of its
 * version (development only; nothing of it is shipped).
 */
const ELSEWHERE = [/npm exec --yes --package=node@22 -- node /, /npm install --global \.\/pod-rebalancer-\S+\.tgz$/];

const INSTALLS = /\b(?:npm (?:i|install|add|exec|x)|npx|yarn|pnpm|bunx?|corepack) .*/g;
const COMMANDS = new Set(locked.flatMap(([, { bin }]) => Object.keys(bin ?? {})));

/** Commands that install or run what the lock file does not have. */
function strangers(text: string): string[] {
  const found = [...text.matchAll(INSTALLS)].map(([command]) => command);
  return found.filter((command) => {
    const isLocked = COMMANDS.has(/^npx (\S+)/.exec(command)?.[1] ?? "");
    return !isLocked && !ELSEWHERE.some((allowed) => allowed.test(command));
  });
}

describe("the lock file is the only source:", () => {
  const places = [
    "README.md",
    "package.json",
    ".ci/*",
    ".github/**/*.y*ml",
    "**/*ockerfile*",
    "docs/**/*.md",
    "scripts/*",
    "deploy/**/*.yaml",
  ];
  const files = globSync(places, { cwd: ROOT, exclude: ["node_modules/**"] }).toSorted();

  it.each(files)("%s installs nothing else", (file) => {
    expect(strangers(read(file))).toEqual([]);
  });

  it.each([
    "npm install left-pad",
    "RUN npm i -g x",
    "npx cowsay hi",
    "npm exec --yes cowsay",
    "pnpm add x",
    "yarn add x",
  ])("would find `%s`", (text) => {
    expect(files).toContain(".ci/run");
    expect(strangers(`first\n${text}\nlast`)).toHaveLength(1);
  });
});

/** Of one output file, as esbuild tells it. */
function inputs(paths: readonly string[], bytesInOutput = 1): Metafile["outputs"][string]["inputs"] {
  return Object.fromEntries(paths.map((path) => [path, { bytesInOutput }]));
}

describe("the licences of what is bundled", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "licences-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** A package in a folder of its own. */
  function packageWith(name: string, license: unknown, files: Readonly<Record<string, string>>): string {
    const folder = join(directory, "node_modules", name);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", license }));
    return folder;
  }

  it("are in dist/THIRD-PARTY-LICENSES.txt, of exactly the packages in the bundle", async () => {
    const { metafile } = await build({ ...BUNDLE, write: false, absWorkingDir: ROOT });
    const bundled = bundledPackages(metafile).map((folder) => {
      const { name, version, license } = JSON.parse(read(`${folder}/package.json`)) as Record<string, string>;
      return `${name} ${version} (${license})`;
    });
    const written = read("dist/THIRD-PARTY-LICENSES.txt");
    const listed = written.split(`\n${"-".repeat(80)}\n\n`).map((section) => section.split("\n")[0]);
    expect(listed).toEqual(bundled);
    expect(listed).toContainEqual(expect.stringMatching(/^prom-client \d+\.\d+\.\d+ \(Apache-2\.0\)$/));
    expect(listed).toContainEqual(expect.stringMatching(/^pino \d/));
    expect(listed).not.toContainEqual(expect.stringMatching(/^vitest /));
    expect(written).toContain("THE SOFTWARE IS PROVIDED");
  });

  it("are those of packages with code in the output, each once", () => {
    const output = { bytes: 1, imports: [], exports: [] };
    const first = { ...output, inputs: inputs(["src/main.ts", "node_modules/b/x.js", "node_modules/@s/a/lib/y.js"]) };
    const second = { ...output, inputs: inputs(["node_modules/b/node_modules/c/z.js", "node_modules/b/other.js"]) };
    const third = { ...output, inputs: inputs(["node_modules/unused/x.js"], 0) };
    expect(bundledPackages({ inputs: {}, outputs: { first, second, third } })).toEqual([
      "node_modules/@s/a",
      "node_modules/b",
      "node_modules/b/node_modules/c",
    ]);
  });

  it("come with all texts of a package", () => {
    const folder = packageWith("whole", "Apache-2.0", {
      LICENSE: "The text.\n",
      NOTICE: "By somebody.",
      "index.js": "",
    });
    expect(licenceTexts([folder])).toBe("whole 1.0.0 (Apache-2.0)\n\nThe text.\n\nBy somebody.\n");
  });

  it.each<[string, unknown, Readonly<Record<string, string>>, RegExp]>([
    [
      "another-licence",
      "GPL-3.0-only",
      { LICENSE: "x" },
      /^another-licence 1\.0\.0 is bundled under "GPL-3\.0-only", expected one of 0BSD, /,
    ],
    ["no-licence", undefined, { LICENSE: "x" }, /is bundled under undefined/],
    ["old-licence", { type: "MIT" }, { LICENSE: "x" }, /is bundled under \{"type":"MIT"\}/],
    ["no-text", "MIT", { "README.md": "x" }, /^no-text 1\.0\.0 is bundled and brings no text of its licence$/],
  ])("end the build where there is %s", (name, license, files, message) => {
    const folder = packageWith(name, license, files);
    expect(() => licenceTexts([folder])).toThrow(message);
  });
});

describe(".ci/run", () => {
  const steps = [...read(".ci/run").matchAll(/^step \w+ (?:.*npm run -s )?(\S+)/gm)].map(([, command = ""]) => command);

  it.each(["test:built", "test:engines", "test:kafka", "test:e2e", "test:loop", "test:image"])(
    "compiles and fetches what is needed before %s, in a step of its own",
    (suite) => {
      const [tools, harness, tests] = ["tools", "build:harness", suite].map((step) => steps.indexOf(step));
      expect(tools).toBeGreaterThanOrEqual(0);
      expect(harness).toBeGreaterThan(tools ?? Number.NaN);
      expect(tests).toBeGreaterThan(harness ?? Number.NaN);
    },
  );

  it("makes in that step whatever a test would make", () => {
    const makers = globSync("test/{harness,image}/*.ts", { cwd: ROOT }).flatMap((path) => {
      const text = read(path);
      return /ensureCached\(|"podman", \["import"/.test(text) ? [path.replace(/^.*\//, "./")] : [];
    });
    const prepared = read("test/harness/prepare.ts");
    expect(makers.toSorted()).toEqual(["./base.ts", "./build.ts", "./kafka.ts", "./librdkafka.ts"]);
    for (const maker of makers) expect(prepared).toContain(maker.replace("./", "/"));
  });
});
