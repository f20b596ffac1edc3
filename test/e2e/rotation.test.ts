/** What a live run does to a group, how it ends when it is stopped in the middle, and what a dry run says of it all. */

import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startVictoriaMetrics } from "../harness/prometheus.ts";
import { deployment, podDisruptionBudget, statefulSet } from "../harness/workloads.ts";
import { expectEnd, type Outcome, type Run, targetsOf } from "./product.ts";
import { fewestReadyIn, newIn, removedIn } from "./recording.ts";
import { missing, type Scene, type Stage, startStage } from "./scene.ts";

/** How long a new pod must have been Ready, at least, before the next one goes. */
const HOLD_MILLIS = 10_000;
/** The watch may show a pod Ready a moment late. */
const LATE_MILLIS = 500;
/** How long a Lease that nobody renews keeps others out. */
const LEASE_MILLIS = 60_000;
const AT_ONCE = 8;

function extremes({ hot, cold }: Scene): string[] {
  return [hot.metadata.name, cold.metadata.name];
}

function startAtOnce(scene: Scene): Run[] {
  return Array.from({ length: AT_ONCE }, () => scene.start());
}

describe
  .skipIf(missing)
  .concurrent(`the built product on a real control plane${missing ? ` (${missing})` : ""}`, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await startStage();
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    // The longest first, because only so many run at once.

    it("started eight times removes one pod when the run that acts is killed, and then holds by its Lease and its record", async () => {
      const scene = await stage.scene();
      await using recording = await scene.watch();
      const runs = startAtOnce(scene);
      await stage.plane.waitFor("the first removal", () => removedIn(recording).length > 0, 60_000);
      const { holder } = (await scene.lease())!;
      const acting = runs.find((run) => run.log().some(({ runId }) => holder === `${hostname()}_${runId}`))!;
      acting.signal("SIGKILL");

      expect((await acting.ended).exitCode).toBeNull();
      for (const run of runs.filter((each) => each !== acting)) expectEnd(await run.ended, 0, "locked");

      let next: Outcome;
      let locked = 0;
      for (;;) {
        next = await scene.run();
        if (next.reason !== "locked") break;
        locked += 1;
        await sleep(5_000);
      }
      expect(locked).toBeGreaterThan(1);
      const { detail } = expectEnd(next, 0, "cooldown");
      expect(detail).toContain(scene.hot.metadata.name);
      expect(removedIn(recording).map(({ uid }) => uid)).toEqual([scene.hot.metadata.uid]);
      const after = (await scene.lease())!;
      expect(after).toMatchObject({ holder: "", removals: [{ uid: scene.hot.metadata.uid }] });
      // The killed run held it when it wrote the record: nobody took it before that was a minute ago.
      expect(after.renewedAt.getTime() - Date.parse(after.removals[0]!.at)).toBeGreaterThanOrEqual(LEASE_MILLIS);
    });

    it("removes the most busy pod and, once its replacement has held, the least busy one", async () => {
      const consumer = deployment({ name: "consumer", replicas: 6, readyDelaySeconds: 10 });
      const scene = await stage.scene({ workloads: [consumer] });
      const before = await scene.pods();
      await using recording = await scene.watch();

      const report = expectEnd(await scene.run(), 0, "rotated");
      const ended = Date.now();

      const [first, second, ...more] = removedIn(recording);
      expect([first?.name, second?.name, ...more]).toEqual(extremes(scene));
      expect(report.removal?.steps).toMatchObject([
        { pod: scene.hot.metadata.name, role: "most_busy", outcome: "replaced" },
        { pod: scene.cold.metadata.name, role: "least_busy", outcome: "replaced" },
      ]);

      const replacements = newIn(recording, before);
      expect(replacements).toHaveLength(2);
      const [firstReady = Number.NaN, secondReady = Number.NaN] = replacements.map((uid) => recording.readyAt(uid));
      expect(second!.at - firstReady).toBeGreaterThan(HOLD_MILLIS - LATE_MILLIS);
      expect(ended - secondReady).toBeGreaterThan(HOLD_MILLIS - LATE_MILLIS);
      expect(fewestReadyIn(recording, before)).toBe(5);
      await scene.ready(6);

      const [event, ...furtherEvents] = await scene.events();
      expect(furtherEvents).toEqual([]);
      const involvedObject = { kind: "Deployment", name: "consumer" };
      expect(event).toMatchObject({ type: "Normal", reason: "Rotated", involvedObject });
      for (const name of extremes(scene)) expect(event?.message).toContain(name);
      const removals = [
        { pod: first!.name, uid: scene.hot.metadata.uid },
        { pod: second!.name, uid: scene.cold.metadata.uid },
      ];
      expect(await scene.lease()).toMatchObject({ holder: "", removals });
    });

    it("started eight times at once removes the two pods that one run removes, one after the other", async () => {
      const scene = await stage.scene();
      const before = await scene.pods();
      await using recording = await scene.watch();

      const runs = startAtOnce(scene);
      const outcomes = await Promise.all(runs.map((run) => run.ended));

      expect(outcomes.filter(({ reason }) => reason === "rotated")).toHaveLength(1);
      // Whoever came late looked at the pods before the rotation, and read the record behind it.
      const held = outcomes.filter(({ reason }) => reason === "locked" || reason === "cooldown");
      expect(held).toHaveLength(AT_ONCE - 1);
      expect(outcomes.filter(({ exitCode }) => exitCode === 0)).toHaveLength(AT_ONCE);
      expect(removedIn(recording).map(({ uid }) => uid)).toEqual([scene.hot.metadata.uid, scene.cold.metadata.uid]);
      expect(fewestReadyIn(recording, before)).toBe(before.length - 1);
      expect((await scene.lease())?.removals).toHaveLength(2);
    });

    it("rotates a StatefulSet of four one at a time, where three must stay", async () => {
      const consumer = statefulSet({ name: "consumer", replicas: 4 });
      const lease = "pod-rebalancer-statefulset-consumer";
      const scene = await stage.scene({ workloads: [consumer], lease });
      const before = await scene.pods();
      await using recording = await scene.watch();

      expectEnd(await scene.run(), 0, "rotated");

      expect(removedIn(recording).map(({ name }) => name)).toEqual(extremes(scene));
      expect(fewestReadyIn(recording, before)).toBe(3);
      const after = await scene.ready(4);
      expect(after.map((pod) => pod.metadata.name)).toEqual(before.map((pod) => pod.metadata.name));
      const removals = [{ uid: scene.hot.metadata.uid }, { uid: scene.cold.metadata.uid }];
      expect(await scene.lease()).toMatchObject({ holder: "", removals });
      expect(await scene.events()).toMatchObject([{ reason: "Rotated", involvedObject: { kind: "StatefulSet" } }]);
    });

    it("as it ships is a dry run: it names the targets and changes nothing, on either metrics engine", async () => {
      await using victoria = await startVictoriaMetrics({ scrape: [{ job: "consumers", url: stage.exporterUrl }] });
      const consumer = deployment({ name: "consumer", replicas: 8 });
      const budget = podDisruptionBudget({ name: "consumer", matchLabels: { app: "consumer" }, maxUnavailable: 1 });
      const scene = await stage.scene({ folder: "base", workloads: [consumer, budget] });
      const budgetPath = scene.path("policy/v1", "poddisruptionbudgets/consumer");
      const allowance = () => scene.request<{ status: { disruptionsAllowed: number } }>("GET", budgetPath);
      const allowed = await allowance();
      expect(allowed.status.disruptionsAllowed).toBe(1);
      const before = await scene.pods();

      const accepted = extremes(scene).map((name) => [name, "the API would accept the eviction"]);
      const onPrometheus = expectEnd(await scene.run(), 0, "would_rotate");
      const onVictoria = expectEnd(await scene.run("--prometheus-endpoint", victoria.url), 0, "would_rotate");
      for (const report of [onPrometheus, onVictoria]) {
        expect(report.dryRun).toBe(true);
        expect(targetsOf(report)).toEqual(extremes(scene));
        expect(report.removal?.steps.map(({ pod, why }) => [pod, why])).toEqual(accepted);
      }

      const plan = await scene.plan();
      expect(plan.exitCode, plan.stderr).toBe(0);
      const [hot, cold] = extremes(scene);
      expect(plan.stdout).toMatch(/^ROTATE {2}.*lag is uneven/m);
      expect(plan.stdout).toMatch(new RegExp(`^ {2}1 {2}${hot} +most busy +the API would accept the eviction$`, "m"));
      expect(plan.stdout).toMatch(new RegExp(`^ {2}2 {2}${cold} +least busy +the API would accept the eviction`, "m"));
      expect(plan.stdout).toMatch(
        `Nothing was changed. To act: pod-rebalancer run --no-dry-run -n ${scene.namespace} -l app=consumer\n`,
      );

      // Down to the version of each object.
      expect(await scene.pods()).toEqual(before);
      expect(await allowance()).toEqual(allowed);
      expect(await scene.lease()).toBeUndefined();
      expect(await scene.events()).toEqual([]);
    });

    it("stops behind the first removal when its replacement never gets Ready, with exit code 3", async () => {
      const neverReady = deployment({ name: "consumer", replicas: 6, neverReady: true });
      const scene = await stage.scene({ workloads: [neverReady], replacementsNeverReady: true });
      await using recording = await scene.watch();

      const report = expectEnd(await scene.run("--replacement-timeout", "4s"), 3, "replacement_timeout");

      expect(report.removal?.steps.map(({ pod, outcome }) => [pod, outcome])).toEqual([
        [scene.hot.metadata.name, "evicted"],
        [scene.cold.metadata.name, "skipped"],
      ]);
      expect(report.detail).toMatch(/is not replaced after \d+s: 5 of 6 pods are Ready/);
      expect(removedIn(recording).map(({ uid }) => uid)).toEqual([scene.hot.metadata.uid]);
      expect(await scene.lease()).toMatchObject({ holder: "", removals: [{ uid: scene.hot.metadata.uid }] });
      expect(await scene.events()).toMatchObject([{ type: "Warning", reason: "ReplacementTimeout" }]);
    });

    it("told to stop while it waits for a replacement leaves the next pod alone, with exit code 3", async () => {
      const consumer = deployment({ name: "consumer", replicas: 6, readyDelaySeconds: 5 });
      const scene = await stage.scene({ workloads: [consumer] });
      await using recording = await scene.watch();
      const run = scene.start();
      await stage.plane.waitFor("the first removal", () => removedIn(recording).length > 0, 30_000);
      run.signal("SIGTERM");

      const report = expectEnd(await run.ended, 3, "interrupted");

      expect(report.removal?.steps.map(({ pod, outcome }) => [pod, outcome])).toEqual([
        [scene.hot.metadata.name, "evicted"],
        [scene.cold.metadata.name, "skipped"],
      ]);
      expect(await scene.lease()).toMatchObject({ holder: "", removals: [{ uid: scene.hot.metadata.uid }] });
      expect(await scene.events()).toMatchObject([{ type: "Warning", reason: "Interrupted" }]);
      await scene.ready(6);
      expectEnd(await scene.run(), 0, "cooldown");
      expect(removedIn(recording).map(({ uid }) => uid)).toEqual([scene.hot.metadata.uid]);
    });
  });
