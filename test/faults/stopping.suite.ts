/** Runs that are told to stop: at once where nothing is under way, and what is under way is followed to its end. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { eventually } from "../fakes/loopback.ts";
import { hang, refuses } from "./misbehaviour.ts";
import { LIVE, on, type Scene, startScene } from "./scene.ts";

describe("told to stop", { concurrent: true }, () => {
  it.each(["SIGTERM", "SIGINT"] as const)("by %s while it lists the pods, a run ends with exit 1", async (signal) => {
    await using scene = await startScene({ kubernetes: on("list pods", hang) });
    const product = scene.start(LIVE);
    await eventually(() => scene.calls("list pods").length === 1);
    product.kill(signal);
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "interrupted", code: "CANCELLED" });
    expect(ended.said).toMatch(new RegExp(`The run was told to stop: ${signal} was received`));
    expect(scene.removed()).toEqual([]);
  });

  it("while it fetches, it removes nothing and frees the Lease", async () => {
    await using scene = await startScene({ prometheus: on("lag query", hang) });
    const product = scene.start(LIVE);
    await eventually(() => scene.calls("lag query").length === 1);
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1, reason: "interrupted", code: "CANCELLED" });
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("between two attempts, it does not wait for the next", async () => {
    await using scene = await startScene({
      prometheus: on("lag query", refuses(503, "busy", { "retry-after": "25" })),
    });
    const product = scene.start(LIVE);
    await eventually(() => scene.calls("lag query").length === 1);
    product.kill("SIGTERM");
    expect(await product.ended).toMatchObject({ exitCode: 1, reason: "interrupted" });
    expect(scene.calls("lag query")).toHaveLength(1);
  });

  it("while an eviction is under way, it follows that to its end and touches no other pod", async () => {
    let product: ReturnType<Scene["start"]> | undefined;
    const told: Misbehaviour = (response, honest) => {
      product?.kill("SIGTERM");
      const { status, body } = honest();
      response.writeHead(status).end(JSON.stringify(body));
    };
    await using scene = await startScene({ kubernetes: on("evict", told) });
    product = scene.start(LIVE);
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 3, reason: "interrupted", code: "CANCELLED" });
    expect(ended.said).toMatch(new RegExp(`Evicted, not yet replaced: ${scene.hot.name} \\(most busy\\)`));
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });

  it("while it waits for a replacement, it ends with exit 3, and the record stays for the next run", async () => {
    await using scene = await startScene();
    scene.world.bootSeconds = Number.POSITIVE_INFINITY;
    const product = scene.start(LIVE);
    await eventually(() => scene.removed().length === 1);
    product.kill("SIGTERM");
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 3, reason: "interrupted", code: "CANCELLED" });
    expect(ended.said).toMatch(new RegExp(`Evicted, not yet replaced: ${scene.hot.name} \\(most busy\\)`));
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
    // Who looks at the workload is told, too.
    expect(scene.world.events).toMatchObject([{ type: "Warning", reason: "Interrupted" }]);
  });

  it("a second time, it ends at once", async () => {
    await using scene = await startScene({
      kubernetes: (call) => (call === "update lease" ? hang : undefined),
      prometheus: on("lag query", hang),
    });
    const product = scene.start(LIVE);
    await eventually(() => scene.calls("lag query").length === 1);
    product.kill("SIGTERM");
    // The Lease is being freed, which hangs.
    await eventually(() => scene.calls("update lease").length === 1);
    product.kill("SIGTERM");
    expect((await product.ended).exitCode).toBeNull();
    expect(scene.removed()).toEqual([]);
  });
});
