import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import {
  createWorld,
  fakeCluster,
  type FakePod,
  snapshotOf,
  steadyPod,
  type World,
  type WorldEvent,
} from "../../test/fakes/world.ts";
import { RebalancerError } from "../errors.ts";
import type { Cluster, Lock, Narrator } from "../ports.ts";
import { createVirtualClock } from "../simulation/virtual-clock.ts";
import type { Policy, RemovalResult, Target } from "../types.ts";
import { rotate } from "./manager.ts";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** Six pods; "a" and "b" are the targets. */
function worldOf(changes: Partial<World> = {}, pods: Readonly<Record<string, Partial<FakePod>>> = {}): World {
  const clock = createVirtualClock();
  const all = ["a", "b", "c", "d", "e", "f"].map((name) => steadyPod(clock, name, pods[name]));
  return createWorld(clock, all, changes);
}

interface Scene {
  readonly cluster?: Cluster;
  readonly policy?: Partial<Policy>;
  readonly signal?: AbortSignal;
  readonly deadlineSeconds?: number;
  readonly narrator?: Narrator;
  readonly atOnce?: boolean;
  /** Happens between the decision and the rotation. */
  readonly meanwhile?: () => void;
}

async function rotateIn(world: World, scene: Scene = {}): Promise<RemovalResult> {
  const { clock } = world;
  const {
    cluster = fakeCluster(world),
    narrator = SILENT,
    signal = new AbortController().signal,
    deadlineSeconds = 720,
  } = scene;
  const seen = snapshotOf(world);
  const targets: Target[] = seen.pods.slice(0, 2).map((pod, index) => ({
    pod,
    role: index === 0 ? "most_busy" : "least_busy",
    score: 1 - index,
  }));
  const lock = (await cluster.lock(world.workload, signal)) as Lock;
  scene.meanwhile?.();
  const limits = { signal, deadline: new Date(clock.now().getTime() + deadlineSeconds * 1_000) };
  const ports = { cluster, lock, clock, narrator };
  return await rotate({ targets, atOnce: scene.atOnce ?? false, seen }, ports, { ...POLICY, ...scene.policy }, limits);
}

function outcomes({ steps }: RemovalResult): string[] {
  return steps.map(({ pod, outcome }) => `${pod} ${outcome}`);
}

function evicted(world: World): string[] {
  return world.history.filter(({ what }) => what === "evicted").map(({ uid }) => uid);
}

function recorded(world: World): string[] {
  return world.removals.map(({ uid }) => uid);
}

/** Each of two is recorded before it is evicted. @returns their evictions. */
function expectRecordedFirst({ history }: World): readonly WorldEvent[] {
  expect(history.map(({ what, uid }) => `${what} ${uid}`)).toEqual([
    "recorded uid-a",
    "evicted uid-a",
    "recorded uid-b",
    "evicted uid-b",
  ]);
  return history.filter(({ what }) => what === "evicted");
}

/** The same cluster, of which some calls take a while, in seconds; `meanwhile` befalls it in the middle of the first of them. */
function slow(
  world: World,
  seconds: { readonly observe?: number; readonly removing?: number; readonly evict?: number },
  meanwhile = () => {},
): Cluster {
  const cluster = fakeCluster(world);
  let befall = meanwhile;
  const pass = async (millis: number) => {
    await world.clock.sleep(millis / 2, NEVER);
    befall();
    befall = () => {};
    await world.clock.sleep(millis / 2, NEVER);
  };
  return {
    async observe(signal) {
      if (seconds.observe !== undefined) await pass(seconds.observe * 1_000);
      return await cluster.observe(signal);
    },
    async lock(workload, signal) {
      const lock = (await cluster.lock(workload, signal)) as Lock;
      return {
        ...lock,
        async removing(pod) {
          await lock.removing(pod);
          if (seconds.removing !== undefined) await pass(seconds.removing * 1_000);
        },
      };
    },
    async evict(...request) {
      if (seconds.evict !== undefined) await pass(seconds.evict * 1_000);
      return await cluster.evict(...request);
    },
  };
}

const NEVER = new AbortController().signal;

/** Of "c" to "f", which are no targets. */
function turnUnready(world: World, ...names: readonly string[]): void {
  for (const pod of world.pods) if (names.includes(pod.name)) pod.readyAt = Number.POSITIVE_INFINITY;
}

describe("a look that is too old when the eviction is to be sent", () => {
  it.each<[string, Parameters<typeof slow>[1]]>([
    ["the Lease", { removing: 18 }],
    ["the look at the pod", { evict: 9 }],
    ["both", { removing: 18, evict: 4 }],
  ])("because %s takes long is made again: what turned not Ready meanwhile is seen", async (_name, seconds) => {
    const world = worldOf();
    const cluster = slow(world, seconds, () => turnUnready(world, "c", "d", "e"));
    const result = await rotateIn(world, { cluster });
    expect(evicted(world)).toEqual([]);
    expect(recorded(world)).toEqual([]);
    expect(result).toMatchObject({ reason: "pods_not_ready", detail: "3 of 6 wanted pods are Ready" });
    expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
  });

  it("is made again in vain where nothing changed, and the rotation goes on", async () => {
    const world = worldOf();
    const result = await rotateIn(world, { cluster: slow(world, { removing: 18 }) });
    expect(outcomes(result)).toEqual(["a replaced", "b replaced"]);
    expectRecordedFirst(world);
  });

  it.each<[string, Parameters<typeof slow>[1]]>([
    ["every look takes as long", { observe: 6 }],
    ["every look at the pod takes as long", { evict: 6 }],
  ])("ends the rotation where %s", async (_name, seconds) => {
    const world = worldOf();
    const result = await rotateIn(world, { cluster: slow(world, seconds) });
    expect(evicted(world)).toEqual([]);
    expect(recorded(world)).toEqual([]);
    expect(outcomes(result)).toEqual(["a failed", "b skipped"]);
    expect(result).toMatchObject({
      reason: "failed",
      error: { code: "DEADLINE_EXCEEDED" },
      detail: expect.stringMatching(/^a was not evicted: the API server is so slow that each of 3 looks .* 5s old/),
    });
  });

  it("is made again for the second of a pair, which does not mind that the first is gone", async () => {
    const world = worldOf({ bootSeconds: 60 });
    const result = await rotateIn(world, { cluster: slow(world, { removing: 18 }), atOnce: true });
    expect(outcomes(result)).toEqual(["a replaced", "b replaced"]);
    const [first, second] = expectRecordedFirst(world);
    expect(second!.before?.pods.find(({ uid }) => uid === first!.uid)?.readySince).toBeUndefined();
  });

  it("is made again for the second of a pair, which stays where others turned not Ready", async () => {
    const world = worldOf();
    let records = 0;
    const cluster = slow(world, { removing: 18 });
    const result = await rotateIn(world, {
      cluster: {
        ...cluster,
        async lock(...request) {
          const lock = (await cluster.lock(...request)) as Lock;
          return {
            ...lock,
            async removing(pod) {
              records += 1;
              if (records === 2) turnUnready(world, "c", "d");
              await lock.removing(pod);
            },
          };
        },
      },
      atOnce: true,
      policy: { replacementTimeoutSeconds: 60 },
    });
    expect(evicted(world)).toEqual(["uid-a"]);
    expect(recorded(world)).toEqual(["uid-a"]);
    expect(outcomes(result)).toEqual(["a evicted", "b skipped"]);
    expect(result.steps[1]?.why).toBe("4 of 6 wanted pods are Ready");
  });

  it("is not made again once the Lease is too short for an eviction", async () => {
    const world = worldOf();
    const cluster = slow(world, { removing: 18 });
    const result = await rotateIn(world, {
      cluster: {
        ...cluster,
        async lock(...request) {
          return {
            ...((await cluster.lock(...request)) as Lock),
            confirm() {
              throw new RebalancerError("LOCK_LOST", "too little of its time is left");
            },
          };
        },
      },
    });
    expect(evicted(world)).toEqual([]);
    expect(result.reason).toBe("lock_lost");
  });
});

describe("a rotation", () => {
  it("removes one target after the other, each recorded before and replaced after", async () => {
    const world = worldOf();
    const result = await rotateIn(world);
    expect(result).toMatchObject({ requested: 2, reason: "rotated", error: undefined });
    expect(outcomes(result)).toEqual(["a replaced", "b replaced"]);
    const [first, second] = expectRecordedFirst(world);
    // 4 s until the new pod is Ready, 10 s that it must stay so.
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(14_000);
  });

  it("waits after the last removal, too", async () => {
    const world = worldOf({ bootSeconds: 60 });
    const begun = world.clock.now().getTime();
    await rotateIn(world);
    expect(world.clock.now().getTime() - begun).toBeGreaterThanOrEqual(140_000);
  });

  it("waits as long as the workload's minReadySeconds where that is longer", async () => {
    const world = worldOf();
    world.workload = { ...world.workload, minReadySeconds: 90 };
    await rotateIn(world);
    const [first, second] = world.history.filter(({ what }) => what === "evicted");
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(94_000);
  });

  it("does not count a pod that was not Ready before as a replacement", async () => {
    const world = worldOf({ bootSeconds: Number.POSITIVE_INFINITY });
    world.pods.push(...["x", "y", "z", "q"].map((name) => steadyPod(world.clock, name)));
    const late = steadyPod(world.clock, "late", { readyAt: world.clock.now().getTime() + 30_000 });
    world.pods.push(late);
    world.workload = { ...world.workload, replicas: 11 };
    const result = await rotateIn(world, { policy: { replacementTimeoutSeconds: 120 } });
    expect(outcomes(result)).toEqual(["a evicted", "b skipped"]);
    expect(result.reason).toBe("replacement_timeout");
  });

  it("is content with as many Ready pods as the workload wants after it was scaled down", async () => {
    const world = worldOf({ bootSeconds: Number.POSITIVE_INFINITY });
    const result = await rotateIn(world, {
      policy: { maxPodsToDelete: 1 },
      cluster: {
        ...fakeCluster(world),
        async evict(pod, objection, signal) {
          world.workload = { ...world.workload, replicas: 5 };
          return await fakeCluster(world).evict(pod, objection, signal);
        },
      },
    });
    expect(outcomes(result)[0]).toBe("a replaced");
  });

  it("does not take more Ready pods than are asked for as a replacement: some of them are about to go", async () => {
    const world = worldOf();
    world.pods.push(...["x", "y"].map((name) => steadyPod(world.clock, name)));
    world.workload = { ...world.workload, replicas: 5 };
    const result = await rotateIn(world, { policy: { maxPodsToDelete: 1 } });
    expect(outcomes(result)[0]).toBe("a evicted");
    expect(result).toMatchObject({
      reason: "replacement_timeout",
      detail: expect.stringContaining("7 pods are there, 5 are asked for"),
    });
  });

  it("does take them in a rollout, which makes new pods before it removes old ones", async () => {
    const world = worldOf();
    world.pods.push(...["x", "y"].map((name) => steadyPod(world.clock, name)));
    world.workload = { ...world.workload, replicas: 7 };
    const rolling = { ...world.workload, rollout: "1 of 8 pods runs the newest template" };
    const cluster = fakeCluster(world);
    const result = await rotateIn(world, {
      cluster: {
        ...cluster,
        async evict(...request) {
          world.pods.push(steadyPod(world.clock, "surge"));
          world.workload = rolling;
          return await cluster.evict(...request);
        },
      },
    });
    expect(outcomes(result)).toEqual(["a replaced", "b skipped"]);
    expect(result.reason).toBe("rollout_in_progress");
  });

  it.each<[string, (world: World) => void, string, RegExp]>([
    [
      "a rollout began",
      (w) => (w.workload = { ...w.workload, rollout: "1 of 6 pods is new" }),
      "rollout_in_progress",
      /1 of 6 pods is new/,
    ],
    [
      "an autoscaler wants more",
      (w) => (w.workload = { ...w.workload, scaling: "hpa wants 9" }),
      "scaling_in_progress",
      /hpa wants 9/,
    ],
    ["the workload was suspended", (w) => (w.workload = { ...w.workload, suspended: true }), "suspended", /annotation/],
    [
      "another controller appeared",
      (w) => (w.foreignController = { kind: "Job", name: "x", uid: "x" }),
      "ambiguous_group",
      /Job\/x/,
    ],
    [
      "the workload was made anew",
      (w) => (w.workload = { ...w.workload, uid: "another" }),
      "target_changed",
      /created anew/,
    ],
    ["all pods went", (w) => (w.pods = []), "no_pods", /the list is empty/],
    [
      "pods are no longer Ready",
      (w) => w.pods.slice(4).forEach((pod) => (pod.readyAt = Number.POSITIVE_INFINITY)),
      "pods_not_ready",
      /4 of 6/,
    ],
  ])("touches nothing when meanwhile %s", async (_name, change, reason, why) => {
    const world = worldOf();
    const result = await rotateIn(world, { meanwhile: () => change(world) });
    expect(result).toMatchObject({ reason, error: undefined });
    expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
    expect(result.steps[0]?.why).toMatch(why);
    expect(result.steps[1]?.why).toMatch(/^not touched, because /);
    expect(world.history).toEqual([]);
  });

  it.each<[string, (pod: FakePod, world: World) => void, RegExp]>([
    ["became exempt", (pod) => (pod.exempt = true), /exempt/],
    ["terminates", (pod, { clock }) => (pod.terminatingAt = clock.now().getTime()), /terminating/],
    ["is gone", (pod) => (pod.goneAt = 0), /already gone/],
    ["is not Ready", (pod) => (pod.readyAt = Number.POSITIVE_INFINITY), /not Ready/],
  ])("ends when a target meanwhile %s: the next run chooses anew", async (_name, change, why) => {
    const world = worldOf();
    world.pods.push(...["g", "h", "i", "j", "k"].map((name) => steadyPod(world.clock, name)));
    const result = await rotateIn(world, { meanwhile: () => change(world.pods[0]!, world) });
    expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
    expect(result.steps[0]?.why).toMatch(why);
    expect(result).toMatchObject({ reason: "target_changed", error: undefined });
    expect(evicted(world)).toEqual([]);
  });

  it("keeps the minimum before each single removal", async () => {
    const world = worldOf();
    const result = await rotateIn(world, { policy: { minPodsRequired: 6 } });
    expect(result).toMatchObject({
      reason: "would_breach_minimum",
      detail: "6 pods are Ready, 6 must stay (MIN_PODS_REQUIRED)",
    });
    expect(evicted(world)).toEqual([]);
  });

  it("stops at a budget's refusal, and strikes the record", async () => {
    const world = worldOf({ budget: (pod) => (pod === "b" ? "the disruption budget orders allows none" : undefined) });
    const result = await rotateIn(world);
    expect(outcomes(result)).toEqual(["a replaced", "b skipped"]);
    expect(result).toMatchObject({ reason: "blocked_by_pdb", error: undefined });
    expect(recorded(world)).toEqual(["uid-a"]);
  });

  it("keeps on record what was gone when its eviction arrived, and does not say that it was spared", async () => {
    const world = worldOf();
    const cluster: Cluster = { ...fakeCluster(world), evict: async () => ({ outcome: "gone", perhapsByUs: true }) };
    const result = await rotateIn(world, { cluster });
    expect(outcomes(result)).toEqual(["a unclear", "b skipped"]);
    expect(result).toMatchObject({ reason: "target_changed", error: undefined });
    expect(recorded(world)).toEqual(["uid-a"]);
  });

  it.each(["blocked_by_admission", "not_allowed"] as const)(
    "stops at a refusal of %s, and strikes the record",
    async (reason) => {
      const world = worldOf();
      const why = "the guard says no";
      const cluster: Cluster = { ...fakeCluster(world), evict: async () => ({ outcome: "refused", reason, why }) };
      const result = await rotateIn(world, { cluster });
      expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
      expect(result).toMatchObject({ reason, detail: why, error: undefined });
      expect(recorded(world)).toEqual([]);
    },
  );

  it.each<[string, (pod: FakePod) => void, RegExp]>([
    ["became exempt", (pod) => (pod.exempt = true), /^a is now exempt$/],
    ["is not Ready", (pod) => (pod.readyAt = Number.POSITIVE_INFINITY), /^a is now not Ready$/],
  ])("spares a pod that %s after the last look at the group", async (_name, change, why) => {
    const world = worldOf();
    const real = fakeCluster(world);
    const cluster: Cluster = {
      ...real,
      async evict(pod, objection, signal) {
        change(world.pods[0]!);
        return await real.evict(pod, objection, signal);
      },
    };
    const result = await rotateIn(world, { cluster });
    expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
    expect(result).toMatchObject({ reason: "target_changed", detail: expect.stringMatching(why), error: undefined });
    expect([evicted(world), recorded(world)]).toEqual([[], []]);
  });

  it("spares a pod that another controller has adopted after the choice", async () => {
    const world = worldOf();
    const real = fakeCluster(world);
    const cluster: Cluster = {
      ...real,
      async evict(_pod, objection) {
        const { pods, observedAt } = snapshotOf(world);
        const why = objection({ ...pods[0]!, controller: { kind: "Job", name: "j", uid: "j" } }, observedAt);
        return { outcome: "spared", why: why ?? "nothing" };
      },
    };
    expect(await rotateIn(world, { cluster })).toMatchObject({ detail: "a is now a pod of Job/j" });
  });

  it("lets a budget's refusal stand when the record cannot be struck", async () => {
    const world = worldOf({ budget: () => "the disruption budget orders allows none" });
    const cluster: Cluster = {
      ...fakeCluster(world),
      async lock(workload, signal) {
        const lock = (await fakeCluster(world).lock(workload, signal)) as Lock;
        return { ...lock, refused: () => Promise.reject(new RebalancerError("DEADLINE_EXCEEDED", "no answer")) };
      },
    };
    const result = await rotateIn(world, { cluster });
    expect(result).toMatchObject({ reason: "blocked_by_pdb", error: undefined });
    expect(recorded(world)).toEqual(["uid-a"]);
  });

  it("waits for nothing where the cluster says that nobody need wait", async () => {
    const world = worldOf({ bootSeconds: Number.POSITIVE_INFINITY });
    const reply = { outcome: "accepted", note: "the API would accept it", replaced: true } as const;
    const result = await rotateIn(world, { cluster: { ...fakeCluster(world), evict: async () => reply } });
    expect(result).toMatchObject({ reason: "rotated", steps: [{ why: "the API would accept it" }, {}] });
  });

  it.each([
    ["behind", -600_000],
    ["ahead", 600_000],
  ])(
    "judges how long a replacement has been Ready by the API server's time, not by its node's, which is %s",
    async (_name, skew) => {
      const world = worldOf();
      const cluster: Cluster = {
        ...fakeCluster(world),
        async observe(signal) {
          const snapshot = await fakeCluster(world).observe(signal);
          const pods = snapshot.pods.map((pod) =>
            pod.readySince ? { ...pod, readySince: new Date(pod.readySince.getTime() + skew) } : pod,
          );
          return { ...snapshot, pods };
        },
      };
      expect((await rotateIn(world, { cluster })).reason).toBe("rotated");
      const [first, second] = world.history.filter(({ what }) => what === "evicted");
      expect(second!.at - first!.at).toBeGreaterThanOrEqual(14_000);
      expect(second!.at - first!.at).toBeLessThan(20_000);
    },
  );

  it("strikes the record of a target that was gone", async () => {
    const world = worldOf();
    const cluster = { ...fakeCluster(world), evict: async () => ({ outcome: "gone" }) as const };
    const result = await rotateIn(world, { cluster });
    expect(outcomes(result)).toEqual(["a skipped", "b skipped"]);
    expect(recorded(world)).toEqual([]);
  });

  it("does not begin what the deadline leaves no room for", async () => {
    const world = worldOf({ bootSeconds: 20 });
    // The first needs 330 s and takes 30; then there is too little left.
    const result = await rotateIn(world, { deadlineSeconds: 340 });
    expect(outcomes(result)).toEqual(["a replaced", "b skipped"]);
    expect(result.reason).toBe("deadline_near");
    expect(result.detail).toMatch(/^5m\d+s are left of RUN_DEADLINE, and one removal may take 5m30s$/);
  });

  it("gives a replacement its time behind the grace period, and touches nothing more when it is late", async () => {
    const world = worldOf({ bootSeconds: Number.POSITIVE_INFINITY });
    const begun = world.clock.now().getTime();
    const result = await rotateIn(world);
    expect(outcomes(result)).toEqual(["a evicted", "b skipped"]);
    expect(result).toMatchObject({ reason: "replacement_timeout", error: { code: "REPLACEMENT_LATE" } });
    expect(result.detail).toBe("a was evicted and is not replaced after 5m30s: 5 of 6 pods are Ready");
    expect(world.clock.now().getTime() - begun).toBeLessThan(334_000);
    expect(recorded(world)).toEqual(["uid-a"]);
  });

  it("waits until the old pod is gone, though its successor has long been Ready", async () => {
    const world = worldOf();
    const cluster: Cluster = {
      ...fakeCluster(world),
      async evict(pod, objection, signal) {
        const reply = await fakeCluster(world).evict(pod, objection, signal);
        world.pods.find(({ uid }) => uid === pod.uid)!.goneAt = world.clock.now().getTime() + 100_000;
        return reply;
      },
    };
    expect((await rotateIn(world, { cluster })).reason).toBe("rotated");
    const [first, second] = world.history.filter(({ what }) => what === "evicted");
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(100_000);
  });

  it("says so when a pod does not go away", async () => {
    const world = worldOf();
    const cluster: Cluster = {
      ...fakeCluster(world),
      async evict({ uid }) {
        world.pods.find((pod) => pod.uid === uid)!.terminatingAt = world.clock.now().getTime();
        return { outcome: "accepted" };
      },
    };
    const { detail } = await rotateIn(world, { cluster });
    expect(detail).toMatch(/is not replaced after 5m30s: it is still terminating$/);
  });

  it.each<[ConstructorParameters<typeof RebalancerError>[0], string[], string]>([
    ["FORBIDDEN", [], "failed"],
    ["THROTTLED", [], "failed"],
    ["EVICTION_FAILED", ["uid-a"], "unclear"],
    ["EVICTION_UNCLEAR", ["uid-a"], "unclear"],
    ["INTERNAL", ["uid-a"], "unclear"],
  ])("ends at %s, and keeps the record only of what may have happened", async (code, kept, outcome) => {
    const world = worldOf({ faults: { evict: () => new RebalancerError(code, "planted") } });
    const result = await rotateIn(world);
    expect(outcomes(result)).toEqual([`a ${outcome}`, "b skipped"]);
    expect(result).toMatchObject({ reason: "failed", detail: "planted", error: { code } });
    expect(recorded(world)).toEqual(kept);
  });

  it("evicts nothing that it could not record", async () => {
    const world = worldOf({ faults: { removing: () => new RebalancerError("CONFLICT", "planted") } });
    expect(outcomes(await rotateIn(world))).toEqual(["a skipped", "b skipped"]);
    expect(evicted(world)).toEqual([]);
  });

  it("evicts nothing once the Lease is lost", async () => {
    const world = worldOf();
    const result = await rotateIn(world, {
      meanwhile: () => world.lost.abort(new RebalancerError("LOCK_LOST", "planted")),
    });
    expect(result).toMatchObject({ reason: "lock_lost", detail: "planted" });
    expect(evicted(world)).toEqual([]);
  });

  it("ends at once when the Lease is lost while a replacement starts", async () => {
    const world = worldOf({ bootSeconds: 200 });
    const begun = world.clock.now().getTime();
    const lose = () => world.lost.abort(new RebalancerError("LOCK_LOST", "planted"));
    world.clock.sleep(5_000, new AbortController().signal).then(lose, () => undefined);
    const result = await rotateIn(world);
    expect(result).toMatchObject({ reason: "lock_lost" });
    expect(outcomes(result)).toEqual(["a evicted", "b skipped"]);
    expect(world.clock.now().getTime() - begun).toBeLessThan(10_000);
  });

  it.each([
    ["before the first", 0, [], ["a skipped", "b skipped"]],
    ["while a replacement starts", 5_000, ["uid-a"], ["a evicted", "b skipped"]],
  ])("told to stop %s, touches no other pod", async (_name, millis, gone, ends) => {
    const world = worldOf({ bootSeconds: 60 });
    const stop = new AbortController();
    const cancel = () => stop.abort(new RebalancerError("CANCELLED", "told to stop"));
    if (millis > 0) world.clock.sleep(millis, new AbortController().signal).then(cancel, () => undefined);
    const result = await rotateIn(world, { signal: stop.signal, meanwhile: () => millis === 0 && cancel() });
    expect(result.reason).toBe("interrupted");
    expect(outcomes(result)).toEqual(ends);
    expect(evicted(world)).toEqual(gone);
  });

  it("neither strikes nor warns of a record that was not written because the servers' clocks differ", async () => {
    const struck: string[] = [];
    const warned: string[] = [];
    const world = worldOf({ faults: { removing: () => new RebalancerError("CLOCKS_DIFFER", "three hours apart") } });
    const cluster: Cluster = {
      ...fakeCluster(world),
      async lock(workload, signal) {
        const lock = (await fakeCluster(world).lock(workload, signal)) as Lock;
        return {
          ...lock,
          async refused({ name }) {
            struck.push(name);
            throw new RebalancerError("CLOCKS_DIFFER", "three hours apart");
          },
        };
      },
    };
    const narrator = { ...SILENT, warn: (sentence: string) => void warned.push(sentence) };
    const result = await rotateIn(world, { cluster, narrator });
    expect(result).toMatchObject({ reason: "failed", error: { code: "CLOCKS_DIFFER" } });
    expect([evicted(world), struck, warned]).toEqual([[], [], []]);
  });

  it("told to stop while the removal is recorded, strikes it and evicts nothing", async () => {
    const world = worldOf();
    const stop = new AbortController();
    const cluster: Cluster = {
      ...fakeCluster(world),
      async lock(workload, signal) {
        const lock = (await fakeCluster(world).lock(workload, signal)) as Lock;
        const removing: Lock["removing"] = async (pod) => {
          await lock.removing(pod);
          stop.abort(new RebalancerError("CANCELLED", "told to stop"));
        };
        return { ...lock, removing };
      },
    };
    const told: string[] = [];
    const narrator = { ...SILENT, info: (sentence: string) => void told.push(sentence) };
    const result = await rotateIn(world, { cluster, narrator, signal: stop.signal });
    expect(outcomes(result)).toEqual(["a failed", "b skipped"]);
    expect([evicted(world), recorded(world), told]).toEqual([[], [], []]);
  });

  it("told to stop while an eviction is under way, finds out what became of it", async () => {
    const world = worldOf();
    const stop = new AbortController();
    const cluster: Cluster = {
      ...fakeCluster(world),
      async evict(pod, objection, signal) {
        const reply = await fakeCluster(world).evict(pod, objection, signal);
        stop.abort(new RebalancerError("CANCELLED", "told to stop"));
        return reply;
      },
    };
    const result = await rotateIn(world, { cluster, signal: stop.signal });
    expect(outcomes(result)).toEqual(["a evicted", "b skipped"]);
    expect(recorded(world)).toEqual(["uid-a"]);
  });
});

describe("a pair that goes at once", () => {
  it("is evicted one right after the other, each recorded before, and waited for behind the last", async () => {
    const world = worldOf({ bootSeconds: 60 });
    const begun = world.clock.now().getTime();
    const result = await rotateIn(world, { atOnce: true });
    expect(outcomes(result)).toEqual(["a replaced", "b replaced"]);
    const [first, second] = expectRecordedFirst(world);
    expect(second!.at - first!.at).toBe(0);
    expect(world.clock.now().getTime() - begun).toBeGreaterThanOrEqual(70_000);
  });

  it("is left alone where both would be one too many", async () => {
    const world = worldOf();
    const result = await rotateIn(world, { atOnce: true, policy: { minPodsRequired: 5 } });
    expect(result).toMatchObject({ reason: "would_breach_minimum", detail: expect.stringContaining("5 must stay") });
    expect(evicted(world)).toEqual([]);
  });

  it("is left alone where the second may not be removed", async () => {
    const world = worldOf();
    const meanwhile = () => void (world.pods[1]!.exempt = true);
    const result = await rotateIn(world, { atOnce: true, meanwhile });
    expect(result).toMatchObject({ reason: "target_changed", detail: "b is now exempt" });
    expect(evicted(world)).toEqual([]);
  });

  it("is waited for as far as it went where a budget refuses the second", async () => {
    const world = worldOf({ budget: (pod) => (pod === "b" ? "the budget needs it" : undefined) });
    const result = await rotateIn(world, { atOnce: true });
    expect(outcomes(result)).toEqual(["a replaced", "b skipped"]);
    expect(result.reason).toBe("blocked_by_pdb");
    expect(recorded(world)).toEqual(["uid-a"]);
  });

  it("is no longer touched once its first eviction is unclear", async () => {
    const world = worldOf({ faults: { evict: () => new RebalancerError("EVICTION_UNCLEAR", "reset") } });
    const result = await rotateIn(world, { atOnce: true });
    expect(outcomes(result)).toEqual(["a unclear", "b skipped"]);
  });

  it("tells of both where neither is replaced in time", async () => {
    const world = worldOf({ bootSeconds: Number.POSITIVE_INFINITY });
    const result = await rotateIn(world, { atOnce: true });
    expect(outcomes(result)).toEqual(["a evicted", "b evicted"]);
    expect(result.detail).toBe("a, b were evicted and are not replaced after 5m30s: 4 of 6 pods are Ready");
  });
});
