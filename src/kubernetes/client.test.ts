import { afterEach, describe, expect, it } from "vitest";

import { type Answer, type Loopback, type Received, startLoopback } from "../../test/fakes/loopback.ts";
import { systemClock } from "../clock.ts";
import { createHttpClient } from "../http.ts";
import { createKubernetesClient, type KubernetesClient, type WirePod } from "./client.ts";

const NEVER = new AbortController().signal;
const POD = { namespace: "shop", name: "orders-1", uid: "uid-1" };

const REF = { namespace: "shop", name: "pod-rebalancer-deployment-orders" };

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

async function apiWith(
  answer: (request: Received, call: number) => Answer,
): Promise<{ api: Loopback; client: KubernetesClient }> {
  const api = await startLoopback(answer);
  const http = createHttpClient({ url: new URL(api.url) });
  disposals.push(
    () => http.close(),
    () => api[Symbol.asyncDispose](),
  );
  return { api, client: createKubernetesClient(http, systemClock) };
}

function podNamed(name: string): WirePod {
  return {
    kind: "Pod",
    metadata: { namespace: "shop", name, uid: `uid-${name}`, creationTimestamp: "2026-03-01T10:00:00Z" },
  };
}

function page(names: readonly string[], next = ""): Answer {
  return { body: { kind: "PodList", metadata: { continue: next }, items: names.map(podNamed) } };
}

function namesOf(client: KubernetesClient) {
  return client.listPods({ namespace: "shop", labelSelector: "app=orders", keep: nameOf }, NEVER);
}

function nameOf(pod: WirePod): string | undefined {
  return pod.metadata?.name;
}

const GONE: Answer = { status: 410, body: { kind: "Status", message: "The provided continue parameter is too old" } };

describe("a list", () => {
  it("is read page by page, with the selector, and told with the last page's time", async () => {
    const { api, client } = await apiWith(({ url }) => {
      const first = url.searchParams.get("continue") === null;
      const answer = first ? page(["a", "b"], "more") : page(["c"]);
      const date = first ? "Sun, 01 Mar 2026 12:00:00 GMT" : "Sun, 01 Mar 2026 12:00:05 GMT";
      return { ...(answer as object), headers: { date } };
    });
    const { value, at } = await namesOf(client);
    expect(value).toEqual(["a", "b", "c"]);
    expect(at).toEqual(new Date("2026-03-01T12:00:05Z"));
    expect(api.received.map(({ url }) => url.pathname + url.search)).toEqual([
      "/api/v1/namespaces/shop/pods?labelSelector=app%3Dorders&limit=250",
      "/api/v1/namespaces/shop/pods?labelSelector=app%3Dorders&limit=250&continue=more",
    ]);
  });

  it("begins anew, once, when it changed under its pages", async () => {
    const answers = [page(["old"], "more"), GONE, page(["new-a"], "other"), page(["new-b"])];
    const { api, client } = await apiWith((_request, call) => answers[call]!);
    expect((await namesOf(client)).value).toEqual(["new-a", "new-b"]);
    expect(api.received[2]?.url.searchParams.get("continue")).toBeNull();
  });

  it("fails when it changed a second time", async () => {
    const answers = [page(["old"], "more"), GONE, page(["new"], "more"), GONE];
    const { client } = await apiWith((_request, call) => answers[call]!);
    await expect(namesOf(client)).rejects.toMatchObject({ code: "EXPIRED" });
  });

  it("does not go round for ever", async () => {
    const { client } = await apiWith(() => page([], "same"));
    await expect(namesOf(client)).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(/same page/),
    });
  });

  it("of autoscalers is asked of autoscaling/v2", async () => {
    const { api, client } = await apiWith(() => ({ body: { kind: "HorizontalPodAutoscalerList", items: [] } }));
    expect((await client.listAutoscalers({ namespace: "shop", keep: (item) => item }, NEVER)).value).toEqual([]);
    expect(api.received[0]?.url.pathname).toBe("/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers");
  });
});

describe("a reply is refused", () => {
  it.each<[string, Answer, RegExp]>([
    ["a login page", { body: "<html>Sign in</html>" }, /list pods in namespace shop: the reply is not JSON.*<html>/],
    ["another kind", { body: { kind: "NodeList", items: [] } }, /of kind "NodeList", expected PodList/],
    ["no kind", { body: { items: [] } }, /of kind undefined, expected PodList/],
    ["nothing", { body: "null" }, /of kind undefined, expected PodList/],
  ])("when it is %s", async (_name, answer, message) => {
    const { client } = await apiWith(() => answer);
    await expect(namesOf(client)).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("when it does not tell the server's time", async () => {
    const { client } = await apiWith(() => (response) => {
      response.sendDate = false;
      response.end(JSON.stringify({ kind: "PodList", items: [] }));
    });
    await expect(namesOf(client)).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(/no Date header/),
    });
  });
});

const LEASE_SENT = { kind: "Lease", metadata: { namespace: "shop", name: "pod-rebalancer-deployment-orders" } };

/** One that lists the pods, and another that has the Lease, or has none. */
function serversApart(seconds: number, leaseStatus = 200) {
  return apiWith(({ url }) => {
    if (!url.pathname.includes("/leases")) return page([]);
    const date = new Date(Date.now() + seconds * 1_000).toUTCString();
    const body =
      leaseStatus === 200 ? { kind: "Lease" } : { kind: "Status", status: "Failure", code: 404, message: "not found" };
    return { status: leaseStatus, headers: { date }, body };
  });
}

describe("the times of two replies", () => {
  const lease = { namespace: "shop", name: "pod-rebalancer-deployment-orders" };

  it.each([
    [10_800, 200],
    [-10_800, 200],
    [10_800, 404],
  ])("are not relied on when they are %d s apart (HTTP %d)", async (seconds, status) => {
    const { client } = await serversApart(seconds, status);
    expect((await namesOf(client)).at).toBeInstanceOf(Date);
    const told = await client.getLease(lease, NEVER);
    expect(() => told.at).toThrow(
      expect.objectContaining({
        code: "CLOCKS_DIFFER",
        message: expect.stringMatching(/^get lease shop\/pod-rebalancer.*list pods in namespace shop/),
      }),
    );
  });

  it.each<[string, (client: KubernetesClient) => Promise<unknown>]>([
    ["get replicaset", (client) => client.getReplicaSet(lease, NEVER)],
    ["get deployment", (client) => client.getDeployment(lease, NEVER)],
    ["get statefulset", (client) => client.getStatefulSet(lease, NEVER)],
    ["list horizontalpodautoscalers", (client) => client.listAutoscalers({ namespace: "shop", keep: String }, NEVER)],
    ["create lease", (client) => client.createLease(lease, LEASE_SENT, NEVER)],
    ["update lease", (client) => client.updateLease(lease, LEASE_SENT, NEVER)],
  ])("are compared where nothing is judged by the second: %s", async (call, ask) => {
    const { client } = await apiWith(({ url, body }) => {
      const [, resource = ""] = /\/namespaces\/shop\/(\w+)/.exec(url.pathname) ?? [];
      if (resource === "pods") return page([]);
      const date = new Date(Date.now() + 10_800_000).toUTCString();
      if (body !== "") return { headers: { date }, body: JSON.parse(body) as object };
      const kinds = { replicasets: "ReplicaSet", deployments: "Deployment", statefulsets: "StatefulSet" };
      const kind = kinds[resource as keyof typeof kinds] ?? "HorizontalPodAutoscalerList";
      return { headers: { date }, body: { kind, items: [], metadata: { name: lease.name } } };
    });
    await namesOf(client);
    await expect(ask(client)).rejects.toMatchObject({
      code: "CLOCKS_DIFFER",
      message: expect.stringMatching(new RegExp(`^${call} `)),
    });
  });

  it("may be a few seconds apart", async () => {
    const { client } = await serversApart(4);
    await namesOf(client);
    expect((await client.getLease(lease, NEVER)).at).toBeInstanceOf(Date);
  });
});

it("a missing right is named in words", async () => {
  const message = 'pods is forbidden: User "system:serviceaccount:shop:x" cannot list resource "pods"';
  const { client } = await apiWith(() => ({ status: 403, body: { kind: "Status", message } }));
  const named = /^list pods in namespace shop \(GET .*HTTP 403: pods is forbidden: .* cannot list resource "pods"$/;
  await expect(namesOf(client)).rejects.toMatchObject({ code: "FORBIDDEN", message: expect.stringMatching(named) });
});

describe("an object that is not what it must be", () => {
  it.each<[string, Answer, RegExp]>([
    ["null among the items", { body: { kind: "PodList", items: [null] } }, /: items\[0\] is null, expected an object$/],
    ["no items", { body: { kind: "PodList" } }, /: items is missing, expected a list$/],
    ["a pod twice", page(["a", "b", "a"]), /: pod a is listed twice$/],
    [
      "a pod without a UID",
      { body: { kind: "PodList", items: [{ metadata: { name: "a", namespace: "shop" } }] } },
      /: pod a: metadata\.uid is missing, expected text$/,
    ],
  ])("is refused with its place: a list with %s", async (_name, answer, message) => {
    const { client } = await apiWith(() => answer);
    const refused = { code: "REPLY_INVALID", message: expect.stringMatching(message) };
    await expect(namesOf(client)).rejects.toMatchObject(refused);
  });

  it("is refused where a pod of one page is on the next again", async () => {
    const { client } = await apiWith((_request, call) => page(["a"], `page-${call}`));
    await expect(namesOf(client)).rejects.toThrow(/: pod a is listed twice$/);
  });

  it("is refused where it is another of its kind", async () => {
    const { client } = await apiWith(() => ({ body: podNamed("orders-2") }));
    await expect(client.getPod(POD, NEVER)).rejects.toThrow(/: metadata\.name is "orders-2", expected "orders-1"$/);
  });
});

describe("a pod", () => {
  it("that is not there is undefined", async () => {
    const body = { kind: "Status", status: "Failure", code: 404, message: "not found" };
    const { client } = await apiWith(() => ({ status: 404, body }));
    expect(await client.getPod(POD, NEVER)).toMatchObject({ value: undefined });
  });

  it("of which a proxy says that it is not there is not known to be gone", async () => {
    const { client } = await apiWith(() => ({ status: 404, body: "<html>404</html>" }));
    await expect(client.getPod(POD, NEVER)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is asked for by an address that its name cannot change", async () => {
    const { api, client } = await apiWith(() => ({ body: podNamed("../secrets/x?y") }));
    await client.getPod({ namespace: "shop", name: "../secrets/x?y" }, NEVER);
    expect(api.received[0]?.url.pathname).toBe("/api/v1/namespaces/shop/pods/..%2Fsecrets%2Fx%3Fy");
  });

  it.each(["..", ".", "", "\ud800"])(
    "is not asked for, nor evicted, under a name that is no step of a path: %j",
    async (name) => {
      const { api, client } = await apiWith(() => ({ body: { kind: "Pod" } }));
      const refused = { code: "REPLY_INVALID", message: expect.stringMatching(/^".*" is not the name of an object$/) };
      await expect(client.getPod({ namespace: "shop", name }, NEVER)).rejects.toMatchObject(refused);
      await expect(client.getReplicaSet({ namespace: "shop", name }, NEVER)).rejects.toMatchObject(refused);
      await expect(client.createEviction({ ...POD, name }, { dryRun: false }, NEVER)).rejects.toMatchObject(refused);
      expect(api.received).toEqual([]);
    },
  );
});

describe("an eviction", () => {
  it.each([
    [false, {}],
    [true, { dryRun: ["All"] }],
  ])("with dryRun %s carries the UID and leaves the grace period to the pod", async (dryRun, extra) => {
    const { api, client } = await apiWith(() => ({ status: 201, body: { kind: "Status", status: "Success" } }));
    await client.createEviction(POD, { dryRun }, NEVER);
    expect(api.received[0]).toMatchObject({ method: "POST" });
    expect(api.received[0]?.url.pathname).toBe("/api/v1/namespaces/shop/pods/orders-1/eviction");
    expect(JSON.parse(api.received[0]!.body)).toEqual({
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { namespace: "shop", name: "orders-1" },
      deleteOptions: { preconditions: { uid: "uid-1" }, ...extra },
    });
  });

  it.each<[string, Answer]>([
    ["a reset", "reset"],
    ["500", { status: 500 }],
    ["429", { status: 429 }],
  ])("is never sent twice, not after %s either", async (_name, answer) => {
    const { api, client } = await apiWith(() => answer);
    await expect(client.createEviction(POD, { dryRun: false }, NEVER)).rejects.toThrow(/evict pod shop\/orders-1/);
    expect(api.received).toHaveLength(1);
  });
});

describe("a right", () => {
  const right = { verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: "shop", name: "x" };

  it.each([true, false])("is asked for by a review, which says %s", async (allowed) => {
    const { api, client } = await apiWith(({ body }) => ({
      status: 201,
      body: { ...(JSON.parse(body) as object), status: { allowed } },
    }));
    expect(await client.mayI(right, NEVER)).toBe(allowed);
    expect(api.received.map(({ method, url, body }) => [method, url.pathname, JSON.parse(body)])).toEqual([
      [
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: right },
        },
      ],
    ]);
  });

  it.each([{}, { status: {} }, { status: { allowed: "yes" } }])("is not known after %j", async (answer) => {
    const { client } = await apiWith(() => ({ body: { kind: "SelfSubjectAccessReview", ...answer } }));
    await expect(client.mayI(right, NEVER)).rejects.toMatchObject({ code: "REPLY_INVALID" });
  });
});

describe("a Lease", () => {
  const ref = { namespace: "shop", name: "pod-rebalancer-deployment-orders" };
  const LEASE = {
    kind: "Lease",
    metadata: { ...ref, annotations: { "pod-rebalancer.io/removals": "[]" } },
    spec: { holderIdentity: "run-1", renewTime: "2026-03-01T12:00:00.000000Z" },
  };

  it("that is not there tells the time all the same", async () => {
    const headers = { date: "Sun, 01 Mar 2026 12:00:00 GMT" };
    const { client } = await apiWith(() => ({
      status: 404,
      headers,
      body: { kind: "Status", status: "Failure", code: 404 },
    }));
    expect(await client.getLease(ref, NEVER)).toEqual({ value: undefined, at: new Date("2026-03-01T12:00:00Z") });
  });

  it.each([
    ["leaseDurationSeconds", null],
    ["leaseDurationSeconds", "60"],
    ["leaseDurationSeconds", 0],
    ["holderIdentity", null],
    ["holderIdentity", 7],
    ["renewTime", 7],
  ])("is not free because its %s is %j: it is refused", async (field, value) => {
    const { client } = await apiWith(() => ({ body: { ...LEASE, spec: { ...LEASE.spec, [field]: value } } }));
    const message = expect.stringContaining(`: spec.${field} is ${JSON.stringify(value)}, expected `) as string;
    await expect(client.getLease(ref, NEVER)).rejects.toMatchObject({ code: "REPLY_INVALID", message });
  });

  it("is made by POST and changed by PUT", async () => {
    const { api, client } = await apiWith(({ body }) => ({ body: JSON.parse(body) as object }));
    await client.createLease(ref, LEASE, NEVER);
    await client.updateLease(ref, LEASE, NEVER);
    const leases = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
    expect(api.received.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
      `POST ${leases}`,
      `PUT ${leases}/pod-rebalancer-deployment-orders`,
    ]);
  });

  it("was not written where something else answers that all is well", async () => {
    const { client } = await apiWith(() => ({ body: "<html>Sign in</html>" }));
    const refused = { code: "REPLY_INVALID" };
    await expect(client.createLease(ref, LEASE, NEVER)).rejects.toMatchObject(refused);
    await expect(client.updateLease(ref, LEASE, NEVER)).rejects.toMatchObject(refused);
  });

  it.each([
    ["of another name", { metadata: { ...LEASE.metadata, name: "another" } }],
    ["of another holder", { spec: { ...LEASE.spec, holderIdentity: "run-0" } }],
    ["of another time", { spec: { ...LEASE.spec, renewTime: "2026-03-01T11:59:45.000000Z" } }],
    ["without its record", { metadata: ref }],
    ["without anything", { metadata: undefined, spec: undefined }],
  ])("was not written where the answer is a Lease %s", async (_name, change) => {
    const { client } = await apiWith(() => ({ body: { ...LEASE, ...change } }));
    const refused = { code: "REPLY_INVALID", message: expect.stringMatching(/is not the Lease that was written$/) };
    await expect(client.createLease(ref, LEASE, NEVER)).rejects.toMatchObject(refused);
    await expect(client.updateLease(ref, LEASE, NEVER)).rejects.toMatchObject(refused);
  });
});

it("the other objects are asked of apps/v1", async () => {
  const { api, client } = await apiWith((_request, call) => ({
    body: { kind: ["ReplicaSet", "Deployment", "StatefulSet"][call] },
  }));
  const ref = { namespace: "shop", name: "orders" };
  await client.getReplicaSet(ref, NEVER);
  await client.getDeployment(ref, NEVER);
  await client.getStatefulSet(ref, NEVER);
  expect(api.received.map(({ url }) => url.pathname)).toEqual(
    ["replicasets", "deployments", "statefulsets"].map((kind) => `/apis/apps/v1/namespaces/shop/${kind}/orders`),
  );
});

describe("the advice for a refusal", () => {
  const refusal = { status: 403, body: { kind: "Status", status: "Failure", code: 403, message: "cannot" } };

  it("of a Lease is about its name, which is what the right is to", async () => {
    const { client } = await apiWith(() => refusal);
    for (const work of [client.getLease(REF, NEVER), client.updateLease(REF, {}, NEVER)]) {
      await expect(work).rejects.toMatchObject({
        code: "FORBIDDEN",
        advice: expect.stringMatching(/^The Role must name this very Lease under resourceNames/),
      });
    }
  });

  it("of anything else is about the right, and never about the metrics server", async () => {
    const { client } = await apiWith(() => refusal);
    for (const work of [
      namesOf(client),
      client.getPod(POD, NEVER),
      client.createEviction(POD, { dryRun: false }, NEVER),
      client.createLease(REF, {}, NEVER),
    ]) {
      await expect(work).rejects.toMatchObject({
        code: "FORBIDDEN",
        advice: "Grant the named right to this account; deploy/kubernetes/base/role.yaml has all that a run needs.",
        reply: { status: 403 },
      });
    }
  });

  it("by something that is not the API server says so", async () => {
    const { client } = await apiWith(() => ({ status: 403, body: "<h1>Forbidden</h1>" }));
    await expect(namesOf(client)).rejects.toMatchObject({
      code: "FORBIDDEN",
      advice: "That was not the API server itself: look at the proxy or gateway at the named address.",
    });
  });
});
