import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createManualClock, type ManualClock } from "../../test/fakes/manual-clock.ts";
import { addPod, addWorkload, createWorld, type KubernetesWorld } from "../simulation/kubernetes-world.ts";
import { type KubernetesServer, startKubernetesServer } from "./kubernetes-server.ts";

const START = new Date("2026-03-01T12:00:00Z");
const LABELS = { app: "orders" };
const BUDGET = { name: "orders", matchLabels: LABELS, maxUnavailable: 1 };

/** What the tests read of an object. */
interface Body {
  readonly kind?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: unknown;
  readonly items?: readonly PodBody[];
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}
interface PodBody {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly controller: boolean;
    }[];
  };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

let clock: ManualClock;
let world: KubernetesWorld;
let server: KubernetesServer;
beforeEach(async () => {
  clock = createManualClock(START);
  world = createWorld({ namespace: "shop", bootSeconds: 8, stopSeconds: 2 });
  server = await startKubernetesServer(world, { clock });
});
afterEach(() => server.close());

async function call(method: string, path: string, body?: object) {
  const response = await fetch(new URL(path, server.url), { method, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, date: response.headers.get("date"), body: (await response.json()) as Body };
}

const PODS = "/api/v1/namespaces/shop/pods";
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";

async function pods(query = ""): Promise<readonly PodBody[]> {
  return (await call("GET", `${PODS}${query}`)).body.items ?? [];
}

function evict(name: string, deleteOptions: object = {}) {
  return call("POST", `${PODS}/${name}/eviction`, { metadata: { name }, deleteOptions });
}

function addOrders(replicas: number, kind: "Deployment" | "StatefulSet" = "Deployment") {
  return addWorkload(world, {
    kind,
    name: "orders",
    replicas,
    labels: LABELS,
    created: new Date(START.getTime() - 3_600_000),
  });
}

function isReady({ status }: PodBody): boolean {
  return status.conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
}

describe("the simulated API server", () => {
  it("tells its clock's time in whole seconds", async () => {
    await clock.advance(1_999);
    expect((await call("GET", PODS)).date).toBe("Sun, 01 Mar 2026 12:00:01 GMT");
  });

  it("selects by equality, and knows no other namespace", async () => {
    addOrders(2);
    addPod(world, { name: "other", labels: { app: "other", tier: "test" }, created: START });
    expect(await pods("?labelSelector=app%3Dorders")).toHaveLength(2);
    expect(await pods("?labelSelector=app!%3Dorders,tier%3Dtest")).toHaveLength(1);
    expect((await call("GET", "/api/v1/namespaces/elsewhere/pods")).body.items).toEqual([]);
  });

  it("lists in pages that show one moment, and has nothing to go on with after a compaction", async () => {
    addOrders(5);
    const first = await call("GET", `${PODS}?limit=2`);
    expect(first.body.items).toHaveLength(2);
    const token = first.body.metadata.continue ?? "";
    addOrders(3);
    const second = await call("GET", `${PODS}?limit=2&continue=${token}`);
    const third = await call("GET", `${PODS}?limit=2&continue=${second.body.metadata.continue}`);
    expect(third.body.metadata.continue).toBeUndefined();
    const seen = [first, second, third].flatMap(({ body }) => body.items?.map(({ metadata }) => metadata.name) ?? []);
    expect(new Set(seen).size).toBe(5);
    server.compact();
    expect(await call("GET", `${PODS}?limit=2&continue=${token}`)).toMatchObject({
      status: 410,
      body: { kind: "Status", reason: "Expired" },
    });
  });

  it("shows pods of a Deployment through its ReplicaSet, and the Deployment above it", async () => {
    const { name, uid } = addOrders(1);
    const [pod] = await pods();
    const [owner] = pod!.metadata.ownerReferences!;
    expect(owner).toMatchObject({ kind: "ReplicaSet", controller: true });
    const { body } = await call("GET", `/apis/apps/v1/namespaces/shop/replicasets/${owner!.name}`);
    expect(body.metadata).toMatchObject({ ownerReferences: [{ kind: "Deployment", name, uid, controller: true }] });
    expect((await call("GET", "/apis/apps/v1/namespaces/shop/deployments/orders")).body).toMatchObject({
      kind: "Deployment",
      spec: { replicas: 1 },
      status: { readyReplicas: 1, updatedReplicas: 1 },
    });
  });

  it("shows autoscalers", async () => {
    world.autoscalers.push({ name: "hpa", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
    const { body } = await call("GET", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers");
    expect(body.items).toMatchObject([{ metadata: { name: "hpa" }, status: { desiredReplicas: 9 } }]);
  });

  it("refuses a right that is missing, in the API server's words", async () => {
    world.missingRights.add("list pods");
    expect(await call("GET", PODS)).toMatchObject({
      status: 403,
      body: {
        reason: "Forbidden",
        message:
          'pods is forbidden: User "system:serviceaccount:shop:pod-rebalancer" cannot list resource "pods" in API group "" in the namespace "shop"',
      },
    });
  });

  it("knows no other object and no other call", async () => {
    expect(await call("GET", `${PODS}/nobody`)).toMatchObject({
      status: 404,
      body: { message: 'pods "nobody" not found' },
    });
    expect(await call("GET", "/apis/apps/v1/namespaces/shop/statefulsets/nobody")).toMatchObject({ status: 404 });
    expect(await call("DELETE", PODS)).toMatchObject({ status: 404 });
    expect(await call("GET", "/version")).toMatchObject({ status: 404 });
  });
});

describe("a simulated eviction", () => {
  it("stops the pod, and lets a replacement get Ready after its boot", async () => {
    addOrders(3);
    const [victim] = await pods();
    const { name, uid } = victim!.metadata;
    expect(await evict(name, { preconditions: { uid } })).toMatchObject({ status: 201, body: { status: "Success" } });
    const during = await pods();
    expect(during).toHaveLength(4);
    expect(during.filter(isReady)).toHaveLength(2);
    expect(during.find((pod) => pod.metadata.uid === uid)?.metadata.deletionTimestamp).toBe("2026-03-01T12:00:02Z");
    await clock.advance(2_000);
    expect((await pods()).map((pod) => pod.metadata.uid)).not.toContain(uid);
    await clock.advance(6_000);
    expect((await pods()).filter(isReady)).toHaveLength(3);
  });

  it("lets a StatefulSet's pod return under its name, once it is gone", async () => {
    addOrders(2, "StatefulSet");
    await evict("orders-0");
    expect((await pods()).map((pod) => pod.metadata.name)).toEqual(["orders-0", "orders-1"]);
    await clock.advance(10_000);
    const [again] = await pods();
    expect(again!.metadata).toMatchObject({ name: "orders-0", creationTimestamp: "2026-03-01T12:00:02Z" });
    expect(isReady(again!)).toBe(true);
  });

  it("never replaces a pod that nobody owns", async () => {
    addPod(world, { name: "lonely", labels: LABELS, created: START });
    await evict("lonely");
    await clock.advance(60_000);
    expect(await pods()).toEqual([]);
  });

  it("in a dry run changes nothing", async () => {
    addOrders(3);
    world.budgets.push({ ...BUDGET, charges: [] });
    const [{ metadata }] = (await pods()) as [PodBody];
    for (let turn = 0; turn < 3; turn += 1)
      expect(await evict(metadata.name, { dryRun: ["All"] })).toMatchObject({ status: 201 });
    expect((await pods()).filter(isReady)).toHaveLength(3);
  });

  it("is refused by a budget until the replacement is Ready", async () => {
    addOrders(3);
    world.budgets.push({ ...BUDGET, charges: [] });
    const [first, second] = await pods();
    expect(await evict(first!.metadata.name)).toMatchObject({ status: 201 });
    expect(await evict(second!.metadata.name)).toMatchObject({
      status: 429,
      body: {
        reason: "TooManyRequests",
        details: {
          causes: [
            {
              reason: "DisruptionBudget",
              message: "The disruption budget orders needs 2 healthy pods and has 2 currently",
            },
          ],
        },
      },
    });
    await clock.advance(8_000);
    expect(await evict(second!.metadata.name)).toMatchObject({ status: 201 });
  });

  it("fails where two budgets match", async () => {
    addOrders(3);
    world.budgets.push({ ...BUDGET, charges: [] }, { ...BUDGET, name: "another", charges: [] });
    const [{ metadata }] = (await pods()) as [PodBody];
    expect(await evict(metadata.name)).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(/more than one PodDisruptionBudget/) as string },
    });
  });

  it("with another UID does nothing, but spends the budget for two minutes", async () => {
    addOrders(3);
    world.budgets.push({ ...BUDGET, charges: [] });
    const [{ metadata }] = (await pods()) as [PodBody];
    expect(await evict(metadata.name, { preconditions: { uid: "another" } })).toMatchObject({
      status: 409,
      body: { reason: "Conflict" },
    });
    expect((await pods()).filter(isReady)).toHaveLength(3);
    expect(await evict(metadata.name)).toMatchObject({ status: 429 });
    await clock.advance(120_000);
    expect(await evict(metadata.name)).toMatchObject({ status: 201 });
  });
});

describe("a simulated Lease", () => {
  const lease = { metadata: { name: "mine" }, spec: { holderIdentity: "me" } };

  it("is created once", async () => {
    expect(await call("GET", `${LEASES}/mine`)).toMatchObject({ status: 404 });
    expect(await call("POST", LEASES, lease)).toMatchObject({ status: 201 });
    expect(await call("POST", LEASES, lease)).toMatchObject({ status: 409, body: { reason: "AlreadyExists" } });
  });

  it("is updated by whoever saw its newest version", async () => {
    const { body } = await call("POST", LEASES, lease);
    const update = { ...lease, metadata: { ...lease.metadata, resourceVersion: body.metadata.resourceVersion } };
    expect(await call("PUT", `${LEASES}/mine`, update)).toMatchObject({ status: 200 });
    expect(await call("PUT", `${LEASES}/mine`, update)).toMatchObject({ status: 409, body: { reason: "Conflict" } });
    expect(await call("PUT", `${LEASES}/mine`, lease)).toMatchObject({ status: 422 });
    expect(await call("PUT", `${LEASES}/other`, update)).toMatchObject({ status: 404 });
  });
});

describe("a simulated Event", () => {
  it("is kept once under its name", async () => {
    const path = "/api/v1/namespaces/shop/events";
    const event = { kind: "Event", metadata: { name: "run-1" }, reason: "Rotated" };
    expect(await call("POST", path, event)).toMatchObject({ status: 201, body: event });
    expect(await call("POST", path, event)).toMatchObject({ status: 409, body: { reason: "AlreadyExists" } });
    expect(world.events).toMatchObject([{ reason: "Rotated" }]);
  });
});
