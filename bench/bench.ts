/**
 * Measures what a dry run costs: whole processes of the built product against servers in another process, in turn with
 * `node -e 0`, so that the load of the machine falls on both alike. Writes Markdown, and fails where an aim is missed.
 *
 *     npm run bench [-- --runs 3] [-- --pods 1000]
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createAuthority, type KeyPair } from "../test/faults/certificates.ts";
import { mountingForbidden, withMountedAccount } from "../test/harness/mounted-account.ts";
import { type Environment, measureFloor, measureRun, type MeasuredRun, type Usage } from "./measure.ts";
import { costTable, fetchTable, machine, type Measured, missedAims } from "./report.ts";
import { type Counted, type Pace, type Servers, startServers } from "./servers.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "15" }, pods: { type: "string", multiple: true } },
});
const RUNS = Number(flags.runs);
const SIZES = flags.pods?.map(Number) ?? [12, 1_000, 10_000];

const PACES: readonly Pace[] = [
  { latencyMillis: 0 },
  { latencyMillis: 20 },
  // One after the other they would take 500 ms.
  { latencyMillis: 0, queryMillis: { cpu: 200, lag: 150, rate: 100, memory: 50 } },
];

/** Set in the process that sees the files of a service account, to the folder that they are in. */
const ACCOUNT = "BENCH_ACCOUNT";

/** Runs this program again where a pod's files are mounted: a run inside a cluster is the one that counts. */
function runInside(): number {
  const forbidden = mountingForbidden();
  if (forbidden !== undefined) throw new Error(`the bench needs a mount namespace of its own: ${forbidden}`);
  using authority = createAuthority();
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    writeFileSync(join(directory, "ca.crt"), authority.cert);
    writeFileSync(join(directory, "token"), "t".repeat(900));
    writeFileSync(join(directory, "server.json"), JSON.stringify(authority.sign()));
    const [program = "", ...args] = [...withMountedAccount(directory), process.execPath, ...process.argv.slice(1)];
    const env = { ...process.env, [ACCOUNT]: directory };
    return spawnSync(program, args, { stdio: "inherit", env }).status ?? 1;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** One group under one pace, and what was measured of it so far. */
interface Scenario {
  readonly pods: number;
  readonly pace: Pace;
  readonly servers: Servers;
  readonly env: Environment;
  readonly runs: (MeasuredRun & Counted)[];
}

async function measure({ servers, pace, env, runs }: Scenario): Promise<void> {
  await servers.pace(pace);
  const run = await measureRun(servers, env);
  runs.push({ ...run, ...(await servers.count()) });
}

async function measureAll(scenarios: readonly Scenario[]): Promise<readonly Usage[]> {
  const floor: Usage[] = [];
  // Nothing is rendered, and no file is read, for the first time in a run that counts.
  for (const scenario of scenarios) await measure({ ...scenario, runs: [] });
  for (let round = 0; round < RUNS; round += 1) {
    for (const scenario of scenarios) {
      floor.push(await measureFloor());
      await measure(scenario);
    }
  }
  return floor;
}

async function bench(directory: string): Promise<number> {
  const tls = JSON.parse(readFileSync(join(directory, "server.json"), "utf8")) as KeyPair;
  const sizes = await Promise.all(SIZES.map(async (pods) => ({ pods, servers: await startServers(pods, tls) })));
  const scenarios = sizes.flatMap(({ pods, servers }) =>
    PACES.map((pace) => ({ pods, pace, servers, env: inPod(servers, directory), runs: [] })),
  );
  const floor = await measureAll(scenarios);
  for (const { servers } of sizes) servers[Symbol.dispose]();
  const measured: Measured = { floor, scenarios };
  const missed = missedAims(measured);
  const parts = [machine(RUNS), costTable(measured), fetchTable(measured), ...missed.map((aim) => `Missed: ${aim}`)];
  process.stdout.write(`${parts.join("\n\n")}\n`);
  return missed.length > 0 ? 1 : 0;
}

/** As a pod of the cluster, with a metrics server whose certificate the same authority has signed. */
function inPod({ kubernetes }: Servers, directory: string): Environment {
  return {
    KUBERNETES_SERVICE_HOST: kubernetes.hostname,
    KUBERNETES_SERVICE_PORT: kubernetes.port,
    NODE_EXTRA_CA_CERTS: join(directory, "ca.crt"),
  };
}

const directory = process.env[ACCOUNT];
process.exitCode = directory === undefined ? runInside() : await bench(directory);
