/** Our clock and the API server's differ by an hour: ages, the cooldown and the Lease are judged by the server's. */

import { describe, expect, it } from "vitest";

import { type Misbehaviour, sendAnswer } from "../../src/demo/loopback.ts";
import { DRY, LIVE, on, type Scene, type Script, startScene } from "./scene.ts";

const HOUR = 3_600_000;

/** The server's time, so many seconds ago. */
function ago({ clock }: Scene, seconds: number): string {
  return new Date(clock.now().getTime() - seconds * 1_000).toISOString();
}

function removedAgo(scene: Scene, seconds: number): void {
  const removals = [{ at: ago(scene, seconds), pod: "orders-of-old", uid: "old" }];
  scene.setLease({ holderIdentity: "" }, { "pod-rebalancer.io/removals": JSON.stringify(removals) });
}

function heldSince(scene: Scene, seconds: number): void {
  scene.setLease({ holderIdentity: "another run", leaseDurationSeconds: 60, renewTime: ago(scene, seconds) });
}

describe.each([
  ["an hour ahead of ours", HOUR],
  ["an hour behind ours", -HOUR],
])("with the server's clock %s", { concurrent: true }, (_name, skewMillis) => {
  const skewed = () => startScene({ skewMillis });

  it("a pod is as old as the server says", async () => {
    await using scene = await skewed();
    Object.assign(scene.hot, { created: new Date(ago(scene, 300)), readyAt: new Date(ago(scene, 290)) });
    Object.assign(scene.idle, { created: new Date(ago(scene, 420)), readyAt: new Date(ago(scene, 410)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "no_eligible_target" });
    expect(ended.said).toMatch(new RegExp(`${scene.hot.name} is too young \\(10m\\).*${scene.idle.name} is too young`));
    expect(scene.removed()).toEqual([]);
  });

  it("the cooldown lasts as long as the server says", async () => {
    await using scene = await skewed();
    removedAgo(scene, 850);
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "cooldown" });
    expect(ended.said).toMatch(/orders-of-old was removed 14m.* ago; COOLDOWN is 15m/);
    expect(scene.removed()).toEqual([]);
  });

  it("the cooldown is over when the server says so", async () => {
    await using scene = await startScene({ skewMillis });
    removedAgo(scene, 960);
    expect(await scene.run(LIVE, { MAX_PODS_TO_DELETE: "1" })).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toEqual([scene.hot.name]);
    // The record tells the server's time, or the next run would be wrong about it.
    const written = scene.lease()?.metadata?.annotations?.["pod-rebalancer.io/removals"] ?? "";
    const [, last] = JSON.parse(written) as { at: string }[];
    const age = scene.clock.now().getTime() - Date.parse(last?.at ?? "");
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(HOUR / 2);
  });

  it("a Lease that was renewed half a minute ago is held", async () => {
    await using scene = await skewed();
    heldSince(scene, 30);
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "locked" });
    expect(ended.said).toMatch(/held by another run/);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("another run");
  });

  it("a Lease that was renewed more than a minute ago has expired", async () => {
    await using scene = await startScene({ skewMillis });
    heldSince(scene, 62);
    expect(await scene.run(LIVE, { MAX_PODS_TO_DELETE: "1" })).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.lease()?.spec).toMatchObject({ holderIdentity: "", leaseTransitions: 1 });
  });
});

/** Answers as it should, by a clock that is so many seconds ahead. */
function ahead(seconds: number): Misbehaviour {
  return (response, honest) => {
    const { headers = {}, ...answer } = honest();
    const date = new Date(Date.parse(String(headers["date"])) + seconds * 1_000).toUTCString();
    sendAnswer(response, { ...answer, headers: { ...headers, date } });
  };
}

const THREE_HOURS = 3 * 3_600;

describe("with several API servers behind one address", { concurrent: true }, () => {
  it.each<[string, string, number]>([
    ["lists the pods", "list pods", THREE_HOURS],
    ["lists the pods", "list pods", -THREE_HOURS],
    ["has the Lease", "get lease", THREE_HOURS],
    ["has the Lease", "get lease", -THREE_HOURS],
    ["shows the target", "get pod", THREE_HOURS],
    ["shows the target", "get pod", -THREE_HOURS],
  ])("a run fails where the one that %s (%s) is %d s ahead of the others", async (_name, call, seconds) => {
    const kubernetes: Script = (asked) => (asked === call ? ahead(seconds) : undefined);
    await using scene = await startScene({ kubernetes });
    // Long past for a clock that is three hours ahead.
    removedAgo(scene, call === "get pod" ? 960 : 60);
    for (const args of [DRY, LIVE]) {
      const ended = await scene.compose(args);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CLOCKS_DIFFER" });
      expect(ended.said).toMatch(/the reply's Date is .*Z, and .* s before that of another .*more than 5s apart.*NTP/);
    }
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual(["orders-of-old"]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it.each<[string, string, number]>([
    ["names the owner", "get replicaset", THREE_HOURS],
    ["shows the workload", "get deployment", THREE_HOURS],
    ["shows the workload", "get deployment", -THREE_HOURS],
    ["lists the autoscalers", "list horizontalpodautoscalers", THREE_HOURS],
    ["makes the Lease", "create lease", THREE_HOURS],
    ["writes the Lease", "update lease", -THREE_HOURS],
  ])("a live run fails where the one that %s (%s) is %d s ahead of the others", async (_name, call, seconds) => {
    await using scene = await startScene({ kubernetes: on(call, ahead(seconds)) });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CLOCKS_DIFFER" });
    expect(ended.stderr).not.toMatch(/may still count/);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity ?? "").toBe("");
  });

  it("a run that finds so when it puts a removal on record warns of no record", async () => {
    // The first look at the Lease is for its taking, the next for the record.
    await using scene = await startScene({ kubernetes: on("get lease", ahead(THREE_HOURS), 1) });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CLOCKS_DIFFER" });
    expect(ended.stderr).not.toMatch(/may still count/);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it("a run goes on where they are three seconds apart", async () => {
    await using scene = await startScene({ kubernetes: (_call, nth) => (nth % 2 === 1 ? ahead(3) : undefined) });
    expect(await scene.compose(LIVE)).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toEqual([scene.hot.name, scene.idle.name]);
  });

  it("a clock that jumps while a replacement is waited for does not make it Ready for long enough", async () => {
    const kubernetes: Script = (call) => {
      return call === "list pods" && scene.removed().length > 0 ? ahead(THREE_HOURS) : undefined;
    };
    await using scene: Scene = await startScene({ kubernetes });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "CLOCKS_DIFFER" });
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});
