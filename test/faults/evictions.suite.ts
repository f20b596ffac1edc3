/** What becomes of an eviction, whatever the API answers: it is sent once, and what cannot be told is never assumed. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { addPod, stopPod } from "../../src/simulation/kubernetes-world.ts";
import { afterTheDeed, loginPage, redirect, refuses, reset, truncated, wrongKind } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Scene, type Script, startScene } from "./scene.ts";

const ONE = { MAX_PODS_TO_DELETE: "1" };

/** Answers after which nobody knows what happened; those that never come are in server-faults.test.ts. */
const DOUBTFUL: readonly (readonly [string, Misbehaviour, ErrorCode])[] = [
  ["a reset connection", reset, "CONNECTION_FAILED"],
  ["an answer that is cut off", truncated, "CONNECTION_FAILED"],
  ["a login page", loginPage, "REPLY_INVALID"],
  ["JSON of something else", wrongKind, "REPLY_INVALID"],
  ["500", refuses(500), "SERVER_ERROR"],
  ["503", refuses(503), "SERVER_ERROR"],
];

describe("after an eviction with a doubtful answer", { concurrent: true }, () => {
  it("the built product looks what became of the pod, and waits for its replacement", async () => {
    await using scene = await startScene({ kubernetes: on("evict", afterTheDeed(reset)) });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.said).toMatch(/^Rotated 1 of 1 pods/);
    expect(ended.stderr).toContain("evicted, though the answer was lost (CONNECTION_FAILED)");
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it.each(DOUBTFUL)("(%s) a pod that goes was evicted, and the run waits for its replacement", async (...row) => {
    const [, misbehave, lost] = row;
    await using scene = await startScene({ kubernetes: on("evict", afterTheDeed(misbehave)) });
    const ended = await scene.compose(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toContain(`${scene.hot.name}: evicted, though the answer was lost (${lost})`);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });

  it.each(DOUBTFUL)("(%s) a pod that stays is an error; it stays on record, for it may yet go", async (...row) => {
    const [, misbehave] = row;
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "EVICTION_FAILED" });
    expect(ended.said).toMatch(new RegExp(`${scene.hot.name} still runs after evict pod .*look at it, at admission`));
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("a pod that cannot be looked at counts as removed, and no other is touched", async () => {
    await using scene = await startScene({
      kubernetes(call, nth) {
        if (call === "evict") return afterTheDeed(reset);
        return call === "get pod" && nth > 0 ? refuses(403) : undefined;
      },
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "EVICTION_UNCLEAR" });
    expect(ended.said).toMatch(/HTTP 403.*Look whether the pod still runs; the record counts it as removed/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });
});

const AT_ONCE = { "retry-after": "0" };

describe("an eviction that is refused", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode, RegExp]>([
    ["400", refuses(400, 'admission webhook "guard" denied it'), "REQUEST_REJECTED", /webhook "guard" denied it/],
    ["401", refuses(401), "UNAUTHORIZED", /token, password or client certificate/],
    ["403", refuses(403), "FORBIDDEN", /create pods\/eviction.*Grant the named right/],
    ["404 though the pod is there", refuses(404), "NOT_FOUND", /HTTP 404: planted 404/],
    ["409 though the UID is right", refuses(409), "CONFLICT", /HTTP 409: planted 409.*next run looks again/],
    ["422", refuses(422), "REQUEST_REJECTED", /HTTP 422: planted 422/],
    ["429 without a budget as its cause", refuses(429), "THROTTLED", /HTTP 429: planted 429.*fewer requests/],
    ["429 without a budget, to be tried again at once", refuses(429, "busy", AT_ONCE), "THROTTLED", /HTTP 429: busy/],
    ["a redirect", redirect, "REDIRECTED", /redirects to https:\/\/login\.example\/start/],
  ])("with %s is not sent again, and struck from the record", async (_name, misbehave, code, says) => {
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toMatch(says);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it.each([
    ["one that allows no disruption", 1, /the disruption budget budget-0 needs 6 healthy pods and has 6 currently/],
    ["several", 2, /several PodDisruptionBudgets match the pod/],
  ])("by budgets, %s, is no failure: exit 0, and struck from the record", async (_name, count, says) => {
    await using scene = await startScene();
    for (let n = 0; n < count; n += 1) addBudget(scene, `budget-${n}`);
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "blocked_by_pdb", code: undefined });
    expect(ended.said).toMatch(says);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
    expect(await scene.compose(DRY)).toMatchObject({ exitCode: 0, reason: "blocked_by_pdb" });
  });

  it("by a budget only after the first pod leaves the first one rotated, with exit 0", async () => {
    await using scene = await startScene({ kubernetes: before("evict", 1, () => addBudget(scene, "late")) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "blocked_by_pdb" });
    expect(ended.said).toMatch(/^Rotated 1 of 2 pods: .* \(most busy\)\. A PodDisruptionBudget refuses the eviction/);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });
});

function addBudget({ world }: Scene, name: string): void {
  world.budgets.push({ name, matchLabels: { app: "orders" }, maxUnavailable: 0, charges: [] });
}

/** Something happens in the world just before the n-th call of this name is answered. */
function before(call: string, nth: number, happen: () => void): Script {
  return (name, count) => {
    if (name === call && count === nth) happen();
    return undefined;
  };
}

describe("a pod that goes by itself between the look and the eviction", { concurrent: true }, () => {
  it("was not evicted by us: 404, struck from the record, and no other pod is touched", async () => {
    await using scene = await startScene({ kubernetes: before("evict", 0, () => vanish(scene)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed" });
    expect(ended.said).toMatch(/was already gone/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([]);
  });

  it("and has come back under its name is not evicted either: the UID in the eviction is the old one", async () => {
    await using scene = await startScene({
      kind: "StatefulSet",
      kubernetes: before("evict", 0, () => comeBack(scene)),
    });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed" });
    expect(ended.said).toMatch(/was already gone/);
    const [eviction] = scene.calls("evict");
    expect(JSON.parse(eviction?.body ?? "")).toMatchObject({
      deleteOptions: { preconditions: { uid: scene.hot.uid } },
    });
    expect(scene.world.pods.at(-1)?.terminatingAt).toBeUndefined();
    expect(scene.recorded()).toEqual([]);
  });
});

function vanish({ world, hot, clock }: Scene): void {
  stopPod(world, hot, clock.now());
  hot.goneAt = clock.now();
}

function comeBack({ world, hot, clock }: Scene): void {
  const now = clock.now();
  Object.assign(hot, { terminatingAt: now, goneAt: now });
  const { name, labels, workload } = hot;
  addPod(world, { name, labels, workload, created: now, readyAt: now });
}

describe("a record that cannot be written", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode]>([
    ["403", refuses(403), "FORBIDDEN"],
    ["500", refuses(500), "SERVER_ERROR"],
    ["a reset", reset, "CONNECTION_FAILED"],
    ["a login page", loginPage, "REPLY_INVALID"],
    ["JSON of something else", wrongKind, "REPLY_INVALID"],
  ])("(%s) stops the run before the eviction is sent", async (_name, misbehave, code) => {
    // The first write takes the Lease; the second would record a removal.
    await using scene = await startScene({
      kubernetes: (call, nth) => (call === "update lease" && nth > 0 ? misbehave : undefined),
    });
    scene.setLease({ holderIdentity: "" });
    const ended = await scene.compose(LIVE);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.removed()).toEqual([]);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toMatch(/update lease shop\/pod-rebalancer-deployment-orders/);
  });
});

describe("a dry run's eviction", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode]>([
    ["500", refuses(500), "SERVER_ERROR"],
    ["a reset", reset, "CONNECTION_FAILED"],
    ["a login page", loginPage, "REPLY_INVALID"],
    ["a webhook's 403", refuses(403, 'admission webhook "guard" denied the request'), "FORBIDDEN"],
  ])("that fails with %s is told, and sent once", async (_name, misbehave, code) => {
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    expect(await scene.compose(DRY)).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
  });

  it("changes nothing at all: no Lease, no Event, no pod", async () => {
    await using scene = await startScene();
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    const written = scene.kubernetes.requests.filter(({ method }) => method !== "GET");
    expect(written.map(({ body }) => JSON.parse(body) as object)).toEqual(
      [scene.hot, scene.idle].map(({ uid }) =>
        expect.objectContaining({ deleteOptions: { preconditions: { uid }, dryRun: ["All"] } }),
      ),
    );
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()).toBeUndefined();
    expect(scene.world.events).toEqual([]);
  });

  it("without the right to it says that no budget was checked", async () => {
    await using scene = await startScene();
    scene.world.missingRights.add("create pods/eviction");
    const ended = await scene.run(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.stderr).toMatch(/PDB not checked: no right to create pods\/eviction/);
  });
});
