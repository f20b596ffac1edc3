import { describe, expect, it } from "vitest";

import { type ErrorCode, RebalancerError } from "../errors.ts";
import type { Clock, Cluster } from "../ports.ts";
import { createVirtualClock } from "../simulation/virtual-clock.ts";
import type { PodInfo, RunRecord, Snapshot, Workload } from "../types.ts";
import type { KubernetesCluster } from "./cluster.ts";
import { dryRun as dryRunBy } from "./dry-run.ts";

const NEVER = new AbortController().signal;

function dryRun(cluster: KubernetesCluster, clock: Clock = createVirtualClock()): Cluster {
  return dryRunBy(cluster, clock);
}

/** Nothing speaks against an eviction. */
const NONE = () => undefined;
const NOON = new Date("2026-03-01T12:00:00Z");
const WORKLOAD = { kind: "Deployment", namespace: "shop", name: "orders", uid: "w" } as Workload;

function podOf(name: string, changes: Partial<PodInfo> = {}): PodInfo {
  return {
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    controller: { kind: "ReplicaSet", name: "orders-1", uid: "rs" },
    namePrefix: "orders-1-",
    node: "node-1",
    ip: undefined,
    created: new Date("2026-02-01T00:00:00Z"),
    terminating: false,
    readySince: new Date("2026-02-01T00:01:00Z"),
    exempt: false,
    graceSeconds: 30,
    ...changes,
  };
}

function failure(code: ErrorCode, status: number, message: string): RebalancerError {
  const body = JSON.stringify({ kind: "Status", status: "Failure", code: status, message });
  return new RebalancerError(code, message, { reply: { status, headers: {}, body } });
}

async function forbidden(): Promise<never> {
  throw new Error("a dry run must not do this");
}

/** A cluster of two pods; anything that would change it fails. */
function clusterWith(changes: Partial<KubernetesCluster> = {}): KubernetesCluster {
  const pods = [podOf("a"), podOf("b")];
  const snapshot: Snapshot = {
    observedAt: NOON,
    controllers: ["Deployment/orders"],
    workload: WORKLOAD,
    pods,
    bare: [],
  };
  return {
    observe: async () => snapshot,
    observeWorkload: async (seen) => seen,
    lock: forbidden,
    evict: forbidden,
    probeEviction: async () => ({ outcome: "accepted" }),
    readRecord: async () => ({ heldBy: undefined, removals: [], rotations: [] }),
    liveRights: async () => ({ missing: undefined, note: undefined }),
    ...changes,
  };
}

describe("a dry run", () => {
  it("shows the world as it is until something would have been removed", async () => {
    const cluster = clusterWith();
    expect(await dryRun(cluster).observe(NEVER)).toEqual(await cluster.observe(NEVER));
  });

  it.each<[number, string | undefined]>([
    [5_000, undefined],
    [7_000, "a live run would not evict, because the look at the group took 7s and may be 5s old"],
  ])("says what a live run would do with a look that takes %d ms", async (millis, said) => {
    const clock = createVirtualClock();
    const live = clusterWith();
    const observe: KubernetesCluster["observe"] = async (signal) => {
      await clock.sleep(millis, signal);
      return await live.observe(signal);
    };
    const cluster = dryRun({ ...live, observe }, clock);
    await cluster.observe(NEVER);
    await cluster.observe(NEVER);
    const note = ["the API would accept the eviction", ...(said === undefined ? [] : [said])].join("; ");
    expect(await cluster.evict(podOf("a"), NONE, NEVER)).toMatchObject({ outcome: "accepted", note });
  });

  it("shows a removed pod as replaced, by one that has been Ready for long", async () => {
    const cluster = dryRun(clusterWith());
    await cluster.observe(NEVER);
    const reply = await cluster.evict(podOf("a"), NONE, NEVER);
    expect(reply).toEqual({ outcome: "accepted", note: "the API would accept the eviction", replaced: true });
    const { pods } = await cluster.observe(NEVER);
    const standIn = { uid: "dry-run:uid-a", created: NOON, readySince: new Date("2026-03-01T11:00:00Z") };
    expect(pods).toEqual([podOf("a", standIn), podOf("b")]);
  });

  it("lists the pods once, and reads their workload at every look", async () => {
    let lists = 0;
    const listed = clusterWith();
    const cluster = dryRun({
      ...listed,
      async observe(signal) {
        lists += 1;
        return await listed.observe(signal);
      },
      observeWorkload: async (seen) => ({ ...seen, workload: { ...WORKLOAD, suspended: true } }),
    });
    const first = await cluster.observe(NEVER);
    expect(await cluster.observe(NEVER)).toEqual({ ...first, workload: { ...WORKLOAD, suspended: true } });
    await cluster.observe(NEVER);
    expect(lists).toBe(1);
  });

  it.each([{ outcome: "refused", reason: "blocked_by_pdb", why: "the budget" } as const, { outcome: "gone" } as const])(
    "shows no stand-in after %j",
    async (reply) => {
      const cluster = dryRun(clusterWith({ probeEviction: async () => reply }));
      expect(await cluster.evict(podOf("a"), NONE, NEVER)).toEqual(reply);
      expect((await cluster.observe(NEVER)).pods[0]?.uid).toBe("uid-a");
    },
  );

  it("without the right to evict tells of the right that a live run would lack", async () => {
    const message = 'pods "a" is forbidden: User "u" cannot create resource "pods/eviction" in API group ""';
    const probeEviction = () => Promise.reject(failure("FORBIDDEN", 403, message));
    const cluster = dryRun(clusterWith({ probeEviction }));
    const why = "not allowed to evict (no right to create pods/eviction in namespace shop)";
    expect(await cluster.evict(podOf("a"), NONE, NEVER)).toEqual({ outcome: "refused", reason: "not_allowed", why });
    expect((await cluster.observe(NEVER)).pods[0]?.uid).toBe("uid-a");
  });

  it("tells of another right that a live run would lack, asking for it once and only where it may evict", async () => {
    let asked = 0;
    const liveRights = async () => {
      asked += 1;
      return { missing: "not allowed to take the Lease", note: undefined };
    };
    const cluster = dryRun(clusterWith({ liveRights }));
    await cluster.observe(NEVER);
    const refused = { outcome: "refused", reason: "not_allowed", why: "not allowed to take the Lease" };
    for (const name of ["a", "b"]) expect(await cluster.evict(podOf(name), NONE, NEVER)).toEqual(refused);
    expect(asked).toBe(1);
    const gone = dryRun(clusterWith({ liveRights, probeEviction: async () => ({ outcome: "gone" }) }));
    expect(await gone.evict(podOf("a"), NONE, NEVER)).toEqual({ outcome: "gone" });
    expect(asked).toBe(1);
  });

  it("goes on without what a live run could do without, and says so", async () => {
    const note = "it would write no Event";
    const cluster = dryRun(clusterWith({ liveRights: async () => ({ missing: undefined, note }) }));
    await cluster.observe(NEVER);
    expect(await cluster.evict(podOf("a"), NONE, NEVER)).toMatchObject({
      outcome: "accepted",
      note: "the API would accept the eviction; it would write no Event",
    });
  });

  it("goes on where a webhook has to be passed over in dry runs, and says that it was not asked", async () => {
    const message = 'admission webhook "guard" does not support dry run';
    const probeEviction = () => Promise.reject(failure("REQUEST_REJECTED", 400, message));
    const cluster = dryRun(clusterWith({ probeEviction }));
    const note = 'not checked: admission webhook "guard" does not support dry runs';
    expect(await cluster.evict(podOf("a"), NONE, NEVER)).toEqual({ outcome: "accepted", note, replaced: true });
  });

  it.each([
    failure("FORBIDDEN", 403, "access denied"),
    new RebalancerError("FORBIDDEN", 'a proxy: User "u" cannot create resource "pods/eviction"'),
    new RebalancerError("SERVER_ERROR", "HTTP 500"),
  ])("fails where a live run would: %s", async (error) => {
    const probeEviction = async () => {
      throw error;
    };
    const cluster = dryRun(clusterWith({ probeEviction }));
    await expect(cluster.evict(podOf("a"), NONE, NEVER)).rejects.toBe(error);
  });

  it("reads the record and takes no Lease", async () => {
    const removals = [{ at: NOON, pod: "x", uid: "uid-x" }];
    const cluster = dryRun(clusterWith({ readRecord: async () => ({ heldBy: undefined, removals, rotations: [] }) }));
    const lock = await cluster.lock(WORKLOAD, NEVER);
    expect(lock).toMatchObject({ heldBy: undefined, removals });
    if (lock.heldBy !== undefined) throw new Error("held");
    await lock.removing(podOf("a"));
    await lock.refused(podOf("a"));
    await lock.release();
    expect(lock.lost.aborted).toBe(false);
  });

  it("tells of a run that holds the Lease", async () => {
    const record: RunRecord = { heldBy: "run-2", removals: [], rotations: [] };
    const cluster = dryRun(clusterWith({ readRecord: async () => record }));
    expect(await cluster.lock(WORKLOAD, NEVER)).toEqual(record);
  });

  it("does not judge a cooldown it cannot read: a missing right to read the Lease is an error", async () => {
    const error = new RebalancerError("FORBIDDEN", "get lease shop/pod-rebalancer-deployment-orders");
    const cluster = dryRun(clusterWith({ readRecord: () => Promise.reject(error) }));
    await expect(cluster.lock(WORKLOAD, NEVER)).rejects.toBe(error);
  });
});
