/** The same rotation in the simulator: from the group as it was, and with the times at which members really came and went. */

import type { Member } from "../../src/kafka/assignors/assignor.ts";
import { type ProtocolName, PROTOCOLS } from "../../src/kafka/assignors/protocols.ts";
import { seededRandom } from "../../src/random.ts";
import { createCoordinator, type Timing } from "../../src/simulation/coordinator.ts";
import type { Container } from "./kubelet.ts";
import type { Ownership } from "./ownership.ts";

/** What the simulator must know of a cell's clients. */
export interface Clients extends Timing {
  readonly protocol: ProtocolName;
  /** Whether each has its pod's name for a group.instance.id. */
  readonly staticMembers?: true;
}

export interface Start {
  readonly topic: string;
  readonly partitions: number;
  /** By pod UID, when the product began. */
  readonly ownership: Ownership;
  /** Epoch milliseconds; what happened later is played again. */
  readonly at: number;
}

/**
 * @returns what each pod, by UID, owns when the simulated group has come to rest.
 * @throws Error where a consumer never told its member id.
 */
export function simulatedOwnership(containers: readonly Container[], clients: Clients, start: Start): Ownership {
  const { topic, partitions } = start;
  const member = (container: Container): Member => ({
    id: memberIdOf(container),
    ...(clients.staticMembers && { instanceId: container.pod }),
    topics: [topic],
    owned: (start.ownership.get(container.uid) ?? []).map((partition) => ({ topic, partition })),
    generation: 1,
  });
  const members = containers.filter(({ uid }) => start.ownership.has(uid)).map(member);
  const group = { partitions: new Map([[topic, partitions]]), members };
  const coordinator = createCoordinator(PROTOCOLS[clients.protocol], clients, group, seededRandom(1));
  for (const { at, happens } of changesSince(containers, start.at)) {
    while (coordinator.dueAt <= at) coordinator.pass(coordinator.dueAt);
    happens(at);
  }
  while (coordinator.dueAt < Number.POSITIVE_INFINITY) coordinator.pass(coordinator.dueAt);
  const uids = new Map(containers.map((container) => [memberIdOf(container), container.uid]));
  const owned = new Map(coordinator.group.members.map(({ id }) => [uids.get(id) ?? id, [] as number[]]));
  for (const [partition, owner = ""] of coordinator.owners.entries()) owned.get(uids.get(owner) ?? "")?.push(partition);
  return owned;

  function changesSince(all: readonly Container[], since: number) {
    const changes = all.flatMap((container) =>
      container.events().flatMap(({ event, at }) => {
        if (event === "listening") return [{ at, happens: (now: number) => coordinator.join(member(container), now) }];
        if (event !== "closing") return [];
        return [{ at, happens: (now: number) => coordinator.leave(memberIdOf(container), true, now) }];
      }),
    );
    return changes.filter(({ at }) => at > since).toSorted((a, b) => a.at - b.at);
  }
}

function memberIdOf({ pod, events }: Container): string {
  for (const event of events()) if ("member" in event && event.member) return event.member;
  throw new Error(`${pod} never told its member id`);
}
