/**
 * What went wrong elsewhere and must not here, row by row, with the built product. Where a row needs PromQL to be evaluated,
 * the engines suite has it (test/engines): the queries on both engines, duplicate scrapes, samples of dead exporters.
 */

import { existsSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { WireAutoscaler } from "../../src/kubernetes/client.ts";
import { addPod, addWorkload, isReady, livingPods } from "../../src/simulation/kubernetes-world.ts";
import { altered, endless, loginPage, redirect, refuses } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Scene, type SceneOptions, type Script, startScene } from "./scene.ts";

const ONE = { MAX_PODS_TO_DELETE: "1" };

/** The samples, without the labels of the group that they all have. */
function samplesOf(metrics: string): string[] {
  const samples = metrics.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return samples.map((line) => line.replace(/,?namespace="shops?",selector="app=orders?"/, "").replace("{}", ""));
}

/** The metrics by which a monitoring system sees how the run ended. */
function counted(metrics: string): string[] {
  return samplesOf(metrics).filter((line) => /^rebalancer_(executions|decisions)_total.* 1$/.test(line));
}

describe("no HPA, two HPAs, wrong name, no series, 0 pods", { concurrent: true }, () => {
  it.each<[string, (scene: Scene) => void, Record<string, string>, string, RegExp]>([
    ["a wrong label", () => {}, { KUBE_LABEL_SELECTOR: "app=order" }, "no_pods", /kubectl get pods --show-labels/],
    ["a wrong namespace", () => {}, { KUBE_NAMESPACE: "shops" }, "no_pods", /Check KUBE_NAMESPACE /],
    [
      "0 pods",
      (scene) => void scene.world.pods.splice(0),
      {},
      "no_pods",
      /no pod matches the selector: the list is empty, as it is for a namespace that does not exist/,
    ],
    [
      "no series",
      (scene) => scene.samples.clear(),
      {},
      "insufficient_metrics",
      /samples: cpu 0\/6, lag 0\/6, rate 0\/6, memory 0\/6; cpu: profile seed looks for .*Check the exporters, METRICS_PROFILE/,
    ],
    [
      "no series of one signal",
      ({ samples }) => samples.forEach((one, pod) => samples.set(pod, { ...one, rate: undefined } as never)),
      {},
      "insufficient_metrics",
      /samples: cpu 6\/6, lag 6\/6, rate 0\/6, memory 6\/6/,
    ],
    [
      "two workloads",
      ({ world, hot }) => {
        const { labels, created } = hot;
        addWorkload(world, { name: "payments", replicas: 2, labels, created });
      },
      {},
      "ambiguous_group",
      /Deployment\/orders, Deployment\/payments\. Narrow KUBE_LABEL_SELECTOR/,
    ],
  ])("%s has an outcome of its own: named, counted, exit 4", async (_name, change, env, reason, says) => {
    await using scene = await startScene();
    change(scene);
    const ended = await scene.run([...LIVE, "--output", "metrics"], env);
    expect(ended).toMatchObject({ exitCode: 4, reason });
    expect(ended.said).toMatch(says);
    expect(counted(ended.stdout)).toEqual([
      'rebalancer_executions_total{status="error"} 1',
      `rebalancer_decisions_total{reason="${reason}"} 1`,
    ]);
    expect(scene.removed()).toEqual([]);
  });

  it("no HPA is needed", async () => {
    await using scene = await startScene();
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it("of two HPAs, the one that wants another number is named", async () => {
    await using scene = await startScene();
    for (const [name, desiredReplicas] of [
      ["calm", 6],
      ["eager", 9],
    ] as const) {
      scene.world.autoscalers.push({ name, target: { kind: "Deployment", name: "orders" }, desiredReplicas });
    }
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "scaling_in_progress" });
    expect(ended.said).toMatch(/HorizontalPodAutoscaler eager wants 9 pods, 6 are asked for/);
    expect(scene.removed()).toEqual([]);
  });
});

/** A server whose list of autoscalers is changed so. */
function stale(change: (autoscaler: WireAutoscaler) => object): SceneOptions {
  const changed = altered((list) => ({
    ...list,
    items: (list as { items: WireAutoscaler[] }).items.map((item) => ({ ...item, ...change(item) })),
  }));
  return { kubernetes: on("list horizontalpodautoscalers", changed) };
}

describe("an autoscaler with an old wish", { concurrent: true }, () => {
  it("does not hold a run for ever once it is inactive, and the log says so", async () => {
    const conditions = [{ type: "ScalingActive", status: "False", reason: "FailedGetResourceMetric" }];
    await using scene = await startScene(stale(() => ({ status: { desiredReplicas: 9, conditions } })));
    scene.world.autoscalers.push({ name: "stale", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
    const ended = await scene.run(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.stderr).toContain(
      "HorizontalPodAutoscaler stale does not scale: ScalingActive is False (FailedGetResourceMetric).",
    );
  });

  it("of another API group's Deployment holds nothing", async () => {
    const scaleTargetRef = { apiVersion: "example.com/v1", kind: "Deployment", name: "orders" };
    await using scene = await startScene(stale(() => ({ spec: { maxReplicas: 20, scaleTargetRef } })));
    scene.world.autoscalers.push({ name: "other", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });
});

describe("a mark that is neither true nor false", { concurrent: true }, () => {
  it.each(["yes", "True", "", "1", "FALSE"])("on the workload (suspend: %j) suspends, and is named", async (value) => {
    await using scene = await startScene();
    scene.workload.annotations = { "pod-rebalancer.io/suspend": value };
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "suspended" });
    expect(ended.said).toContain(
      `annotation pod-rebalancer.io/suspend on Deployment/orders is ${JSON.stringify(value)}, neither "true" nor "false"`,
    );
    expect(scene.removed()).toEqual([]);
  });

  it.each(["yes", "True", "", "1", "FALSE"])("on a pod (exempt: %j) exempts it, and is named", async (value) => {
    await using scene = await startScene();
    scene.hot.annotations = { "pod-rebalancer.io/exempt": value };
    const ended = await scene.compose(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.said).toContain(`would rotate 1 of 1 pods: ${scene.idle.name}`);
    expect(ended.lines.map(({ msg }) => msg).join("\n")).toContain(
      `${scene.hot.name} is passed over: exempt (as ${JSON.stringify(value)}, neither "true" nor "false")`,
    );
  });

  it("is not needed where it is false: that suspends and exempts nothing", async () => {
    await using scene = await startScene();
    scene.workload.annotations = { "pod-rebalancer.io/suspend": "false" };
    scene.hot.annotations = { "pod-rebalancer.io/exempt": "false" };
    expect(await scene.compose(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });
});

describe("settings that look right", { concurrent: true }, () => {
  it.each(["yes", "on", "True ", "TRUE", "1", ""])("DRY_RUN=%j refuses to start", async (value) => {
    await using scene = await startScene();
    const ended = await scene.run(["run"], { DRY_RUN: value });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toBe(`pod-rebalancer: DRY_RUN is "${value}", expected exactly true or false\n`);
    expect([...scene.kubernetes.requests, ...scene.prometheus.requests]).toEqual([]);
  });

  it.each([
    ["--dryrun", /--dryrun is not a flag; expected --dry-run/],
    ["--simulate", /--simulate is not a flag \(see --help\)/],
    ["--dry-run=false", /--dry-run takes no value; expected --dry-run or --no-dry-run/],
    ["dry-run", /argument "dry-run" is not expected here/],
  ])("unknown flag %s refuses to start", async (flag, says) => {
    await using scene = await startScene();
    const ended = await scene.run(["run", flag], { DRY_RUN: "false" });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(says);
    expect([...scene.kubernetes.requests, ...scene.prometheus.requests]).toEqual([]);
  });

  it("a misspelt variable refuses to start", async () => {
    await using scene = await startScene();
    const ended = await scene.run(["run"], { DRYRUN: "true" });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(/DRYRUN is not a setting; expected DRY_RUN, or unset it/);
    expect(scene.kubernetes.requests).toEqual([]);
  });

  it("a run with a kubeconfig and without a word on dry run refuses to start, though nobody sits at a terminal", async () => {
    await using scene = await startScene();
    const ended = await scene.run(["run"]);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toBe(
      "pod-rebalancer: run with a kubeconfig must say whether it may evict pods: expected --dry-run or --no-dry-run (or DRY_RUN)\n",
    );
    expect(scene.kubernetes.requests).toEqual([]);
  });

  it("the flag --dry-run is heard, whatever the environment says", async () => {
    await using scene = await startScene();
    expect(await scene.run(DRY, { DRY_RUN: "false" })).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(scene.removed()).toEqual([]);
  });
});

describe("only the right pods", { concurrent: true }, () => {
  it("hot pods outside the selector are never touched", async () => {
    await using scene = await startScene();
    const labels = { app: "orders-canary" };
    const other = addWorkload(scene.world, { name: "other", replicas: 3, labels, created: scene.hot.created });
    // One with a name that the query's pattern catches, too: it begins as those of the group do.
    const { created, name } = scene.hot;
    const neighbour = addPod(scene.world, { name: `${name.slice(0, -5)}zzzzz`, labels, created, workload: other });
    for (const pod of [neighbour, ...scene.world.pods.filter(({ workload }) => workload === other)]) {
      scene.samples.set(pod.name, { cpu: 50, lag: 1e7, rate: 9_000, memory: 9e9 });
    }
    expect(await scene.run(LIVE, ONE)).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it("9 of 12 pods not Ready: nothing is removed, and it is told how many are Ready", async () => {
    await using scene = await startScene({ pods: 12 });
    for (const pod of scene.pods.slice(1, 10)) pod.readyAt = undefined;
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "pods_not_ready" });
    expect(ended.said).toMatch(/3 of 12 wanted pods are Ready/);
    expect(scene.removed()).toEqual([]);
  });

  it("a pod without controller is named, and never a target", async () => {
    await using scene = await startScene();
    const { labels, created } = scene.hot;
    const bare = addPod(scene.world, { name: "orders-by-hand", labels, created });
    scene.samples.set(bare.name, { cpu: 50, lag: 1e7, rate: 9_000, memory: 9e9 });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines[0]?.msg).toMatch(/Found 6 pods .*Pods without a controller are ignored: orders-by-hand/);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it("top and bottom sets overlap: each pod is a target once, and each eviction names its UID", async () => {
    await using scene = await startScene({ pods: 5 });
    const ended = await scene.run(DRY, { MAX_PODS_TO_DELETE: "50", MIN_PODS_REQUIRED: "1" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    const uids = scene.calls("evict").map(({ body }) => {
      const { deleteOptions } = JSON.parse(body) as { deleteOptions: { preconditions: { uid: string } } };
      return deleteOptions.preconditions.uid;
    });
    expect(uids.toSorted()).toEqual(scene.pods.map(({ uid }) => uid).toSorted());
  });

  it("a fresh idle pod (45 s old) is passed over, and no other is taken in its place", async () => {
    await using scene = await startScene();
    const created = new Date(scene.clock.now().getTime() - 45_000);
    Object.assign(scene.idle, { created, readyAt: new Date(created.getTime() + 5_000) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toContain(`${scene.idle.name} is passed over: too young (10m)`);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it("a pod dead for 200 s but inside the query window is not there for us", async () => {
    await using scene = await startScene();
    const dead = `${scene.hot.name.slice(0, -5)}ghost`;
    scene.samples.set(dead, { cpu: 50, lag: 1e7, rate: 9_000, memory: 9e9 });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).not.toContain(dead);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });
});

interface VectorBody {
  readonly status: string;
  readonly data: { readonly resultType: string; readonly result: readonly { metric: object; value: unknown }[] };
}

/** Every row of this query once more, as another replica or cluster would show it. */
function doubled(body: object): object {
  const { data, ...rest } = body as VectorBody;
  const twins = data.result.map((row) => ({ ...row, metric: { ...row.metric, cluster: "eu" } }));
  return { ...rest, data: { ...data, result: [...data.result, ...twins] } };
}

function nameless(body: object): object {
  return JSON.parse(JSON.stringify(body).replaceAll('"pod":', '"pod_name":')) as object;
}

describe("bad data", { concurrent: true }, () => {
  it("a duplicate scrape that reaches us as two rows for a pod is an error that says what to set", async () => {
    await using scene = await startScene({ prometheus: on("cpu query", altered(doubled)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "METRIC_AMBIGUOUS" });
    expect(ended.said).toMatch(/has two rows, .*cluster="eu".*Set PROMETHEUS_MATCHERS/);
    expect(scene.removed()).toEqual([]);
  });

  it("a row without a pod label is an error", async () => {
    await using scene = await startScene({ prometheus: on("lag query", altered(nameless)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "METRIC_INVALID" });
    expect(ended.said).toMatch(/lag query: a row has no pod label/);
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["negative sample", -150],
    ["NaN sample", Number.NaN],
    ["infinite sample", Number.POSITIVE_INFINITY],
  ])("%s: rejected, named, and its pod is no target", async (_name, value) => {
    await using scene = await startScene();
    scene.samples.set(scene.hot.name, { ...scene.samples.get(scene.hot.name), lag: value });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "balanced" });
    expect(ended.stderr).toContain(`lag of 5 pods (not a number or negative for ${scene.hot.name})`);
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["negative samples", -150],
    ["NaN samples", Number.NaN],
  ])("%s for a third of the pods are too many: exit 4", async (_name, value) => {
    await using scene = await startScene();
    for (const { name } of scene.pods.slice(2, 4)) {
      scene.samples.set(name, { ...scene.samples.get(name), cpu: value });
    }
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 4, reason: "insufficient_metrics" });
    expect(ended.said).toMatch(/66 % of the Ready pods have every signal, 80 % are needed; samples: cpu 4\/6/);
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["isPartial: true", { isPartial: true }, /marks its reply as partial/],
    ["warnings", { warnings: ["remote read: eu-2 timed out"] }, /the server warns: remote read: eu-2 timed out/],
  ])("%s is an error of its own, exit 1", async (_name, added, says) => {
    const script = on(
      "memory query",
      altered((body) => ({ ...body, ...added })),
    );
    await using scene = await startScene({ prometheus: script });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "QUERY_INCOMPLETE" });
    expect(ended.said).toMatch(says);
    expect(ended.said).toMatch(/could not see all of its data; repair it first/);
    expect(scene.removed()).toEqual([]);
  });

  it("hints about a query are no warnings", async () => {
    const infos = { infos: ["metric might not be a counter"], isPartial: false };
    const script = on(
      "rate query",
      altered((body) => ({ ...body, ...infos })),
    );
    await using scene = await startScene({ prometheus: script });
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });
});

describe("a reply over the size cap", { concurrent: true }, () => {
  it.each([
    ["metrics server", "cpu query", 4],
    ["Kubernetes API", "list pods", 16],
  ] as const)("of the %s is given up, and the process stays small", async (_server, call, capMiB) => {
    let sentMiB = 0;
    const script = on(
      call,
      endless((bytes) => (sentMiB += bytes / 2 ** 20)),
    );
    await using scene = await startScene({ kubernetes: script, prometheus: script });
    const product = scene.start(LIVE);
    const memory = watchMemory(product.pid);
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_TOO_LARGE" });
    expect(ended.said).toMatch(/has more than \d+ bytes\. Narrow the query or the selector/);
    expect(scene.calls(call)).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    // What was sent beyond the cap lay in the buffers of the two sockets.
    expect(sentMiB).toBeLessThan(capMiB + 32);
    // A container of 256 MiB bears it.
    expect(memory.highestMiB()).toBeLessThan(256);
  });
});

/** The most memory that a process was seen to have; 0 where the system does not tell. */
function watchMemory(pid: number): { highestMiB(): number } {
  let highest = 0;
  const status = `/proc/${pid}/status`;
  const watching = setInterval(() => {
    if (!existsSync(status)) return clearInterval(watching);
    const [, kib = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, "utf8")) ?? [];
    highest = Math.max(highest, Number(kib) / 1_024);
  }, 20);
  return { highestMiB: () => highest };
}

/** All but the eviction: that is never sent twice. */
const refusesOnce: Script = (call, nth) => (nth === 0 && call !== "evict" ? refuses(503) : undefined);

describe("servers that are not well", { concurrent: true }, () => {
  // "Kubernetes API hangs" is in never-answered.suite.ts, for every call.

  it("one 503, then fine: the run goes on, whichever call it is", async () => {
    await using scene = await startScene({ kubernetes: refusesOnce, prometheus: refusesOnce });
    expect(await scene.run(LIVE, ONE)).toMatchObject({ exitCode: 0, reason: "rotated" });
    for (const call of ["cpu query", "lag query", "rate query", "memory query", "create lease"]) {
      expect(scene.calls(call)).toHaveLength(2);
    }
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it.each([
    ["redirect", redirect, "REDIRECTED", /redirects to https:\/\/login\.example\/start\. Use the address behind/],
    ["login page itself", loginPage, "REPLY_INVALID", /begins "<html>.*not of a proxy or a login page/],
  ])("a %s is a clear error, after one request", async (_name, misbehave, code, says) => {
    for (const [server, call] of [
      ["kubernetes", "list pods"],
      ["prometheus", "cpu query"],
    ] as const) {
      await using scene = await startScene({ [server]: on(call, misbehave) });
      const ended = await scene.run(LIVE);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
      expect(ended.said).toMatch(says);
      expect(ended.said).not.toContain("4711");
      expect(scene.calls(call)).toHaveLength(1);
      expect(scene.removed()).toEqual([]);
    }
  });
});

/** How many pods were Ready each time that an eviction was asked for. */
function countingReady(counts: number[]): { readonly options: SceneOptions; scene?: Scene } {
  const counting: { options: SceneOptions; scene?: Scene } = {
    options: {
      kubernetes(call) {
        const { scene } = counting;
        if (call !== "evict" || scene === undefined) return undefined;
        const now = scene.clock.now();
        counts.push(livingPods(scene.world, now).filter((pod) => isReady(pod, now)).length);
        return undefined;
      },
    },
  };
  return counting;
}

describe("3 to 5 pods and minimum 3", { concurrent: true }, () => {
  it("3: a hold with a reason, exit 0", async () => {
    await using scene = await startScene({ pods: 3 });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "too_few_pods" });
    expect(ended.said).toMatch(/3 pods are Ready, 3 must stay \(MIN_PODS_REQUIRED\)/);
    expect(scene.removed()).toEqual([]);
  });

  it.each([4, 5])("%i: one at a time", async (pods) => {
    const ready: number[] = [];
    const counting = countingReady(ready);
    await using scene = (counting.scene = await startScene({ pods, ...counting.options }));
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toEqual([scene.hot.name, scene.idle.name]);
    expect(ready).toEqual([pods, pods]);
  });
});

describe("a workload that is scaled down to the minimum while its first pod is replaced", { concurrent: true }, () => {
  it("keeps the second one", async () => {
    await using scene = await startScene({
      pods: 4,
      kubernetes(call) {
        if (call === "evict") scaleDown(scene);
        return undefined;
      },
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_breach_minimum" });
    expect(ended.said).toMatch(/^Rotated 1 of 2 pods: .*3 pods are Ready, 3 must stay \(MIN_PODS_REQUIRED\)/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.idle.terminatingAt).toBeUndefined();
  });
});

/** The workload wants one pod less, and lets go of one that is neither the most nor the least busy. */
function scaleDown({ workload, pods, clock }: Scene): void {
  const replicas = workload.replicas - 1;
  Object.assign(workload, { replicas, updatedReplicas: replicas });
  Object.assign(pods[1] ?? {}, { terminatingAt: clock.now(), goneAt: clock.now() });
}

describe("large groups", { concurrent: true }, () => {
  it("K = 50: a fixed number of queries however many pods, and all of them at the same time", async () => {
    const counts = await Promise.all(
      [6, 600].map(async (pods) => {
        let waiting: (() => void)[] = [];
        // Nobody is answered until all four are there.
        const together: Script = () => async (response, honest) => {
          const all = new Promise<void>((resolve) => waiting.push(resolve));
          if (waiting.length === 4) for (const go of waiting.splice(0)) go();
          await all;
          response.end(JSON.stringify(honest().body));
        };
        await using scene = await startScene({ pods, prometheus: together });
        const ended = await scene.run(DRY, { PROMETHEUS_TIMEOUT: "20s" });
        expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
        const longest = Math.max(...scene.prometheus.requests.map(({ body }) => body.length));
        return { queries: scene.prometheus.requests.length, longest };
      }),
    );
    expect(counts[0]).toEqual(counts[1]);
    expect(counts[0]?.queries).toBe(4);
  });
});

describe("metrics", { concurrent: true }, () => {
  it("every metric is exported", async () => {
    await using scene = await startScene();
    const { exitCode, stdout } = await scene.run([...DRY, "--output", "metrics"]);
    expect(exitCode).toBe(0);
    expect(samplesOf(stdout)).toEqual(
      expect.arrayContaining([
        'rebalancer_executions_total{status="success"} 1',
        'rebalancer_executions_total{status="error"} 0',
        "rebalancer_pods_analyzed_total 6",
        'rebalancer_pods_deleted_total{type="most_busy"} 0',
        'rebalancer_pods_deleted_total{type="least_busy"} 0',
        expect.stringMatching(/^rebalancer_execution_duration_seconds \d+(\.\d+)?$/),
        expect.stringMatching(/^rebalancer_load_variance_current\{signal="cpu"\} 1\.\d+$/),
        expect.stringMatching(/^rebalancer_load_variance_current\{signal="lag"\} 3\.\d+$/),
        'rebalancer_decisions_total{reason="would_rotate"} 1',
      ]),
    );
  });

  it("removed pods are counted by role", async () => {
    await using scene = await startScene();
    const { exitCode, stdout } = await scene.run([...LIVE, "--output", "metrics"]);
    expect(exitCode).toBe(0);
    expect(samplesOf(stdout)).toContain('rebalancer_pods_deleted_total{type="most_busy"} 1');
    expect(samplesOf(stdout)).toContain('rebalancer_pods_deleted_total{type="least_busy"} 1');
  });
});
