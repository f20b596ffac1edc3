/** Objects of the API server that are not what they must be: the field is named, and nothing is removed. */

import { describe, expect, it } from "vitest";

import { altered } from "./misbehaviour.ts";
import { DRY, LIVE, on, startScene } from "./scene.ts";

type Json = Readonly<Record<string, unknown>>;
type Change = (object: Json) => unknown;

/** The same with this value at this place. */
function at(path: string, value: unknown): Change {
  const [first = "", ...rest] = path.split(".");
  return (object) => {
    const inner = object[first];
    const changed = rest.length === 0 ? value : at(rest.join("."), value)((inner ?? {}) as Json);
    if (!Array.isArray(object)) return { ...object, [first]: changed };
    return (object as readonly unknown[]).map((one, index) => (String(index) === first ? changed : one));
  };
}

const OWNER = { kind: "ReplicaSet", name: "orders", uid: "u", controller: true };

/** Conditions that nothing is read of: as GKE's load balancer sets its own, and as others may. */
const GATES = [
  { type: "cloud.google.com/load-balancer-neg-ready", status: "True", lastProbeTime: null, lastTransitionTime: null },
  { type: "example.com/odd", status: true, lastTransitionTime: 4, reason: null, message: 7 },
  { status: "True" },
];

/** The call whose reply is changed, how, and what is said of it. */
const SHAPES: readonly (readonly [call: string, change: Change, says: RegExp])[] = [
  ["list pods", at("items.0", null), /list pods in namespace shop: items\[0\] is null, expected an object/],
  ["list pods", at("items.0", "pod"), /items\[0\] is "pod", expected an object/],
  ["list pods", at("items", {}), /items is \{\}, expected a list/],
  ["list pods", at("items.0.status", null), /pod orders-\S+: status is null, expected an object/],
  ["list pods", at("items.0.spec", null), /pod orders-\S+: spec is null, expected an object/],
  ["list pods", at("items.0.metadata", null), /items\[0\]: metadata is null, expected an object/],
  ["list pods", at("items.0.metadata.name", 7), /items\[0\]: metadata\.name is 7, expected text/],
  ["list pods", at("items.0.metadata.uid", undefined), /pod orders-\S+: metadata\.uid is missing, expected text/],
  ["list pods", at("items.0.metadata.labels", "app"), /metadata\.labels is "app", expected an object/],
  ["list pods", at("items.0.metadata.annotations", { x: 1 }), /metadata\.annotations\["x"\] is 1, expected text/],
  ["list pods", at("items.0.metadata.deletionTimestamp", 0), /metadata\.deletionTimestamp is 0, expected text/],
  [
    "list pods",
    at("items.0.status.conditions.0.status", true),
    /status\.conditions\[0\]\.status is true, expected text/,
  ],
  ["list pods", at("items.0.metadata.ownerReferences", {}), /metadata\.ownerReferences is \{\}, expected a list/],
  [
    "list pods",
    at("items.0.metadata.ownerReferences.0", null),
    /metadata\.ownerReferences\[0\] is null, expected an object/,
  ],
  [
    "list pods",
    at("items.0.metadata.ownerReferences.0", OWNER),
    /metadata\.ownerReferences\[0\]\.apiVersion is missing, expected text/,
  ],
  ["list pods", at("items.0.status.conditions.0", null), /status\.conditions\[0\] is null, expected an object/],
  ["list pods", at("items.0.status.podIP", 4), /status\.podIP is 4, expected text/],
  [
    "list pods",
    at("items.0.spec.terminationGracePeriodSeconds", "30"),
    /spec\.terminationGracePeriodSeconds is "30", expected a whole number >= 0/,
  ],
  ["get pod", at("status", null), /get pod shop\/orders-\S+: status is null, expected an object/],
  [
    "get pod",
    at("metadata.name", "another"),
    /get pod shop\/orders-\S+: metadata\.name is "another", expected "orders-/,
  ],
  [
    "get replicaset",
    at("metadata.ownerReferences.0.apiVersion", 1),
    /ownerReferences\[0\]\.apiVersion is 1, expected text/,
  ],
  ["get deployment", at("spec", null), /get deployment shop\/orders: spec is null, expected an object/],
  ["get deployment", at("status", null), /get deployment shop\/orders: status is null, expected an object/],
  ["get deployment", at("spec.replicas", "6"), /spec\.replicas is "6", expected a whole number >= 0/],
  ["get deployment", at("spec.replicas", -1), /spec\.replicas is -1, expected a whole number >= 0/],
  ["get deployment", at("spec.replicas", null), /spec\.replicas is null, expected a whole number >= 0/],
  ["get deployment", at("spec.minReadySeconds", 1.5), /spec\.minReadySeconds is 1\.5, expected a whole number >= 0/],
  ["get deployment", at("status.observedGeneration", "1"), /status\.observedGeneration is "1", expected a whole/],
  ["get deployment", at("metadata.annotations", []), /metadata\.annotations is \[\], expected an object/],
  ["list horizontalpodautoscalers", at("items.0", null), /items\[0\] is null, expected an object/],
  [
    "list horizontalpodautoscalers",
    at("items.0.spec.scaleTargetRef", null),
    /horizontalpodautoscaler hpa: spec\.scaleTargetRef is null, expected an object/,
  ],
  ["list horizontalpodautoscalers", at("items.0.status", null), /horizontalpodautoscaler hpa: status is null/],
  ["list horizontalpodautoscalers", at("items.0.spec.maxReplicas", undefined), /spec\.maxReplicas is missing/],
  ["list horizontalpodautoscalers", at("items.0.status.desiredReplicas", "9"), /status\.desiredReplicas is "9"/],
  ["get lease", at("spec", null), /get lease shop\/pod-rebalancer-deployment-orders: spec is null, expected an object/],
  [
    "get lease",
    at("spec.leaseDurationSeconds", null),
    /spec\.leaseDurationSeconds is null, expected a whole number > 0/,
  ],
  [
    "get lease",
    at("spec.leaseDurationSeconds", "60"),
    /spec\.leaseDurationSeconds is "60", expected a whole number > 0/,
  ],
  ["get lease", at("spec.leaseDurationSeconds", 0), /spec\.leaseDurationSeconds is 0, expected a whole number > 0/],
  ["get lease", at("spec.leaseDurationSeconds", -60), /spec\.leaseDurationSeconds is -60, expected a whole number > 0/],
  ["get lease", at("spec.holderIdentity", null), /spec\.holderIdentity is null, expected text/],
  ["get lease", at("spec.holderIdentity", { name: "x" }), /spec\.holderIdentity is \{"name":"x"\}, expected text/],
  ["get lease", at("spec.renewTime", 1), /spec\.renewTime is 1, expected text/],
  ["get lease", at("spec.leaseTransitions", "3"), /spec\.leaseTransitions is "3", expected a whole number >= 0/],
  ["get lease", at("metadata.annotations", { "pod-rebalancer.io/removals": [] }), /removals"\] is \[\], expected text/],
  ["get lease", at("metadata.resourceVersion", 1), /metadata\.resourceVersion is 1, expected text/],
];

describe("an object that is not what it must be", { concurrent: true }, () => {
  it.each(SHAPES)(
    "(%s, %#) is refused with the name of its field, and nothing is removed",
    async (call, change, says) => {
      await using scene = await startScene({
        kubernetes: on(
          call,
          altered((body) => change(body as Json) as object),
        ),
      });
      scene.world.autoscalers.push({ name: "hpa", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 6 });
      // A run of another holds it, and has just renewed it.
      if (call === "get lease")
        scene.setLease({ holderIdentity: "another", leaseDurationSeconds: 60, renewTime: held() });
      const ended = await scene.compose(LIVE);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_INVALID" });
      expect(ended.said).toMatch(says);
      expect(scene.calls("evict")).toEqual([]);
      expect(scene.removed()).toEqual([]);
      expect(scene.recorded()).toEqual([]);
    },
  );

  it.each<[string, Change]>([
    ["annotations", at("items.0.metadata.annotations", null)],
    ["conditions of an autoscaler, as Go writes an empty list", at("items.0.status.conditions", null)],
    ["a list of autoscalers", at("items", null)],
  ])("is none where %s are null", async (_name, change) => {
    const call = _name === "annotations" ? "list pods" : "list horizontalpodautoscalers";
    await using scene = await startScene({
      kubernetes: on(
        call,
        altered((body) => change(body as Json) as object),
      ),
    });
    scene.world.autoscalers.push({ name: "hpa", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 6 });
    expect(await scene.compose(["run", "--dry-run"])).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it.each<[string, string, Change]>([
    ["a pod's readiness gates have no time", "list pods", withConditions(GATES, true)],
    ["they have none when the pod is looked at again", "get pod", withConditions(GATES)],
    ["a Deployment's conditions have none", "get deployment", withConditions(GATES)],
    ["a pod has no list of addresses", "list pods", at("items.0.status.podIPs", null)],
    ["an address is left out of a pod's list", "list pods", at("items.0.status.podIPs", [{}])],
    ["a pod's deletionTimestamp is null", "list pods", at("items.0.metadata.deletionTimestamp", null)],
    ["a target's deletionTimestamp is null", "get pod", at("metadata.deletionTimestamp", null)],
    ["a ReplicaSet's deletionTimestamp is null", "get replicaset", at("metadata.deletionTimestamp", null)],
    ["a Deployment's deletionTimestamp is null", "get deployment", at("metadata.deletionTimestamp", null)],
    ["a free Lease has no times", "get lease", at("spec", { holderIdentity: "", acquireTime: null, renewTime: null })],
  ])("is none where %s", async (_name, call, change) => {
    const kubernetes = on(
      call,
      altered((body) => change(body as Json) as object),
    );
    await using scene = await startScene({ kubernetes });
    if (call === "get lease") scene.setLease({ holderIdentity: "" });
    expect(await scene.compose(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it("is none where an autoscaler's deletionTimestamp is null, and what it wants counts", async () => {
    const change = altered((body) => at("items.0.metadata.deletionTimestamp", null)(body as Json) as object);
    await using scene = await startScene({ kubernetes: on("list horizontalpodautoscalers", change) });
    scene.world.autoscalers.push({ name: "hpa", target: { kind: "Deployment", name: "orders" }, desiredReplicas: 9 });
    expect(await scene.compose(DRY)).toMatchObject({ exitCode: 0, reason: "scaling_in_progress" });
  });

  it("is a list that has a pod twice, also on two pages", async () => {
    const twice = altered((body) => {
      const { items } = body as { items: readonly object[] };
      return { ...body, items: [...items, items[0]] };
    });
    await using scene = await startScene({ kubernetes: on("list pods", twice) });
    const ended = await scene.compose(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_INVALID" });
    expect(ended.said).toMatch(/list pods in namespace shop: pod orders-\S+ is listed twice/);
    expect(scene.removed()).toEqual([]);
  });
});

/** The same with these conditions behind its own. */
function withConditions(more: readonly object[], inList = false): Change {
  const add: Change = (object) => {
    const status = (object["status"] ?? {}) as { readonly conditions?: readonly object[] };
    return { ...object, status: { ...status, conditions: [...(status.conditions ?? []), ...more] } };
  };
  if (!inList) return add;
  return (body) => {
    const [first, ...others] = body["items"] as readonly Json[];
    return { ...body, items: [add(first!), ...others] };
  };
}

/** As late as a time may be that counts as past. */
function held(): string {
  return "2999-01-01T00:00:00.000000Z";
}
