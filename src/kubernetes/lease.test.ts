import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { WireLease } from "./client.ts";
import { holderAt, leaseRef, newLease, released, removalsOf, renewed, taken, withRemovals } from "./lease.ts";

const AT = new Date("2026-03-01T12:00:00Z");
const REF = { namespace: "shop", name: "pod-rebalancer-deployment-orders" };

function after(seconds: number): Date {
  return new Date(AT.getTime() + seconds * 1_000);
}

function leaseWith(annotation: string): WireLease {
  return { ...newLease(REF), metadata: { ...REF, annotations: { "pod-rebalancer.io/removals": annotation } } };
}

describe("the Lease", () => {
  it("is named after the workload, not after its UID", () => {
    expect(leaseRef({ kind: "StatefulSet", namespace: "shop", name: "orders", uid: "1" })).toEqual({
      namespace: "shop",
      name: "pod-rebalancer-statefulset-orders",
    });
  });

  it("that is new names its holder, one minute and no transition, with microseconds", () => {
    expect(taken(newLease(REF), "run-1", AT).spec).toEqual({
      holderIdentity: "run-1",
      leaseDurationSeconds: 60,
      leaseTransitions: 0,
      acquireTime: "2026-03-01T12:00:00.000000Z",
      renewTime: "2026-03-01T12:00:00.000000Z",
    });
  });

  it("counts every change of its holder, also after a release", () => {
    const second = taken(taken(newLease(REF), "run-1", AT), "run-2", after(90));
    expect(second.spec).toMatchObject({ holderIdentity: "run-2", leaseTransitions: 1 });
    expect(taken(released(second), "run-3", after(100)).spec).toMatchObject({ leaseTransitions: 2 });
  });

  it("keeps the time it was taken when it is renewed", () => {
    expect(renewed(taken(newLease(REF), "run-1", AT), after(15)).spec).toMatchObject({
      acquireTime: "2026-03-01T12:00:00.000000Z",
      renewTime: "2026-03-01T12:00:15.000000Z",
    });
  });

  it("is free once it is released, and from one minute after its last renewal", () => {
    const lease = taken(newLease(REF), "run-1", AT);
    expect(holderAt(lease, AT)).toBe("run-1");
    expect(holderAt(lease, after(59.999))).toBe("run-1");
    expect(holderAt(lease, after(60))).toBeUndefined();
    expect(holderAt(released(lease), AT)).toBeUndefined();
    expect(holderAt(newLease(REF), AT)).toBeUndefined();
  });

  it.each([undefined, "", "yesterday"])("that is held with renewTime %j is a fault with its name", (renewTime) => {
    const lease = {
      ...newLease(REF),
      spec: { holderIdentity: "run-1", ...(renewTime !== undefined && { renewTime }) },
    };
    expect(() => holderAt(lease, AT)).toThrow(/^lease shop\/pod-rebalancer-deployment-orders: renewTime is/);
  });
});

describe("the record", () => {
  const removal = fc.record({
    at: fc.integer({ min: -10_000, max: 0 }).map(after),
    pod: fc.string(),
    uid: fc.string(),
  });

  it("is what was written, oldest first, less what is older than an hour; the newest stays", () => {
    fc.assert(
      fc.property(fc.array(removal), (given) => {
        const written = given.toSorted((a, b) => a.at.getTime() - b.at.getTime());
        const read = removalsOf(withRemovals(newLease(REF), written, AT));
        const recent = written.filter(({ at }) => AT.getTime() - at.getTime() < 3_600_000);
        expect(read).toEqual(recent.length > 0 ? recent : written.slice(-1));
      }),
    );
  });

  it("is empty where nothing was ever removed", () => {
    expect(removalsOf(newLease(REF))).toEqual([]);
  });

  it("leaves other annotations alone", () => {
    const lease = { ...newLease(REF), metadata: { ...REF, annotations: { owner: "sre" } } };
    expect(withRemovals(lease, [], AT).metadata?.annotations).toMatchObject({ owner: "sre" });
  });

  it.each([
    "",
    "null",
    "{}",
    "[null]",
    "[1]",
    "[{}]",
    '[{"at":"soon","pod":"a","uid":"1"}]',
    '[{"at":"2026-03-01T12:00:00Z","pod":"a"}]',
    '[{"at":"2026-03-01T12:00:00Z","uid":"1"}]',
    '[{"pod":"a","uid":"1"}]',
    '[{"at":"2026-03-01T12:00:00Z","pod":"a","uid":"1"}',
  ])("%j is a fault with the Lease's name, not an empty record", (annotation) => {
    expect(() => removalsOf(leaseWith(annotation))).toThrow(
      /^lease shop\/pod-rebalancer-deployment-orders: annotation pod-rebalancer\.io\/removals is not a list/,
    );
  });
});
