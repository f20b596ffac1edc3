import { RebalancerError } from "../src/errors.ts";
import { assignorOf } from "../src/kafka/assignors/protocols.ts";
import type { WireLease } from "../src/kubernetes/client.ts";
import { createKubernetesCluster } from "../src/kubernetes/cluster.ts";
import { writeRotations } from "../src/kubernetes/rotation-record.ts";
import type { Narrator } from "../src/ports.ts";
import { rebalance } from "../src/rebalance.ts";
import { createVirtualClock } from "../src/simulation/virtual-clock.ts";
import type { RunReport } from "../src/types.ts";
import type { Incident, PodCase, RunCase } from "./arbitraries.ts";
import { apiGroupSources, apiMetrics } from "./fakes/api-world-sources.ts";
import {
  apiClient,
  type ApiPod,
  type ApiWorld,
  groupAt,
  nextMoment,
  reached,
  replace,
  replicasAt,
  stop,
} from "./fakes/api-world.ts";
import { type Beforehand, violations } from "./verifier.ts";

const silent: Narrator = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface RunOutcome {
  readonly report: RunReport;
  readonly world: ApiWorld;
  readonly violations: readonly string[];
}

/** What a run may still do once its deadline has passed: follow an eviction to its end, strike it, release the Lease. */
const AFTERMATH_SECONDS = 60;

/** Plays one random case through the whole run, on virtual time, and judges it. */
export async function playCase(given: RunCase): Promise<RunOutcome> {
  const world = worldOf(given);
  const { clock } = world;
  const started = clock.now().getTime();
  const ended = new AbortController();
  const stopped = new AbortController();
  let stoppedAt: number | undefined;
  let metricsRead = 0;
  const after = (seconds: number | undefined, act: () => void) => {
    if (seconds !== undefined) clock.sleep(seconds * 1_000, ended.signal).then(act, () => undefined);
  };
  after(given.stopAfterSeconds, () => {
    stoppedAt = clock.now().getTime();
    stopped.abort(new RebalancerError("CANCELLED", "told to stop"));
  });
  after(given.meanwhile?.afterSeconds, () => befall(world, given));
  after(given.usurpedAfterSeconds, () => usurp(world));

  const { group, dryRun, policy, sourceFault } = given;
  const faultOf = (source: string) => (nth: number) =>
    sourceFault?.source === source && sourceFault.nth === nth ? sourceFault.fault : undefined;
  const options = {
    client: apiClient(world),
    clock,
    namespace: "shop",
    labelSelector: "app=orders",
    holder: "this-run",
  };
  const ports = {
    cluster: createKubernetesCluster(options),
    metrics: apiMetrics(world, faultOf("metrics"), () => (metricsRead += 1)),
    groups: group ? apiGroupSources(world, group, faultOf("group")) : [],
    sinks: [],
    clock,
    narrator: silent,
  };
  const identity = { runId: "test", dryRun, namespace: "shop", selector: "app=orders" };
  const strategy = group ? "forecast" : "balanced";
  const report = await rebalance(identity, ports, { ...policy, strategy }, stopped.signal);
  ended.abort();
  const beforehand: Beforehand = {
    dryRun,
    policy,
    held: given.hold === "held",
    removedAt: given.lastRemovalSeconds === undefined ? undefined : started - given.lastRemovalSeconds * 1_000,
    stoppedAt,
    metricsRead,
    perished: given.meanwhile ? 1 : 0,
  };
  const late = (clock.now().getTime() - started) / 1_000 > policy.runDeadlineSeconds + AFTERMATH_SECONDS;
  return {
    report,
    world,
    violations: [...violations(world, report, beforehand), ...(late ? ["the run was late"] : [])],
  };
}

interface Scene {
  readonly now: number;
  /** Those that do not terminate. */
  readonly pods: readonly ApiPod[];
  readonly pod: ApiPod;
  readonly lagSeconds: number;
}

/** What befalls the group without our doing. */
const INCIDENTS: Readonly<Record<Incident, (world: ApiWorld, scene: Scene) => void>> = {
  "workload deleted": ({ since }, { now }) => void (since.deleted = Math.min(now, since.deleted ?? now)),
  suspended: ({ since }, { now }) => void (since.suspended = Math.min(now, since.suspended ?? now)),
  "turns exempt": (_world, { pod, now }) => void (pod.exemptAt ??= now),
  "half turn not Ready": (_world, { pods, now }) => {
    for (const one of pods.slice(0, pods.length / 2)) one.unreadyAt ??= now;
  },
  dies(world, { pod, now }) {
    Object.assign(pod, { terminatingAt: now, goneAt: now });
    replace(world, pod, now);
  },
  "scaled in"(world, { pods, pod, now, lagSeconds }) {
    world.replicas.push({ from: now, count: Math.max(0, replicasAt(world, now) - 1) });
    // A StatefulSet's last; nothing takes its place.
    const last = world.kind === "StatefulSet" ? (pods.toSorted(byOrdinal).at(-1) ?? pod) : pod;
    stop(world, last, now + lagSeconds * 1_000);
  },
};

function befall(world: ApiWorld, { meanwhile }: RunCase): void {
  const now = nextMoment(world);
  const pods = groupAt(world, now).filter(({ terminatingAt }) => terminatingAt === undefined);
  const pod = pods[(meanwhile?.pod ?? 0) % Math.max(1, pods.length)];
  if (meanwhile === undefined || pod === undefined) return;
  INCIDENTS[meanwhile.what](world, { now, pods, pod, lagSeconds: meanwhile.lagSeconds });
}

function byOrdinal(a: ApiPod, b: ApiPod): number {
  return a.name.length - b.name.length || (a.name < b.name ? -1 : 1);
}

/** Another run takes the Lease, though it is held. */
function usurp(world: ApiWorld): void {
  const { metadata, spec } = world.lease ?? { metadata: {}, spec: {} };
  const renewTime = world.clock.now().toISOString().replace("Z", "000Z");
  world.lease = {
    ...world.lease,
    metadata: { ...metadata, resourceVersion: "usurped" },
    spec: { ...spec, holderIdentity: "another run", renewTime, leaseDurationSeconds: 60 },
  };
}

function worldOf(given: RunCase): ApiWorld {
  const clock = createVirtualClock();
  const now = clock.now().getTime();
  const { hold, kind, owned, fault, delay, skew, pods } = given;
  const own = pods.map((pod, index) => podOf(pod, index, given, now));
  const mine = own.filter(({ owner, finished }) => owner === "workload" && finished !== true).length;
  const begun = (what: RunCase["hold"]) => (hold === what ? now - 60_000 : Number.POSITIVE_INFINITY);
  return {
    clock,
    kind,
    // A StatefulSet owns its pods without anything between.
    owned: owned === "strangely" || (owned === "directly" && kind === "StatefulSet") ? "usual" : owned,
    pods: [...own, ...(given.reusedAddress ? leftovers(own, now) : [])],
    replicas: [{ from: 0, count: Math.max(0, mine + given.extraReplicas) }],
    since: {
      suspended: begun("suspended"),
      rollout: begun("rollout"),
      scaling: begun("scaling"),
      deleted: begun("deleted"),
    },
    lease: leaseOf(given, now, mine),
    bootSeconds: given.bootSeconds,
    refuses: (name) => given.refusedPods.some((index) => name === nameOf(index, given)),
    skewOf: (call, at) => {
      // Where all replies come from the one that is ahead there is nothing to compare.
      if (
        skew === undefined ||
        (skew.call === "any" && skew.fromSeconds <= 0) ||
        (skew.call !== "any" && skew.call !== call)
      )
        return 0;
      return reached(now + skew.fromSeconds * 1_000, at) ? skew.seconds * 1_000 : 0;
    },
    delayOf: (call) =>
      delay?.calls.includes(call) ? [delay.beforeSeconds * 1_000, delay.afterSeconds * 1_000] : [0, 0],
    faultOf: (call, nth) => (fault?.call === call && fault.nth === nth ? fault : undefined),
    history: [],
    moment: 0,
  };
}

/** A pod that ended with an address that another pod has got since. */
function leftovers([first]: readonly ApiPod[], now: number): ApiPod[] {
  if (first === undefined) return [];
  const samples = { cpu: 50, lag: 1e6, rate: 1e4, memory: 5e8 };
  return [{ ...first, name: "orders-0-left", uid: "left", created: now - 1e9, finished: true, samples }];
}

function leaseOf(given: RunCase, now: number, pods: number): WireLease {
  const { lastRemovalSeconds: seconds, hold, group, inVain, kind } = given;
  const at = new Date(now - (seconds ?? 0) * 1_000).toISOString();
  const removals = seconds === undefined ? [] : [{ at, pod: "old", uid: "old" }];
  const mark =
    group &&
    [kind === "StatefulSet" ? "orders" : "orders-5d8f7c9b", pods, group.partitions, assignorOf(group.protocol)].join(
      " ",
    );
  const vain = {
    at: new Date(now - 86_400_000),
    pods: ["x"],
    before: 1.7,
    expected: undefined,
    after: 1.7,
    order: undefined,
  };
  const rotations = mark !== undefined && inVain ? Array.from({ length: 3 }, () => ({ ...vain, group: mark })) : [];
  const held = { holderIdentity: "another run", renewTime: new Date(now).toISOString(), leaseDurationSeconds: 60 };
  return {
    kind: "Lease",
    metadata: {
      name: `pod-rebalancer-${kind.toLowerCase()}-orders`,
      namespace: "shop",
      resourceVersion: "0",
      annotations: {
        "pod-rebalancer.io/removals": JSON.stringify(removals),
        "pod-rebalancer.io/rotations": writeRotations(rotations),
      },
    },
    spec: hold === "held" ? held : {},
  };
}

function nameOf(index: number, { kind, owned }: RunCase): string {
  if (kind === "StatefulSet" && owned !== "strangely") return `orders-${index}`;
  return `orders-5d8f7c9b-${String(index).padStart(5, "0")}`;
}

const BOOT_MILLIS = 8_000;

function podOf({ ageSeconds, state, samples }: PodCase, index: number, given: RunCase, now: number): ApiPod {
  const created = now - ageSeconds * 1_000;
  const { group, hold } = given;
  const owner = hold === "foreign" && index === 0 ? "another" : "workload";
  return {
    name: nameOf(index, given),
    uid: `uid-${index}`,
    created,
    ip: `10.0.0.${index}`,
    owner: state === "bare" ? "nobody" : owner,
    readyAt: state === "starting" ? undefined : created + (group?.quickBoot === false ? BOOT_MILLIS : 0),
    ...(state === "terminating" && { terminatingAt: now - 1_000, goneAt: now + 20_000 }),
    ...(state === "exempt" && { exemptAt: created }),
    samples: { ...samples },
  };
}
