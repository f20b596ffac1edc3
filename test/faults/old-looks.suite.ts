/**
 * A slow API server between the look at the group and the eviction: what was seen then may not be so any more. Always on a time of its own:
 * nine seconds of a busy machine are more than the ten that a call may take.
 */

import { describe, expect, it } from "vitest";

import { type Misbehaviour, sendAnswer } from "../../src/demo/loopback.ts";
import { DRY, LIVE, type Scene, startScene } from "./scene.ts";

/** Answers as it should, nine seconds later by the scene's clock, which is the run's, too. */
function late({ clock }: Scene): Misbehaviour {
  return async (response, honest) => {
    await clock.sleep(9_000, new AbortController().signal);
    sendAnswer(response, honest());
  };
}

/** Five of eight: no more than the minimum is left. */
function turnUnready({ pods, hot, idle }: Scene): void {
  for (const pod of pods.filter((one) => one !== hot && one !== idle).slice(0, 5)) pod.readyAt = undefined;
}

describe("a look at the group is made again", { concurrent: true }, () => {
  it("where the Lease and the pod take nine seconds each, so that nothing is removed from a group that broke meanwhile", async () => {
    await using scene: Scene = await startScene({
      pods: 8,
      kubernetes(call) {
        if (call === "update lease") turnUnready(scene);
        return /lease|get pod/.test(call) ? late(scene) : undefined;
      },
    });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "pods_not_ready" });
    expect(ended.said).toMatch(/3 of 8 wanted pods are Ready/);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it("at most three times: a server that is never faster ends the run, with what to do", async () => {
    await using scene: Scene = await startScene({
      pods: 8,
      kubernetes: (call) => (call === "get pod" ? late(scene) : undefined),
    });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "DEADLINE_EXCEEDED" });
    expect(ended.said).toMatch(
      /was not evicted: the API server is so slow that each of 3 looks .*the last look at its 8 pods took .*Run inside the cluster/,
    );
    expect(scene.calls("get pod")).toHaveLength(3);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it("in vain where to list the pods takes nine seconds: a dry run says that a live run would not evict", async () => {
    await using scene: Scene = await startScene({
      pods: 8,
      kubernetes: (call) => (call === "list pods" ? late(scene) : undefined),
    });
    const live = await scene.compose(LIVE);
    expect(live).toMatchObject({ exitCode: 1, reason: "failed", code: "DEADLINE_EXCEEDED" });
    expect(live.said).toMatch(/each of 3 looks .*the last look at its 8 pods took 9s/);
    expect(scene.calls("evict")).toEqual([]);
    const dry = await scene.compose(DRY);
    expect(dry).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(dry.stderr).toMatch(/a live run would not evict, because the look at the group took 9s.* and may be 5s old/);
  });
});
