/**
 * What every implementation of `Cluster` and `Lock` owes a run. The same tests run on the in-memory fake, on the demo's API
 * server and on a real one; a `World` says how each is set up and meddled with.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { RebalancerError } from "../../src/errors.ts";
import type { Clock, Cluster, HeldLock, Lock, Objection } from "../../src/ports.ts";
import type { PodInfo, Snapshot, WorkloadRef } from "../../src/types.ts";

/** A namespace of its own, with nothing in it. */
export interface World extends AsyncDisposable {
  /** Waits of the tests pass by it. */
  readonly clock: Clock;
  /** The cluster as one run sees it; each call is another run. */
  connect(): Cluster;
  /** A Deployment of this many pods that the selector matches; resolves when all are Ready. */
  createGroup(replicas: number): Promise<void>;
  /** The pod's Ready condition turns False. */
  markNotReady(pod: string): Promise<void>;
  /** Deletes the pod past any budget, as its node or a person would. */
  deletePod(pod: string): Promise<void>;
  /** A Ready pod of the selector that no controller owns. */
  createBarePod(name: string): Promise<void>;
  /** How many pods of the group may be unavailable; resolves when the budget counts. */
  setBudget(maxUnavailable: number): Promise<void>;
}

/** A world whose runs share a Lease. */
export interface LockWorld extends World {
  readLease(): Promise<{ readonly holder: string; readonly removed: readonly string[] } | undefined>;
  /** Another run takes the Lease, though it is held. */
  usurpLease(holder: string): Promise<void>;
  /** The Lease was last renewed long ago. */
  expireLease(): Promise<void>;
}

const PATIENCE_MILLIS = 30_000;
const NEVER = new AbortController().signal;

/** Nothing speaks against an eviction. */
const NONE = () => undefined;

async function until(world: World, cluster: Cluster, met: (seen: Snapshot) => boolean): Promise<Snapshot> {
  const end = world.clock.now().getTime() + PATIENCE_MILLIS;
  for (;;) {
    const seen = await cluster.observe(NEVER);
    if (met(seen)) return seen;
    if (world.clock.now().getTime() > end) throw new Error(`never seen: ${met.toString()}\n${JSON.stringify(seen)}`);
    await world.clock.sleep(100, NEVER);
  }
}

const unlessReady: Objection = (pod) => (isReady(pod) ? undefined : `${pod.name} is not Ready`);

function isLive(pod: PodInfo): boolean {
  return !pod.terminating;
}

function isReady(pod: PodInfo): boolean {
  return pod.readySince !== undefined;
}

export function describeClusterContract(name: string, makeWorld: () => Promise<World>): void {
  describe(`${name} as a Cluster`, () => {
    let world: World;
    let cluster: Cluster;
    beforeEach(async () => {
      world = await makeWorld();
      cluster = world.connect();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    it("shows an empty namespace as it is", async () => {
      expect(await cluster.observe(NEVER)).toMatchObject({ controllers: [], workload: undefined, pods: [], bare: [] });
    });

    it("shows the pods of a group at rest and their one workload", async () => {
      await world.createGroup(4);
      const { pods, workload, controllers, bare, observedAt } = await cluster.observe(NEVER);
      expect(workload).toMatchObject({ kind: "Deployment", replicas: 4, suspended: false, rollout: undefined });
      expect(controllers).toEqual([`Deployment/${workload?.name}`]);
      expect(bare).toEqual([]);
      expect(pods.map((pod) => pod.name)).toEqual(pods.map((pod) => pod.name).toSorted());
      expect(new Set(pods.map((pod) => pod.uid)).size).toBe(4);
      for (const pod of pods) {
        expect(pod.namespace).toBe(workload?.namespace);
        expect(pod.name.startsWith(pod.namePrefix)).toBe(true);
        expect(pod).toMatchObject({ terminating: false, exempt: false });
        // The API server's time is told in whole seconds, rounded down.
        expect(pod.readySince!.getTime()).toBeLessThanOrEqual(observedAt.getTime() + 1_000);
        expect(pod.created.getTime()).toBeLessThanOrEqual(pod.readySince!.getTime());
      }
    });

    it("shows a pod that is not Ready as such, and keeps it in the list", async () => {
      await world.createGroup(3);
      const [first] = (await cluster.observe(NEVER)).pods;
      await world.markNotReady(first!.name);
      const { pods } = await until(world, cluster, (seen) => !seen.pods.every(isReady));
      expect(pods.filter((pod) => !isReady(pod)).map((pod) => pod.name)).toEqual([first!.name]);
      expect(pods).toHaveLength(3);
    });

    it("shows a deleted pod as gone or terminating, and its successor under another UID", async () => {
      await world.createGroup(3);
      const before = (await cluster.observe(NEVER)).pods;
      await world.deletePod(before[0]!.name);
      const known = new Set(before.map((pod) => pod.uid));
      const after = await until(world, cluster, ({ pods }) => {
        return pods.filter(isReady).length === 3 && pods.some(({ uid }) => !known.has(uid));
      });
      expect(after.pods.filter(isLive).map(({ uid }) => uid)).not.toContain(before[0]!.uid);
    });

    it("names a pod without a controller and does not count it", async () => {
      await world.createGroup(3);
      await world.createBarePod("lonely");
      const { pods, bare, controllers } = await cluster.observe(NEVER);
      expect(bare).toEqual(["lonely"]);
      expect(pods).toHaveLength(3);
      expect(controllers).toHaveLength(1);
    });

    it("evicts a pod, which is then replaced", async () => {
      await world.createGroup(3);
      const [victim] = (await cluster.observe(NEVER)).pods;
      expect(await cluster.evict(victim!, NONE, NEVER)).toMatchObject({ outcome: "accepted" });
      await until(world, cluster, ({ pods }) => {
        return !pods.some(({ uid }) => uid === victim!.uid) && pods.filter(isReady).length === 3;
      });
    });

    it("finds a pod gone that was evicted before", async () => {
      await world.createGroup(3);
      const [victim] = (await cluster.observe(NEVER)).pods;
      await cluster.evict(victim!, NONE, NEVER);
      expect(await cluster.evict(victim!, NONE, NEVER)).toEqual({ outcome: "gone" });
    });

    it("finds a pod gone whose name another pod bears, and neither touches that one nor spends its budget", async () => {
      await world.createGroup(3);
      await world.setBudget(1);
      const [pod] = (await cluster.observe(NEVER)).pods;
      const earlier = { namespace: pod!.namespace, name: pod!.name, uid: "11111111-2222-3333-4444-555555555555" };
      expect(await cluster.evict(earlier, NONE, NEVER)).toEqual({ outcome: "gone" });
      expect((await cluster.observe(NEVER)).pods.filter(isReady)).toHaveLength(3);
      expect(await cluster.evict(pod!, NONE, NEVER)).toMatchObject({ outcome: "accepted" });
    });

    it("spares a pod to which there is an objection, of which it asks with the pod as it is now", async () => {
      await world.createGroup(3);
      const [pod] = (await cluster.observe(NEVER)).pods;
      await world.markNotReady(pod!.name);
      await until(world, cluster, ({ pods }) =>
        pods.some(({ name: one, readySince }) => one === pod!.name && !readySince),
      );
      const why = `${pod!.name} is not Ready`;
      expect(await cluster.evict(pod!, unlessReady, NEVER)).toEqual({ outcome: "spared", why });
      const found = (await cluster.observe(NEVER)).pods.find(({ uid }) => uid === pod!.uid);
      expect(found).toMatchObject({ terminating: false });
    });

    it("tells when a budget refuses, and the pod stays", async () => {
      await world.createGroup(3);
      await world.setBudget(0);
      const [pod] = (await cluster.observe(NEVER)).pods;
      const reply = await cluster.evict(pod!, NONE, NEVER);
      expect(reply).toMatchObject({
        outcome: "refused",
        reason: "blocked_by_pdb",
        why: expect.stringMatching(/budget/),
      });
      const found = (await cluster.observe(NEVER)).pods.find(({ uid }) => uid === pod!.uid);
      expect(found).toMatchObject({ terminating: false });
    });

    it("does nothing for a run that was told to stop", async () => {
      const reason = new RebalancerError("CANCELLED", "stop");
      await expect(cluster.observe(AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}

export function describeLockContract(name: string, makeWorld: () => Promise<LockWorld>): void {
  describe(`${name} as a Lock`, () => {
    let world: LockWorld;
    let workload: WorkloadRef;
    let pods: readonly PodInfo[];
    const taken: Lock[] = [];
    beforeEach(async () => {
      world = await makeWorld();
      await world.createGroup(2);
      const seen = await world.connect().observe(NEVER);
      ({ pods } = seen);
      workload = seen.workload!;
    });
    afterEach(async () => {
      for (const lock of taken.splice(0)) await lock.release();
      await world[Symbol.asyncDispose]();
    });

    async function tryLock(): Promise<Lock | HeldLock> {
      const lock = await world.connect().lock(workload, NEVER);
      if (lock.heldBy === undefined) taken.push(lock);
      return lock;
    }

    async function lockNow(): Promise<Lock> {
      const lock = await tryLock();
      if (lock.heldBy !== undefined) throw new Error(`held by ${lock.heldBy}`);
      return lock;
    }

    it("is given to one run, and the others learn whose it is", async () => {
      const lock = await lockNow();
      expect(lock.removals).toEqual([]);
      const { holder } = (await world.readLease())!;
      expect(await tryLock()).toEqual({ heldBy: holder, removals: [], rotations: [] });
      expect(lock.lost.aborted).toBe(false);
    });

    it("is given to one of eight that ask at once", async () => {
      const locks = await Promise.all(Array.from({ length: 8 }, tryLock));
      expect(locks.filter(({ heldBy }) => heldBy === undefined)).toHaveLength(1);
    });

    it("keeps the record for the next run when it is released", async () => {
      const first = await lockNow();
      await first.removing(pods[0]!);
      expect((await world.readLease())!.removed).toEqual([pods[0]!.uid]);
      await first.release();
      expect((await world.readLease())!.holder).toBe("");
      const second = await lockNow();
      expect(second.removals).toMatchObject([{ pod: pods[0]!.name, uid: pods[0]!.uid, at: expect.any(Date) }]);
    });

    it("keeps what came of rotations beside the removals, for the next run and for one that must wait", async () => {
      const rotation = {
        at: new Date("2026-03-01T12:00:00Z"),
        pods: [pods[0]!.name],
        group: "orders 3 12",
        before: 1.7,
        expected: { p10: 1.4, p50: 1.5, p90: 1.6 },
        after: 1.5,
        order: "leave-first",
      } as const;
      const lock = await lockNow();
      await lock.removing(pods[0]!);
      await lock.remember([rotation]);
      expect((await tryLock()).rotations).toEqual([rotation]);
      await lock.release();
      const next = await lockNow();
      expect(next.rotations).toEqual([rotation]);
      expect(next.removals).toMatchObject([{ uid: pods[0]!.uid }]);
    });

    it("shows the record to a run that must wait, too", async () => {
      await (await lockNow()).removing(pods[0]!);
      expect((await tryLock()).removals).toMatchObject([{ uid: pods[0]!.uid }]);
    });

    it("strikes what did not happen, and only that", async () => {
      const lock = await lockNow();
      await lock.removing(pods[0]!);
      await lock.removing(pods[1]!);
      await lock.refused(pods[1]!);
      expect((await world.readLease())!.removed).toEqual([pods[0]!.uid]);
    });

    it("is taken from a run that died, with its record", async () => {
      await (await lockNow()).removing(pods[0]!);
      await world.expireLease();
      expect((await lockNow()).removals).toMatchObject([{ uid: pods[0]!.uid }]);
    });

    it("is lost when another run holds it: nothing may be removed then, and it is not taken back", async () => {
      const lock = await lockNow();
      await world.usurpLease("another-run");
      await expect(lock.removing(pods[0]!)).rejects.toMatchObject({ code: "LOCK_LOST" });
      expect(lock.lost.aborted).toBe(true);
      await lock.release();
      expect(await world.readLease()).toEqual({ holder: "another-run", removed: [] });
    });

    it("may be released twice, and is then nobody's", async () => {
      const lock = await lockNow();
      await lock.release();
      await lock.release();
      expect((await tryLock()).heldBy).toBeUndefined();
    });
  });
}
