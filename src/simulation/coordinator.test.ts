import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Group, type Order, replaceMembers, settle } from "../kafka/assignors/orders.ts";
import { type ProtocolName, PROTOCOLS } from "../kafka/assignors/protocols.ts";
import { randomTopicId, randomUuid, seededRandom } from "../random.ts";
import { type Coordinator, createCoordinator, type Timing } from "./coordinator.ts";

const TIMING: Timing = { heartbeatSeconds: 3, sessionTimeoutSeconds: 45 };
const HEARTBEAT = 3_000;
const SESSION = 45_000;

interface Scene {
  readonly coordinator: Coordinator;
  readonly start: Group;
  readonly newcomer: { readonly id: string; readonly topics: readonly string[] };
}

function scene(protocol: ProtocolName, seed = 1, members = 4, instanceIds = false): Scene {
  const random = seededRandom(seed);
  const topics = ["orders", "clicks"];
  const partitions = new Map([
    ["orders", 11],
    ["clicks", 5],
  ]);
  const ids = Array.from({ length: members }, (_, at) => `pod-${at}-${randomUuid(random)}`);
  const joining = ids.map((id, at) => ({
    id,
    ...(instanceIds && { instanceId: `pod-${at}` }),
    topics,
    owned: [],
    generation: -1,
  }));
  const topicIds = new Map(topics.map((topic) => [topic, randomTopicId(random)]));
  const start = settle(PROTOCOLS[protocol], { partitions, topicIds, members: joining });
  const coordinator = createCoordinator(PROTOCOLS[protocol], TIMING, start, random);
  return { coordinator, start, newcomer: { id: `new-${randomUuid(random)}`, topics } };
}

/** Lets everything happen that is due up to `end`. */
function passUntil(coordinator: Coordinator, end: number): void {
  while (coordinator.dueAt <= end) coordinator.pass(coordinator.dueAt);
}

/** Lets everything happen that is to come. @returns when the last of it happened. */
function rest(coordinator: Coordinator): number {
  let at = 0;
  for (; coordinator.dueAt < Number.POSITIVE_INFINITY; coordinator.pass(at)) at = coordinator.dueAt;
  return at;
}

function ownedBy(group: Group): Record<string, string[]> {
  return Object.fromEntries(
    group.members.map(({ id, owned }) => [id, owned.map(({ topic, partition }) => `${topic} ${partition}`).toSorted()]),
  );
}

function ownersOf(coordinator: Coordinator): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const owner of coordinator.owners) counts[owner ?? "nobody"] = (counts[owner ?? "nobody"] ?? 0) + 1;
  return counts;
}

const START = 1_000_000;

/** What happens at which time when one member is replaced. */
const PLAYED: Record<Exclude<Order, "one-at-a-time">, (scene: Scene, leaver: string) => void> = {
  "leave-first": ({ coordinator, newcomer }, leaver) => {
    coordinator.leave(leaver, true, START);
    passUntil(coordinator, START + 4 * HEARTBEAT);
    coordinator.join(newcomer, START + 4 * HEARTBEAT);
  },
  "join-first": ({ coordinator, newcomer }, leaver) => {
    coordinator.join(newcomer, START);
    passUntil(coordinator, START + 4 * HEARTBEAT);
    coordinator.leave(leaver, true, START + 4 * HEARTBEAT);
  },
  "one-barrier": ({ coordinator, newcomer }, leaver) => {
    coordinator.leave(leaver, true, START);
    coordinator.join(newcomer, START);
  },
};

describe.each([
  "java-range",
  "java-sticky",
  "java-cooperative-sticky",
  "librdkafka-cooperative-sticky",
  "kip848-uniform",
] as const)("the coordinator of a %s group", (name) => {
  it.each(Object.keys(PLAYED) as (keyof typeof PLAYED)[])("%s: ends where the assignor's models do", (order) => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 9 }), fc.nat(), (seed, members, which) => {
        const played = scene(name, seed, members);
        const { coordinator, start, newcomer } = played;
        const leaver = start.members[which % members]?.id ?? "";
        PLAYED[order](played, leaver);
        rest(coordinator);
        const expected = replaceMembers(PROTOCOLS[name], start, [{ leaves: leaver, joins: newcomer }], order);
        expect(ownedBy(coordinator.group)).toEqual(ownedBy(expected));
        expect(coordinator.owners).not.toContain(undefined);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a rebalance", () => {
  it("stops every member of an eager group from its heartbeat until all have joined again", () => {
    const { coordinator, start, newcomer } = scene("java-sticky");
    coordinator.join(newcomer, START);
    const owners: number[] = [];
    for (; coordinator.dueAt < Number.POSITIVE_INFINITY; coordinator.pass(coordinator.dueAt)) {
      owners.push(Object.keys(ownersOf(coordinator)).filter((id) => id !== "nobody").length);
    }
    // The newcomer has nothing to stop; then one heartbeat after the other, of which the last ends it.
    expect(owners).toEqual([4, 4, 3, 2, 1]);
    expect(ownersOf(coordinator)[newcomer.id]).toBeGreaterThan(2);
    expect(start.members).toHaveLength(4);
  });

  it("stops none but what moves in a cooperative group", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { coordinator, start, newcomer } = scene("java-cooperative-sticky", seed);
        const before = [...coordinator.owners];
        coordinator.join(newcomer, START);
        const paused = new Set<number>();
        for (; coordinator.dueAt < Number.POSITIVE_INFINITY; coordinator.pass(coordinator.dueAt)) {
          for (const [place, owner] of coordinator.owners.entries()) if (owner === undefined) paused.add(place);
        }
        const moved = before.flatMap((owner, place) => (owner === coordinator.owners[place] ? [] : [place]));
        expect([...paused].toSorted((a, b) => a - b)).toEqual(moved);
        expect(coordinator.group.members).toHaveLength(start.members.length + 1);
      }),
      { numRuns: 30 },
    );
  });

  it("takes a heartbeat for each of its rounds at most", () => {
    const { coordinator, newcomer } = scene("java-cooperative-sticky");
    coordinator.join(newcomer, START);
    const end = rest(coordinator);
    expect(end - START).toBeGreaterThan(0);
    expect(end - START).toBeLessThanOrEqual(2 * HEARTBEAT);
  });

  it("begins anew where everybody has left and somebody comes", () => {
    const { coordinator, start, newcomer } = scene("java-cooperative-sticky");
    for (const { id } of start.members) coordinator.leave(id, true, START);
    expect(ownersOf(coordinator)).toEqual({ nobody: 16 });
    coordinator.join(newcomer, START);
    rest(coordinator);
    expect(ownersOf(coordinator)).toEqual({ [newcomer.id]: 16 });
  });
});

describe("a member that goes without a word", () => {
  it("leaves its partitions without an owner until its session ends", () => {
    const { coordinator, start } = scene("java-cooperative-sticky");
    const [{ id: leaver, owned } = { id: "", owned: [] }] = start.members;
    coordinator.leave(leaver, false, START);
    expect(coordinator.dueAt).toBe(START + SESSION);
    expect(ownersOf(coordinator)["nobody"]).toBe(owned.length);
    const end = rest(coordinator);
    expect(end).toBeGreaterThan(START + SESSION);
    expect(ownersOf(coordinator)["nobody"]).toBeUndefined();
    expect(coordinator.group.members).toHaveLength(3);
  });

  it("holds up a rebalance that somebody else begins", () => {
    const { coordinator, start, newcomer } = scene("java-sticky");
    coordinator.leave(start.members[0]?.id ?? "", false, START);
    coordinator.join(newcomer, START + HEARTBEAT);
    passUntil(coordinator, START + SESSION - 1);
    expect(ownersOf(coordinator)).toEqual({ nobody: 16 });
    rest(coordinator);
    expect(Object.keys(ownersOf(coordinator))).toHaveLength(4);
  });
});

describe("a static member", () => {
  it("takes up what it owned when it is back within its session, and nobody else notices", () => {
    const { coordinator, start, newcomer } = scene("java-cooperative-sticky", 1, 4, true);
    const before = [...coordinator.owners];
    const [{ id: leaver } = { id: "" }] = start.members;
    // It would not tell the coordinator even if it could.
    coordinator.leave(leaver, true, START);
    expect(ownersOf(coordinator)["nobody"]).toBe(4);
    coordinator.join({ ...newcomer, instanceId: "pod-0" }, START + SESSION / 2);
    rest(coordinator);
    expect(coordinator.owners).toEqual(before.map((owner) => (owner === leaver ? newcomer.id : owner)));
    expect(coordinator.group.members.map(({ generation }) => generation)).toEqual(
      start.members.map(({ generation }) => generation),
    );
  });

  it("is part of a rebalance that was waiting for it", () => {
    const { coordinator, start, newcomer } = scene("java-cooperative-sticky", 1, 4, true);
    coordinator.leave(start.members[0]?.id ?? "", false, START);
    coordinator.join({ id: "fifth", instanceId: "pod-4", topics: newcomer.topics }, START + 1);
    coordinator.join({ ...newcomer, instanceId: "pod-0" }, START + 2 * HEARTBEAT);
    rest(coordinator);
    expect(Object.keys(ownersOf(coordinator))).toHaveLength(5);
    expect(coordinator.group.members).toHaveLength(5);
  });
});

describe("a group of the next protocol", () => {
  it("has a new target at once when somebody joins, and reaches it heartbeat by heartbeat", () => {
    const { coordinator, newcomer } = scene("kip848-uniform");
    coordinator.join(newcomer, START);
    expect(coordinator.dueAt).toBe(START);
    coordinator.pass(START);
    const target = ownedBy(coordinator.group)[newcomer.id] ?? [];
    expect(target.length).toBeGreaterThan(2);
    // What it is to have is given up by its owners first.
    expect(ownersOf(coordinator)).not.toHaveProperty([newcomer.id]);
    const end = rest(coordinator);
    expect(ownersOf(coordinator)[newcomer.id]).toBe(target.length);
    expect(end - START).toBeLessThanOrEqual(2 * HEARTBEAT);
  });

  it("notices a leaver with somebody's next heartbeat, and gives what it had to others with theirs", () => {
    const { coordinator, start, newcomer } = scene("kip848-uniform");
    coordinator.leave(start.members[0]?.id ?? "", true, START);
    expect(ownersOf(coordinator)["nobody"]).toBe(4);
    expect(coordinator.dueAt).toBeGreaterThan(START);
    coordinator.join(newcomer, START);
    coordinator.pass(START);
    coordinator.leave(newcomer.id, true, START + 1);
    rest(coordinator);
    expect(ownersOf(coordinator)).not.toHaveProperty(["nobody"]);
    expect(Object.keys(ownersOf(coordinator))).toHaveLength(3);
  });
});
