/** Pods that are never removed: each the extreme of a group of 24 that is otherwise fit to be rotated, and is. */

import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { JsonReport } from "../../src/output/json.ts";
import { isReady, type Pod } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { deployment } from "../harness/workloads.ts";
import { expectEnd, targetsOf } from "./product.ts";
import { removedIn } from "./recording.ts";
import { missing, type Scene, type Stage, startStage } from "./scene.ts";

const REPLICAS = 24;
const PATIENCE_MILLIS = 30_000;

/** By so much the young pod is below the least age when a run starts, and the others above it: no slow machine matters. */
const MARGIN_SECONDS = 12;

function nameOf(pod: Pod): string {
  return pod.metadata.name;
}

/** As it is now, the pod would be removed: the test that follows bites. */
async function expectTarget(scene: Scene, pod: Pod): Promise<void> {
  const report = expectEnd(await scene.run("--dry-run"), 0, "would_rotate");
  expect(targetsOf(report)).toContain(nameOf(pod));
}

/** A live run removes this pod and no other. */
async function expectOnly(scene: Scene, pod: Pod, ...args: string[]): Promise<JsonReport> {
  await using recording = await scene.watch();
  const report = expectEnd(await scene.run(...args), 0, "rotated");
  expect(removedIn(recording).map(({ uid }) => uid)).toEqual([pod.metadata.uid]);
  expect((await scene.lease())?.removals).toMatchObject([{ uid: pod.metadata.uid }]);
  return report;
}

describe
  .skipIf(missing)
  .concurrent(`the built product on a real control plane${missing ? ` (${missing})` : ""}`, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await startStage();
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    function setScene(): Promise<Scene> {
      return stage.scene({ workloads: [deployment({ name: "consumer", replicas: REPLICAS })] });
    }

    async function becomes(scene: Scene, { metadata: { uid, name } }: Pod, met: (now: Pod) => boolean): Promise<void> {
      const seen = async () => (await scene.pods()).some((now) => now.metadata.uid === uid && met(now));
      await stage.plane.waitFor(`${name}: ${met.toString()}`, seen, PATIENCE_MILLIS);
    }

    it("passes over the most busy pod when it is exempt", async () => {
      const scene = await setScene();
      await expectTarget(scene, scene.hot);
      await scene.annotate(scene.hot, { "pod-rebalancer.io/exempt": "true" });
      const { decision } = await expectOnly(scene, scene.cold);
      expect(decision?.passedOver).toEqual([{ pod: nameOf(scene.hot), role: "most_busy", why: "exempt" }]);
    });

    it("passes over the most busy pod when it is not Ready", async () => {
      const scene = await setScene();
      await expectTarget(scene, scene.hot);
      await scene.annotate(scene.hot, { [POD_ANNOTATIONS.notReady]: "true" });
      await becomes(scene, scene.hot, (pod) => !isReady(pod));
      const { decision } = await expectOnly(scene, scene.cold);
      expect(decision?.passedOver).toEqual([{ pod: nameOf(scene.hot), role: "most_busy", why: "not Ready" }]);
    });

    it("passes over the least busy pod when it is terminating", async () => {
      const scene = await setScene();
      await expectTarget(scene, scene.cold);
      await scene.annotate(scene.cold, { [POD_ANNOTATIONS.terminationDelay]: "300s" });
      await scene.request("DELETE", `${scene.path("v1", `pods/${nameOf(scene.cold)}`)}?gracePeriodSeconds=300`);
      await scene.ready(REPLICAS);
      const { decision } = await expectOnly(scene, scene.hot);
      expect(decision?.passedOver).toEqual([{ pod: nameOf(scene.cold), role: "least_busy", why: "terminating" }]);
    });

    it("passes over a young pod that has nothing to do yet", async () => {
      const scene = await setScene();
      const old = new Set((await scene.pods()).map((pod) => pod.metadata.uid));
      await sleep(MARGIN_SECONDS * 1_000);
      await scene.request("DELETE", scene.path("v1", `pods/${nameOf(scene.cold)}`));
      await stage.plane.waitFor(
        "the end of the pod",
        async () => !(await scene.pods()).some((pod) => pod.metadata.uid === scene.cold.metadata.uid),
        PATIENCE_MILLIS,
      );
      const young = (await scene.ready(REPLICAS)).find((pod) => !old.has(pod.metadata.uid))!;
      await scene.measure({ hot: nameOf(scene.hot), cold: nameOf(young) });
      await expectTarget(scene, young);

      const ageSeconds = Math.ceil((Date.now() - Date.parse(young.metadata.creationTimestamp)) / 1_000);
      const { decision } = await expectOnly(scene, scene.hot, "--min-pod-age", `${ageSeconds + MARGIN_SECONDS}s`);
      const why = expect.stringMatching(/^too young/);
      expect(decision?.passedOver).toEqual([{ pod: nameOf(young), role: "least_busy", why }]);
    });

    it("leaves out a pod without a controller, and takes the most busy of the others", async () => {
      const scene = await setScene();
      await expectTarget(scene, scene.hot);
      const warm = (await scene.pods()).at(-1)!;
      await scene.measure({ hot: nameOf(scene.hot), warm: nameOf(warm), cold: nameOf(scene.cold) });
      // Its ReplicaSet lets it go, as when somebody takes a pod aside to look into it, and starts another.
      const labels = { "pod-template-hash": "set-aside" };
      await scene.request("PATCH", scene.path("v1", `pods/${nameOf(scene.hot)}`), { metadata: { labels } });
      await becomes(scene, scene.hot, (pod) => (pod.metadata.ownerReferences ?? []).length === 0);
      await scene.ready(REPLICAS + 1);

      const { group } = await expectOnly(scene, warm, "--max-pods-to-delete", "1");
      expect(group?.podsWithoutController).toEqual([nameOf(scene.hot)]);
      expect(group?.pods).toHaveLength(REPLICAS);
    });
  });
