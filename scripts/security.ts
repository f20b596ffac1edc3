/**
 * Checks every version in package-lock.json against the registry's known vulnerabilities (`npm audit`), those of development
 * dependencies too: what is bundled is among them. Any known vulnerability fails, however severe.
 *
 * A check that could not be made is a failure, never a pass. A registry that answers "none" to everything is found out by a version
 * of which everybody knows.
 *
 * Exit codes: 0 none known, 1 some found, 2 not checked.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { printable } from "../src/text.ts";

interface Advisory {
  readonly title?: string;
  readonly url?: string;
}

interface Vulnerability {
  readonly severity: string;
  /** Advisories, and names of other vulnerable packages that it depends on. */
  readonly via: readonly (Advisory | string)[];
  /** Where it lies: "node_modules/esbuild". */
  readonly nodes: readonly string[];
}

type Vulnerabilities = Readonly<Record<string, Vulnerability>>;

interface Audit {
  readonly message?: string;
  readonly error?: { readonly summary?: string } | string;
  readonly vulnerabilities?: Vulnerabilities;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

/** GHSA-xvch-5gv4-984h and GHSA-vh95-rmgr-6w4m, of 2022 and 2020. */
const KNOWN_BAD = { name: "minimist", version: "0.0.8" };

const AUDIT_MILLIS = 120_000;

/** @throws when there was no whole answer. */
function audit(directory: string): Vulnerabilities {
  // Whatever the environment leaves out of an installation (NODE_ENV, npm's `omit`) is checked all the same.
  const all = ["--include=prod", "--include=dev", "--include=optional", "--include=peer"];
  const options = { cwd: directory, encoding: "utf8", timeout: AUDIT_MILLIS } as const;
  const npm = spawnSync("npm", ["audit", "--json", "--package-lock-only", ...all], options);
  if (npm.error) throw npm.error;
  const { error, message, vulnerabilities } = parse(npm.stdout, npm.stderr);
  if (error === undefined && vulnerabilities !== undefined) return vulnerabilities;
  const summary = typeof error === "string" ? error : error?.summary;
  throw new Error(`the registry did not answer the audit (${message || summary || "no words"})`);
}

function parse(stdout: string, stderr: string): Audit {
  try {
    return JSON.parse(stdout) as Audit;
  } catch {
    throw new Error(`npm audit gave no answer (${stderr || "no words"})`);
  }
}

/** @throws when the registry does not know of what is known. */
function assertThatItKnows(): void {
  const directory = mkdtempSync(join(tmpdir(), "security-"));
  try {
    const { name, version } = KNOWN_BAD;
    const root = { name: "known-bad", version: "1.0.0", devDependencies: { [name]: version } };
    const packages = { "": root, [`node_modules/${name}`]: { version, dev: true } };
    writeFileSync(join(directory, "package.json"), JSON.stringify(root));
    writeFileSync(join(directory, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
    if (Object.hasOwn(audit(directory), name)) return;
    throw new Error(`the registry knows nothing of ${name} ${version}, which is known to be vulnerable`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** "minimist 0.0.8 (critical): Prototype Pollution, https://github.com/advisories/…" */
function lines([name, { severity, via, nodes }]: [string, Vulnerability], { packages }: Lock): string[] {
  const versions = [...new Set(nodes.map((node) => packages[node]?.version ?? "of an unknown version"))].join(", ");
  return via.map((cause) => {
    const why = typeof cause === "string" ? `through ${cause}` : `${cause.title}, ${cause.url}`;
    return printable(`${name} ${versions} (${severity}): ${why}`);
  });
}

function check(): number {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
  assertThatItKnows();
  const found = Object.entries(audit("."));
  for (const line of found.flatMap((entry) => lines(entry, lock))) process.stderr.write(`security: ${line}\n`);
  const checked = Object.keys(lock.packages).filter((path) => path !== "").length;
  process.stdout.write(`security: ${found.length} of ${checked} packages in package-lock.json are vulnerable\n`);
  return found.length === 0 ? 0 : 1;
}

try {
  process.exitCode = check();
} catch (thrown) {
  // Whatever it was: nothing, or not all, was checked.
  process.stderr.write(`security: NOT CHECKED: ${printable((thrown as Error).message)}\n`);
  process.exitCode = 2;
}
