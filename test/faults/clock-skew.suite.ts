/** Our clock and the API server's differ by an hour: ages, the cooldown and the Lease are judged by the server's. */

import { describe, expect, it } from "vitest";

import { LIVE, type Scene, startScene } from "./scene.ts";

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
  // A clock that runs as fast as ours: what is a few seconds short of a limit stays so.
  const skewed = () => startScene({ skewMillis, factor: 1 });

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
