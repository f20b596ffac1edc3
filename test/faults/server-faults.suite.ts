/** Every wrong answer that a server can give, to each call that a run depends on before it removes anything. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { loginPage, redirect, refuses, reset, says, truncated, undated, wrongKind } from "./misbehaviour.ts";
import { DRY, LIVE, on, type SceneOptions, startScene } from "./scene.ts";

interface Expected {
  readonly code: ErrorCode;
  /** What the last line must tell an operator, in this order: what happened, then what to do. */
  readonly says: RegExp;
  /** How often the call was made. */
  readonly tries: number;
}

type Row = readonly [name: string, misbehave: Misbehaviour, expected: Expected];

const FIVE = 5;
const FAULTS: readonly Row[] = [
  ["is a reset", reset, { code: "CONNECTION_FAILED", says: /ECONNRESET\..*can be reached from here/, tries: FIVE }],
  ["is cut off", truncated, { code: "CONNECTION_FAILED", says: /cut off.*can be reached from here/, tries: FIVE }],
  [
    "is a login page",
    loginPage,
    { code: "REPLY_INVALID", says: /JSON.*<html>.*API itself, and not of a proxy or a login page/, tries: 1 },
  ],
  [
    "is JSON of something else",
    wrongKind,
    { code: "REPLY_INVALID", says: /"(Secret|pending)", expected .*API itself, and not of a proxy/, tries: 1 },
  ],
  [
    "is a redirect",
    redirect,
    {
      code: "REDIRECTED",
      says: /redirects to https:\/\/login\.example\/start\..*address behind the redirect, or give the credentials/,
      tries: 1,
    },
  ],
  [
    "is 401",
    refuses(401),
    { code: "UNAUTHORIZED", says: /HTTP 401: planted 401\..*token, password or client certificate/, tries: 1 },
  ],
  [
    "is 403",
    refuses(403),
    {
      code: "FORBIDDEN",
      says: /HTTP 403: planted 403\..*(Grant the named right|the right to query|this very Lease)/,
      tries: 1,
    },
  ],
  ["is 404", refuses(404), { code: "NOT_FOUND", says: /HTTP 404: planted 404\..*Check the address/, tries: 1 }],
  ["is 409", refuses(409), { code: "CONFLICT", says: /HTTP 409: planted 409\..*the next run looks again/, tries: 1 }],
  ["is 422", refuses(422), { code: "REQUEST_REJECTED", says: /HTTP 422: planted 422\..*Read the server's/, tries: 1 }],
  ["is 429", refuses(429), { code: "THROTTLED", says: /HTTP 429: planted 429\..*fewer requests/, tries: FIVE }],
  [
    "is 429 for an hour",
    refuses(429, "planted 429", { "retry-after": "3600" }),
    { code: "THROTTLED", says: /HTTP 429: planted 429\..*fewer requests/, tries: 1 },
  ],
  ["is 500", refuses(500), { code: "SERVER_ERROR", says: /HTTP 500: planted 500\..*read its own log/, tries: FIVE }],
  ["is 503", refuses(503), { code: "SERVER_ERROR", says: /HTTP 503: planted 503\..*read its own log/, tries: FIVE }],
];

const UNDATED: Row = [
  "has no Date header",
  undated,
  { code: "REPLY_INVALID", says: /no Date header, by which ages are judged/, tries: 1 },
];

/** The Lease is looked at again after a write that found it changed or gone, twice. */
const THRICE: ReadonlySet<string> = new Set(["is 404", "is 409"]);
const LEASE_WRITE = FAULTS.map(([name, misbehave, expected]): Row => {
  return [name, misbehave, { ...expected, tries: THRICE.has(name) ? 3 : expected.tries }];
});

/** Here 404 is an answer. */
const MAY_BE_MISSING = [...FAULTS.filter(([name]) => name !== "is 404"), UNDATED];

describe.each<[call: string, shown: string, faults: readonly Row[]]>([
  ["list pods", "list pods in namespace shop", [...FAULTS, UNDATED]],
  ["get deployment", "get deployment shop/orders", MAY_BE_MISSING],
  ["get lease", "get lease shop/pod-rebalancer-deployment-orders", MAY_BE_MISSING],
  ["update lease", "update lease shop/pod-rebalancer-deployment-orders", LEASE_WRITE],
  ["get pod", "get pod shop/orders-", MAY_BE_MISSING],
])("when the Kubernetes API's reply to `%s`", { concurrent: true }, (call, shown, faults) => {
  it.each(faults)("%s, the run fails and removes nothing", async (_name, misbehave, expected) => {
    await using scene = await startScene({ kubernetes: on(call, misbehave) });
    scene.setLease({ holderIdentity: "" });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: expected.code });
    expect(ended.said).toMatch(expected.says);
    expect(ended.said).toContain(shown);
    expect(scene.calls(call)).toHaveLength(expected.tries);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.removed()).toEqual([]);
    // Nothing happened, so the next run need not wait, neither for the Lease nor for a cooldown.
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
    expect(scene.recorded()).toEqual([]);
  });
});

const REFUSED_QUERY = { status: "error", errorType: "bad_data", error: "parse error: unexpected end of input" };
const QUERY_FAULTS: readonly Row[] = [
  // Where POST is refused, GET is tried.
  ...FAULTS.map(([name, misbehave, expected]): Row => [
    name,
    misbehave,
    { ...expected, tries: name === "is 403" ? 2 : expected.tries },
  ]),
  ...[400, 422].map((status): Row => {
    const words = /unexpected end of input; the query: sum by .*container_cpu_usage.*Correct the named query/;
    return [`is ${status} of its own`, says(status, REFUSED_QUERY), { code: "QUERY_FAILED", says: words, tries: 1 }];
  }),
  [
    "is a scalar",
    says(200, { status: "success", data: { resultType: "scalar", result: [1, "1"] } }),
    { code: "QUERY_FAILED", says: /yields a scalar, expected one sample for each pod.*Correct the named/, tries: 1 },
  ],
];

describe("when the metrics server's reply to `cpu query`", { concurrent: true }, () => {
  it.each(QUERY_FAULTS)("%s, the run fails and removes nothing", async (_name, misbehave, expected) => {
    await using scene = await startScene({ prometheus: on("cpu query", misbehave) });
    const ended = await scene.run(LIVE, { PROMETHEUS_TIMEOUT: "10s" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: expected.code });
    expect(ended.said).toMatch(expected.says);
    expect(ended.said).toContain("cpu query");
    expect(scene.calls("cpu query")).toHaveLength(expected.tries);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it.each(["lag", "rate", "memory"])("is fine and only that to the %s query is 401, it fails too", async (signal) => {
    await using scene = await startScene({ prometheus: on(`${signal} query`, refuses(401)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "UNAUTHORIZED" });
    expect(ended.said).toContain(`${signal} query`);
    expect(scene.removed()).toEqual([]);
  });
});

describe("a reply of 404", { concurrent: true }, () => {
  it("to `get lease`, though it was just made, says that the Lease is lost before anything is removed", async () => {
    await using scene = await startScene({ kubernetes: on("get lease", refuses(404)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "lock_lost", code: "LOCK_LOST" });
    expect(ended.said).toMatch(/lease shop\/pod-rebalancer-deployment-orders is lost: it was deleted/);
    expect(scene.removed()).toEqual([]);
  });

  it("to `get pod` says that the target went by itself: nothing is left to do", async () => {
    await using scene = await startScene({ kubernetes: on("get pod", refuses(404)) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "target_changed" });
    expect(ended.said).toMatch(/was already gone/);
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });
});

describe("a right that is missing", { concurrent: true }, () => {
  it.each([
    ["list pods", 'cannot list resource "pods"'],
    ["get replicasets", 'cannot get resource "replicasets"'],
    ["get deployments", 'cannot get resource "deployments"'],
    ["list horizontalpodautoscalers", 'cannot list resource "horizontalpodautoscalers"'],
    ["get leases", 'cannot get resource "leases"'],
    ["create leases", 'cannot create resource "leases"'],
    ["update leases", 'cannot update resource "leases"'],
    ["get pods", 'cannot get resource "pods"'],
    ["create pods/eviction", 'cannot create resource "pods/eviction"'],
  ])("(%s) is named, and nothing is removed", async (right, words) => {
    await using scene = await startScene();
    scene.world.missingRights.add(right);
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "FORBIDDEN" });
    expect(ended.said).toContain(words);
    expect(ended.said).toMatch(/(Grant the named right|this very Lease) .*deploy\/kubernetes\/base\/role\.yaml/);
    expect(scene.removed()).toEqual([]);
  });
});

/** Two pods a page; once a page after the first is asked for, that list has expired. */
function changingList(timesExpired: number): SceneOptions & { scene: { compact(): void } } {
  const late = { scene: { compact() {} } };
  let expired = 0;
  return Object.assign(late, {
    kubernetes(call: string, _nth: number, { query }: { query: URLSearchParams }) {
      if (call !== "list pods") return undefined;
      query.set("limit", "2");
      if (query.has("continue") && expired < timesExpired) {
        expired += 1;
        late.scene.compact();
      }
      return undefined;
    },
  });
}

describe("a pod list that changes between its pages", { concurrent: true }, () => {
  it("is read anew, once", async () => {
    const options = changingList(1);
    await using scene = (options.scene = await startScene(options));
    const ended = await scene.run(DRY);
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.lines[0]?.msg).toMatch(/Found 6 pods/);
  });

  it("and changes again is an error of its own", async () => {
    const options = changingList(2);
    await using scene = (options.scene = await startScene(options));
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "EXPIRED" });
    expect(ended.said).toMatch(/HTTP 410: .*too old.*The list changed while it was read; the next run looks again/);
    expect(scene.calls("list pods")).toHaveLength(4);
    expect(scene.removed()).toEqual([]);
  });
});

describe("STRATEGY=forecast where nobody says who owns what", { concurrent: true }, () => {
  const FORECAST = { STRATEGY: "forecast" };

  it("rotates the busiest alone, once the past was nearly always more even", async () => {
    await using scene = await startScene({ history: Array.from({ length: 336 }, () => 1.2) });
    scene.samples.set(scene.hot.name, { ...scene.samples.get(scene.hot.name), rate: 5_000 });
    const ended = await scene.run(LIVE, FORECAST);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toMatch(/more than in 100 % of the last week/);
    expect(scene.removed()).toEqual([scene.hot.name]);
    const [asked] = scene.calls("history query");
    const form = new URLSearchParams(asked?.body);
    expect(Number(form.get("end")) - Number(form.get("start"))).toBe(7 * 86_400);
    expect(form.get("query")).toMatch(/^max\(.*kafka_consumer_messages_consumed_total.*orders-/s);
  });

  it("holds where the group is often as uneven", async () => {
    await using scene = await startScene({ history: Array.from({ length: 336 }, (_none, at) => 1 + (at % 10)) });
    const ended = await scene.run(LIVE, FORECAST);
    expect(ended).toMatchObject({ exitCode: 0, reason: "not_unusual" });
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["is refused", refuses(422), "REQUEST_REJECTED"],
    ["is answered with a login page", loginPage, "REPLY_INVALID"],
  ])("fails, and removes nothing, where the range query %s", async (_name, misbehave, code) => {
    await using scene = await startScene({ prometheus: on("history query", misbehave) });
    const ended = await scene.run(LIVE, FORECAST);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toContain("history query");
    expect(scene.removed()).toEqual([]);
  });
});
