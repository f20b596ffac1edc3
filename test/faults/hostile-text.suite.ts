/** Names and words from outside that would move a cursor, forge a log line or turn the direction of writing. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { addPod } from "../../src/simulation/kubernetes-world.ts";
import { altered, refuses, says } from "./misbehaviour.ts";
import type { Ended, Environment } from "./product.ts";
import { DRY, LIVE, on, type Scene, type Script, startScene } from "./scene.ts";

/**
 * ANSI colour, bell, a line of its own, a C1 control sequence, overrides of direction, invisible and separating characters, and
 * what would end a string of PromQL.
 */
const HOSTILE =
  'a\u001B[31mb\u0007c\r\n{"level":"info"}\u009B2Jd\u202Ee\u2066f\u200Bg\u2028h\u007Fi\u3164j"} or up{a=~\'.*`\\';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;

/** Nothing but "\n" between the lines, and of the log nothing but JSON. */
function expectClean({ stdout, stderr, lines }: Ended): void {
  expect(unprintable(stdout)).toEqual([]);
  expect(unprintable(stderr)).toEqual([]);
  expect(lines).toHaveLength(stderr.trimEnd().split("\n").length);
}

/** The characters that must not be there, escaped, each with what stands around it. */
function unprintable(output: string): string[] {
  const text = output.replaceAll("\n", "");
  return [...text.matchAll(UNPRINTABLE)].map(({ index }) => JSON.stringify(text.slice(index - 30, index + 10)));
}

describe("hostile names in the cluster", { concurrent: true }, () => {
  it.each(["table", "json", "metrics"])("are shown as harmless text, or not at all: %s", async (output) => {
    await using scene = await startScene({ pods: 9 });
    const { world, hot, idle, clock } = scene;
    const [other] = scene.pods.slice(1);
    Object.assign(hot, { node: HOSTILE });
    Object.assign(other ?? {}, { labels: { ...hot.labels, [HOSTILE]: HOSTILE }, annotations: { [HOSTILE]: HOSTILE } });
    rename(scene, idle, new Date(clock.now().getTime() - 60_000));
    addPod(world, { name: HOSTILE, labels: hot.labels, created: hot.created });
    world.autoscalers.push({ name: HOSTILE, target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
    const long = new Date(clock.now().getTime() - 7_200_000).toISOString();
    const removals = JSON.stringify([{ at: long, pod: HOSTILE, uid: HOSTILE }]);
    scene.setLease({ holderIdentity: "" }, { "pod-rebalancer.io/removals": removals });
    const ended = await scene.run([...DRY, "--output", output], { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expectClean(ended);
    const queries = scene.prometheus.requests.map(({ body }) => new URLSearchParams(body).get("query") ?? "");
    expect(queries).toHaveLength(4);
    for (const promql of queries) expect(promql).not.toMatch(/"level"|"\} or|\r|\p{Cf}/u);
  });

  it.each(["..", ".", "", "\ud800", "../../kube-system/secrets"])(
    "(%j) of an owner lead to no other address",
    async (name) => {
      const owned = altered((body) => {
        const list = body as { items: { metadata: { ownerReferences: { name: string }[] } }[] };
        for (const { metadata } of list.items)
          metadata.ownerReferences = metadata.ownerReferences.map((owner) => ({ ...owner, name }));
        return list;
      });
      await using scene = await startScene({ kubernetes: on("list pods", owned) });
      const ended = await scene.run([...LIVE, "--output", "table"], { LOG_LEVEL: "trace" });
      expect(ended.exitCode).not.toBe(0);
      expectClean(ended);
      const paths = scene.kubernetes.requests.map(({ path }) => path);
      for (const path of paths)
        expect(path).toMatch(/^\/api\/v1\/namespaces\/shop\/pods$|\/replicasets\/..%2F..%2Fkube-system%2Fsecrets$/);
    },
  );

  it.each<[string, (scene: Scene) => void]>([
    ["of a target", (scene) => rename(scene, scene.hot)],
    ["of the workload", ({ workload }) => void Object.assign(workload, { name: HOSTILE })],
    ["of an autoscaler that wants more", addEagerAutoscaler],
    ["of the Lease's holder", (scene) => holdLease(scene)],
  ])("(%s) do no harm where they end the run", async (_name, plant) => {
    await using scene = await startScene();
    plant(scene);
    const ended = await scene.run([...DRY, "--output", "table"], { LOG_LEVEL: "trace" });
    expect(ended.reason).toBeDefined();
    expectClean(ended);
  });
});

/** The pod and its samples, under a hostile name. */
function rename({ samples }: Scene, pod: Scene["hot"], created = pod.created): void {
  const own = samples.get(pod.name) ?? {};
  Object.assign(pod, { name: `${pod.name}${HOSTILE}`, created });
  samples.set(pod.name, own);
}

function addEagerAutoscaler({ world }: Scene): void {
  world.autoscalers.push({ name: HOSTILE, target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
}

function holdLease(scene: Scene): void {
  scene.setLease({ holderIdentity: HOSTILE, renewTime: scene.clock.now().toISOString() });
}

const BUDGET = { code: 429, details: { causes: [{ reason: "DisruptionBudget", message: HOSTILE }] } };

/** These rows, of the time at which the others were evaluated. */
function rowsOf(value: string, ...metrics: readonly object[]): Misbehaviour {
  return altered((body) => {
    const { data } = body as { data: { result: readonly { value: [number, string] }[] } };
    const time = data.result[0]?.value[0];
    return { ...body, data: { ...data, result: metrics.map((metric) => ({ metric, value: [time, value] })) } };
  });
}

function leaseAt(renewTime: string): object {
  return { kind: "Lease", metadata: { name: "x" }, spec: { holderIdentity: "another", renewTime } };
}

describe("hostile words of a server", { concurrent: true }, () => {
  it.each<[string, Script]>([
    ["in a refusal", on("list pods", refuses(403, HOSTILE))],
    ["in a failure", on("get deployment", refuses(500, HOSTILE, { "retry-after": "99" }))],
    ["in place of JSON", on("list pods", says(200, HOSTILE))],
    ["as the kind of an object", on("list pods", says(200, { kind: HOSTILE }))],
    ["in a redirect", on("list pods", says(307, "", { location: "https://x.example/\u009B31m\u0085" }))],
    ["as the time of a Lease", on("get lease", says(200, leaseAt(HOSTILE)))],
    ["in a budget's refusal", on("evict", says(429, BUDGET))],
    ["in an eviction's failure", on("evict", refuses(500, HOSTILE))],
    ["in place of an eviction's answer", on("evict", says(200, HOSTILE))],
    ["in a refused query", on("cpu query", says(400, { status: "error", error: HOSTILE }))],
    [
      "in a warning",
      on(
        "cpu query",
        altered((body) => ({ ...body, warnings: [HOSTILE] })),
      ),
    ],
    ["in a query's error that comes with 200", on("cpu query", says(200, { status: "error", error: HOSTILE }))],
    ["in an error without end", on("cpu query", says(500, "\u001B]".repeat(2_000_000), { "retry-after": "99" }))],
    ["in place of a query's JSON", on("cpu query", says(200, HOSTILE))],
    ["as a query's status", on("cpu query", says(200, { status: HOSTILE }))],
    ["as a type of result", on("cpu query", says(200, { status: "success", data: { resultType: HOSTILE } }))],
    ["in the labels of a row", on("cpu query", rowsOf("1", { [HOSTILE]: HOSTILE }))],
    ["as a value", on("cpu query", rowsOf(HOSTILE, {}))],
  ])("(%s) are shown as harmless text", async (_name, script) => {
    await using scene = await startScene({ kubernetes: script, prometheus: script });
    const ended = await scene.run([...LIVE, "--output", "json"], { LOG_LEVEL: "trace" });
    expect([0, 1, 3]).toContain(ended.exitCode);
    expectClean(ended);
    expect(scene.removed()).toEqual([]);
  });

  it("(in the labels of two rows for one pod) are shown as harmless text", async () => {
    await using scene = await startScene({ prometheus: (call) => (call === "cpu query" ? rows() : undefined) });
    const rows = () => {
      const metrics = ["eu", "us"].map((cluster) => ({ pod: scene.hot.name, cluster, host: HOSTILE }));
      return rowsOf("1", ...metrics);
    };
    const ended = await scene.run([...LIVE, "--output", "table"], { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, code: "METRIC_AMBIGUOUS" });
    expectClean(ended);
  });
});

describe("hostile words of a credential plugin", { concurrent: true }, () => {
  it("are shown as harmless text", async () => {
    const script = `printf '%s' "$0" >&2; exit 1`;
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "/bin/sh",
      args: ["-c", script, HOSTILE],
      installHint: HOSTILE,
    };
    await using scene = await startScene({ kubeconfig: { user: { exec } } });
    const ended = await scene.run([...LIVE, "--output", "table"], { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, code: "CREDENTIALS_INVALID" });
    expectClean(ended);
  });
});

describe("hostile settings", { concurrent: true }, () => {
  it.each<[string[]]>([
    [[HOSTILE]],
    [["demo", HOSTILE]],
    [[...DRY, HOSTILE]],
    [[...DRY, `--${HOSTILE}`]],
    [[...DRY, `-${HOSTILE}`]],
    [[...DRY, `--cooldown=${HOSTILE}`]],
    [[...DRY, `--prometheus-matchers=${HOSTILE}`]],
    [[...DRY, "--prometheus-replica-labels", HOSTILE]],
    [[...DRY, "--prometheus-endpoint", `http://${HOSTILE}`]],
  ])("on the command line are refused in harmless words: %j", async (args) => {
    await using scene = await startScene();
    const { exitCode, stdout, stderr } = await scene.run(args);
    expect(exitCode).toBe(2);
    expect(unprintable(stdout + stderr)).toEqual([]);
    expect(stderr).not.toMatch(/^(pod-rebalancer: )?\{"level":"info"\}/m);
  });

  it("(a custom query) are shown as harmless text when they are refused", async () => {
    await using scene = await startScene({ prometheus: () => says(400, { status: "error", error: "parse error" }) });
    const ended = await scene.run([...DRY, "--output", "table"], { CPU_QUERY: HOSTILE, LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, code: "QUERY_FAILED" });
    expectClean(ended);
  });

  it.each<[Environment]>([
    [{ KUBE_NAMESPACE: HOSTILE }],
    [{ KUBE_LABEL_SELECTOR: HOSTILE }],
    [{ PROMETHEUS_HTTP_CONFIG: `/nowhere/${HOSTILE}` }],
    [{ KUBE_CONTEXT: HOSTILE }],
    [{ [`DRY_RU${HOSTILE.slice(0, 3)}`]: "true" }],
  ])("are told in harmless words: %j", async (env) => {
    await using scene = await startScene();
    const { stdout, stderr } = await scene.run(DRY, { ...env, LOG_LEVEL: "trace" });
    expect(unprintable(stdout + stderr)).toEqual([]);
    expect(stderr).not.toMatch(/^(pod-rebalancer: )?\{"level":"info"\}/m);
  });
});
