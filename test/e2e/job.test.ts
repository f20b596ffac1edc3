/** The Job of the shipped CronJob and the real Job controller; the test stands in for the kubelet that starts the container. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Reason } from "../../src/reasons.ts";
import { mountingForbidden, withMountedAccount, writeAccount } from "../harness/mounted-account.ts";
import { deployment } from "../harness/workloads.ts";
import { type JobPod, podsOfJob, runContainer, startedPod } from "./kubelet.ts";
import { expectEnd, startProduct } from "./product.ts";
import { missing, type Scene, type SceneOptions, type Stage, startStage } from "./scene.ts";
import { containerEnvironment } from "./shipped.ts";

const unmountable = mountingForbidden();
const PATIENCE_MILLIS = 30_000;

interface JobStatus {
  readonly conditions?: readonly { readonly type: string; readonly reason?: string }[];
}

const REPLACEMENTS_NEVER_READY: SceneOptions = {
  workloads: [deployment({ name: "consumer", replicas: 6, neverReady: true })],
  replacementsNeverReady: true,
  settings: { REPLACEMENT_TIMEOUT: "4s" },
};

/** Nothing listens there. */
const NO_METRICS_SERVER: SceneOptions = {
  settings: { PROMETHEUS_ENDPOINT: "http://127.0.0.1:1", PROMETHEUS_TIMEOUT: "2s" },
};

describe
  .skipIf(missing)
  .concurrent(`the shipped CronJob's Job on a real control plane${missing ? ` (${missing})` : ""}`, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await startStage();
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    /** Like `kubectl create job run --from=cronjob/pod-rebalancer`. @returns the Job's pod, once it is on a node. */
    async function createJob(scene: Scene): Promise<JobPod> {
      await stage.plane.apply(scene.manifests.filter(({ kind }) => kind === "CronJob"));
      const cronJob = await scene.request<{ spec: { jobTemplate: { spec: object } } }>(
        "GET",
        scene.path("batch/v1", "cronjobs/pod-rebalancer"),
      );
      await scene.request("POST", scene.path("batch/v1", "jobs"), {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name: "run", annotations: { "cronjob.kubernetes.io/instantiate": "manual" } },
        spec: cronJob.spec.jobTemplate.spec,
      });
      return await startedPod(stage.plane, scene.namespace, "run");
    }

    /** What the Job came to: its conditions, each with its reason. */
    async function endOfJob(scene: Scene): Promise<string[]> {
      return await stage.plane.waitFor(
        "the Job's end",
        async () => {
          const { status } = await scene.request<{ status: JobStatus }>("GET", scene.path("batch/v1", "jobs/run"));
          const conditions = (status.conditions ?? []).map(({ type, reason }) => `${type}: ${reason}`);
          return conditions.some((condition) => /^(Complete|Failed):/.test(condition)) && conditions;
        },
        PATIENCE_MILLIS,
      );
    }

    it.each<[number, Reason, SceneOptions]>([
      [0, "would_rotate", { folder: "base" }],
      [1, "failed", NO_METRICS_SERVER],
      [3, "replacement_timeout", REPLACEMENTS_NEVER_READY],
      [4, "insufficient_metrics", { silent: 5 }],
    ])("that ends with exit code %d (%s) starts no second pod", async (exitCode, reason, options) => {
      const scene = await stage.scene(options);
      const pod = await createJob(scene);
      const outcome = await runContainer(stage.plane, scene.namespace, pod, ["--output", "json"]);
      const dryRun = String(exitCode === 0);
      expect(outcome.environment).toMatchObject({ KUBE_NAMESPACE: scene.namespace, DRY_RUN: dryRun });
      expectEnd(outcome, exitCode, reason);
      const end = exitCode === 0 ? "Complete: CompletionsReached" : "Failed: BackoffLimitExceeded";
      expect(await endOfJob(scene)).toContain(end);
      expect((await podsOfJob(stage.plane, scene.namespace, "run")).map(({ metadata }) => metadata.uid)).toEqual([
        pod.metadata.uid,
      ]);
    });

    it.skipIf(unmountable)(
      `finds the API server by what is mounted into its pod${unmountable ? ` (${unmountable})` : ""}`,
      async () => {
        const scene = await stage.scene({ folder: "base" });
        const { spec } = await createJob(scene);
        const account = await writeAccount(stage.plane, scene.namespace, spec.serviceAccountName);
        const env = {
          ...(await containerEnvironment(stage.plane, spec, scene.namespace)),
          ...account.env,
          PATH: process.env["PATH"] ?? "",
        };

        const args = [...spec.containers[0]!.args, "--output", "json", "--log-level", "debug"];
        const outcome = await startProduct({ args, env, within: withMountedAccount(account.directory) }).ended;

        expectEnd(outcome, 0, "would_rotate");
        const sentence = `The Kubernetes API is at ${stage.plane.url} (in-cluster, the pod's service account).`;
        expect(outcome.log.map(({ msg }) => msg)).toContainEqual(expect.stringContaining(sentence));
      },
    );
  });
