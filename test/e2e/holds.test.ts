/** What keeps a live run from removing anything: each obstacle by itself, in a group that is rotated without it. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { isReady, type Manifest, type Pod } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { deployment, podDisruptionBudget, statefulSet, type WorkloadOptions } from "../harness/workloads.ts";
import { holdMetrics } from "./held-metrics.ts";
import { expectEnd, targetsOf } from "./product.ts";
import { removedIn } from "./recording.ts";
import { missing, type Scene, type Stage, startStage } from "./scene.ts";

const REPLICAS = 10;
const PATIENCE_MILLIS = 30_000;

/** A rollout of it that is stuck removes none of the old pods. */
function consumer(options: Partial<WorkloadOptions> = {}): Manifest {
  const manifest = deployment({ name: "consumer", replicas: REPLICAS, labels: { team: "orders" }, ...options });
  const strategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  return { ...manifest, spec: { ...(manifest["spec"] as object), strategy } };
}

const AUTOSCALER: Manifest = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "consumer" },
  spec: { maxReplicas: 20, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "consumer" } },
};

function suspension(value: string | null): object {
  return { metadata: { annotations: { "pod-rebalancer.io/suspend": value } } };
}

function uids(pods: readonly Pod[]): string[] {
  return pods.map((pod) => pod.metadata.uid);
}

describe.skipIf(missing)(`the built product on a real control plane${missing ? ` (${missing})` : ""}`, () => {
  let stage: Stage;
  let scene: Scene;
  let three: Scene;
  let set: Scene;
  let before: readonly Pod[];
  beforeAll(async () => {
    stage = await startStage();
    // Of the same team, but not of the same app.
    const shipping = deployment({ name: "shipping", replicas: 1, labels: { team: "orders" } });
    const consumerSet = statefulSet({ name: "consumer", replicas: 4 });
    [scene, three, set] = await Promise.all([
      stage.scene({ workloads: [consumer(), shipping] }),
      stage.scene({ workloads: [deployment({ name: "consumer", replicas: 3 })] }),
      stage.scene({ workloads: [consumerSet], lease: "pod-rebalancer-statefulset-consumer" }),
    ]);
    before = await scene.pods();
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  async function expectUntouched(): Promise<void> {
    expect(uids(await scene.ready(REPLICAS))).toEqual(uids(before));
    expect(await scene.events()).toEqual([]);
    const { holder = "", removals = [] } = (await scene.lease()) ?? {};
    expect({ holder, removals }).toEqual({ holder: "", removals: [] });
  }

  describe("does not touch a group that it would rotate otherwise,", () => {
    beforeEach(async () => {
      const report = expectEnd(await scene.run("--dry-run"), 0, "would_rotate");
      expect(targetsOf(report)).toEqual([scene.hot.metadata.name, scene.cold.metadata.name]);
    });

    it("while a PodDisruptionBudget allows no disruption", async () => {
      const path = scene.path("policy/v1", "poddisruptionbudgets/consumer");
      const budget = podDisruptionBudget({ name: "consumer", matchLabels: { app: "consumer" }, maxUnavailable: 0 });
      await stage.plane.apply([budget], scene.namespace);
      const counted = async () =>
        (await scene.request<{ status?: { expectedPods?: number } }>("GET", path)).status?.expectedPods === REPLICAS;
      try {
        await stage.plane.waitFor("the budget's status", counted, PATIENCE_MILLIS);
        const dry = expectEnd(await scene.run("--dry-run"), 0, "blocked_by_pdb");
        const live = expectEnd(await scene.run(), 0, "blocked_by_pdb");
        for (const { detail, removal } of [dry, live]) {
          expect(detail).toBe("the disruption budget consumer needs 10 healthy pods and has 10 currently");
          expect(removal?.steps.map(({ outcome }) => outcome)).toEqual(["skipped", "skipped"]);
        }
      } finally {
        await scene.request("DELETE", path);
      }
      await expectUntouched();
    });

    it("where no more pods are Ready than must stay", async () => {
      expectEnd(await scene.run("--min-pods-required", String(REPLICAS)), 0, "too_few_pods");
      await expectUntouched();
    });

    it("where fewer pods are Ready when it comes to act than when it looked first", async () => {
      await using metrics = await holdMetrics(stage.prometheus.url);
      const bystander = before.at(-1)!;
      const run = scene.start(["--min-pods-required", String(REPLICAS - 1), "--prometheus-endpoint", metrics.url]);
      await metrics.asked;
      await scene.annotate(bystander, { [POD_ANNOTATIONS.notReady]: "true" });
      try {
        const unready = async () => !(await scene.pods()).every(isReady);
        await stage.plane.waitFor("a pod that is not Ready", unready, PATIENCE_MILLIS);
        metrics.release();
        const report = expectEnd(await run.ended, 0, "would_breach_minimum");
        expect(report.detail).toBe("9 pods are Ready, 9 must stay (MIN_PODS_REQUIRED)");
        expect(targetsOf(report)).toHaveLength(2);
      } finally {
        await scene.annotate(bystander, { [POD_ANNOTATIONS.notReady]: null });
      }
      await expectUntouched();
    });

    it("when it is told to stop before it comes to act, with exit code 1", async () => {
      await using metrics = await holdMetrics(stage.prometheus.url);
      const run = scene.start(["--prometheus-endpoint", metrics.url]);
      await metrics.asked;
      run.signal("SIGTERM");
      expectEnd(await run.ended, 1, "interrupted");
      await expectUntouched();
    });

    it("while it rolls out", async () => {
      await stage.plane.apply([consumer({ image: "consumer:2", neverReady: true })], scene.namespace);
      try {
        const begun = async () => (await scene.pods()).length > REPLICAS;
        await stage.plane.waitFor("a pod of the new template", begun, PATIENCE_MILLIS);
        expectEnd(await scene.run(), 0, "rollout_in_progress");
      } finally {
        await stage.plane.apply([consumer()], scene.namespace);
      }
      await expectUntouched();
    });

    it("while an autoscaler wants another number of pods", async () => {
      const path = scene.path("autoscaling/v2", "horizontalpodautoscalers/consumer");
      const want = (desiredReplicas: number) =>
        scene.request("PATCH", `${path}/status`, { status: { currentReplicas: REPLICAS, desiredReplicas } });
      await stage.plane.apply([AUTOSCALER], scene.namespace);
      try {
        await want(REPLICAS);
        expectEnd(await scene.run("--dry-run"), 0, "would_rotate");
        await want(REPLICAS + 2);
        const { detail } = expectEnd(await scene.run(), 0, "scaling_in_progress");
        expect(detail).toBe("HorizontalPodAutoscaler consumer wants 12 pods, 10 are asked for");
      } finally {
        await scene.request("DELETE", path);
      }
      await expectUntouched();
    });

    it.each(["true", "yes", ""])("while its annotation (%j) suspends it", async (value) => {
      const path = scene.path("apps/v1", "deployments/consumer");
      await scene.request("PATCH", path, suspension(value));
      try {
        expectEnd(await scene.run(), 0, "suspended");
      } finally {
        await scene.request("PATCH", path, suspension(null));
      }
      await expectUntouched();
    });

    it("where the selector matches another Deployment, too, with exit code 4", async () => {
      const { detail } = expectEnd(await scene.run("-l", "team=orders"), 4, "ambiguous_group");
      expect(detail).toBe("Deployment/consumer, Deployment/shipping");
      await expectUntouched();
    });

    it("where a Deployment owns a pod without a ReplicaSet, with exit code 4", async () => {
      const deployments = scene.path("apps/v1", "deployments/shipping");
      const { metadata: owner } = await scene.request<Pick<Pod, "metadata">>("GET", deployments);
      const reference = {
        apiVersion: "apps/v1",
        kind: "Deployment",
        name: "shipping",
        uid: owner.uid,
        controller: true,
      };
      const metadata = { name: "direct", labels: { app: "direct" }, ownerReferences: [reference] };
      const spec = { containers: [{ name: "consumer", image: "consumer:1" }] };
      await stage.plane.apply([{ apiVersion: "v1", kind: "Pod", metadata, spec }], scene.namespace);
      try {
        const { detail } = expectEnd(await scene.run("-l", "app in (consumer,direct)"), 4, "ambiguous_group");
        expect(detail).toContain("Deployment/shipping, which owns pods without a ReplicaSet");
      } finally {
        await scene.request("DELETE", `${scene.path("v1", "pods/direct")}?gracePeriodSeconds=0`);
      }
      await expectUntouched();
    });

    it("where the selector matches nothing, with exit code 4", async () => {
      expectEnd(await scene.run("-l", "app=nobody"), 4, "no_pods");
      await expectUntouched();
    });

    it("where too many pods have no metrics, with exit code 4", async () => {
      const extremes = { hot: scene.hot.metadata.name, cold: scene.cold.metadata.name };
      await scene.measure({ ...extremes, silent: before.slice(-3).map((pod) => pod.metadata.name) });
      try {
        const report = expectEnd(await scene.run(), 4, "insufficient_metrics");
        expect(report.group?.coverage).toBe(0.7);
        expectEnd(await scene.run("--dry-run", "--min-metrics-coverage", "0.7"), 0, "would_rotate");
      } finally {
        await scene.measure(extremes);
      }
      await expectUntouched();
    });

    it.each<[string, string[], Record<string, string>, RegExp]>([
      ["DRY_RUN=yes", [], { DRY_RUN: "yes" }, /DRY_RUN is "yes", expected exactly true or false/],
      ["of an unknown flag", ["--dry-ru"], {}, /--dry-ru is not a flag; expected --dry-run/],
      ["of a variable that is misspelt", [], { DRYRUN: "true" }, /DRYRUN is not a setting; expected DRY_RUN/],
    ])("where it is told %s, with exit code 2", async (_what, args, env, fault) => {
      const outcome = await scene.start(args, env).ended;
      expect(outcome).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(fault) });
      await expectUntouched();
    });
  });

  it("does not touch a group of three, of which three must stay", async () => {
    const pods = await three.pods();
    expectEnd(await three.run(), 0, "too_few_pods");
    expect(await three.pods()).toEqual(pods);
    expectEnd(await three.run("--dry-run", "--min-pods-required", "2"), 0, "would_rotate");
  });

  it("holds right after a rotation, though the group is as uneven as before", async () => {
    await using recording = await set.watch();
    expectEnd(await set.run("--max-pods-to-delete", "1"), 0, "rotated");

    const { detail } = expectEnd(await set.run(), 0, "cooldown");

    expect(detail).toMatch(/^consumer-1 was removed \d+s ago; COOLDOWN is 5m$/);
    expect(uids(await set.ready(4))).toHaveLength(4);
    expect(removedIn(recording).map(({ uid }) => uid)).toEqual([set.hot.metadata.uid]);
    // The new pod has the old one's name, and so its metrics.
    const shortest = ["--cooldown", "11s", "--replacement-timeout", "1s"];
    const report = expectEnd(await set.run("--dry-run", ...shortest), 0, "would_rotate");
    expect(targetsOf(report)).toEqual(["consumer-1", "consumer-2"]);
  });
});
