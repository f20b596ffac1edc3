/** Doubts after the first removal: no further pod is touched, and the exit code says that something was removed. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { eventually } from "../fakes/loopback.ts";
import { afterTheDeed, hang, loginPage, refuses, reset } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Scene, type SceneOptions, startScene } from "./scene.ts";

/** A scene whose pods stop soon, and settings by which a replacement is given up after three seconds of real time. */
async function quickScene(options: SceneOptions = {}): Promise<Scene> {
  const scene = await startScene(options);
  for (const pod of scene.pods) pod.graceSeconds = 1;
  return scene;
}
const IMPATIENT = { REPLACEMENT_TIMEOUT: "2s" };

describe("a replacement", { concurrent: true }, () => {
  it("that never gets Ready ends the rotation with exit 3, and the second pod is not touched", async () => {
    await using scene = await quickScene();
    scene.world.bootSeconds = Number.POSITIVE_INFINITY;
    const ended = await scene.run(LIVE, IMPATIENT);
    expect(ended).toMatchObject({ exitCode: 3, reason: "replacement_timeout", code: "REPLACEMENT_LATE" });
    expect(ended.said).toMatch(/5 of 6 pods are Ready\. Look at the new pod: image, scheduling, readiness probe/);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
    expect(scene.world.events).toMatchObject([{ type: "Warning", reason: "ReplacementTimeout" }]);
  });

  it("of a pod that never stops is not waited for without end", async () => {
    await using scene = await quickScene({
      kubernetes(call) {
        if (call === "list pods" && scene.removed().length > 0) scene.hot.goneAt = new Date("2099-01-01T00:00:00Z");
        return undefined;
      },
    });
    const ended = await scene.run(LIVE, IMPATIENT);
    expect(ended).toMatchObject({ exitCode: 3, reason: "replacement_timeout" });
    expect(ended.said).toMatch(/is not replaced after \d+s: it is still terminating/);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it.each<[string, Misbehaviour, string]>([
    ["403", refuses(403), "FORBIDDEN"],
    ["500", refuses(500), "SERVER_ERROR"],
    ["a reset", reset, "CONNECTION_FAILED"],
    ["a login page", loginPage, "REPLY_INVALID"],
  ])("that cannot be looked at (%s) ends the rotation with exit 3", async (_name, misbehave, code) => {
    await using scene = await startScene({
      kubernetes: (call) => (call === "list pods" && scene.removed().length > 0 ? misbehave : undefined),
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code });
    expect(ended.said).toMatch(new RegExp(`Evicted, not yet replaced: ${scene.hot.name}`));
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });
});

describe("a Lease that is lost after the first removal", { concurrent: true }, () => {
  it("to another run ends the rotation with exit 3, names it, and leaves the Lease to it", async () => {
    await using scene = await startScene({
      kubernetes(call, nth) {
        // The look before the second removal.
        if (call === "get lease" && nth === 2) scene.setLease({ holderIdentity: "run-of-another" });
        return undefined;
      },
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "lock_lost", code: "LOCK_LOST" });
    expect(ended.said).toMatch(/is lost: run-of-another holds it.*check for clashing schedules/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("run-of-another");
  });

  it("because somebody deletes it ends the rotation with exit 3", async () => {
    await using scene = await startScene({
      kubernetes(call, nth) {
        if (call === "get lease" && nth === 2) scene.world.leases.clear();
        return undefined;
      },
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "lock_lost", code: "LOCK_LOST" });
    expect(ended.said).toMatch(/is lost: it was deleted/);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });
});

describe("a Lease that cannot be renewed", { concurrent: true }, () => {
  it.each<[string, Misbehaviour]>([
    ["hangs", hang],
    ["fails", refuses(500)],
  ])("because the API %s is lost within its minute, while a replacement is waited for", async (_name, misbehave) => {
    const leaseCalls = new Set(["get lease", "update lease"]);
    await using scene = await startScene({
      kubernetes: (call) => (leaseCalls.has(call) && scene.removed().length > 0 ? misbehave : undefined),
    });
    scene.world.bootSeconds = Number.POSITIVE_INFINITY;
    // A minute in three seconds.
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "lock_lost", code: "LOCK_LOST" });
    expect(ended.said).toMatch(/no renewal succeeded in time.*the API server did not answer for long/);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });
});

describe("an Event that cannot be written", { concurrent: true }, () => {
  it.each<[string, Misbehaviour]>([
    ["403", refuses(403)],
    ["500", refuses(500)],
    ["a reset", reset],
  ])("(%s) is a warning, and changes neither the run nor its exit code", async (_name, misbehave) => {
    await using scene = await startScene({ kubernetes: on("create event", misbehave) });
    const ended = await scene.run(LIVE, { MAX_PODS_TO_DELETE: "1" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines.at(-1)).toMatchObject({
      level: "warn",
      msg: expect.stringMatching(/^The Event was not written: create event in namespace shop/),
    });
  });
});

describe("an Event whose answer is lost", { concurrent: true }, () => {
  it("is asked for again under its name, stands there once, and is no warning", async () => {
    await using scene = await startScene({ kubernetes: on("create event", afterTheDeed(reset), 0) });
    const ended = await scene.run(LIVE, { MAX_PODS_TO_DELETE: "1" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines.filter(({ level }) => level === "warn")).toEqual([]);
    expect(scene.calls("create event")).toHaveLength(2);
    expect(scene.world.events).toHaveLength(1);
  });
});

describe("an output that nobody takes", { concurrent: true }, () => {
  it.each([
    ["a good run", 6, 0],
    ["a run that finds no pod", 0, 4],
  ])("does not change the exit code of %s", async (_name, pods, exitCode) => {
    await using scene = await startScene({ pods: Math.max(pods, 1) });
    if (pods === 0) scene.world.pods.splice(0);
    for (const output of ["json", "table", "metrics"]) {
      const product = scene.start([...DRY, "--output", output]);
      // Before anything is written, the reader is gone.
      product.stopReading("stdout");
      const ended = await product.ended;
      expect(ended).toMatchObject({ exitCode, stdout: "" });
      // Nor is it worth a warning: a reader may go when it has read enough.
      const reason = pods === 0 ? "no_pods" : "would_rotate";
      expect(ended.lines.at(-1)).toMatchObject({ step: "report", reason });
    }
  });

  it("is no reason to stop a rotation in the middle: not the log either", async () => {
    await using scene = await startScene();
    const product = scene.start([...LIVE, "--output", "json"]);
    product.stopReading("stdout");
    product.stopReading("stderr");
    expect(await product.ended).toMatchObject({ exitCode: 0 });
    expect(scene.removed()).toEqual([scene.hot.name, scene.idle.name]);
    await eventually(() => scene.lease()?.spec?.holderIdentity === "");
  });
});
