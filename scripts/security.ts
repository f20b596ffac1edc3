/**
 * Checks the locked versions against the registry's known vulnerabilities. A check that could not be made is a failure,
 * never a pass.
 *
 * Exit codes: 0 none known, 1 some found, 2 not checked.
 */

import { spawnSync } from "node:child_process";

interface Audit {
  readonly error?: unknown;
  readonly message?: string;
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly via: readonly unknown[] }>>;
}

const { stdout, stderr } = spawnSync("npm", ["audit", "--json"], { encoding: "utf8", timeout: 120_000 });
let audit: Audit;
try {
  audit = JSON.parse(stdout) as Audit;
} catch {
  audit = { error: stderr };
}
const { vulnerabilities } = audit;
if (audit.error !== undefined || vulnerabilities === undefined) {
  process.stderr.write(
    `security: NOT CHECKED: the registry did not answer the audit (${audit.message ?? "no words"})\n`,
  );
  process.exit(2);
}
const found = Object.entries(vulnerabilities);
for (const [name, { severity }] of found)
  process.stderr.write(`security: ${name} has a known ${severity} vulnerability\n`);
process.stdout.write(`security: ${found.length} vulnerable packages in package-lock.json\n`);
process.exit(found.length === 0 ? 0 : 1);
