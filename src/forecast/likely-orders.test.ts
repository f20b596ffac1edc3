import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { podsNamed } from "../../test/fakes/pods.ts";
import { groupOf } from "../../test/fakes/report.ts";
import type { Group, Rotation } from "../types.ts";
import { LIKELY_ORDERS, type LikelyOrder, likelyOrders } from "./likely-orders.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];

function ordersAfter(bootSeconds: number, seen: readonly LikelyOrder[] = [], type?: "classic" | "consumer") {
  const { snapshot, ...group } = groupOf([]);
  const rotations = seen.map((order): Rotation => {
    return { at: new Date(0), pods: [], group: "", before: 1, expected: undefined, after: undefined, order };
  });
  const ownership = type && ({ group: { type, members: NAMES } } as unknown as Group["ownership"]);
  return likelyOrders({
    ...group,
    snapshot: { ...snapshot, pods: podsNamed(NAMES, bootSeconds) },
    record: { heldBy: undefined, removals: [], rotations },
    ownership,
  });
}

describe("the likely orders", () => {
  it("are leave first, sometimes join first, of pods that take long to boot", () => {
    expect(ordersAfter(8)).toEqual({ "leave-first": 0.92, "join-first": 0.08, "one-barrier": 0 });
  });

  it("are one barrier of pods that are up before the others have heard of the leave", () => {
    expect(ordersAfter(0.5)["one-barrier"]).toBe(1);
    // On a real broker, with the clients' default heartbeats, 5 of 6 were.
    expect(ordersAfter(2)["one-barrier"]).toBeGreaterThan(0.8);
    expect(ordersAfter(2)["one-barrier"]).toBeLessThan(0.95);
  });

  it("are seldom one barrier with KIP-848, where the first heartbeat of any other counts", () => {
    expect(ordersAfter(2, [], "consumer")["one-barrier"]).toBeLessThan(0.1);
    expect(ordersAfter(0.5, [], "consumer")["one-barrier"]).toBe(1);
  });

  it("are what was seen, the more the more often", () => {
    const once = ordersAfter(8, ["join-first"])["join-first"];
    expect(once).toBeCloseTo((0.08 + 3) / 4);
    expect(ordersAfter(8, ["join-first", "join-first"])["join-first"]).toBeGreaterThan(once);
  });

  it("add up to 1", () => {
    const seen = fc.array(fc.constantFrom(...LIKELY_ORDERS), { maxLength: 10 });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 100, noNaN: true }), seen, (bootSeconds, orders) => {
        const weights = ordersAfter(bootSeconds, orders);
        const total = LIKELY_ORDERS.reduce((sum, order) => sum + weights[order], 0);
        expect(total).toBeCloseTo(1);
      }),
    );
  });
});
