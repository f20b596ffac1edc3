import { describe, expect, it } from "vitest";

import { fakeClient, fakeLease } from "../../test/fakes/kubernetes-client.ts";
import { createManualClock } from "../../test/fakes/manual-clock.ts";
import type { KubernetesClient, WirePod } from "./client.ts";
import { createKubernetesCluster } from "./cluster.ts";

const NEVER = new AbortController().signal;

/** Nothing speaks against an eviction. */
const NONE = () => undefined;
const AT = new Date("2026-03-01T12:00:00Z");
const POD = { namespace: "shop", name: "orders-1", uid: "uid-orders-1" };
const WORKLOAD = { kind: "StatefulSet", namespace: "shop", name: "orders", uid: "set" } as const;

interface Changes {
  readonly bare?: boolean;
  readonly phase?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function pod(name: string, changes: Changes = {}): WirePod {
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "orders", uid: "set", controller: true };
  return {
    metadata: {
      namespace: "shop",
      name,
      uid: `uid-${name}`,
      labels: changes.labels ?? { app: "orders" },
      creationTimestamp: "2026-03-01T10:00:00Z",
      ownerReferences: changes.bare ? [] : [owner],
    },
    status: { phase: changes.phase ?? "Running" },
  };
}

function clusterOf(calls: Partial<KubernetesClient>) {
  const options = { clock: createManualClock(), namespace: "shop", labelSelector: "app=orders", holder: "run-1" };
  return createKubernetesCluster({ client: fakeClient(calls), ...options });
}

/** A client that lists these pods, whatever is asked for. */
function listing(pods: readonly WirePod[], asked: unknown[] = []): Partial<KubernetesClient> {
  return {
    async listPods({ keep, ...query }) {
      asked.push(query);
      return { value: pods.map(keep), at: AT };
    },
    getStatefulSet: async () => ({ metadata: { uid: "set" } }),
    listAutoscalers: async () => ({ value: [], at: AT }),
  };
}

describe("the cluster", () => {
  it("shows the unfinished pods in the order of their names, those without a controller apart", async () => {
    const asked: unknown[] = [];
    const pods = [
      pod("orders-2"),
      pod("orders-10"),
      pod("bare-b", { bare: true }),
      pod("orders-9", { phase: "Failed" }),
      pod("bare-a", { bare: true }),
    ];
    const seen = await clusterOf(listing(pods, asked)).observe(NEVER);
    expect(asked).toEqual([{ namespace: "shop", labelSelector: "app=orders" }]);
    expect(seen).toMatchObject({
      observedAt: AT,
      controllers: ["StatefulSet/orders"],
      workload: WORKLOAD,
      bare: ["bare-a", "bare-b"],
    });
    expect(seen.pods.map(({ name }) => name)).toEqual(["orders-10", "orders-2"]);
  });

  it("has no workload where only bare pods match", async () => {
    const seen = await clusterOf(listing([pod("bare", { bare: true })])).observe(NEVER);
    expect(seen).toMatchObject({ controllers: [], workload: undefined, pods: [], bare: ["bare"] });
  });

  it("shows pods that were seen before under the workload as it is now, without listing them", async () => {
    const seen = await clusterOf(listing([pod("orders-1")])).observe(NEVER);
    const metadata = { uid: "set", annotations: { "pod-rebalancer.io/suspend": "true" } };
    const { listPods: _none, ...calls } = listing([]);
    const cluster = clusterOf({ ...calls, getStatefulSet: async () => ({ metadata }) });
    expect(await cluster.observeWorkload(seen, NEVER)).toEqual({
      ...seen,
      workload: { ...seen.workload, suspended: true },
    });
  });

  it("evicts for real, and probes with dryRun", async () => {
    const sent: boolean[] = [];
    const cluster = clusterOf({
      getPod: async () => ({ value: pod("orders-1"), at: new Date() }),
      createEviction: async (_pod, { dryRun }) => {
        sent.push(dryRun);
      },
    });
    expect(await cluster.evict(POD, NONE, NEVER)).toEqual({ outcome: "accepted" });
    expect(await cluster.probeEviction(POD, NONE, NEVER)).toEqual({ outcome: "accepted" });
    expect(sent).toEqual([false, true]);
  });

  it("spares a pod whose labels have left the selector", async () => {
    const labels = { app: "another" };
    const cluster = clusterOf({ getPod: async () => ({ value: pod("orders-1", { labels }), at: AT }) });
    const spared = { outcome: "spared", why: "outside the selector" };
    expect(await cluster.evict(POD, NONE, NEVER)).toEqual(spared);
    expect(await cluster.probeEviction(POD, NONE, NEVER)).toEqual(spared);
  });

  it("takes the Lease as the run it was made for, and reads it without taking it", async () => {
    const { client } = fakeLease(createManualClock());
    const cluster = clusterOf(client);
    expect(await cluster.readRecord(WORKLOAD, NEVER)).toEqual({ heldBy: undefined, removals: [], rotations: [] });
    const lock = await cluster.lock(WORKLOAD, NEVER);
    expect(await cluster.readRecord(WORKLOAD, NEVER)).toMatchObject({ heldBy: "run-1" });
    if (lock.heldBy === undefined) await lock.release();
  });
});
