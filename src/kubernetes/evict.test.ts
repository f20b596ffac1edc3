import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import { fakeClient } from "../../test/fakes/kubernetes-client.ts";
import { type Answer, type Loopback, startLoopback } from "../../test/fakes/loopback.ts";
import { systemClock } from "../clock.ts";
import { type ErrorCode, RebalancerError } from "../errors.ts";
import { createHttpClient } from "../http.ts";
import { createKubernetesClient, type KubernetesClient, type WirePod } from "./client.ts";
import { evictPod, type EvictRequest } from "./evict.ts";

const POD = { namespace: "shop", name: "orders-1", uid: "uid-1" };
const AT = "Sun, 01 Mar 2026 12:00:00 GMT";
const RUNS = podWith({});
const TERMINATING = podWith({ deletionTimestamp: "2026-03-01T12:00:00Z" });
const ANOTHER = podWith({ uid: "uid-2" });
const NOT_THERE = statusReply(404, 'pods "orders-1" not found');
const DONE: Answer = { status: 201, body: { kind: "Status", status: "Success" } };

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

function podWith(metadata: WirePod["metadata"], status?: WirePod["status"]): WirePod {
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "orders", uid: "set", controller: true };
  return {
    kind: "Pod",
    metadata: {
      ...POD,
      labels: { app: "orders" },
      creationTimestamp: "2026-03-01T10:00:00Z",
      ownerReferences: [owner],
      ...metadata,
    },
    ...(status && { status }),
  };
}

function statusReply(code: number, message: string, details: object = { kind: "pods", name: POD.name }): Answer {
  const body = { kind: "Status", status: "Failure", code, message, details };
  return { status: code, headers: { "retry-after": "0" }, body };
}

function causedBy(reason: string, message?: string): object {
  return { causes: [{ reason, message }] };
}

/** An API server with one pod, as it is seen before the eviction and after it. */
async function apiWith(
  before: WirePod | Answer,
  eviction: Answer,
  after: WirePod | Answer = RUNS,
): Promise<{ api: Loopback; client: KubernetesClient }> {
  let evicted = false;
  const api = await startLoopback(({ method }) => {
    if (method !== "POST") return answerOf(evicted ? after : before);
    evicted = true;
    return eviction;
  });
  const http = createHttpClient({ url: new URL(api.url) });
  disposals.push(
    () => http.close(),
    () => api[Symbol.asyncDispose](),
  );
  return { api, client: createKubernetesClient(http, systemClock) };
}

function answerOf(seen: WirePod | Answer): Answer {
  return typeof seen === "object" && "kind" in seen ? { headers: { date: AT }, body: seen } : (seen as Answer);
}

const isOfGroup: EvictRequest["isOfGroup"] = ({ app }) => app === "orders";

function evict(client: KubernetesClient, changes: Partial<EvictRequest> = {}, signal = new AbortController().signal) {
  return evictPod(client, { pod: POD, dryRun: false, objection: () => undefined, isOfGroup, ...changes }, signal);
}

function evictionsOf(api: Loopback): number {
  return api.received.filter(({ method }) => method === "POST").length;
}

describe("evictPod", () => {
  it("evicts the pod", async () => {
    const { api, client } = await apiWith(RUNS, DONE);
    expect(await evict(client)).toEqual({ outcome: "accepted" });
    expect(api.received).toHaveLength(2);
  });

  it.each<[string, WirePod | Answer]>([
    ["is not there", NOT_THERE],
    ["is another of the same name", ANOTHER],
    ["is terminating already", TERMINATING],
  ])("asks for nothing when the pod %s", async (_name, before) => {
    const { api, client } = await apiWith(before, DONE);
    expect(await evict(client)).toEqual({ outcome: "gone" });
    expect(evictionsOf(api)).toBe(0);
  });

  it("asks for nothing when the pod cannot be looked at", async () => {
    const { api, client } = await apiWith({ status: 403, body: { message: "no" } }, DONE);
    await expect(evict(client)).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(evictionsOf(api)).toBe(0);
  });

  it.each<[string, Answer, string]>([
    [
      "in the budget's own words",
      statusReply(
        429,
        "Cannot evict pod as it would violate the pod's disruption budget.",
        causedBy("DisruptionBudget", "The disruption budget orders needs 8 healthy pods and has 8 currently"),
      ),
      "the disruption budget orders needs 8 healthy pods and has 8 currently",
    ],
    [
      "without the budget's words",
      statusReply(429, "Cannot evict pod.", causedBy("DisruptionBudget")),
      "a PodDisruptionBudget allows no disruption now",
    ],
    [
      "when several budgets match",
      statusReply(
        500,
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      ),
      "several PodDisruptionBudgets match the pod, and the eviction API cannot judge more than one",
    ],
    [
      "when the budget's status is damaged",
      statusReply(403, 'poddisruptionbudget.policy "b" is forbidden: pdb disruptions allowed is negative', {
        group: "policy",
        kind: "poddisruptionbudget",
        name: "b",
      }),
      'poddisruptionbudget.policy "b" is forbidden: pdb disruptions allowed is negative',
    ],
    [
      "when others write to the budget all the time",
      statusReply(504, `Timeout: couldn't update PodDisruptionBudget "orders" due to conflicts`),
      `timeout: couldn't update PodDisruptionBudget "orders" due to conflicts`,
    ],
  ])("is refused by a budget: %s", async (_name, eviction, why) => {
    const refused = { outcome: "refused", reason: "blocked_by_pdb", why };
    const { client } = await apiWith(RUNS, eviction);
    expect(await evict(client)).toEqual(refused);
    expect(await evict(client, { dryRun: true })).toEqual(refused);
  });

  const DENIED = 'admission webhook "guard.example" denied the request: not on a Friday';

  it.each<[string, Answer, string]>([
    ["a webhook's 400", statusReply(400, `pods "orders-1" is forbidden: ${DENIED}`), DENIED],
    ["a webhook's 401", statusReply(401, DENIED), DENIED],
    ["a webhook's 403 about something else", statusReply(403, DENIED, { kind: "locks", name: "friday" }), DENIED],
    ["a webhook's 404", statusReply(404, DENIED), DENIED],
    ["a webhook's 409", statusReply(409, DENIED), DENIED],
    ["a webhook's 429", statusReply(429, `${DENIED}.`), DENIED],
    ["a webhook's 500", statusReply(500, `Internal error occurred: ${DENIED}`), DENIED],
    ["a webhook's 504", statusReply(504, DENIED), DENIED],
    [
      "a webhook without a word",
      statusReply(403, 'admission webhook "guard" denied the request without explanation'),
      'admission webhook "guard" denied the request without explanation',
    ],
    [
      "a policy",
      statusReply(
        422,
        `pods "orders-1" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not on a Friday`,
      ),
      "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not on a Friday",
    ],
    [
      "a webhook that cannot be reached",
      statusReply(
        500,
        'Internal error occurred: failed calling webhook "guard": failed to call webhook: Post "https://guard.ops.svc:443/?timeout=10s": service "guard" not found',
        { causes: [{ message: "failed calling webhook" }] },
      ),
      'failed calling webhook "guard": failed to call webhook: Post "https://guard.ops.svc:443/?timeout=10s": service "guard" not found',
    ],
    [
      "a plugin of the API server",
      statusReply(
        403,
        'pods "orders-1" is forbidden: unable to create new content in namespace shop because it is being terminated',
      ),
      "unable to create new content in namespace shop because it is being terminated",
    ],
  ])("is refused by admission control: %s", async (_name, eviction, why) => {
    const refused = { outcome: "refused", reason: "blocked_by_admission", why };
    const { api, client } = await apiWith(RUNS, eviction);
    expect(await evict(client)).toEqual(refused);
    expect(api.received).toHaveLength(2);
    expect(await evict(client, { dryRun: true })).toEqual(refused);
  });

  it.each<[string, WirePod, string]>([
    ["has left the selector", podWith({ labels: { app: "another" } }), "outside the selector"],
    ["has no labels any more", podWith({ labels: {} }), "outside the selector"],
    ["was let go by its controller", podWith({ ownerReferences: [] }), "without a controller"],
    ["has finished", podWith({}, { phase: "Succeeded" }), "finished"],
  ])("spares a pod that %s, also in a dry run", async (_name, before, why) => {
    const { api, client } = await apiWith(before, DONE);
    expect(await evict(client)).toEqual({ outcome: "spared", why });
    expect(await evict(client, { dryRun: true })).toEqual({ outcome: "spared", why });
    expect(evictionsOf(api)).toBe(0);
  });

  it("spares a pod to which there is an objection, as it is just before, by the API server's time", async () => {
    const seen: unknown[] = [];
    const objection: EvictRequest["objection"] = (pod, at) => {
      seen.push(pod.exempt, pod.readySince, at);
      return "exempt";
    };
    const { api, client } = await apiWith(podWith({ annotations: { "pod-rebalancer.io/exempt": "true" } }), DONE);
    expect(await evict(client, { objection })).toEqual({ outcome: "spared", why: "exempt" });
    expect(seen).toEqual([true, undefined, new Date(AT)]);
    expect(evictionsOf(api)).toBe(0);
  });

  it.each([{}, causedBy("Overloaded")])("takes a 429 about %j for throttling: surely not done", async (details) => {
    const answer = statusReply(429, "Too many requests, please try again later.", details);
    const { api, client } = await apiWith(RUNS, answer);
    await expect(evict(client)).rejects.toMatchObject({ code: "THROTTLED" });
    expect(evictionsOf(api)).toBe(1);
  });

  it.each<[string, Answer, string]>([
    [
      "a right is missing",
      statusReply(403, 'pods "orders-1" is forbidden: User "u" cannot create resource "pods/eviction"'),
      "FORBIDDEN",
    ],
    ["the request is wrong", statusReply(400, "not an Eviction", {}), "REQUEST_REJECTED"],
    ["the token has expired", statusReply(401, "Unauthorized"), "UNAUTHORIZED"],
  ])("surely did not happen when %s", async (_name, eviction, code) => {
    const { client } = await apiWith(RUNS, eviction, TERMINATING);
    await expect(evict(client)).rejects.toMatchObject({ code });
  });

  it("surely did not happen when it could not be sent", async () => {
    const { client } = await apiWith(RUNS, DONE, TERMINATING);
    const error = new RebalancerError("CREDENTIALS_INVALID", "the plugin failed");
    await expect(evict({ ...client, createEviction: () => Promise.reject(error) })).rejects.toBe(error);
  });

  it.each<[string, Answer, WirePod | Answer]>([
    ["not found", NOT_THERE, NOT_THERE],
    ["replaced in between", statusReply(409, "the UID in the precondition does not match"), ANOTHER],
  ])("finds the pod gone when it is %s, and cannot tell by whom", async (_name, eviction, after) => {
    const { client } = await apiWith(RUNS, eviction, after);
    expect(await evict(client)).toEqual({ outcome: "gone", perhapsByUs: true });
  });

  it("finds it gone in a dry run, too, which has not removed it", async () => {
    const { client } = await apiWith(RUNS, NOT_THERE, NOT_THERE);
    expect(await evict(client, { dryRun: true })).toEqual({ outcome: "gone" });
  });

  it.each<[string, Answer]>([
    ["the API server's own 404", NOT_THERE],
    ["a proxy's 404", { status: 404, body: "<html>" }],
  ])("is not found gone in a dry run where it still runs after %s", async (_name, eviction) => {
    const { client } = await apiWith(RUNS, eviction);
    await expect(evict(client, { dryRun: true })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("tells of a conflict while the pod still runs", async () => {
    const { client } = await apiWith(RUNS, statusReply(409, "try again"), RUNS);
    await expect(evict(client)).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("after a doubtful answer", () => {
  const DOUBTS: [string, Answer][] = [
    ["a reset", "reset"],
    ["a 500", statusReply(500, "etcdserver: request timed out")],
    ["a 504", statusReply(504, "Timeout: request did not complete within the allotted timeout")],
    ["a page that is no JSON", { body: "<html>" }],
    ["another kind of object", { body: { kind: "Pod" } }],
    ["a proxy's 401", { status: 401, body: "<html>" }],
    ["a proxy's 404", { status: 404, body: { error: "no route" } }],
    ["a proxy's 429", { status: 429, headers: { "retry-after": "0" }, body: "slow down" }],
    ["a redirect", { status: 302, headers: { location: "https://login" } }],
    ["a Status of 408", statusReply(408, "timeout")],
    ["a Status of another pod", statusReply(403, "no", { kind: "pods", name: "orders-2" })],
    ["a Status under another code", { ...(statusReply(403, "no") as object), status: 400 }],
    ["a Status of failure under 201", { ...(statusReply(403, "no") as object), status: 201 }],
  ];

  describe.each<[string, WirePod | Answer]>([
    ["is not there", NOT_THERE],
    ["is terminating", TERMINATING],
    ["is another of the same name", ANOTHER],
  ])("a pod that %s was evicted:", (_pod, after) => {
    it.each(DOUBTS)("%s", async (_name, eviction) => {
      const { api, client } = await apiWith(RUNS, eviction, after);
      expect(await evict(client)).toMatchObject({
        outcome: "accepted",
        note: expect.stringMatching(/answer was lost/),
      });
      expect(evictionsOf(api)).toBe(1);
    });
  });

  it.each(DOUBTS)("%s, a pod that still runs is an error, for it may yet go", async (_name, eviction) => {
    const { api, client } = await apiWith(RUNS, eviction, RUNS);
    await expect(evict(client)).rejects.toMatchObject({
      code: "EVICTION_FAILED",
      message: expect.stringMatching(/^orders-1 still runs/),
    });
    expect(evictionsOf(api)).toBe(1);
  });

  it("a pod that cannot be looked at is unclear", async () => {
    const { client } = await apiWith(RUNS, "reset", { status: 403, body: { message: "no" } });
    await expect(evict(client)).rejects.toMatchObject({ code: "EVICTION_UNCLEAR" });
  });

  it("the pod is looked at though the run was told to stop when the eviction had been sent", async () => {
    const stop = new AbortController();
    const { client } = await apiWith(
      RUNS,
      (response) => {
        stop.abort();
        response.destroy();
      },
      TERMINATING,
    );
    expect(await evict(client, {}, stop.signal)).toMatchObject({
      outcome: "accepted",
      note: expect.stringMatching(/CONNECTION_FAILED/),
    });
  });

  it("nothing is sent when the run is told to stop while the pod is looked at", async () => {
    const stop = new AbortController();
    const reason = new RebalancerError("CANCELLED", "told to stop");
    const { api, client } = await apiWith(RUNS, DONE);
    const getPod: KubernetesClient["getPod"] = async (...call) => {
      const found = await client.getPod(...call);
      stop.abort(reason);
      return found;
    };
    await expect(evict({ ...client, getPod }, {}, stop.signal)).rejects.toThrow(reason);
    expect(evictionsOf(api)).toBe(0);
  });

  it("a broken TLS connection is a doubt like any other", async () => {
    const { client } = await apiWith(RUNS, DONE, TERMINATING);
    const createEviction: KubernetesClient["createEviction"] = async (...call) => {
      await client.createEviction(...call);
      throw new RebalancerError("TLS_FAILED", "bad record");
    };
    expect(await evict({ ...client, createEviction })).toMatchObject({ outcome: "accepted" });
  });

  it("whatever a proxy says under whatever code, a pod that goes was evicted, and one that stays may yet go", async () => {
    const codes = fc.constantFrom<ErrorCode>(
      "UNAUTHORIZED",
      "FORBIDDEN",
      "NOT_FOUND",
      "CONFLICT",
      "THROTTLED",
      "REDIRECTED",
    );
    const bodies = fc.oneof(fc.string(), fc.json(), fc.constant('{"kind":"Status","status":"Failure"'));
    await fc.assert(
      fc.asyncProperty(codes, fc.integer({ min: 300, max: 599 }), bodies, fc.boolean(), async (...planted) => {
        const [code, status, body, stays] = planted;
        const seen = [RUNS, stays ? RUNS : TERMINATING];
        const client = fakeClient({
          getPod: async () => ({ value: seen.shift(), at: new Date(AT) }),
          createEviction: () =>
            Promise.reject(new RebalancerError(code, "planted", { reply: { status, headers: {}, body } })),
        });
        const reply = await evict(client).catch((thrown: RebalancerError) => thrown.code);
        if (stays) expect(reply).toBe("EVICTION_FAILED");
        else expect(reply).toMatchObject({ outcome: "accepted" });
      }),
    );
  });

  it("a dry run has nothing to look for", async () => {
    const { api, client } = await apiWith(RUNS, statusReply(500, "internal error"));
    await expect(evict(client, { dryRun: true })).rejects.toMatchObject({ code: "SERVER_ERROR" });
    expect(api.received).toHaveLength(2);
  });
});
