/**
 * The group coordinator in simulated time: who is a member, when the group rebalances, and who consumes which partition meanwhile.
 *
 * Classic groups (eager and cooperative, KIP-429): a change of the membership begins a rebalance, which the members learn of with
 * their next heartbeats; it ends once all have joined again, and whatever changed until then is part of it. So whether an old
 * member leaves and its successor joins in one rebalance or in two follows from the times. In the next-generation protocol
 * (KIP-848) the next heartbeat of any member brings about a new target, and members give up and take over with theirs.
 */

import { type Member, nameOf, type TopicPartition } from "../kafka/assignors/assignor.ts";
import { type Group, type Protocol, rebalanceOnce, somebodyGaveUp } from "../kafka/assignors/orders.ts";
import type { Random } from "../random.ts";

export interface Timing {
  /** heartbeat.interval.ms; the server's for KIP-848. */
  readonly heartbeatSeconds: number;
  /** session.timeout.ms: so long a member that went without a word counts as there. */
  readonly sessionTimeoutSeconds: number;
}

/** Times are epoch milliseconds, and never step back. */
export interface Coordinator {
  /** As of the last rebalance. */
  readonly group: Group;
  /** Who consumes the partition, by its place in `partitionsOf`; undefined while nobody does. */
  readonly owners: readonly (string | undefined)[];
  /** When something happens by itself; Infinity: never. */
  readonly dueAt: number;
  /** Lets happen what is due at this time. */
  pass(at: number): void;
  /** A static member (KIP-345) that returns takes up what its instance id owned, without a rebalance. */
  join(member: Pick<Member, "id" | "instanceId" | "topics">, at: number): void;
  /** @param tells - whether it sends a LeaveGroup request; a static member never does. */
  leave(id: string, tells: boolean, at: number): void;
}

/** All partitions of a group, in one order. */
export function partitionsOf(partitions: ReadonlyMap<string, number>): TopicPartition[] {
  return [...partitions].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}

/**
 * @param start - settled: what its members own is what they consume.
 * @param random - draws when each member's heartbeats are.
 */
export function createCoordinator(protocol: Protocol, timing: Timing, start: Group, random: Random): Coordinator {
  const heartbeatMillis = timing.heartbeatSeconds * 1_000;
  const partitions = partitionsOf(start.partitions);
  const places = new Map(partitions.map((partition, place) => [nameOf(partition), place]));
  const phases = new Map(start.members.map(({ id }) => [id, random() * heartbeatMillis]));
  /** Members of which nobody knows that they are gone → when they will be missed. */
  const away = new Map<string, number>();
  /** While the group rebalances: its members → when they join again; those that are away are waited for. */
  let rejoining: Map<string, number> | undefined;
  /** KIP-848: when the next target is made; and what is given up and taken over on the way to the last one, at which times. */
  let retargetAt = Number.POSITIVE_INFINITY;
  let handovers: Handover[] = [];
  let group = start;
  let owners = ownersOf(start);

  function ownersOf({ members }: Group): (string | undefined)[] {
    const found = partitions.map((): string | undefined => undefined);
    for (const { id, owned } of members) for (const one of owned) found[places.get(nameOf(one)) ?? -1] = id;
    return found;
  }

  function nextHeartbeat(id: string, at: number): number {
    const phase = phases.get(id) ?? 0;
    return phase + Math.ceil((at - phase) / heartbeatMillis) * heartbeatMillis;
  }

  /** Nobody consumes any longer what this member did. */
  function release(id: string): void {
    owners = owners.map((owner) => (owner === id ? undefined : owner));
  }

  function changed(at: number): void {
    const heartbeats = new Map(group.members.map(({ id }) => [id, nextHeartbeat(id, at)]));
    // A newcomer's heartbeat is its joining.
    if (protocol.rebalances === "incremental") retargetAt = Math.min(Number.POSITIVE_INFINITY, ...heartbeats.values());
    else rejoining = heartbeats.size === 0 ? undefined : (rejoining ?? heartbeats);
  }

  function dueOf(id: string, at: number): number {
    return away.has(id) ? Number.POSITIVE_INFINITY : at;
  }

  /** When the rebalance ends: everybody has joined again by then. */
  function barrier(): number {
    if (rejoining === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(...[...rejoining].map(([id, at]) => dueOf(id, at)));
  }

  function endRebalance(at: number): void {
    const before = group;
    group = rebalanceOnce(protocol.assign, group);
    rejoining = undefined;
    owners = ownersOf(group);
    if (protocol.rebalances !== "cooperative" || !somebodyGaveUp(before, group)) return;
    changed(at);
  }

  /** With an eager protocol a member stops with all it has when it learns of the rebalance. */
  function stopEager(at: number): void {
    if (protocol.rebalances !== "eager" || rejoining === undefined) return;
    for (const [id, when] of rejoining) if (when <= at) release(id);
  }

  function retarget(at: number): void {
    retargetAt = Number.POSITIVE_INFINITY;
    group = rebalanceOnce(protocol.assign, group);
    handovers = ownersOf(group).flatMap((to, place) => {
      const from = owners[place];
      if (to === undefined || to === from) return [];
      const releasedAt = from === undefined ? at : nextHeartbeat(from, at);
      return [{ place, to, releasedAt, takenAt: nextHeartbeat(to, releasedAt) }];
    });
  }

  function passHandovers(at: number): void {
    for (const { place, to, releasedAt, takenAt } of handovers) {
      if (releasedAt > at) continue;
      owners = owners.with(place, takenAt <= at && !away.has(to) ? to : undefined);
    }
    handovers = handovers.filter(({ takenAt }) => takenAt > at);
  }

  function forget(id: string, at: number): void {
    away.delete(id);
    rejoining?.delete(id);
    group = { ...group, members: group.members.filter((member) => member.id !== id) };
    changed(at);
  }

  /** Everything that is still to come. */
  function coming(): number[] {
    const eager = protocol.rebalances === "eager" && rejoining ? [...rejoining.values()] : [];
    const stops = eager.filter((at) => at > passed);
    const moves = handovers.flatMap(({ releasedAt, takenAt }) => [releasedAt, takenAt]).filter((at) => at > passed);
    return [...away.values(), barrier(), retargetAt, ...stops, ...moves];
  }
  let passed = Number.NEGATIVE_INFINITY;

  return {
    get group() {
      return group;
    },
    get owners() {
      return owners;
    },
    get dueAt() {
      return Math.min(Number.POSITIVE_INFINITY, ...coming());
    },
    pass(at) {
      passed = at;
      for (const [id, missedAt] of away) if (missedAt <= at) forget(id, at);
      if (retargetAt <= at) retarget(at);
      passHandovers(at);
      stopEager(at);
      if (barrier() <= at) endRebalance(at);
    },
    join({ id, instanceId, topics }, at) {
      phases.set(id, at % heartbeatMillis);
      const place = group.members.findIndex((member) => instanceId !== undefined && member.instanceId === instanceId);
      const former = group.members[place];
      if (former !== undefined) {
        away.delete(former.id);
        group = { ...group, members: group.members.with(place, { ...former, id }) };
        if (rejoining?.delete(former.id)) rejoining.set(id, at);
        else for (const one of former.owned) owners = owners.with(places.get(nameOf(one)) ?? -1, id);
        return;
      }
      const newcomer: Member = {
        id,
        ...(instanceId !== undefined && { instanceId }),
        topics,
        owned: [],
        generation: -1,
      };
      group = { ...group, members: [...group.members, newcomer] };
      changed(at);
      rejoining?.set(id, at);
    },
    leave(id, tells, at) {
      release(id);
      const member = group.members.find((one) => one.id === id);
      if (member === undefined) return;
      if (tells && member.instanceId === undefined) forget(id, at);
      else away.set(id, at + timing.sessionTimeoutSeconds * 1_000);
    },
  };
}

interface Handover {
  readonly place: number;
  readonly to: string;
  readonly releasedAt: number;
  readonly takenAt: number;
}
