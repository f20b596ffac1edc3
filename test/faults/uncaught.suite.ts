/** An error that is thrown outside of any step, as a library's event handler may: the run ends in a report like any other. */

import { describe, expect, it } from "vitest";

import { eventually } from "../fakes/loopback.ts";
import { hang } from "./misbehaviour.ts";
import { LIVE, on, startScene } from "./scene.ts";

/** Makes the process throw, or reject a promise, when a signal arrives. */
function plant(what: string): { readonly NODE_OPTIONS: string } {
  const code = `process.on("SIGUSR2", () => { ${what} });`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
}

describe("an error outside of any step", { concurrent: true }, () => {
  it.each([
    ["is thrown", 'throw new Error("planted");'],
    ["is a rejection", 'Promise.reject(new Error("planted"));'],
  ])("that %s before anything is removed ends the run with exit 1, and frees the Lease", async (_name, what) => {
    await using scene = await startScene({ prometheus: on("lag query", hang) });
    const product = scene.start(LIVE, plant(what));
    await eventually(() => scene.calls("lag query").length === 1);
    product.kill("SIGUSR2");
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "INTERNAL" });
    expect(ended.said).toMatch(/an error outside of any step: planted\. This is a fault of pod-rebalancer/);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("behind a removal ends it with exit 3; the record stays, and the Lease is free", async () => {
    await using scene = await startScene();
    scene.world.bootSeconds = Number.POSITIVE_INFINITY;
    const product = scene.start(LIVE, plant('throw new Error("planted");'));
    await eventually(() => scene.removed().length === 1);
    product.kill("SIGUSR2");
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "INTERNAL" });
    expect(ended.said).toMatch(new RegExp(`Evicted, not yet replaced: ${scene.hot.name}`));
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});
