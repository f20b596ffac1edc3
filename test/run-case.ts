import { RebalancerError } from "../src/errors.ts";
import type { Narrator } from "../src/ports.ts";
import { rebalance } from "../src/rebalance.ts";
import { createVirtualClock } from "../src/simulation/virtual-clock.ts";
import type { RunReport } from "../src/types.ts";
import type { PodCase, RunCase } from "./arbitraries.ts";
import {
  createWorld,
  type FakePod,
  fakeCluster,
  fakeGroupSource,
  fakeMetrics,
  steadyPod,
  type World,
} from "./fakes/world.ts";
import { type Beforehand, violations } from "./verifier.ts";

const silent: Narrator = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface RunOutcome {
  readonly report: RunReport;
  readonly world: World;
  readonly violations: readonly string[];
}

/** Plays one random case through the whole run, on virtual time, and judges it. */
export async function playCase(given: RunCase): Promise<RunOutcome> {
  const world = worldOf(given);
  const { clock } = world;
  const started = clock.now().getTime();
  const ended = new AbortController();
  const stop = new AbortController();
  let stoppedAt: number | undefined;
  const after = (seconds: number | undefined, act: () => void) => {
    if (seconds !== undefined) clock.sleep(seconds * 1_000, ended.signal).then(act, () => undefined);
  };
  after(given.stopAfterSeconds, () => {
    stoppedAt = clock.now().getTime();
    stop.abort(new RebalancerError("CANCELLED", "told to stop"));
  });
  const { meanwhile } = given;
  after(meanwhile?.afterSeconds, () => befall(world, given));
  after(given.loseLeaseAfterSeconds, () => world.lost.abort(new RebalancerError("LOCK_LOST", "planted loss")));

  const identity = { runId: "test", dryRun: given.dryRun, namespace: "shop", selector: "app=orders" };
  const { group } = given;
  const groups = group ? [fakeGroupSource(world, group)] : [];
  const ports = {
    cluster: fakeCluster(world),
    metrics: fakeMetrics(world),
    groups,
    sinks: [],
    clock,
    narrator: silent,
  };
  const strategy = group ? "forecast" : "balanced";
  const report = await rebalance(identity, ports, { ...given.policy, strategy }, stop.signal);
  ended.abort();
  const { lastRemovalSeconds, dryRun, policy } = given;
  const beforehand: Beforehand = { dryRun, policy, lastRemovalSeconds, stoppedAt };
  const late = (clock.now().getTime() - started) / 1_000 > policy.runDeadlineSeconds + 1;
  return {
    report,
    world,
    violations: [...violations(world, report, beforehand), ...(late ? ["the run was late"] : [])],
  };
}

/** What befalls a pod without our doing. */
function befall(world: World, { meanwhile }: RunCase): void {
  const pod = world.pods[(meanwhile?.pod ?? 0) % Math.max(1, world.pods.length)];
  if (meanwhile === undefined || pod === undefined || pod.terminatingAt !== undefined) return;
  if (meanwhile.what === "turns exempt") pod.exempt = true;
  else lose(pod, meanwhile.what, world);
}

function lose(pod: FakePod, what: "dies" | "scaled away", world: World): void {
  const now = world.clock.now().getTime();
  Object.assign(pod, { terminatingAt: now, goneAt: now });
  // Nobody misses it.
  if (pod.controlled === false) return;
  const { replicas } = world.workload;
  if (what === "scaled away") world.workload = { ...world.workload, replicas: Math.max(0, replicas - 1) };
  else {
    const readyAt = now + world.bootSeconds * 1_000;
    world.pods.push({ ...steadyPod(world.clock, "orders-5d8f7c9b-heir"), created: now, readyAt });
  }
}

function worldOf(given: RunCase): World {
  const clock = createVirtualClock();
  const { hold, fault } = given;
  const world = createWorld(
    clock,
    given.pods.map((pod, index) => fakePod(pod, index, clock.now().getTime())),
    {
      bootSeconds: given.bootSeconds,
      budget: (name) =>
        given.refusedPods.some((n) => name === podName(n)) ? "the budget allows no disruption" : undefined,
      ...(hold === "held" && { heldBy: "another run" }),
      ...(hold === "foreign" && { foreignController: { kind: "DaemonSet", name: "agents", uid: "ds" } }),
      ...(fault && { faults: { [fault.point]: (call: number) => (call === fault.call ? fault.fault : undefined) } }),
    },
  );
  const { lastRemovalSeconds: seconds } = given;
  if (given.group?.quickBoot === false) for (const pod of world.pods) pod.readyAt += SLOW_BOOT_MILLIS;
  if (seconds !== undefined) {
    world.removals.push({ at: new Date(clock.now().getTime() - seconds * 1_000), pod: "old", uid: "old" });
  }
  world.workload = {
    ...world.workload,
    replicas: world.workload.replicas + given.extraReplicas,
    suspended: hold === "suspended",
    rollout: hold === "rollout" ? "1 of 8 pods is new" : undefined,
    scaling: hold === "scaling" ? "hpa/orders wants 9" : undefined,
  };
  return world;
}

const SLOW_BOOT_MILLIS = 8_000;

function podName(index: number): string {
  return `orders-5d8f7c9b-${String(index).padStart(5, "0")}`;
}

function fakePod({ ageSeconds, state, samples }: PodCase, index: number, now: number): FakePod {
  const created = now - ageSeconds * 1_000;
  return {
    name: podName(index),
    uid: `uid-${index}`,
    created,
    readyAt: state === "starting" ? Number.POSITIVE_INFINITY : created,
    ...(state === "terminating" && { terminatingAt: now - 1_000, goneAt: now + 20_000 }),
    ...(state === "exempt" && { exempt: true }),
    ...(state === "bare" && { controlled: false }),
    samples: { ...samples },
  };
}
