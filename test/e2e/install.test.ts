/**
 * The README's way from nothing to live, its commands run as they stand there, with a real kubectl, on a real control plane. A Job's
 * container is played by the built product; what it says is what `kubectl logs` shows.
 */

import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Receiver, startPushgateway } from "../harness/alerting.ts";
import { componentCommand } from "../harness/build.ts";
import { runContainer, startedPod } from "./kubelet.ts";
import type { Outcome } from "./product.ts";
import { type Group, missing, QUICK, type Stage, startStage } from "./scene.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const MANIFESTS = globSync("deploy/kubernetes/*/*.yaml", { cwd: ROOT }).filter(
  (path) => !path.endsWith("kustomization.yaml"),
);

const run = promisify(execFile);

/** The one block of commands in the README with these words. */
function blockWith(words: string): string {
  const blocks = [...README.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  const [found, another] = blocks.filter((code) => code.includes(words));
  if (found === undefined || another !== undefined) throw new Error(`expected one block with ${words} in the README`);
  return found;
}

/** Replaces what must be there. */
function edit(path: string, changes: readonly (readonly [from: string, to: string])[]): void {
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    text = text.replace(from, to);
  }
  writeFileSync(path, text);
}

/** What `jq -r .msg` makes of a log. */
function sentences({ log }: Outcome): string {
  return log.map(({ msg }) => `${msg}\n`).join("");
}

/** Enough of the Prometheus operator for the API server to take its rules. */
const PROMETHEUS_RULE = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "prometheusrules.monitoring.coreos.com" },
  spec: {
    group: "monitoring.coreos.com",
    scope: "Namespaced",
    names: { kind: "PrometheusRule", plural: "prometheusrules" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

describe.skipIf(missing)(`the README's way, on a real control plane${missing ? ` (${missing})` : ""}`, () => {
  let stage: Stage;
  let group: Group;
  let gateway: Receiver;
  let checkout: string;

  beforeAll(async () => {
    stage = await startStage();
    [group, gateway] = await Promise.all([stage.group(), startPushgateway()]);
    checkout = join(stage.plane.directory, "checkout");
    cpSync(join(ROOT, "deploy"), join(checkout, "deploy"), { recursive: true });
    const quick = Object.entries(QUICK).filter(([name]) => name !== "METRICS_PUSH_URL");
    edit(join(checkout, "deploy/kubernetes/base/kustomization.yaml"), [
      ["namespace: default", `namespace: ${group.namespace}`],
      ["newName: pod-rebalancer", "newName: registry.example.com/pod-rebalancer"],
      ["SELECTOR=app=consumer", "SELECTOR=app in (consumer)"],
      ["PROMETHEUS_ENDPOINT=http://victoriametrics:8428", `PROMETHEUS_ENDPOINT=${stage.prometheus.url}`],
      ["http://victoriametrics:8428/api/v1/import/prometheus", gateway.url],
      // Nobody here waits for ten minutes.
      ["- DRY_RUN=true", ["- DRY_RUN=true", ...quick.map(([name, value]) => `- ${name}=${value}`)].join("\n      ")],
    ]);
    // The schedule must not start a Job of its own meanwhile.
    edit(join(checkout, "deploy/kubernetes/base/cronjob.yaml"), [["*/10 * * * *", "0 0 1 1 *"]]);
    edit(join(checkout, "deploy/kubernetes/alerts/kustomization.yaml"), [
      ["namespace: default", `namespace: ${group.namespace}`],
    ]);
    await stage.plane.apply([PROMETHEUS_RULE]);
    const [program, ...args] = await componentCommand("kubectl");
    mkdirSync(join(checkout, "bin"));
    const script = `#!/bin/sh\nexec ${[program, ...args].join(" ")} "$@"\n`;
    writeFileSync(join(checkout, "bin/kubectl"), script, { mode: 0o755 });
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  /** Runs commands as a person would, in the checkout. @returns stdout. @throws Error with what the first that failed said. */
  async function shell(commands: string): Promise<string> {
    const env = {
      PATH: `${join(checkout, "bin")}:${process.env["PATH"]}`,
      HOME: checkout,
      KUBECONFIG: join(stage.plane.directory, "admin.kubeconfig"),
    };
    const inNamespace = commands.replaceAll("-n shop", `-n ${group.namespace}`);
    return (await run("bash", ["-euo", "pipefail", "-c", inNamespace], { cwd: checkout, env })).stdout;
  }

  /** Runs the container of a Job that somebody creates. */
  async function container(job: string) {
    return await runContainer(stage.plane, group.namespace, await startedPod(stage.plane, group.namespace, job));
  }

  it.each(MANIFESTS)("%s is what the API server wants, field by field", async (path) => {
    const said = await shell(`kubectl apply -n shop --dry-run=server --validate=strict -f ${path}`);
    expect(said).toMatch(/(created|configured|unchanged) \(server dry run\)/);
  });

  it("goes from nothing to a dry run, its log, its alerts, to live, and away", async () => {
    const [said, looked] = await Promise.all([shell(blockWith("create job")), container("look-now")]);
    expect(looked).toMatchObject({ exitCode: 0, environment: { DRY_RUN: "true" } });
    expect(looked.log.filter(({ level }) => level !== "info")).toEqual([]);
    expect(looked.log.at(-1)?.msg).toMatch(/^Dry run: A live run would rotate 2 of 2 pods/);
    expect(said).toContain("job.batch/look-now condition met\n");
    expect(said.endsWith(sentences(looked)), said).toBe(true);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`^rebalancer_last_success_.*namespace="${group.namespace}"`, "m"));

    await shell(blockWith("apply -k deploy/kubernetes/alerts"));
    const rules = await shell(
      "kubectl get -n shop prometheusrule/pod-rebalancer -o json | jq -r '.spec.groups[].rules[].alert'",
    );
    expect(rules).toContain("PodRebalancerFailing\n");
    expect(await shell(blockWith('.step == "report"'))).toBe(`${looked.log.at(-1)?.msg}\n`);

    await shell(blockWith("apply -k deploy/kubernetes/live"));
    // One for each: a Job that runs keeps the settings that it began with.
    const configMaps = await shell("kubectl get -n shop configmap -o name");
    expect(configMaps.match(/pod-rebalancer-/g)).toHaveLength(2);
    await shell(blockWith("suspend=true"));
    const again = "kubectl create job -n shop --from=cronjob/pod-rebalancer again";
    const [, held] = await Promise.all([shell(again), container("again")]);
    expect(held).toMatchObject({ exitCode: 0, environment: { DRY_RUN: "false" } });
    expect(held.log.at(-1)).toMatchObject({ reason: "suspended", msg: expect.not.stringContaining("Dry run") });

    await shell(blockWith("delete -k deploy/kubernetes/live"));
    const kinds = "cronjob,job,role,rolebinding,serviceaccount,configmap,lease,prometheusrule";
    const gone = async () => !(await shell(`kubectl get -n shop ${kinds} -o name`)).includes("rebalancer");
    await stage.plane.waitFor("nothing to be left", gone, 10_000);
  });
});
