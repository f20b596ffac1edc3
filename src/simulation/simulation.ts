/** A consumer group on Kubernetes under a metrics server, simulated as a whole; the same for the same settings and seed. */

import { imbalanceOf } from "../forecast/imbalance.ts";
import { nameOf } from "../kafka/assignors/assignor.ts";
import { type Group, type Protocol, replaceMembers, settle } from "../kafka/assignors/orders.ts";
import type { ProtocolName } from "../kafka/assignors/protocols.ts";
import type { Clock, Cluster, GroupSource, HistorySource, MetricsSource } from "../ports.ts";
import { drawOne, type Random, randomTopicId, seededRandom, shuffled } from "../random.ts";
import type { Rotation, Signal } from "../types.ts";
import { createSimulatedCluster } from "./cluster.ts";
import {
  type SimulatedGroup,
  type ConsumerState,
  type ConsumerTiming,
  type Consumer,
  createConsumerGroup,
  memberIdOf,
} from "./consumer-group.ts";
import { partitionsOf } from "./coordinator.ts";
import { simulatedGroupSource } from "./group-source.ts";
import { simulatedHistorySource } from "./history-source.ts";
import { addWorkload, createWorld, type KubernetesWorld, livingPods, type SimulatedPod } from "./kubernetes-world.ts";
import { createRates, type RateProcess, type RateShape } from "./partition-rates.ts";
import { createScrapes, type ScrapeSettings, scrapedMetrics } from "./scrapes.ts";

export interface SimulationSettings {
  readonly seed: number;
  readonly pods: number;
  readonly workload?: "Deployment" | "StatefulSet";
  /** See KIP-345; for StatefulSets. */
  readonly staticMembers?: boolean;
  /** Number of partitions by topic. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly protocol: Protocol;
  /** What the group says of it; undefined: what PROTOCOLS calls it. */
  readonly protocolName?: ProtocolName;
  readonly timing?: Partial<ConsumerTiming>;
  /** How long a new pod takes until it is Ready, and its consumer in the group. */
  readonly bootSeconds?: number;
  /** How often somebody was replaced before, one after the other; 0 by default. */
  readonly replacedBefore?: number;
  readonly rates: RateShape;
  /** Rates are drawn until the loads of the members are like this; the one with the highest imbalance where none of 5,000 is. */
  readonly wanted?: (loads: readonly number[]) => boolean;
  /** What a consumer can take, as a multiple of the mean load. */
  readonly capacity?: number;
  /** What is different in some pods: factors of capacity and of CPU seconds for a message; 1 by default. */
  readonly unlike?: (pod: SimulatedPod, at: Date) => Partial<Factors>;
  readonly scrape?: Partial<ScrapeSettings>;
  /** That are on record at the start. */
  readonly rotations?: readonly Rotation[];
  /** For so long the group has been at work at the start, so that there are metrics, and lag. */
  readonly historySeconds?: number;
}

export interface Factors {
  readonly capacity: number;
  readonly cpuPerMessage: number;
}

export interface Simulation {
  readonly clock: Clock;
  readonly world: KubernetesWorld;
  /** The product's interfaces. */
  readonly cluster: Cluster;
  readonly metrics: MetricsSource;
  /** The group as Kafka tells of it. */
  readonly groupSource: GroupSource;
  readonly historySource: HistorySource;
  /** The group as of now. */
  group(): SimulatedGroup;
  consumers(): readonly ConsumerState[];
  /** Busiest member's load / mean load, as of now. */
  imbalance(): number;
  /** What the metrics server answers, as of now: pod name → value. */
  readings(signal: Signal): ReadonlyMap<string, number>;
  /** How many draws it took until the loads were as wanted. */
  readonly draws: number;
}

/** Messages/s of a partition. */
const MEAN_RATE = 125;
/** A consumer of mean load uses half a core. */
const CORES_AT_MEAN = 0.5;
const AGE_MILLIS = 2 * 86_400_000;
const TIMING: ConsumerTiming = {
  heartbeatSeconds: 3,
  sessionTimeoutSeconds: 45,
  closeSeconds: 0.2,
  leavesOnClose: true,
};
const SCRAPE: ScrapeSettings = { intervalSeconds: 15, windowSeconds: 300, stalenessSeconds: 120, noise: 0 };

export function createSimulation(settings: SimulationSettings, clock: Clock): Simulation {
  const {
    pods,
    workload: kind = "Deployment",
    staticMembers = false,
    partitions,
    protocol,
    bootSeconds = 8,
  } = settings;
  const { historySeconds = 600, capacity = 2 } = settings;
  const { noise } = { ...SCRAPE, ...settings.scrape };
  const since = new Date(clock.now().getTime() - historySeconds * 1_000);
  const timing = { ...TIMING, ...settings.timing };
  const stopSeconds = Math.max(2, timing.closeSeconds);
  const world = createWorld({ namespace: "shop", seed: settings.seed, bootSeconds, stopSeconds });
  const created = new Date(since.getTime() - AGE_MILLIS);
  addWorkload(world, { kind, staticMembers, name: "consumer", replicas: pods, labels: { app: "consumer" }, created });

  const start = settledGroup(world, settings, since);
  const { rates, draws } = drawUntil(settings, start, since.getTime(), world.random);
  const count = partitionsOf(partitions).length;
  const meanLoad = (MEAN_RATE * count) / pods;
  function consumerIn(pod: SimulatedPod, at: Date): Consumer {
    const { capacity: faster = 1, cpuPerMessage: dearer = 1 } = settings.unlike?.(pod, at) ?? {};
    return { capacity: capacity * meanLoad * faster, cpuPerMessage: (CORES_AT_MEAN / meanLoad) * dearer };
  }
  const group = createConsumerGroup({ world, protocol, timing, start, rates, consumerIn, since });
  const scrapes = createScrapes(world, group, { ...SCRAPE, ...settings.scrape, since }, world.random);

  function advanced(): SimulatedGroup {
    const now = clock.now();
    while (scrapes.dueAt <= now.getTime()) {
      group.advance(new Date(scrapes.dueAt));
      scrapes.scrape();
    }
    group.advance(now);
    return group;
  }

  function readings(signal: Signal): ReadonlyMap<string, number> {
    advanced();
    return scrapes.readings(signal, clock.now());
  }

  return {
    clock,
    world,
    cluster: createSimulatedCluster(world, clock, settings.rotations),
    metrics: scrapedMetrics(readings),
    groupSource: simulatedGroupSource(advanced, { ...settings, noise, random: seededRandom(settings.seed) }),
    historySource: simulatedHistorySource(advanced, capacity, seededRandom(settings.seed)),
    draws,
    group: advanced,
    consumers: () => advanced().consumers(),
    imbalance: () =>
      imbalanceOf(
        advanced()
          .consumers()
          .map(({ load }) => load),
      ),
    readings,
  };
}

/**
 * The group at rest: the partitions were dealt out at random, in equal numbers, which an assignor that does not look at what was
 * undoes; some members were replaced since, one after the other.
 */
function settledGroup(world: KubernetesWorld, settings: SimulationSettings, since: Date): Group {
  const { protocol, partitions, staticMembers = false, replacedBefore = 0 } = settings;
  const topics = [...partitions.keys()];
  const present = livingPods(world, since);
  const dealt = shuffled(partitionsOf(partitions), world.random);
  const members = present.map((pod, seat) => ({
    id: memberIdOf(pod, world),
    ...(staticMembers && { instanceId: pod.name }),
    topics,
    owned: dealt.filter((_partition, turn) => turn % present.length === seat),
    generation: 1,
  }));
  // Of a stream of their own: only some assignors look at them.
  const ids = seededRandom(settings.seed);
  const topicIds = new Map(topics.map((topic) => [topic, randomTopicId(ids)]));
  let group = settle(protocol, { partitions, topicIds, members });
  for (let turn = 0; turn < replacedBefore; turn += 1) {
    const { id: leaves, instanceId } = drawOne(group.members, world.random);
    const pod = present.find(({ name }) => leaves.startsWith(`${name}-`));
    if (pod === undefined) throw new Error(`no pod of member ${leaves}`);
    const joins = { id: memberIdOf(pod, world), ...(instanceId !== undefined && { instanceId }), topics };
    group = replaceMembers(protocol, group, [{ leaves, joins }], "leave-first");
  }
  return group;
}

const MOST_DRAWS = 5_000;

function drawUntil(
  settings: SimulationSettings,
  start: Group,
  since: number,
  random: Random,
): { rates: RateProcess; draws: number } {
  const { wanted = () => true, partitions } = settings;
  const places = new Map(partitionsOf(partitions).map((partition, place) => [nameOf(partition), place]));
  const owned = start.members.map((member) => member.owned.map((one) => places.get(nameOf(one)) ?? -1));
  const draw = () => createRates({ shape: settings.rates, count: places.size, mean: MEAN_RATE, since }, random);
  let worst: { rates: RateProcess; imbalance: number } | undefined;
  for (let draws = 1; draws <= MOST_DRAWS; draws += 1) {
    const rates = draw();
    const loads = owned.map((own) => own.reduce((sum, place) => sum + (rates.rates[place] ?? 0), 0));
    if (wanted(loads)) return { rates, draws };
    const imbalance = imbalanceOf(loads);
    if (worst === undefined || imbalance > worst.imbalance) worst = { rates, imbalance };
  }
  return { rates: worst?.rates ?? draw(), draws: MOST_DRAWS };
}
