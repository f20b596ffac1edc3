import { describe, expect, it } from "vitest";

import { POLICY } from "../test/fakes/policy.ts";
import { createToilingClock } from "../test/fakes/toiling-clock.ts";
import { unevenSimulation } from "../test/fakes/uneven.ts";
import { createWorld, fakeCluster, fakeMetrics, steadyPod, type World } from "../test/fakes/world.ts";
import { RebalancerError } from "./errors.ts";
import type { NarratorFields, Sink } from "./ports.ts";
import { type Ports, rebalance } from "./rebalance.ts";
import { createVirtualClock } from "./simulation/virtual-clock.ts";

const NEVER = new AbortController().signal;
const IDENTITY = { runId: "run-1", dryRun: false, namespace: "shop", selector: "app=orders" };

/** Eight pods; "h" is hot and "c" is cold. */
function unevenWorld(changes: Partial<World> = {}): World {
  const clock = createVirtualClock();
  const pods = Array.from("abcdefgh").map((name) => {
    const hot = { cpu: 2, lag: 20_000, rate: 900, memory: 6e8 };
    const cold = { cpu: 0.1, lag: 10, rate: 20, memory: 4e8 };
    const plain = { cpu: 0.4, lag: 500, rate: 300, memory: 5e8 };
    return steadyPod(clock, name, { samples: { h: hot, c: cold }[name] ?? plain });
  });
  return createWorld(clock, pods, changes);
}

function portsOf(world: World, changes: Partial<Ports> = {}) {
  const told: { level: string; sentence: string; fields: NarratorFields }[] = [];
  const teller =
    (level: string) =>
    (sentence: string, fields: NarratorFields = {}) =>
      void told.push({ level, sentence, fields });
  const narrator = { debug: teller("debug"), info: teller("info"), warn: teller("warn"), error: teller("error") };
  const ports = { cluster: fakeCluster(world), metrics: fakeMetrics(world), sinks: [], clock: world.clock, narrator };
  return { ports: { ...ports, ...changes }, told };
}

function released(world: World): number {
  return world.history.filter(({ what }) => what === "released").length;
}

describe("one run", () => {
  it("goes from observing to reporting, with a sentence and the time for each step", async () => {
    const world = unevenWorld();
    const { ports, told } = portsOf(world);
    const report = await rebalance(IDENTITY, ports, POLICY, NEVER);
    expect(report).toMatchObject({ ...IDENTITY, reason: "rotated", exitCode: 0, error: undefined });
    expect(told.map(({ fields }) => fields["step"]).filter(Boolean)).toEqual([
      "observe",
      "lock",
      "fetch",
      "decide",
      "act",
      "report",
    ]);
    for (const { sentence, fields, level } of told) {
      expect(sentence).toMatch(/^\S.*\.$/);
      expect(level).toBe("info");
      if (fields["step"]) expect(fields["ms"]).toBeTypeOf("number");
    }
    expect(Object.keys(report.stepMillis)).toEqual(["observe", "lock", "fetch", "decide", "act"]);
    expect(report.stepMillis.act).toBeGreaterThan(20_000);
    expect(report.durationMillis).toBeGreaterThanOrEqual(report.stepMillis.act ?? 0);
    expect(told.at(-1)).toMatchObject({
      sentence: "Rotated 2 of 2 pods: h (most busy), c (least busy).",
      fields: { reason: "rotated", exitCode: 0, workload: "Deployment/orders" },
    });
  });

  it("says why the group is uneven, in the log and in the report", async () => {
    const { ports, told } = portsOf(unevenWorld());
    const { diagnosis } = await rebalance(IDENTITY, ports, POLICY, NEVER);
    const cause = diagnosis?.cause ?? "";
    expect(diagnosis?.evidence).toMatch(/\S/);
    const sentence = expect.stringContaining(`Diagnosis (${cause}): `) as string;
    expect(told.filter(({ fields }) => "cause" in fields)).toEqual([{ level: "info", sentence, fields: { cause } }]);
  });

  it("does not ask why where no signal was read", async () => {
    const world = unevenWorld();
    world.workload = { ...world.workload, suspended: true };
    const { ports, told } = portsOf(world, {
      metrics: { fetch: async () => ({ cpu: undefined, lag: undefined, rate: undefined, memory: undefined }) },
    });
    const { diagnosis, group } = await rebalance(IDENTITY, ports, POLICY, NEVER);
    expect([group?.pods.length, diagnosis]).toEqual([8, undefined]);
    expect(told.filter(({ fields }) => "cause" in fields)).toEqual([]);
  });

  it("says that a dry run would rotate", async () => {
    const { ports } = portsOf(unevenWorld());
    const report = await rebalance({ ...IDENTITY, dryRun: true }, ports, POLICY, NEVER);
    expect(report).toMatchObject({ reason: "would_rotate", exitCode: 0 });
  });

  it("holds, and gives the Lease back", async () => {
    const world = unevenWorld();
    world.workload = { ...world.workload, rollout: "1 of 8 pods is new" };
    const report = await rebalance(IDENTITY, portsOf(world).ports, POLICY, NEVER);
    expect(report).toMatchObject({ reason: "rollout_in_progress", exitCode: 0, removal: undefined });
    expect(released(world)).toBe(1);
  });

  it("writes nothing at all while it is suspended, not even a Lease", async () => {
    const world = unevenWorld({ faults: { lock: () => new RebalancerError("FORBIDDEN", "planted") } });
    const report = await rebalance(IDENTITY, portsOf(world).ports, { ...POLICY, suspend: true }, NEVER);
    expect(report).toMatchObject({ reason: "suspended", exitCode: 0, error: undefined });
    expect(world.calls.lock).toBe(0);
  });

  it("names what holds it back without metrics, also when they cannot be read", async () => {
    const faults = { fetch: () => new RebalancerError("CONNECTION_FAILED", "no metrics") };
    const held = unevenWorld({ heldBy: "another", faults });
    const { ports, told } = portsOf(held);
    expect(await rebalance(IDENTITY, ports, POLICY, NEVER)).toMatchObject({ reason: "locked", exitCode: 0 });
    expect(told.find(({ level }) => level === "warn")?.sentence).toBe("The metrics were not read: no metrics");
    const free = unevenWorld({ faults });
    expect(await rebalance(IDENTITY, portsOf(free).ports, POLICY, NEVER)).toMatchObject({
      reason: "failed",
      exitCode: 1,
    });
  });

  it("asks for no metrics and takes no Lease where there is no one workload", async () => {
    const world = unevenWorld({ foreignController: { kind: "DaemonSet", name: "agents", uid: "x" } });
    const { ports } = portsOf(world);
    const report = await rebalance(IDENTITY, ports, POLICY, NEVER);
    expect(report).toMatchObject({ reason: "ambiguous_group", exitCode: 4 });
    expect(world.calls).toMatchObject({ observe: 1, lock: 0, fetch: 0 });
  });

  it("does not act, nor release, when another run holds the Lease", async () => {
    const world = unevenWorld({ heldBy: "another" });
    const { ports } = portsOf(world);
    expect(await rebalance(IDENTITY, ports, POLICY, NEVER)).toMatchObject({ reason: "locked", exitCode: 0 });
    expect(world.history).toEqual([]);
  });

  it.each([
    ["observe", "failed", 1, 0],
    ["lock", "failed", 1, 0],
    ["fetch", "failed", 1, 1],
    ["evict", "failed", 1, 1],
  ] as const)("reports what goes wrong with %s, and gives the Lease back", async (point, reason, exitCode, frees) => {
    const world = unevenWorld({ faults: { [point]: () => new RebalancerError("FORBIDDEN", "planted") } });
    const { ports, told } = portsOf(world);
    const report = await rebalance(IDENTITY, ports, POLICY, NEVER);
    expect(report).toMatchObject({ reason, exitCode, error: { code: "FORBIDDEN" }, detail: "planted" });
    expect(released(world)).toBe(frees);
    expect(told.at(-1)).toMatchObject({
      level: "error",
      sentence: expect.stringMatching(/planted.* Grant the named right to the account/),
    });
  });

  it("ends with 3 when something went wrong after a removal, or nobody knows whether there was one", async () => {
    const late = unevenWorld({ bootSeconds: Number.POSITIVE_INFINITY });
    expect(await rebalance(IDENTITY, portsOf(late).ports, POLICY, NEVER)).toMatchObject({
      reason: "replacement_timeout",
      exitCode: 3,
    });
    const unclear = unevenWorld({ faults: { evict: () => new RebalancerError("EVICTION_UNCLEAR", "planted") } });
    expect(await rebalance(IDENTITY, portsOf(unclear).ports, POLICY, NEVER)).toMatchObject({ exitCode: 3 });
  });

  it("keeps its own deadline, whatever hangs", async () => {
    const world = unevenWorld({ faults: { fetch: () => "hang" } });
    const begun = world.clock.now().getTime();
    const report = await rebalance(IDENTITY, portsOf(world).ports, POLICY, NEVER);
    expect(report).toMatchObject({ reason: "run_deadline", exitCode: 1, detail: "the run took longer than 12m" });
    expect(world.clock.now().getTime() - begun).toBe(720_000);
    expect(released(world)).toBe(1);
  });

  it("is interrupted when it is told to stop, also before it begins", async () => {
    const world = unevenWorld();
    const told = AbortSignal.abort(new RebalancerError("CANCELLED", "told to stop by SIGTERM"));
    const report = await rebalance(IDENTITY, portsOf(world).ports, POLICY, told);
    expect(report).toMatchObject({ reason: "interrupted", exitCode: 1, detail: "told to stop by SIGTERM" });
    expect(world.calls.observe).toBe(0);
  });

  it("reports a fault of its own as such", async () => {
    const world = unevenWorld();
    const cluster = {
      ...fakeCluster(world),
      observe: () => Promise.reject(new TypeError("undefined is not a function")),
    };
    const report = await rebalance(IDENTITY, portsOf(world, { cluster }).ports, POLICY, NEVER);
    expect(report).toMatchObject({ exitCode: 1, error: { code: "INTERNAL" } });
  });

  it.each([
    ["a hold", { ...POLICY, suspend: true }, 1, "The exit code is 1."],
    ["a rotation", POLICY, 0, "The exit code stays 0, because this run removed pods."],
  ])(
    "says of %s that its result was not written where somebody waits for it",
    async (_name, policy, exitCode, ending) => {
      const lost: Sink = {
        failure: "The result was not written",
        wanted: true,
        write: async () => Promise.reject(new RebalancerError("OUTPUT_FAILED", "stdout cannot be written (ENOSPC)")),
      };
      const { ports, told } = portsOf(unevenWorld(), { sinks: [lost] });
      expect(await rebalance(IDENTITY, ports, policy, NEVER)).toMatchObject({ exitCode });
      expect(told.at(-1)).toMatchObject({
        level: "error",
        sentence: `The result was not written: stdout cannot be written (ENOSPC). ${ending}`,
      });
    },
  );

  it("writes to every sink that it concerns, and a sink that fails costs a warning only", async () => {
    const written: string[] = [];
    const broken: Sink = {
      failure: "The Event was not written",
      write: () => Promise.reject(new RebalancerError("FORBIDDEN", "create event")),
    };
    const sound: Sink = { failure: "", write: async ({ reason }) => void written.push(reason) };
    const unconcerned: Sink = { ...sound, concerns: ({ reason }) => reason !== "rotated" };
    const { ports, told } = portsOf(unevenWorld(), { sinks: [broken, sound, unconcerned] });
    expect(await rebalance(IDENTITY, ports, POLICY, NEVER)).toMatchObject({ reason: "rotated", exitCode: 0 });
    expect(written).toEqual(["rotated"]);
    expect(told.at(-1)).toMatchObject({
      level: "warn",
      sentence: "The Event was not written: create event",
    });
  });
});

/** A group that can be forecast; planning it takes so long at each step by its clock. */
function slowPlanning(millis: number, changes: Partial<Ports> = {}) {
  const { cluster, metrics, groupSource } = unevenSimulation();
  const toiling = createToilingClock(millis);
  const { ports, told } = portsOf(unevenWorld(), {
    cluster,
    metrics,
    groups: [groupSource],
    clock: toiling,
    ...changes,
  });
  const given: string[] = [];
  const seen: Ports["cluster"] = {
    ...cluster,
    async lock(...asked) {
      const lock = await cluster.lock(...asked);
      return lock.heldBy === undefined ? { ...lock, release: async () => void given.push("released") } : lock;
    },
  };
  return { ports: { ...ports, cluster: seen }, told, given };
}

const AHEAD = { ...POLICY, strategy: "forecast" } as const;

describe("a forecast that takes long", () => {
  it("is cut after 20 s, and the run holds and says so where nothing was forecast until then", async () => {
    const { ports, told } = slowPlanning(30_000);
    const report = await rebalance(IDENTITY, ports, { ...AHEAD, runDeadlineSeconds: 1e6 }, NEVER);
    expect(report).toMatchObject({ reason: "planning_timeout", exitCode: 4, removal: undefined });
    expect(told.find(({ fields }) => fields["step"] === "decide")?.sentence).toBe(
      "Hold (planning_timeout): no candidate was forecast within the planning budget of 20 s.",
    );
  });

  it.each([
    ["run_deadline", "the run took longer than 10s", { ...AHEAD, runDeadlineSeconds: 10 }, undefined],
    ["interrupted", "told to stop by SIGTERM", AHEAD, "told to stop by SIGTERM"],
  ] as const)("ends with %s meanwhile, and the Lease is released", async (reason, detail, limits, told) => {
    const stop = new AbortController();
    const narrator = portsOf(unevenWorld()).ports.narrator;
    // The last word before the decision; what comes from outside can come with the event loop's next turn only.
    const info: typeof narrator.info = (_sentence, fields = {}) => {
      if (!("cause" in fields) || told === undefined) return;
      setImmediate(() => stop.abort(new RebalancerError("CANCELLED", told)));
    };
    const scene = slowPlanning(60, { narrator: { ...narrator, info } });
    const report = await rebalance(IDENTITY, scene.ports, limits, stop.signal);
    expect(report).toMatchObject({ reason, detail, exitCode: 1, decision: undefined, removal: undefined });
    expect(Object.keys(report.stepMillis)).toContain("decide");
    expect(scene.given).toEqual(["released"]);
  });
});
