/** Workloads that would not replace a pod: whatever the pods' owner references say, none is removed. */

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import type { WireDeployment, WirePod } from "../../src/kubernetes/client.ts";
import { endPod } from "../../src/simulation/kubernetes-world.ts";
import { altered, refuses } from "./misbehaviour.ts";
import { DRY, LIVE, type Scene, startScene } from "./scene.ts";

/** What a call is answered with, as the scene has it. */
type Altered = (scene: Scene) => Misbehaviour;

const ownedBy =
  (kind: string): Altered =>
  ({ workload: { name, uid } }) =>
    altered((body) => {
      const { items = [], ...list } = body as { items?: WirePod[] };
      const ownerReferences = [{ apiVersion: "apps/v1", kind, name, uid, controller: true }];
      return { ...list, items: items.map((pod) => ({ ...pod, metadata: { ...pod.metadata, ownerReferences } })) };
    });

const deleted: Altered = () =>
  altered((body) => {
    const { metadata, ...object } = body as WireDeployment;
    return { ...object, metadata: { ...metadata, deletionTimestamp: "2026-03-01T12:00:00Z" } };
  });

/** All pods are of one revision, the first is of this. */
const ofRevisions =
  (first: string): Altered =>
  () =>
    altered((body) => {
      const { items = [], ...list } = body as { items?: WirePod[] };
      const labelled = items.map((pod, at) => {
        const labels = { ...pod.metadata?.labels, "controller-revision-hash": at === 0 ? first : "orders-before" };
        return { ...pod, metadata: { ...pod.metadata, labels } };
      });
      return { ...list, items: labelled };
    });

const atRevision =
  (revision: string): Altered =>
  () =>
    altered((body) => {
      const { status, ...object } = body as { status?: object };
      return { ...object, status: { ...status, currentRevision: revision, updateRevision: revision } };
    });

interface Case {
  readonly kind?: "Deployment" | "StatefulSet";
  readonly pods?: number;
  readonly calls?: Readonly<Record<string, Altered>>;
  readonly arrange?: (scene: Scene) => void;
  readonly exitCode: number;
  readonly reason: string;
  readonly says: RegExp;
}

async function sceneOf({ kind = "Deployment", pods = 8, calls = {}, arrange }: Case): Promise<Scene> {
  const scene: Scene = await startScene({ kind, pods, kubernetes: (call) => calls[call]?.(scene) });
  arrange?.(scene);
  return scene;
}

const CASES: readonly (readonly [string, Case])[] = [
  [
    "pods that a Deployment owns without a ReplicaSet",
    {
      calls: { "list pods": ownedBy("Deployment") },
      exitCode: 4,
      reason: "ambiguous_group",
      says: /Deployment\/orders, which owns pods without a ReplicaSet/,
    },
  ],
  [
    "more of them than it asks for",
    {
      calls: { "list pods": ownedBy("Deployment") },
      arrange: ({ workload }) => void (workload.replicas = 1),
      exitCode: 4,
      reason: "ambiguous_group",
      says: /Deployment\/orders, which owns pods without a ReplicaSet/,
    },
  ],
  [
    "pods of a StatefulSet without an ordinal",
    {
      kind: "StatefulSet",
      arrange: ({ pods: [first] }) => void Object.assign(first!, { name: "orders-5d8f7c9b-x2k4z" }),
      exitCode: 4,
      reason: "ambiguous_group",
      says: /StatefulSet\/orders, which makes no pod of the name orders-5d8f7c9b-x2k4z/,
    },
  ],
  [
    "a Deployment that is gone",
    {
      calls: { "get deployment": () => refuses(404, 'deployments.apps "orders" not found') },
      exitCode: 4,
      reason: "ambiguous_group",
      says: /Deployment\/orders, which no longer exists/,
    },
  ],
  [
    "a Deployment that is being deleted",
    {
      calls: { "get deployment": deleted },
      exitCode: 0,
      reason: "workload_deleting",
      says: /Deployment\/orders is being deleted since 2026-03-01T12:00:00Z/,
    },
  ],
  [
    "a ReplicaSet that is being deleted",
    {
      calls: { "get replicaset": deleted },
      exitCode: 0,
      reason: "workload_deleting",
      says: /ReplicaSet\/orders-\w+ is being deleted since 2026-03-01T12:00:00Z/,
    },
  ],
  [
    "a StatefulSet that is being deleted",
    {
      kind: "StatefulSet",
      calls: { "get statefulset": deleted },
      exitCode: 0,
      reason: "workload_deleting",
      says: /StatefulSet\/orders is being deleted since 2026-03-01T12:00:00Z/,
    },
  ],
  [
    "a StatefulSet whose change was taken back while a pod runs it",
    {
      kind: "StatefulSet",
      calls: { "list pods": ofRevisions("orders-next"), "get statefulset": atRevision("orders-before") },
      exitCode: 0,
      reason: "rollout_in_progress",
      says: /1 of 8 pods run another revision than orders-before/,
    },
  ],
  [
    "a Deployment whose surplus pods are still there",
    {
      arrange: ({ workload }) => void Object.assign(workload, { replicas: 5, updatedReplicas: 5 }),
      exitCode: 0,
      reason: "scaling_in_progress",
      says: /8 pods are there, 5 are asked for/,
    },
  ],
  [
    "a Deployment that asks for no pods",
    {
      arrange: ({ workload }) => void Object.assign(workload, { replicas: 0, updatedReplicas: 0 }),
      exitCode: 0,
      reason: "scaling_in_progress",
      says: /8 pods are there, 0 are asked for/,
    },
  ],
  [
    "a StatefulSet that is scaled in as its autoscaler wants",
    {
      kind: "StatefulSet",
      arrange({ workload, world, pods, clock }) {
        Object.assign(workload, { replicas: 5, updatedReplicas: 5 });
        world.autoscalers.push({ name: "orders", target: workload, desiredReplicas: 5 });
        world.stopSeconds = 30;
        endPod(world, pods[7]!, clock.now());
      },
      exitCode: 0,
      reason: "scaling_in_progress",
      says: /orders-5 is about to go: the pods orders-0 to orders-4 are asked for/,
    },
  ],
  [
    "a StatefulSet of which only the last pod that goes is left",
    {
      kind: "StatefulSet",
      pods: 6,
      arrange({ workload, world, pods, clock }) {
        Object.assign(workload, { replicas: 5, updatedReplicas: 5 });
        world.stopSeconds = 30;
        endPod(world, pods[5]!, clock.now());
      },
      exitCode: 0,
      reason: "scaling_in_progress",
      says: /orders-5 is about to go: the pods orders-0 to orders-4 are asked for/,
    },
  ],
];

describe("nothing is removed from", { concurrent: true }, () => {
  it.each(CASES)("%s", async (_name, given) => {
    await using scene = await sceneOf(given);
    for (const args of [DRY, LIVE]) {
      const ended = await scene.run(args);
      expect(ended).toMatchObject({ exitCode: given.exitCode, reason: given.reason });
      expect(ended.said).toMatch(given.says);
    }
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.recorded()).toEqual([]);
  });

  it("a workload that is deleted between the decision and the eviction", async () => {
    let looks = 0;
    await using scene = await startScene({
      kubernetes: (call) => (call === "get deployment" && (looks += 1) > 1 ? deleted(scene) : undefined),
    });
    expect(await scene.run(LIVE)).toMatchObject({ exitCode: 0, reason: "workload_deleting" });
    expect(scene.calls("evict")).toEqual([]);
  });
});
