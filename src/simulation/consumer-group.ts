/**
 * A simulated consumer group: who consumes which partitions among the pods of the simulated Kubernetes, what waits in them, and
 * what each consumer has used.
 *
 * A pod joins the group when it gets Ready and leaves it soon after it is told to stop; `coordinator.ts` says who owns what
 * meanwhile. A consumer takes what its partitions bring, up to its capacity; what is above stays in the partition as lag
 * and goes with it to its next owner, and so does what arrives while nobody consumes.
 */

import type { Group, Protocol } from "../kafka/assignors/orders.ts";
import { randomUuid } from "../random.ts";
import { createCoordinator, partitionsOf, type Timing } from "./coordinator.ts";
import { type KubernetesWorld, livingPods, type SimulatedPod } from "./kubernetes-world.ts";
import type { RateProcess } from "./partition-rates.ts";

export interface GroupSettings {
  readonly world: KubernetesWorld;
  readonly protocol: Protocol;
  readonly timing: ConsumerTiming;
  /** Settled; each member's id is made with {@link memberIdOf}. */
  readonly start: Group;
  readonly rates: RateProcess;
  /** What the consumer in a pod can do, at this time. */
  readonly consumerIn: (pod: SimulatedPod, at: Date) => Consumer;
  /** Since when the first members have been at work, without lag. */
  readonly since: Date;
}

export interface ConsumerTiming extends Timing {
  /** From the pod's SIGTERM until its consumer has left the group. */
  readonly closeSeconds: number;
  /** Whether it sends a LeaveGroup request then; without one the group misses it after the session timeout only. */
  readonly leavesOnClose: boolean;
}

export interface Consumer {
  /** Messages/s that it can consume at most, >= 0. */
  readonly capacity: number;
  /** CPU seconds for one message, >= 0. */
  readonly cpuPerMessage: number;
}

/** One consumer at one moment. */
export interface ConsumerState {
  readonly pod: string;
  /** By their places in the order of topics and numbers. */
  readonly partitions: readonly number[];
  /** Messages/s that its partitions bring. */
  readonly load: number;
  /** Messages/s that it consumes. */
  readonly consumed: number;
  /** Messages that wait in its partitions. */
  readonly lag: number;
}

/** What a pod has used since it began. */
export interface Used {
  readonly messages: number;
  readonly cpuSeconds: number;
}

export interface SimulatedGroup {
  /** Lets time pass up to `now`, whatever happens on the way. */
  advance(now: Date): void;
  /** All pods that own something or are members, in name order, as of the last advance. */
  consumers(): ConsumerState[];
  /** By pod UID. */
  used(uid: string): Used;
  /** By partition: messages that wait. */
  readonly backlog: readonly number[];
  /** By partition: seconds without anybody who consumes it, since the group began. */
  readonly pausedSeconds: readonly number[];
  /** By partition: messages/s that are produced now. */
  readonly rates: readonly number[];
  /** As the coordinator has it, as of the last advance. */
  readonly members: Group;
  /** Whether nothing is on its way from one member to another. */
  readonly stable: boolean;
}

/** Messages are committed so long after they arrive, also when the consumer keeps up. */
const COMMIT_SECONDS = 0.5;
/** CPU that a consumer uses when nothing comes. */
const IDLE_CORES = 0.02;

/** As clients make it: the client id, which is the pod's name here, and a UUID. */
export function memberIdOf(pod: Pick<SimulatedPod, "name">, world: KubernetesWorld): string {
  return `${pod.name}-${randomUuid(world.random)}`;
}

export function createConsumerGroup(settings: GroupSettings): SimulatedGroup {
  const { world, protocol, timing, start, rates, consumerIn } = settings;
  const topics = [...start.partitions.keys()];
  const backlog = partitionsOf(start.partitions).map(() => 0);
  const pausedSeconds = backlog.map(() => 0);
  const coordinator = createCoordinator(protocol, timing, start, world.random);
  const used = new Map<string, { messages: number; cpuSeconds: number }>();
  const members = new Map<string, SimulatedPod>();
  const done = new Set<string>();
  let at = settings.since.getTime();

  for (const pod of livingPods(world, settings.since)) {
    const member = start.members.find(({ id }) => id.startsWith(`${pod.name}-`));
    if (member === undefined) continue;
    members.set(member.id, pod);
    done.add(`${pod.uid} joins`);
  }

  /** The members of the first hand in; the others follow as their pods come and go. */
  function nextChange(): { readonly id: string; readonly when: number; readonly apply: () => void } | undefined {
    return world.pods.flatMap(changesOf).toSorted((a, b) => a.when - b.when)[0];
  }

  function changesOf(pod: SimulatedPod) {
    const { uid, readyAt, terminatingAt, goneAt } = pod;
    const changes = [];
    const end =
      terminatingAt &&
      Math.min(terminatingAt.getTime() + timing.closeSeconds * 1_000, goneAt?.getTime() ?? Number.POSITIVE_INFINITY);
    if (readyAt && (end === undefined || readyAt.getTime() <= end)) {
      changes.push({ id: `${uid} joins`, when: readyAt.getTime(), apply: () => join(pod, readyAt.getTime()) });
    }
    if (end !== undefined) changes.push({ id: `${uid} leaves`, when: end, apply: () => leave(pod, end) });
    return changes.filter(({ id }) => !done.has(id));
  }

  function join(pod: SimulatedPod, when: number): void {
    const id = memberIdOf(pod, world);
    members.set(id, pod);
    const instanceId = pod.workload?.staticMembers === true ? pod.name : undefined;
    coordinator.join({ id, ...(instanceId !== undefined && { instanceId }), topics }, when);
  }

  function leave(pod: SimulatedPod, when: number): void {
    const [id] = [...members].find(([, { uid }]) => uid === pod.uid) ?? [];
    if (id === undefined) return;
    members.delete(id);
    coordinator.leave(id, timing.leavesOnClose, when);
  }

  function flow(until: number): void {
    const seconds = (until - at) / 1_000;
    if (seconds > 0) {
      for (const { pod, partitions } of hands()) consume(pod, partitions, seconds);
      for (const [place, owner] of coordinator.owners.entries()) if (owner === undefined) wait(place, seconds);
    }
    at = until;
  }

  function hands(): { readonly pod: SimulatedPod; readonly partitions: number[] }[] {
    const found = new Map([...members].map(([id, pod]) => [id, { pod, partitions: [] as number[] }]));
    for (const [place, owner] of coordinator.owners.entries()) found.get(owner ?? "")?.partitions.push(place);
    return [...found.values()];
  }

  function wait(place: number, seconds: number): void {
    backlog[place] = (backlog[place] ?? 0) + (rates.rates[place] ?? 0) * seconds;
    pausedSeconds[place] = (pausedSeconds[place] ?? 0) + seconds;
  }

  /** What is above the consumer's capacity piles up, shared out by rate; what is below it drains what had piled up. */
  function consume(pod: SimulatedPod, partitions: readonly number[], seconds: number): void {
    const { capacity, cpuPerMessage } = consumerIn(pod, new Date(at));
    const load = sumOf(rates.rates, partitions);
    const waiting = sumOf(backlog, partitions);
    const messages = Math.min(capacity * seconds, waiting + load * seconds);
    const excess = (load - capacity) * seconds;
    const kept = waiting === 0 ? 0 : Math.max(0, waiting + Math.min(excess, 0)) / waiting;
    for (const place of partitions) {
      const share = load === 0 ? 0 : (rates.rates[place] ?? 0) / load;
      backlog[place] = (backlog[place] ?? 0) * kept + Math.max(excess, 0) * share;
    }
    const { messages: before, cpuSeconds } = used.get(pod.uid) ?? UNUSED;
    used.set(pod.uid, {
      messages: before + messages,
      cpuSeconds: cpuSeconds + messages * cpuPerMessage + IDLE_CORES * seconds,
    });
  }

  return {
    advance(now) {
      const end = now.getTime();
      for (;;) {
        const change = nextChange();
        const next = Math.min(change?.when ?? Number.POSITIVE_INFINITY, coordinator.dueAt, rates.changesAt);
        // What was found out late happens now: time never steps back.
        const when = Math.max(next, at);
        if (when > end) break;
        flow(when);
        if (rates.changesAt <= when) rates.change();
        if (change && change.when <= when) {
          done.add(change.id);
          change.apply();
        } else if (coordinator.dueAt <= when) coordinator.pass(when);
      }
      flow(end);
    },
    consumers() {
      const states = hands().map(({ pod, partitions }) => {
        const load = sumOf(rates.rates, partitions);
        const waiting = sumOf(backlog, partitions);
        const { capacity } = consumerIn(pod, new Date(at));
        const consumed = waiting > 0 ? capacity : Math.min(load, capacity);
        return { pod: pod.name, partitions, load, consumed, lag: Math.round(waiting + consumed * COMMIT_SECONDS) };
      });
      return states.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
    },
    used: (uid) => used.get(uid) ?? UNUSED,
    backlog,
    pausedSeconds,
    get rates() {
      return rates.rates;
    },
    get members() {
      return coordinator.group;
    },
    get stable() {
      return coordinator.dueAt === Number.POSITIVE_INFINITY;
    },
  };
}

const UNUSED: Used = { messages: 0, cpuSeconds: 0 };

function sumOf(values: readonly number[], places: readonly number[]): number {
  return places.reduce((sum, place) => sum + (values[place] ?? 0), 0);
}
