/** What becomes of an eviction, whatever the API answers: it is sent once, and what cannot be told is never assumed. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { WirePod } from "../../src/kubernetes/client.ts";
import { addPod, stopPod } from "../../src/simulation/kubernetes-world.ts";
import {
  afterTheDeed,
  altered,
  loginPage,
  redirect,
  refuses,
  reset,
  says,
  switches,
  truncated,
  wrongKind,
} from "./misbehaviour.ts";
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
  ["408 as a Status", refuses(408), "REQUEST_REJECTED"],
  ["a proxy's 408", proxySays(408), "REQUEST_REJECTED"],
  ["a proxy's 499", proxySays(499), "REQUEST_REJECTED"],
  ["a proxy's 400", proxySays(400), "REQUEST_REJECTED"],
  ["a proxy's 401", proxySays(401), "UNAUTHORIZED"],
  ["a proxy's 403", proxySays(403), "FORBIDDEN"],
  ["a proxy's 404", proxySays(404), "NOT_FOUND"],
  ["a proxy's 409", proxySays(409), "CONFLICT"],
  ["a proxy's 410", proxySays(410), "EXPIRED"],
  ["a proxy's 413", proxySays(413), "REQUEST_REJECTED"],
  ["a proxy's 429", proxySays(429), "THROTTLED"],
  ["a redirect", redirect, "REDIRECTED"],
  ["a change of protocol", switches, "CONNECTION_FAILED"],
  ["a proxy's JSON with an error's code", says(401, { kind: "Error", code: 401 }), "UNAUTHORIZED"],
  ["a Status of which the end is missing", says(403, '{"kind":"Status","status":"Failure","code":4'), "FORBIDDEN"],
  ["a Status of another code", says(403, { kind: "Status", status: "Failure", code: 429 }), "FORBIDDEN"],
  [
    "a Status of success under an error's code",
    says(403, { kind: "Status", status: "Success", code: 403 }),
    "FORBIDDEN",
  ],
  ["a Status of failure under 200", says(200, { kind: "Status", status: "Failure", code: 403 }), "REPLY_INVALID"],
  ["a Status that says neither", says(200, { kind: "Status" }), "REPLY_INVALID"],
  ["a Status of another pod", says(403, statusOf(403, { kind: "pods", name: "another" })), "FORBIDDEN"],
  ["an Eviction of another pod", says(201, { kind: "Eviction", metadata: { name: "another" } }), "REPLY_INVALID"],
];

/** A page of somebody between us and the API server. */
function proxySays(status: number): Misbehaviour {
  return says(status, `<html><h1>${status}</h1></html>`, { "content-type": "text/html", "retry-after": "0" });
}

function statusOf(code: number, details: object): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, message: "planted", details };
}

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
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toContain(`${scene.hot.name}: evicted, though the answer was lost (${lost})`);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });

  it.each(DOUBTFUL)("(%s) a pod that stays is an error; it stays on record, for it may yet go", async (...row) => {
    const [, misbehave] = row;
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "EVICTION_FAILED" });
    expect(ended.said).toMatch(new RegExp(`${scene.hot.name} still runs after evict pod .*look at it, at proxies`));
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it.each([
    ["404", { code: 404, reason: "NotFound", message: "pods not found" }],
    ["409", { code: 409, reason: "Conflict", message: "Precondition failed: UID in precondition" }],
  ])(
    "a pod that is gone after the API server's own %s may have gone by an earlier try of a proxy's",
    async (...row) => {
      const [, status] = row;
      await using scene = await startScene({
        kubernetes: on(
          "evict",
          afterTheDeed((response) => {
            scene.hot.goneAt = scene.clock.now();
            return says(status.code, { kind: "Status", status: "Failure", ...status })(response, noAnswer);
          }),
        ),
      });
      const ended = await scene.run(LIVE, ONE);
      expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed" });
      expect(ended.said).toMatch(/Perhaps removed: .*was already gone when its eviction arrived/);
      expect(scene.removed()).toEqual([scene.hot.name]);
      expect(scene.recorded()).toEqual([scene.hot.name]);
    },
  );

  it("a pod of which a proxy says that it is not there is not known to be gone", async () => {
    await using scene = await startScene({
      kubernetes(call, nth) {
        if (call === "evict") return reset;
        return call === "get pod" && nth > 0 ? proxySays(404) : undefined;
      },
    });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "EVICTION_UNCLEAR" });
    expect(scene.recorded()).toEqual([scene.hot.name]);
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

function noAnswer(): never {
  throw new Error("nothing is answered");
}

const AT_ONCE = { "retry-after": "0" };

describe("an eviction that is refused", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode, RegExp]>([
    ["400", refuses(400), "REQUEST_REJECTED", /HTTP 400: planted 400/],
    ["401", refuses(401), "UNAUTHORIZED", /token, password or client certificate/],
    ["403", refuses(403), "FORBIDDEN", /create pods\/eviction.*Grant the named right/],
    ["404 though the pod is there", refuses(404), "NOT_FOUND", /HTTP 404: planted 404/],
    ["409 though the UID is right", refuses(409), "CONFLICT", /HTTP 409: planted 409.*next run looks again/],
    ["422", refuses(422), "REQUEST_REJECTED", /HTTP 422: planted 422/],
    ["429 without a budget as its cause", refuses(429), "THROTTLED", /HTTP 429: planted 429.*fewer requests/],
    ["429 without a budget, to be tried again at once", refuses(429, "busy", AT_ONCE), "THROTTLED", /HTTP 429: busy/],
  ])("with %s is not sent again, and struck from the record", async (_name, misbehave, code, pattern) => {
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toMatch(pattern);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it.each([
    ["one that allows no disruption", 1, /the disruption budget budget-0 needs 6 healthy pods and has 6 currently/],
    ["several", 2, /several PodDisruptionBudgets match the pod/],
  ])("by budgets, %s, is no failure: exit 0, and struck from the record", async (_name, count, pattern) => {
    await using scene = await startScene();
    for (let n = 0; n < count; n += 1) addBudget(scene, `budget-${n}`);
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "blocked_by_pdb", code: undefined });
    expect(ended.said).toMatch(pattern);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "blocked_by_pdb" });
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

const DENIED = 'admission webhook "guard.example" denied the request: not on a Friday';

describe("an eviction that admission control does not let pass", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, RegExp]>([
    ["a webhook's 400", refuses(400, DENIED), /guard\.example" denied the request: not on a Friday/],
    ["a webhook's 403", refuses(403, `pods "x" is forbidden: ${DENIED}`), /guard\.example" denied the request/],
    ["a webhook's 429", refuses(429, DENIED, AT_ONCE), /guard\.example" denied the request/],
    ["a webhook's 500", refuses(500, `Internal error occurred: ${DENIED}`), /guard\.example" denied the request/],
    [
      "a policy's 422",
      refuses(422, `pods "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`),
      /: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no/,
    ],
    [
      "a webhook that cannot be called",
      refuses(500, 'Internal error occurred: failed calling webhook "guard": failed to call webhook: no endpoints'),
      /failed calling webhook "guard": failed to call webhook: no endpoints/,
    ],
  ])(
    "(%s) is a sure no: exit 0, the webhook's words, struck from the record; a dry run says the same",
    async (...row) => {
      const [, misbehave, pattern] = row;
      await using scene = await startScene({ kubernetes: on("evict", misbehave) });
      for (const args of [LIVE, DRY]) {
        const ended = await scene.run(args);
        expect(ended).toMatchObject({ exitCode: 0, reason: "blocked_by_admission", code: undefined });
        expect(ended.said).toMatch(/0 of 2 pods\. Admission control does not let the eviction pass/);
        expect(ended.said).toMatch(pattern);
      }
      expect(scene.calls("evict")).toHaveLength(2);
      expect(scene.removed()).toEqual([]);
      expect(scene.recorded()).toEqual([]);
    },
  );

  it("by a webhook that cannot be asked in a dry run is no failure of the dry run, which says so", async () => {
    const words = 'admission webhook "guard.example" does not support dry run';
    await using scene = await startScene({ kubernetes: on("evict", refuses(400, words)) });
    const ended = await scene.run(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.stderr).toMatch(/not checked: admission webhook \\"guard\.example\\" does not support dry runs/);
  });
});

/** What changes about the hot pod's object, as its own GET shows it just before its eviction. */
const SUDDENLY: readonly (readonly [string, (pod: WirePod) => object, RegExp])[] = [
  [
    "exempt",
    ({ metadata }) => ({ metadata: { ...metadata, annotations: { "pod-rebalancer.io/exempt": "true" } } }),
    /is now exempt/,
  ],
  [
    "not Ready",
    () => ({ status: { phase: "Running", conditions: [{ type: "Ready", status: "False" }] } }),
    /is now not Ready/,
  ],
  ["without a status", () => ({ status: {} }), /is now not Ready/],
  [
    "young",
    ({ metadata }) => ({ metadata: { ...metadata, creationTimestamp: "2999-01-01T00:00:00Z" } }),
    /is now too young/,
  ],
  [
    "relabelled",
    ({ metadata }) => ({ metadata: { ...metadata, labels: { app: "other" } } }),
    /is now outside the selector/,
  ],
  ["unlabelled", ({ metadata }) => ({ metadata: { ...metadata, labels: undefined } }), /is now outside the selector/],
  ["orphaned", ({ metadata }) => ({ metadata: { ...metadata, ownerReferences: [] } }), /is now without a controller/],
  [
    "adopted",
    ({ metadata }) => ({
      metadata: {
        ...metadata,
        ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "j", uid: "j", controller: true }],
      },
    }),
    /is now a pod of Job\/j/,
  ],
  ["finished", () => ({ status: { phase: "Failed" } }), /is now finished/],
];

describe("a pod that is suddenly", { concurrent: true }, () => {
  it.each(SUDDENLY)(
    "%s in the look just before its eviction is spared, in a dry run too",
    async (_name, change, pattern) => {
      const changed = altered((body) => ({ ...body, ...change(body) }));
      await using scene = await startScene({ kubernetes: on("get pod", changed) });
      for (const args of [LIVE, DRY]) {
        const ended = await scene.run(args);
        expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed", code: undefined });
        expect(ended.said).toMatch(pattern);
      }
      expect(scene.calls("evict")).toEqual([]);
      expect(scene.removed()).toEqual([]);
      expect(scene.recorded()).toEqual([]);
    },
  );
});

describe("a pod that goes by itself between the look and the eviction", { concurrent: true }, () => {
  it("has a 404, which a proxy's second try has too: it stays on record, and no other pod is touched", async () => {
    await using scene = await startScene({ kubernetes: before("evict", 0, () => vanish(scene)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed" });
    expect(ended.said).toMatch(/was already gone/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
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
    expect(scene.lease()?.metadata?.annotations?.["pod-rebalancer.io/removals"]).toContain(scene.hot.uid);
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
    const ended = await scene.run(LIVE);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.removed()).toEqual([]);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toMatch(/update lease shop\/pod-rebalancer-deployment-orders/);
  });
});

/** What somebody between us and the API server may answer to a write that took effect. */
const AFTER_A_WRITE: readonly (readonly [string, Misbehaviour])[] = [
  ["a proxy's 401", proxySays(401)],
  ["a proxy's 403", proxySays(403)],
  ["a proxy's 404", proxySays(404)],
  ["a proxy's 408", proxySays(408)],
  ["a redirect", redirect],
  ["a login page", loginPage],
  ["JSON of something else", wrongKind],
];

describe("a Lease whose write took effect though a proxy answers", { concurrent: true }, () => {
  it.each(AFTER_A_WRITE)("with %s: what was not evicted is struck from the record", async (_name, misbehave) => {
    await using scene = await startScene({ kubernetes: on("update lease", afterTheDeed(misbehave), 1) });
    scene.setLease({ holderIdentity: "" });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.recorded()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it.each(AFTER_A_WRITE.filter(([name]) => !name.endsWith("404")))(
    "with %s, as it is taken: it is given back, and nothing is removed",
    async (_name, misbehave) => {
      await using scene = await startScene({ kubernetes: on("update lease", afterTheDeed(misbehave), 0) });
      scene.setLease({ holderIdentity: "" });
      const ended = await scene.compose(LIVE);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
      expect(scene.removed()).toEqual([]);
      expect(scene.lease()?.spec?.holderIdentity).toBe("");
    },
  );

  it("with an older Lease: the record is not taken for written, and nothing is removed", async () => {
    await using scene = await startScene({
      kubernetes: (call, nth) => (call === "update lease" && nth > 0 ? says(200, earlier) : undefined),
    });
    scene.setLease({ holderIdentity: "" });
    const earlier = scene.lease() ?? {};
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_INVALID" });
    expect(scene.calls("evict")).toEqual([]);
  });
});

describe("a dry run's eviction", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode]>([
    ["500", refuses(500), "SERVER_ERROR"],
    ["a reset", reset, "CONNECTION_FAILED"],
    ["a login page", loginPage, "REPLY_INVALID"],
    ["a 403 of another account", refuses(403, "access denied"), "FORBIDDEN"],
    ["a proxy's 403", proxySays(403), "FORBIDDEN"],
  ])("that fails with %s is told, and sent once", async (_name, misbehave, code) => {
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
  });

  it("changes nothing at all: no Lease, no Event, no pod", async () => {
    await using scene = await startScene();
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    const others = scene.kubernetes.requests.filter(({ method }) => method !== "GET");
    const questions = scene.calls("ask for a right");
    expect(questions.map(({ body }) => JSON.parse(body) as object)).toEqual(
      ["events", "leases", "leases"].map((resource) => ({
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: expect.objectContaining({ resource }) as object },
      })),
    );
    const written = others.filter((request) => !questions.includes(request));
    expect(written.map(({ body }) => JSON.parse(body) as object)).toEqual(
      [scene.hot, scene.idle].map(({ uid }) =>
        expect.objectContaining({ deleteOptions: { preconditions: { uid }, dryRun: ["All"] } }),
      ),
    );
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()).toBeUndefined();
    expect(scene.world.events).toEqual([]);
  });

  it("without the right to it says so, and does not say that a live run would rotate", async () => {
    await using scene = await startScene();
    scene.world.missingRights.add("create pods/eviction");
    const ended = await scene.run([...DRY, "--output", "table"]);
    expect(ended).toMatchObject({ exitCode: 1, reason: "not_allowed", code: undefined });
    expect(ended.said).toMatch(
      /A live run would rotate 0 of 2 pods\. A live run by this account would fail: not allowed to evict \(no right to create pods\/eviction in namespace shop\)\./,
    );
    expect(ended.stdout).toMatch(/STOP {2}not_allowed {2}A live run by this account would fail: not allowed to evict/);
    expect(ended.stdout).not.toContain("To act");
    expect(scene.calls("evict")).toHaveLength(1);
  });

  it.each<[string, string, boolean]>([
    ["update leases", "update leases/pod-rebalancer-deployment-orders", true],
    ["create leases", "create leases", false],
  ])("without the right to %s says what a live run would lack", async (right, words, leased) => {
    await using scene = await startScene();
    if (leased) scene.setLease({ holderIdentity: "" });
    scene.world.missingRights.add(right);
    const ended = await scene.compose(DRY);
    expect(ended).toMatchObject({ exitCode: 1, reason: "not_allowed", code: undefined });
    expect(ended.said).toContain(`not allowed to take the Lease (no right to ${words} in namespace shop)`);
    expect(await scene.compose(LIVE)).toMatchObject({ exitCode: 1, reason: "failed", code: "FORBIDDEN" });
    expect(scene.removed()).toEqual([]);
  });

  it.each<[string, Script | undefined, string]>([
    ["to create Events", undefined, "it would write no Event (no right to create events in namespace shop)"],
    [
      "to ask for rights",
      on("ask for a right", refuses(403)),
      "the rights to the Lease and to Events were not checked",
    ],
    [
      "of a server that knows no rights",
      on("ask for a right", proxySays(404)),
      "the rights to the Lease and to Events were not",
    ],
  ])("without the right %s goes on, and says so", async (_name, kubernetes, words) => {
    await using scene = await startScene(kubernetes && { kubernetes });
    if (kubernetes === undefined) scene.world.missingRights.add("create events");
    const ended = await scene.compose(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.stderr).toContain(`the API would accept the eviction; ${words}`);
  });
});
