import { describe, expect, it } from "vitest";

import { fakeClient } from "../../test/fakes/kubernetes-client.ts";
import type { ControllerRef, PodInfo } from "../types.ts";
import type { KubernetesClient, WireDeployment, WireReplicaSet, WireStatefulSet } from "./client.ts";
import { findOwners } from "./owners.ts";
import { deploymentRollout, statefulSetRollout } from "./workload.ts";

const NEVER = new AbortController().signal;
const AT = new Date("2026-03-01T12:00:00Z");

function podOf(controller: ControllerRef, name = "orders-x"): PodInfo {
  return {
    namespace: "shop",
    name,
    uid: name,
    controller,
    namePrefix: "orders-",
    node: "node-1",
    ip: undefined,
    created: AT,
    terminating: false,
    readySince: AT,
    exempt: false,
    graceSeconds: 30,
  };
}

function replicaSet(name: string): ControllerRef {
  return { kind: "ReplicaSet", name, uid: `uid-${name}` };
}

function deployment(changes: Partial<WireDeployment> = {}): WireDeployment {
  return {
    kind: "Deployment",
    metadata: { name: "orders", uid: "uid-orders", generation: 3 },
    spec: { replicas: 8, minReadySeconds: 5, selector: {}, template: {} },
    status: { observedGeneration: 3, replicas: 8, updatedReplicas: 8 },
    ...changes,
  };
}

function ownedBy(kind: string, name: string): WireReplicaSet["metadata"] {
  return { ownerReferences: [{ apiVersion: "apps/v1", kind, name, uid: `uid-${name}`, controller: true }] };
}

/** A namespace in which every ReplicaSet "x-…" belongs to the Deployment "x". */
function namespaceWith(calls: Partial<KubernetesClient> = {}): KubernetesClient {
  return fakeClient({
    getReplicaSet: async ({ name }) => ({
      metadata: { uid: `uid-${name}`, ...ownedBy("Deployment", name.split("-")[0]!) },
    }),
    getDeployment: async () => deployment(),
    listAutoscalers: async () => ({ value: [], at: AT }),
    ...calls,
  });
}

function ownersOf(pods: readonly PodInfo[], client: KubernetesClient) {
  return findOwners(pods, "shop", client, NEVER);
}

function podsNamed(controller: ControllerRef, names: readonly string[], changes: Partial<PodInfo> = {}): PodInfo[] {
  return names.map((name) => ({ ...podOf(controller, name), ...changes }));
}

const STATEFUL_SET: ControllerRef = { kind: "StatefulSet", name: "orders", uid: "1" };

function statefulSet(spec: object): WireStatefulSet {
  return {
    metadata: { name: "orders", uid: "1" },
    spec: { selector: {}, template: {}, serviceName: "orders", ...spec },
  };
}

describe("findOwners", () => {
  it("follows ReplicaSets to their Deployment, each asked once", async () => {
    const asked: string[] = [];
    const client = namespaceWith();
    const pods = ["orders-1", "orders-2", "orders-1"].map((name) => podOf(replicaSet(name)));
    const found = await ownersOf(pods, {
      ...client,
      getReplicaSet: (ref, signal) => {
        asked.push(ref.name);
        return client.getReplicaSet(ref, signal);
      },
    });
    expect(asked).toEqual(["orders-1", "orders-2"]);
    expect(found).toEqual({
      names: ["Deployment/orders"],
      workload: {
        kind: "Deployment",
        namespace: "shop",
        name: "orders",
        uid: "uid-orders",
        replicas: 8,
        minReadySeconds: 5,
        deleting: undefined,
        ordered: false,
        hindered: undefined,
        suspended: false,
        suspendedAs: undefined,
        idleAutoscalers: [],
        rollout: undefined,
        scaling: undefined,
      },
    });
  });

  it("names two Deployments in order, and takes neither", async () => {
    const pods = [podOf(replicaSet("shipping-1")), podOf(replicaSet("orders-1"))];
    expect(await ownersOf(pods, namespaceWith())).toEqual({
      names: ["Deployment/orders", "Deployment/shipping"],
      workload: undefined,
    });
  });

  it.each(["DaemonSet", "Job", "ReplicationController", "Rollout"])("names a %s and does not take it", async (kind) => {
    const pods = [podOf({ kind, name: "orders", uid: "1" })];
    expect(await ownersOf(pods, namespaceWith())).toEqual({ names: [`${kind}/orders`], workload: undefined });
  });

  it("names a ReplicaSet that another kind controls by that kind", async () => {
    const client = namespaceWith({
      getReplicaSet: async () => ({ metadata: { uid: "uid-orders-1", ...ownedBy("Rollout", "orders") } }),
    });
    const found = await ownersOf([podOf(replicaSet("orders-1"))], client);
    expect(found).toEqual({ names: ["Rollout/orders"], workload: undefined });
  });

  it.each<[string, WireReplicaSet | undefined]>([
    ["that is gone", undefined],
    ["that nobody controls", { metadata: { uid: "uid-orders-1" } }],
    ["that is another of the same name", { metadata: { uid: "new", ...ownedBy("Deployment", "orders") } }],
  ])("names a ReplicaSet %s as it is", async (_name, found) => {
    const client = namespaceWith({ getReplicaSet: async () => found });
    expect(await ownersOf([podOf(replicaSet("orders-1"))], client)).toEqual({
      names: ["ReplicaSet/orders-1"],
      workload: undefined,
    });
  });

  it("does not count pods that terminate, whose ReplicaSet may be gone already", async () => {
    const orphan = { ...podOf(replicaSet("orders-0")), terminating: true };
    const client = namespaceWith({
      getReplicaSet: async ({ name }) =>
        name === "orders-1" ? { metadata: { uid: "uid-orders-1", ...ownedBy("Deployment", "orders") } } : undefined,
    });
    expect((await ownersOf([orphan, podOf(replicaSet("orders-1"))], client)).names).toEqual(["Deployment/orders"]);
    expect((await ownersOf([orphan], client)).names).toEqual(["ReplicaSet/orders-0"]);
  });

  it("does not take a Deployment that was made anew under the pods", async () => {
    const client = namespaceWith({
      getDeployment: async () => deployment({ metadata: { name: "orders", uid: "new" } }),
    });
    const found = await ownersOf([podOf(replicaSet("orders-1"))], client);
    expect(found).toEqual({ names: ["Deployment/orders, deleted and created anew"], workload: undefined });
  });

  it("takes a StatefulSet, with the number of replicas that Kubernetes assumes", async () => {
    const bare: WireStatefulSet = {
      metadata: { name: "orders", uid: "1", annotations: { "pod-rebalancer.io/suspend": "true" } },
    };
    const client = namespaceWith({ getStatefulSet: async () => bare });
    const found = await ownersOf([podOf(STATEFUL_SET, "orders-0")], client);
    expect(found.workload).toMatchObject({ kind: "StatefulSet", replicas: 1, minReadySeconds: 0, suspended: true });
  });

  it.each([
    ["yes", { suspended: true, suspendedAs: '"yes"' }],
    ["", { suspended: true, suspendedAs: '""' }],
    ["false", { suspended: false, suspendedAs: undefined }],
  ])("with the annotation suspend of the value %j", async (value, expected) => {
    const annotations = { "pod-rebalancer.io/suspend": value };
    const client = namespaceWith({ getStatefulSet: async () => ({ metadata: { uid: "1", annotations } }) });
    const found = await ownersOf([podOf({ kind: "StatefulSet", name: "orders", uid: "1" }, "orders-0")], client);
    expect(found.workload).toMatchObject(expected);
  });

  it("does not take a Deployment that owns pods itself: it replaces only those of its ReplicaSets", async () => {
    const direct = podOf({ kind: "Deployment", name: "orders", uid: "uid-orders" }, "orders-taskmanager-1-1");
    const unfit = "Deployment/orders, which owns pods without a ReplicaSet and replaces none of them";
    expect(await ownersOf([direct], namespaceWith())).toEqual({ names: [unfit], workload: undefined });
    const mixed = [podOf(replicaSet("orders-1")), direct];
    expect(await ownersOf(mixed, namespaceWith())).toEqual({
      names: ["Deployment/orders", unfit],
      workload: undefined,
    });
  });

  it("does not take what another API group calls a Deployment above a ReplicaSet", async () => {
    const owner = { apiVersion: "apps.example.io/v1", kind: "Deployment", name: "orders", uid: "1", controller: true };
    const client = namespaceWith({
      getReplicaSet: async () => ({ metadata: { uid: "uid-orders-1", ownerReferences: [owner] } }),
    });
    const found = await ownersOf([podOf(replicaSet("orders-1"))], client);
    expect(found).toEqual({ names: ["Deployment.apps.example.io/orders"], workload: undefined });
  });

  it.each(["orders", "orders-", "orders-x", "orders-01", "orders-1-0", "another-1"])(
    "does not take a StatefulSet of which a pod is called %s",
    async (name) => {
      const pods = podsNamed(STATEFUL_SET, ["orders-0", name]);
      expect(await ownersOf(pods, namespaceWith())).toEqual({
        names: [`StatefulSet/orders, which makes no pod of the name ${name}`],
        workload: undefined,
      });
    },
  );

  it.each<[string, ControllerRef, Partial<KubernetesClient>]>([
    ["Deployment", replicaSet("orders-1"), { getDeployment: async () => undefined }],
    ["StatefulSet", STATEFUL_SET, { getStatefulSet: async () => undefined }],
  ])("does not take a %s that is gone", async (kind, controller, calls) => {
    const found = await ownersOf([podOf(controller, "orders-0")], namespaceWith(calls));
    expect(found).toEqual({ names: [`${kind}/orders, which no longer exists`], workload: undefined });
  });

  const deletionTimestamp = "2026-03-01T12:00:00Z";

  it("says since when a workload, or the ReplicaSet between, is being deleted", async () => {
    const metadata = { name: "orders", uid: "uid-orders", generation: 3, deletionTimestamp };
    const deleted = namespaceWith({ getDeployment: async () => deployment({ metadata }) });
    const without = namespaceWith({
      getReplicaSet: async ({ name }) => ({
        metadata: { name, uid: `uid-${name}`, deletionTimestamp, ...ownedBy("Deployment", "orders") },
      }),
    });
    const pods = [podOf(replicaSet("orders-1"))];
    expect((await ownersOf(pods, namespaceWith())).workload?.deleting).toBeUndefined();
    expect((await ownersOf(pods, deleted)).workload?.deleting).toBe(
      "Deployment/orders is being deleted since 2026-03-01T12:00:00Z",
    );
    expect((await ownersOf(pods, without)).workload?.deleting).toBe(
      "ReplicaSet/orders-1 is being deleted since 2026-03-01T12:00:00Z",
    );
  });

  it.each([
    ["True", "its controller cannot make pods (exceeded quota: pods)"],
    ["False", undefined],
  ])("says when a Deployment cannot make pods (ReplicaFailure %s)", async (value, expected) => {
    const failure = { type: "ReplicaFailure", status: value, reason: "FailedCreate", message: "exceeded quota: pods" };
    const status = { observedGeneration: 3, replicas: 8, updatedReplicas: 8, conditions: [failure] };
    const client = namespaceWith({ getDeployment: async () => deployment({ status }) });
    expect((await ownersOf([podOf(replicaSet("orders-1"))], client)).workload?.hindered).toBe(expected);
  });

  it("asks nothing when there are no pods", async () => {
    expect(await ownersOf([], fakeClient({}))).toEqual({ names: [], workload: undefined });
  });
});

describe("a workload that is scaled in", () => {
  const terminating = { terminating: true, readySince: undefined };
  const five = { replicas: 5, selector: {}, template: {} };
  const eight = ["a", "b", "c", "d", "e", "f", "g", "h"];

  it.each<[string, Partial<WireDeployment>, number, string | undefined]>([
    ["as many pods as are asked for", {}, 8, undefined],
    ["fewer", {}, 7, undefined],
    ["more", { spec: five }, 8, "8 pods are there, 5 are asked for"],
    ["some, and none are asked for", { spec: { ...five, replicas: 0 } }, 8, "8 pods are there, 0 are asked for"],
    [
      "more that the selector does not match",
      { status: { observedGeneration: 3, replicas: 9, updatedReplicas: 9 } },
      4,
      "9 pods are there, 8 are asked for",
    ],
  ])("has, of a Deployment, %s", async (_name, changes, count, scaling) => {
    const own = podsNamed(replicaSet("orders-1"), eight.slice(0, count));
    const leaving = podsNamed(replicaSet("orders-1"), ["x", "y"], terminating);
    const client = namespaceWith({ getDeployment: async () => deployment(changes) });
    expect((await ownersOf([...own, ...leaving], client)).workload?.scaling).toBe(scaling);
  });

  it("is named for that before its autoscaler, which may want that very number", async () => {
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "orders" };
    const autoscaler = { spec: { maxReplicas: 20, scaleTargetRef }, status: { desiredReplicas: 7 } };
    const client = namespaceWith({
      getDeployment: async () => deployment({ spec: five }),
      listAutoscalers: async ({ keep }) => ({ value: [autoscaler].map(keep), at: AT }),
    });
    const { workload } = await ownersOf(podsNamed(replicaSet("orders-1"), eight), client);
    expect(workload?.scaling).toBe("8 pods are there, 5 are asked for");
  });

  it.each<[string, object, readonly string[], string | undefined]>([
    ["within its ordinals", { replicas: 3 }, ["orders-0", "orders-1", "orders-2"], undefined],
    [
      "beyond them",
      { replicas: 2 },
      ["orders-0", "orders-2"],
      "orders-2 is about to go: the pods orders-0 to orders-1 are asked for",
    ],
    ["from the ordinal it starts with", { replicas: 2, ordinals: { start: 5 } }, ["orders-5", "orders-6"], undefined],
    [
      "before the ordinal it starts with",
      { replicas: 2, ordinals: { start: 5 } },
      ["orders-4", "orders-5"],
      "orders-4 is about to go: the pods orders-5 to orders-6 are asked for",
    ],
    ["and none is asked for", { replicas: 0 }, ["orders-0"], "orders-0 is about to go: no pod is asked for"],
  ])("has, of a StatefulSet, pods %s", async (_name, spec, names, scaling) => {
    const client = namespaceWith({ getStatefulSet: async () => statefulSet(spec) });
    expect((await ownersOf(podsNamed(STATEFUL_SET, names), client)).workload?.scaling).toBe(scaling);
  });

  it.each([
    ["beyond its ordinals is about to go, though as many as are asked for are left", "orders-2", /^orders-2 is about/],
    ["within them comes back", "orders-1", undefined],
  ])("has, of a StatefulSet, a pod that terminates: one %s", async (_name, name, scaling) => {
    const client = namespaceWith({ getStatefulSet: async () => statefulSet({ replicas: 2 }) });
    const left = podsNamed(STATEFUL_SET, ["orders-0", "orders-1"]);
    const { workload } = await ownersOf([...left, ...podsNamed(STATEFUL_SET, [name], terminating)], client);
    expect(workload?.scaling).toEqual(scaling && expect.stringMatching(scaling));
  });
});

describe("a StatefulSet's pods", () => {
  it.each<[boolean, object]>([
    [true, {}],
    [true, { podManagementPolicy: "OrderedReady" }],
    [false, { podManagementPolicy: "Parallel" }],
  ])("are made in turn: %s, with %j", async (ordered, spec) => {
    const client = namespaceWith({ getStatefulSet: async () => statefulSet(spec) });
    expect((await ownersOf(podsNamed(STATEFUL_SET, ["orders-0"]), client)).workload?.ordered).toBe(ordered);
  });
});

describe("a Deployment", () => {
  it.each<[string, WireDeployment["status"], string | undefined]>([
    ["at rest", { observedGeneration: 3, replicas: 8, updatedReplicas: 8 }, undefined],
    [
      "with old pods",
      { observedGeneration: 3, replicas: 8, updatedReplicas: 3 },
      "3 of 8 pods run the newest template",
    ],
    ["with old pods only", { observedGeneration: 3, replicas: 8 }, "0 of 8 pods run the newest template"],
    [
      "changed just now",
      { observedGeneration: 2, replicas: 8, updatedReplicas: 8 },
      "its newest specification is not yet acted upon",
    ],
    ["never looked at", {}, "its newest specification is not yet acted upon"],
  ])("%s", (_name, status, expected) => {
    expect(deploymentRollout(deployment({ status: status! }))).toBe(expected);
  });
});

describe("a StatefulSet", () => {
  const rest = { observedGeneration: 1, replicas: 3, updatedReplicas: 3, currentRevision: "a", updateRevision: "a" };

  it.each<[string, string, Partial<typeof rest>, string | undefined]>([
    ["at rest", "RollingUpdate", {}, undefined],
    [
      "that rolls out or is held by a partition",
      "RollingUpdate",
      { updateRevision: "b", updatedReplicas: 1 },
      "1 of 3 pods run the newest template",
    ],
    [
      "whose last pod is new and not yet counted",
      "RollingUpdate",
      { updateRevision: "b" },
      "revision b is not yet the current one",
    ],
    [
      "that waits for its pods to be deleted",
      "OnDelete",
      { updateRevision: "b", updatedReplicas: 0 },
      "0 of 3 pods run the newest template",
    ],
    ["whose pods were all deleted by hand", "OnDelete", { updateRevision: "b" }, undefined],
    ["changed just now", "RollingUpdate", { observedGeneration: 0 }, "its newest specification is not yet acted upon"],
  ])("%s (%s)", (_name, type, status, expected) => {
    const spec = { selector: {}, template: {}, updateStrategy: { type } };
    expect(statefulSetRollout({ metadata: { generation: 1 }, spec, status: { ...rest, ...status } }, [])).toBe(
      expected,
    );
  });

  it.each<[string, Partial<PodInfo>, string | undefined]>([
    ["while a pod runs the revision that was taken back", { revision: "b" }, "1 of 3 pods run another revision than a"],
    ["when that pod goes", { revision: "b", terminating: true }, undefined],
    ["when all run the same", { revision: "a" }, undefined],
    ["where a pod has no such label", {}, undefined],
  ])("whose change was taken back rolls out %s", (_name, last, expected) => {
    const spec = { selector: {}, template: {}, updateStrategy: { type: "OnDelete" } };
    const pods = podsNamed(STATEFUL_SET, ["orders-0", "orders-1", "orders-2"], { revision: "a" });
    const changed = [...pods.slice(0, 2), { ...podOf(STATEFUL_SET, "orders-2"), ...last }];
    expect(statefulSetRollout({ metadata: { generation: 1 }, spec, status: rest }, changed)).toBe(expected);
  });
});
