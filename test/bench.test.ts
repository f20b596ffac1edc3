/** The parts of the bench still work; what they measure is not judged here. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { measureFloor, measureRun } from "../bench/measure.ts";
import { costTable, fetchTable, type Measured, missedAims } from "../bench/report.ts";
import { type Servers, startServers } from "../bench/servers.ts";
import { createAuthority } from "./faults/certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "bench-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** By kubeconfig: a mounted service account needs rights that not every machine gives. */
function environment({ kubernetes }: Servers, ca: string): Record<string, string> {
  const files = { KUBECONFIG: join(directory, "kubeconfig"), NODE_EXTRA_CA_CERTS: join(directory, "ca.crt") };
  const cluster = { server: kubernetes.origin, "certificate-authority": files.NODE_EXTRA_CA_CERTS };
  const config = {
    "current-context": "bench",
    contexts: [{ name: "bench", context: { cluster: "bench" } }],
    clusters: [{ name: "bench", cluster }],
  };
  writeFileSync(files.NODE_EXTRA_CA_CERTS, ca);
  writeFileSync(files.KUBECONFIG, JSON.stringify(config));
  return files;
}

describe("the bench", () => {
  let servers: Servers;
  let env: Record<string, string>;
  beforeAll(async () => {
    using authority = createAuthority();
    servers = await startServers(12, authority.sign());
    env = environment(servers, authority.cert);
  });
  afterAll(() => servers[Symbol.dispose]());

  it("measures a whole dry run, and counts its requests", async () => {
    await servers.pace({ latencyMillis: 1, queryMillis: { cpu: 20, lag: 1, rate: 1, memory: 1 } });
    const run = await measureRun(servers, env);
    const counted = await servers.count();
    expect(counted.requests).toEqual({
      "list pods": 1,
      "get replicaset": 3,
      "get deployment": 3,
      "list horizontalpodautoscalers": 3,
      "get lease": 2,
      "ask for a right": 2,
      "cpu query": 1,
      "lag query": 1,
      "rate query": 1,
      "memory query": 1,
      "get pod": 2,
      evict: 2,
    });
    expect(counted.slowestQueryMillis).toBeGreaterThan(20);
    for (const value of Object.values(run)) expect(value).toBeGreaterThan(0);
  });

  it("says what is wrong where a run does not rotate", async () => {
    await expect(measureRun(servers, { ...env, KUBE_LABEL_SELECTOR: "app=other" })).rejects.toThrow(/ended with 4/);
    await expect(measureRun(servers, { ...env, CPU_FLOOR: "99", LAG_FLOOR: "9999999" })).rejects.toThrow(
      /would not rotate/,
    );
  });

  it("measures the least that Node needs", async () => {
    const { cpuMillis, peakMebibytes } = await measureFloor();
    expect(cpuMillis).toBeGreaterThan(0);
    expect(peakMebibytes).toBeGreaterThan(0);
  });

  it("writes tables, and names each aim that is missed", () => {
    const floor = [{ wallMillis: 30, cpuMillis: 20, peakMebibytes: 40 }];
    const run = { wallMillis: 300, cpuMillis: 260, peakMebibytes: 120, fetchMillis: 280 };
    const runs = [{ ...run, slowestQueryMillis: 200, requests: { "list pods": 4, "cpu query": 1, evict: 2 } }];
    const queryMillis = { cpu: 200, lag: 150, rate: 100, memory: 50 };
    const measured: Measured = {
      floor,
      scenarios: [
        { pods: 1_000, pace: { latencyMillis: 0 }, runs },
        { pods: 1_000, pace: { latencyMillis: 0, queryMillis }, runs },
      ],
    };
    expect(costTable(measured)).toContain("| 1,000 | 0 | 7 | 4 | 1 | 300 | 260 | 120 (≤ 125) | 13.0 (≤ 12) |");
    expect(fetchTable(measured)).toContain("| 1,000 | 200 | 280 | 1.40 (≤ 1.3) |");
    expect(missedAims(measured)).toEqual([
      "1,000 pods: CPU / node -e 0 is 13.00, the aim is 12.",
      "1,000 pods: fetch / slowest query is 1.40, the aim is 1.3.",
    ]);
  });
});
