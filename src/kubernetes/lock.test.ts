import { describe, expect, it } from "vitest";

import { type FakeLease, fakeLease } from "../../test/fakes/kubernetes-client.ts";
import { createManualClock, type ManualClock } from "../../test/fakes/manual-clock.ts";
import { RebalancerError } from "../errors.ts";
import type { HeldLock, Lock } from "../ports.ts";
import type { KubernetesClient, WireLease } from "./client.ts";
import { acquireLock, readRecord } from "./lock.ts";

const NEVER = new AbortController().signal;
const WORKLOAD = { kind: "Deployment", namespace: "shop", name: "orders", uid: "uid-orders" } as const;
const POD = { namespace: "shop", name: "orders-1", uid: "uid-1" };
const RESET = new RebalancerError("CONNECTION_FAILED", "reset");
const CONFLICT = new RebalancerError("CONFLICT", "somebody was faster");

interface Scene {
  readonly clock: ManualClock;
  readonly api: FakeLease;
  readonly run: (holder: string) => Promise<Lock | HeldLock>;
}

function scene(skewMillis = 0): Scene {
  const clock = createManualClock();
  const api = fakeLease(clock, skewMillis);
  return { clock, api, run: (holder) => acquireLock(WORKLOAD, { client: api.client, clock, holder }, NEVER) };
}

async function held(work: Promise<Lock | HeldLock>): Promise<Lock> {
  const lock = await work;
  if (lock.heldBy !== undefined) throw new Error(`held by ${lock.heldBy}`);
  return lock;
}

function holderOf({ api }: Scene): string | undefined {
  return api.lease?.spec?.holderIdentity;
}

function recordOf({ api }: Scene): { at: string; pod: string; uid: string }[] {
  return JSON.parse(api.lease?.metadata?.annotations?.["pod-rebalancer.io/removals"] ?? "[]") as [];
}

/** Changes the Lease as another client would. */
function meddle({ api }: Scene, change: (lease: WireLease) => WireLease): void {
  const changed = change(api.lease!);
  api.lease = { ...changed, metadata: { ...changed.metadata, resourceVersion: `meddled-${Math.random()}` } };
}

function heldByAnother(lease: WireLease): WireLease {
  return { ...lease, spec: { ...lease.spec, holderIdentity: "run-2" } };
}

describe("taking the Lease", () => {
  it("makes it where there is none, and keeps others out", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    expect(lock.removals).toEqual([]);
    expect(stage.api.lease?.metadata).toMatchObject({ name: "pod-rebalancer-deployment-orders", namespace: "shop" });
    expect(await stage.run("run-2")).toEqual({ heldBy: "run-1", removals: [], rotations: [] });
    expect(holderOf(stage)).toBe("run-1");
    await lock.release();
  });

  it("takes a released one, with its record", async () => {
    const stage = scene();
    const first = await held(stage.run("run-1"));
    await first.removing(POD);
    await first.release();
    expect(holderOf(stage)).toBe("");
    const second = await held(stage.run("run-2"));
    expect(second.removals).toEqual([{ at: new Date("2026-03-01T12:00:00Z"), pod: "orders-1", uid: "uid-1" }]);
    expect(stage.api.lease?.spec).toMatchObject({ holderIdentity: "run-2", leaseTransitions: 1 });
    await second.release();
  });

  it("takes an expired one, but not a moment too early, whatever our own clock says", async () => {
    const stage = scene(-3_600_000);
    await held(acquireLock(WORKLOAD, { client: stage.api.client, clock: asleep(stage.clock), holder: "run-1" }, NEVER));
    await stage.clock.advance(59_999);
    expect(await stage.run("run-2")).toMatchObject({ heldBy: "run-1" });
    await stage.clock.advance(1);
    const lock = await held(stage.run("run-2"));
    expect(stage.api.lease?.spec).toMatchObject({ holderIdentity: "run-2", leaseTransitions: 1 });
    await lock.release();
  });

  it("lets one of many runs win", async () => {
    const stage = scene();
    const locks = await Promise.all(Array.from({ length: 8 }, (_, run) => stage.run(`run-${run}`)));
    const winners = locks.filter((lock): lock is Lock => lock.heldBy === undefined);
    expect(winners).toHaveLength(1);
    expect(new Set(locks.map(({ heldBy }) => heldBy))).toEqual(new Set([undefined, holderOf(stage)]));
    await winners[0]!.release();
    const again = await Promise.all(Array.from({ length: 8 }, (_, run) => stage.run(`later-${run}`)));
    expect(again.filter(({ heldBy }) => heldBy === undefined)).toHaveLength(1);
  });

  it.each(["create", "update"] as const)("knows its own %s though the answer was lost", async (call) => {
    const stage = scene();
    if (call === "update") await (await held(stage.run("run-0"))).release();
    // As the transport sees it: the first attempt took effect, the second met its result.
    stage.api.faults[call].push({ after: CONFLICT });
    const lock = await held(stage.run("run-1"));
    expect(holderOf(stage)).toBe("run-1");
    await lock.release();
  });

  it("fails on a record that cannot be read, and takes nothing", async () => {
    const stage = scene();
    await (await held(stage.run("run-1"))).release();
    const annotations = { "pod-rebalancer.io/removals": "broken" };
    meddle(stage, (lease) => ({ ...lease, metadata: { ...lease.metadata, annotations } }));
    await expect(stage.run("run-2")).rejects.toMatchObject({ code: "RECORD_INVALID" });
    expect(holderOf(stage)).toBe("");
  });

  it("gives up when the Lease changes under every attempt", async () => {
    const stage = scene();
    stage.api.faults.create.push({ before: CONFLICT }, { before: CONFLICT }, { before: CONFLICT });
    await expect(stage.run("run-1")).rejects.toBe(CONFLICT);
  });

  it.each(["before", "after"] as const)(
    "tells of any other error at once, and leaves no Lease behind: %s",
    async (when) => {
      const stage = scene();
      stage.api.faults.create.push(when === "before" ? { before: RESET } : { after: RESET });
      await expect(stage.run("run-1")).rejects.toBe(RESET);
      expect(stage.api.calls.filter((call) => call === "create")).toHaveLength(1);
      expect(holderOf(stage) ?? "").toBe("");
    },
  );

  it("gives it back when the run is told to stop while it is taken", async () => {
    const stage = scene();
    const stop = new AbortController();
    const createLease: KubernetesClient["createLease"] = async (...call) => {
      await stage.api.client.createLease(...call);
      stop.abort(RESET);
    };
    const ports = { client: { ...stage.api.client, createLease }, clock: stage.clock, holder: "run-1" };
    await expect(acquireLock(WORKLOAD, ports, stop.signal)).rejects.toBe(RESET);
    expect(holderOf(stage)).toBe("");
  });
});

/** A clock of a run that was stopped: nothing that sleeps by it wakes up. */
function asleep(clock: ManualClock): ManualClock {
  return { ...clock, sleep: () => new Promise(() => undefined) };
}

describe("holding the Lease", () => {
  it("renews it every 15 s and keeps the record", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    await lock.removing(POD);
    await stage.clock.advance(300_000);
    expect(lock.lost.aborted).toBe(false);
    expect(stage.api.lease?.spec).toMatchObject({
      acquireTime: "2026-03-01T12:00:00.000000Z",
      renewTime: "2026-03-01T12:05:00.000000Z",
    });
    expect(recordOf(stage)).toHaveLength(1);
    expect(stage.api.calls.filter((call) => call === "update")).toHaveLength(1 + 300 / 15);
    await lock.release();
  });

  it("survives two renewals that fail", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.get.push(...Array.from({ length: 4 }, () => ({ before: RESET })));
    await stage.clock.advance(120_000);
    expect(lock.lost.aborted).toBe(false);
    await lock.release();
  });

  it("is lost before others may take it, when no renewal succeeds", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.update.push(...Array.from({ length: 100 }, () => ({ before: RESET })));
    await stage.clock.advance(53_999);
    expect(lock.lost.aborted).toBe(false);
    await stage.clock.advance(1);
    expect(lock.lost.reason).toMatchObject({
      code: "LOCK_LOST",
      message: expect.stringMatching(/no renewal succeeded in time/),
    });
    expect(await stage.run("run-2")).toMatchObject({ heldBy: "run-1" });
  });

  it("is lost before a run may take it whose API server is five seconds ahead of ours", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.update.push(...Array.from({ length: 100 }, () => ({ before: RESET })));
    await stage.clock.advance(54_000);
    expect(lock.lost.aborted).toBe(true);
    stage.api.faults.update.length = 0;
    stage.api.skewMillis = 5_000;
    expect(await stage.run("run-2")).toMatchObject({ heldBy: "run-1" });
    await stage.clock.advance(1_000);
    expect(await stage.run("run-2")).toMatchObject({ heldBy: undefined });
  });

  it("is given up when the API servers' clocks differ, and released all the same", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    await lock.removing(POD);
    stage.api.doubt = new RebalancerError("CLOCKS_DIFFER", "another time");
    await expect(lock.removing({ ...POD, uid: "uid-2" })).rejects.toMatchObject({ code: "CLOCKS_DIFFER" });
    expect(lock.lost.aborted).toBe(false);
    await stage.clock.advance(15_000);
    expect(lock.lost.reason).toMatchObject({ code: "CLOCKS_DIFFER" });
    await lock.release();
    expect(holderOf(stage)).toBe("");
    expect(recordOf(stage)).toHaveLength(1);
  });

  it("is not taken where the API servers' clocks differ", async () => {
    const stage = scene();
    stage.api.doubt = new RebalancerError("CLOCKS_DIFFER", "another time");
    await expect(stage.run("run-1")).rejects.toMatchObject({ code: "CLOCKS_DIFFER" });
    expect(stage.api.calls).toEqual(["get"]);
  });

  it("is lost in time though a renewal hangs", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.get.push("hang");
    await stage.clock.advance(54_000);
    expect(lock.lost.reason).toMatchObject({ code: "LOCK_LOST" });
  });

  it.each<[string, (stage: Scene) => void, RegExp]>([
    ["another run holds it", (stage) => meddle(stage, heldByAnother), /run-2 holds it/],
    ["somebody released it", (stage) => meddle(stage, (lease) => ({ ...lease, spec: {} })), /it was released/],
    ["somebody deleted it", ({ api }) => (api.lease = undefined), /it was deleted/],
  ])("is lost when %s", async (_name, change, why) => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    change(stage);
    await stage.clock.advance(15_000);
    expect(lock.lost.reason).toMatchObject({ code: "LOCK_LOST", message: expect.stringMatching(why) });
    await expect(lock.removing(POD)).rejects.toMatchObject({ code: "LOCK_LOST" });
  });
});

describe("recording a removal", () => {
  it("renews the Lease with it, by the server's time", async () => {
    const stage = scene(3_600_000);
    const lock = await held(stage.run("run-1"));
    await stage.clock.advance(4_500);
    await lock.removing(POD);
    expect(recordOf(stage)).toEqual([{ at: "2026-03-01T13:00:04.000Z", pod: "orders-1", uid: "uid-1" }]);
    expect(stage.api.lease?.spec?.renewTime).toBe("2026-03-01T13:00:04.000000Z");
    await lock.release();
    expect(recordOf(stage)).toHaveLength(1);
  });

  it("happens once, also when its first answer was lost", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.update.push({ after: RESET });
    await lock.removing(POD);
    await lock.removing(POD);
    expect(recordOf(stage)).toHaveLength(1);
    await lock.release();
  });

  it("is struck again, and nothing else with it", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    await lock.removing({ ...POD, uid: "uid-0" });
    await lock.removing(POD);
    await lock.refused(POD);
    expect(recordOf(stage).map(({ uid }) => uid)).toEqual(["uid-0"]);
    await lock.release();
  });

  it("waits its turn: no write is made on a reading that another has made stale", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    await Promise.all([lock.removing(POD), lock.removing({ ...POD, uid: "uid-2" }), stage.clock.advance(15_000)]);
    expect(stage.api.calls.join(" ")).toBe("get create get update get update get update");
    expect(recordOf(stage).map(({ uid }) => uid)).toEqual(["uid-1", "uid-2"]);
    await lock.release();
  });

  it("fails when it failed twice; nothing may then be evicted", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.update.push({ before: RESET }, { before: RESET });
    await expect(lock.removing(POD)).rejects.toBe(RESET);
    await lock.release();
  });

  it("sees another holder at once", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    meddle(stage, heldByAnother);
    await expect(lock.removing(POD)).rejects.toMatchObject({
      code: "LOCK_LOST",
      message: expect.stringMatching(/run-2 holds it/),
    });
    expect(lock.lost.aborted).toBe(true);
    expect(recordOf(stage)).toEqual([]);
  });

  it("does not count when writing it took nearly all of the Lease's time", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    // The write takes effect, but by our clock its answer comes 40 s after it was asked for.
    const { client } = stage.api;
    const slow = { ...client };
    Object.assign(client, {
      updateLease: async (...args: Parameters<typeof slow.updateLease>) => {
        await slow.updateLease(...args);
        await stage.clock.advance(40_000);
      },
    });
    await expect(lock.removing(POD)).rejects.toMatchObject({
      code: "LOCK_LOST",
      message: expect.stringMatching(/too little of its time/),
    });
  });

  it("fails on a record that cannot be read", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    const annotations = { "pod-rebalancer.io/removals": "broken" };
    meddle(stage, (lease) => ({ ...lease, metadata: { ...lease.metadata, annotations } }));
    await expect(lock.removing(POD)).rejects.toMatchObject({ code: "RECORD_INVALID" });
    await lock.release();
  });
});

describe("releasing the Lease", () => {
  it("ends the renewals", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    await lock.release();
    const calls = stage.api.calls.length;
    await stage.clock.advance(300_000);
    expect(stage.api.calls).toHaveLength(calls);
    expect(lock.lost.aborted).toBe(false);
  });

  it("does not take it from another, does not throw, and may be asked for twice", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    meddle(stage, heldByAnother);
    await lock.release();
    await lock.release();
    expect(holderOf(stage)).toBe("run-2");
  });

  it("is not held up by a renewal that hangs", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.update.push("hang");
    await stage.clock.advance(15_000);
    await lock.release();
    expect(holderOf(stage)).toBe("");
  });

  it("does not throw when the API fails", async () => {
    const stage = scene();
    const lock = await held(stage.run("run-1"));
    stage.api.faults.get.push({ before: RESET }, { before: RESET });
    await lock.release();
    expect(holderOf(stage)).toBe("run-1");
  });
});

describe("reading the record", () => {
  it("takes nothing", async () => {
    const stage = scene();
    expect(await readRecord(WORKLOAD, stage.api.client, NEVER)).toEqual({
      heldBy: undefined,
      removals: [],
      rotations: [],
    });
    expect(stage.api.lease).toBeUndefined();
    const lock = await held(stage.run("run-1"));
    await lock.removing(POD);
    expect(await readRecord(WORKLOAD, stage.api.client, NEVER)).toMatchObject({
      heldBy: "run-1",
      removals: [{ pod: "orders-1" }],
    });
    await lock.release();
    expect(await readRecord(WORKLOAD, stage.api.client, NEVER)).toMatchObject({ heldBy: undefined });
  });
});
