import { afterEach, describe, expect, it } from "vitest";

import { type Answer, type Loopback, startLoopback } from "../../test/fakes/loopback.ts";
import { RebalancerError } from "../errors.ts";
import { createHttpClient } from "../http.ts";
import { createKubernetesClient, type KubernetesClient, type WirePod } from "./client.ts";
import { evictPod } from "./evict.ts";

const POD = { namespace: "shop", name: "orders-1", uid: "uid-1" };
const RUNS: WirePod = { kind: "Pod", metadata: { uid: "uid-1" } };
const TERMINATING: WirePod = { kind: "Pod", metadata: { uid: "uid-1", deletionTimestamp: "2026-03-01T12:00:00Z" } };
const ANOTHER: WirePod = { kind: "Pod", metadata: { uid: "uid-2" } };
const NOT_THERE: Answer = { status: 404, body: { kind: "Status", message: 'pods "orders-1" not found' } };
const DONE: Answer = { status: 201, body: { kind: "Status", status: "Success" } };

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

function statusReply(status: number, message: string, cause?: string, causeMessage?: string): Answer {
  const details = cause && { details: { causes: [{ reason: cause, message: causeMessage }] } };
  return { status, headers: { "retry-after": "0" }, body: { kind: "Status", message, ...details } };
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
  return { api, client: createKubernetesClient(http) };
}

function answerOf(seen: WirePod | Answer): Answer {
  return typeof seen === "object" && "kind" in seen ? { body: seen } : (seen as Answer);
}

function evict(client: KubernetesClient, dryRun = false, signal = new AbortController().signal) {
  return evictPod(client, POD, { dryRun }, signal);
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
        "DisruptionBudget",
        "The disruption budget orders needs 8 healthy pods and has 8 currently",
      ),
      "the disruption budget orders needs 8 healthy pods and has 8 currently",
    ],
    [
      "without the budget's words",
      statusReply(429, "Cannot evict pod.", "DisruptionBudget"),
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
  ])("is refused %s", async (_name, eviction, why) => {
    const { client } = await apiWith(RUNS, eviction);
    expect(await evict(client)).toEqual({ outcome: "refused", why });
    expect(await evict(client, true)).toEqual({ outcome: "refused", why });
  });

  it.each([undefined, "Overloaded"])("takes a 429 of cause %s for throttling: surely not done", async (cause) => {
    const { api, client } = await apiWith(RUNS, statusReply(429, "Too many requests, please try again later.", cause));
    await expect(evict(client)).rejects.toMatchObject({ code: "THROTTLED" });
    expect(evictionsOf(api)).toBe(1);
  });

  it.each<[string, Answer, string]>([
    ["a right is missing", statusReply(403, "cannot create resource"), "FORBIDDEN"],
    ["a webhook refuses it", statusReply(400, 'admission webhook "x" denied the request'), "REQUEST_REJECTED"],
    ["the token has expired", statusReply(401, "Unauthorized"), "UNAUTHORIZED"],
    ["a proxy redirects", { status: 302, headers: { location: "https://login" } }, "REDIRECTED"],
  ])("surely did not happen when %s", async (_name, eviction, code) => {
    const { client } = await apiWith(RUNS, eviction, TERMINATING);
    await expect(evict(client)).rejects.toMatchObject({ code });
  });

  it.each<[string, Answer, WirePod | Answer]>([
    ["not found", NOT_THERE, NOT_THERE],
    ["replaced in between", statusReply(409, "the UID in the precondition does not match"), ANOTHER],
  ])("finds the pod gone when it is %s", async (_name, eviction, after) => {
    const { client } = await apiWith(RUNS, eviction, after);
    expect(await evict(client)).toEqual({ outcome: "gone" });
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
    ["a 504", statusReply(504, "couldn't update PodDisruptionBudget due to conflicts")],
    ["a page that is no JSON", { body: "<html>" }],
    ["another kind of object", { body: { kind: "Pod" } }],
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
    expect(await evict(client, false, stop.signal)).toMatchObject({
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
    await expect(evict({ ...client, getPod }, false, stop.signal)).rejects.toThrow(reason);
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

  it("a dry run has nothing to look for", async () => {
    const { api, client } = await apiWith(RUNS, statusReply(500, "internal error"));
    await expect(evict(client, true)).rejects.toMatchObject({ code: "SERVER_ERROR" });
    expect(api.received).toHaveLength(2);
  });
});
