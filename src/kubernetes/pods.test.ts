import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { WirePod } from "./client.ts";
import { readPod } from "./pods.ts";

const OWNER = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "orders-5d8f7c9b", uid: "rs-1", controller: true };

function pod(changes: {
  readonly metadata?: Partial<NonNullable<WirePod["metadata"]>>;
  readonly spec?: Partial<WirePod["spec"]>;
  readonly status?: WirePod["status"];
}): WirePod {
  return {
    metadata: {
      namespace: "shop",
      name: "orders-5d8f7c9b-x2k9q",
      generateName: "orders-5d8f7c9b-",
      uid: "uid-1",
      creationTimestamp: "2026-03-01T10:00:00Z",
      ownerReferences: [OWNER],
      ...changes.metadata,
    },
    spec: { containers: [], nodeName: "node-1", terminationGracePeriodSeconds: 45, ...changes.spec },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-03-01T10:00:30Z" }],
      ...changes.status,
    },
  };
}

describe("readPod", () => {
  it("keeps what a run needs", () => {
    expect(readPod(pod({}))).toEqual({
      namespace: "shop",
      name: "orders-5d8f7c9b-x2k9q",
      uid: "uid-1",
      controller: { kind: "ReplicaSet", name: "orders-5d8f7c9b", uid: "rs-1" },
      namePrefix: "orders-5d8f7c9b-",
      node: "node-1",
      created: new Date("2026-03-01T10:00:00Z"),
      terminating: false,
      readySince: new Date("2026-03-01T10:00:30Z"),
      exempt: false,
      graceSeconds: 45,
    });
  });

  it("keeps both addresses of a dual-stack pod", () => {
    const podIPs = [{ ip: "10.0.0.1" }, { ip: "fd00::1" }];
    expect(readPod(pod({ status: { podIP: "10.0.0.1", podIPs } }))).toMatchObject({
      ip: "10.0.0.1",
      otherIps: ["fd00::1"],
    });
    const alone = readPod(pod({ status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] } }));
    expect(alone).not.toHaveProperty("otherIps");
  });

  it("keeps the revision of a StatefulSet's pod, and of no other", () => {
    const labels = { "controller-revision-hash": "orders-5d8f7c9b" };
    const ownerReferences = [{ ...OWNER, kind: "StatefulSet", name: "orders" }];
    expect(readPod(pod({ metadata: { labels, ownerReferences } }))).toMatchObject({ revision: "orders-5d8f7c9b" });
    expect(readPod(pod({ metadata: { labels } }))).not.toHaveProperty("revision");
  });

  it.each(["Succeeded", "Failed"])("passes over a pod that has %s", (phase) => {
    expect(readPod(pod({ status: { phase } }))).toBeUndefined();
  });

  it("names a pod without a controller, whatever else owns it", () => {
    const ownerReferences = [{ ...OWNER, controller: false }];
    expect(readPod(pod({ metadata: { ownerReferences } }))).toEqual({
      name: "orders-5d8f7c9b-x2k9q",
      controller: undefined,
    });
  });

  it.each([
    ["False", { type: "Ready", status: "False", lastTransitionTime: "2026-03-01T10:00:30Z" }],
    ["Unknown", { type: "Ready", status: "Unknown", lastTransitionTime: "2026-03-01T10:00:30Z" }],
    ["True for a time nobody knows", { type: "Ready", status: "True" }],
    ["not there", { type: "Initialized", status: "True", lastTransitionTime: "2026-03-01T10:00:30Z" }],
  ])("is not Ready when the condition is %s", (_name, condition) => {
    expect(readPod(pod({ status: { phase: "Running", conditions: [condition] } }))).toMatchObject({
      readySince: undefined,
    });
  });

  it("is terminating, and not Ready, from its deletion on", () => {
    expect(readPod(pod({ metadata: { deletionTimestamp: "2026-03-01T11:00:00Z" } }))).toMatchObject({
      terminating: true,
      readySince: undefined,
    });
  });

  it.each([
    ["an annotation", { annotations: { "pod-rebalancer.io/exempt": "true" } }, true],
    ["a label", { labels: { "pod-rebalancer.io/exempt": "true" } }, true],
    ["neither, where it is false", { annotations: { "pod-rebalancer.io/exempt": "false" } }, false],
    [
      "an annotation that is neither true nor false",
      { annotations: { "pod-rebalancer.io/exempt": "True" } },
      true,
      '"True"',
    ],
    ["an empty label", { labels: { "pod-rebalancer.io/exempt": "" } }, true, '""'],
  ])("is exempt by %s", (_name, metadata, exempt, exemptAs?: string) => {
    expect(readPod(pod({ metadata }))).toMatchObject({ exempt, exemptAs });
  });

  it("waits 30 s for a pod that names no grace period", () => {
    const { terminationGracePeriodSeconds: _left, ...spec } = pod({}).spec!;
    expect(readPod({ ...pod({}), spec })).toMatchObject({ graceSeconds: 30 });
  });

  it("takes an ordinal for the suffix of a StatefulSet's pod, though it has a generateName too", () => {
    const ownerReferences = [{ ...OWNER, kind: "StatefulSet", name: "orders" }];
    const metadata = { name: "orders-10", generateName: "orders-", ownerReferences };
    expect(readPod(pod({ metadata }))).toMatchObject({ namePrefix: "orders-" });
  });

  it("takes the prefix from the name where Kubernetes cut generateName", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9.-]{1,90}$/),
        fc.stringMatching(/^[a-z0-9]{5}$/),
        (generateName, random) => {
          // As the API server does it: at most 63 characters, 5 of them random.
          const prefix = generateName.slice(0, 58);
          expect(readPod(pod({ metadata: { generateName, name: prefix + random } }))).toMatchObject({
            namePrefix: prefix,
          });
        },
      ),
    );
  });

  it("takes the whole name where nothing says how it was made", () => {
    const { generateName: _left, ...metadata } = pod({}).metadata!;
    expect(readPod({ ...pod({}), metadata })).toMatchObject({ namePrefix: "orders-5d8f7c9b-x2k9q" });
  });

  it.each([
    ["apps.kruise.io/v1beta1", "StatefulSet", "StatefulSet.apps.kruise.io"],
    ["argoproj.io/v1alpha1", "Rollout", "Rollout"],
    ["batch/v1", "Job", "Job"],
    ["v1", "ReplicationController", "ReplicationController"],
    ["apps/v1", "StatefulSet", "StatefulSet"],
  ])("names an owner of %s %s as %s", (apiVersion, kind, expected) => {
    const ownerReferences = [{ ...OWNER, apiVersion, kind }];
    expect(readPod(pod({ metadata: { ownerReferences } }))).toMatchObject({ controller: { kind: expected } });
  });

  it.each(["uid", "creationTimestamp", "namespace", "name"])("refuses a pod without %s", (field) => {
    const metadata = Object.fromEntries(Object.entries(pod({}).metadata!).filter(([key]) => key !== field));
    expect(() => readPod({ ...pod({}), metadata })).toThrow(/expected a UID and a creation time/);
  });
});
