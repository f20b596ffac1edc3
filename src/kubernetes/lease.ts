/** The Lease as it is written down: its name, who holds it until when, and the record of the last removals. */

import { RebalancerError } from "../errors.ts";
import { jsonOf, printable } from "../text.ts";
import type { Removal, Rotation, WorkloadRef } from "../types.ts";
import type { ObjectRef, WireLease } from "./client.ts";
import { readRotations, writeRotations } from "./rotation-record.ts";

/** How long a Lease that nobody renews keeps others out. */
export const LEASE_SECONDS = 60;

/** Removals older than this leave the record; the newest stays, because COOLDOWN may be longer. */
const RECORD_SECONDS = 3_600;

const REMOVALS = "pod-rebalancer.io/removals";
const ROTATIONS = "pod-rebalancer.io/rotations";

/** The Lease of a workload: `pod-rebalancer-deployment-orders`. One made anew under the same name inherits it. */
export function leaseRef({ kind, namespace, name }: WorkloadRef): ObjectRef {
  return { namespace, name: `pod-rebalancer-${kind.toLowerCase()}-${name}` };
}

/**
 * Who holds the Lease at this moment; undefined when it is free, released or expired.
 *
 * @param at - a time that the API server has surely reached (its `Date`), so that no Lease is taken too early.
 * @throws RebalancerError `RECORD_INVALID` when it is held and does not say until when.
 */
export function holderAt(lease: WireLease, at: Date): string | undefined {
  const { holderIdentity, renewTime, leaseDurationSeconds = LEASE_SECONDS } = lease.spec ?? {};
  if (!holderIdentity) return undefined;
  const renewedAt = Date.parse(String(renewTime));
  if (Number.isNaN(renewedAt)) throw unreadable(lease, `renewTime is ${printable(jsonOf(renewTime))}, expected a time`);
  return at.getTime() < renewedAt + leaseDurationSeconds * 1_000 ? holderIdentity : undefined;
}

/** A Lease that nobody has made yet. */
export function newLease({ namespace, name }: ObjectRef): WireLease {
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name }, spec: {} };
}

/** The same Lease, held by us from now on. */
export function taken(lease: WireLease, holder: string, at: Date): WireLease {
  const { leaseTransitions, holderIdentity } = lease.spec ?? {};
  const transitions = holderIdentity === undefined ? 0 : (leaseTransitions ?? 0) + 1;
  const spec = { holderIdentity: holder, leaseTransitions: transitions, acquireTime: microTime(at) };
  return renewed({ ...lease, spec: { ...lease.spec, ...spec } }, at);
}

/** The same Lease, held for another minute. */
export function renewed(lease: WireLease, at: Date): WireLease {
  return { ...lease, spec: { ...lease.spec, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime(at) } };
}

/** The same Lease, free for the next run; its record stays. */
export function released(lease: WireLease): WireLease {
  return { ...lease, spec: { ...lease.spec, holderIdentity: "" } };
}

/**
 * The last removals of all runs on the workload, oldest first.
 * @throws RebalancerError `RECORD_INVALID` naming the Lease: without its record no cooldown can be judged.
 */
export function removalsOf(lease: WireLease): readonly Removal[] {
  const text = lease.metadata?.annotations?.[REMOVALS];
  if (text === undefined) return [];
  try {
    const removals = (JSON.parse(text) as Record<string, unknown>[]).map(readRemoval);
    return removals.toSorted((a, b) => a.at.getTime() - b.at.getTime());
  } catch {
    throw unreadable(lease, `annotation ${REMOVALS} is not a list of removals ([{"at":…,"pod":…,"uid":…}])`);
  }
}

/** The same Lease with this record, less what is long past. */
export function withRemovals(lease: WireLease, removals: readonly Removal[], at: Date): WireLease {
  const newest = removals.at(-1);
  const recent = removals.filter(
    (removal) => removal === newest || at.getTime() - removal.at.getTime() < RECORD_SECONDS * 1_000,
  );
  const annotations = { ...lease.metadata?.annotations, [REMOVALS]: JSON.stringify(recent) };
  return { ...lease, metadata: { ...lease.metadata, annotations } };
}

/** The last rotations and what came of them, oldest first. */
export function rotationsOf(lease: WireLease): readonly Rotation[] {
  return readRotations(lease.metadata?.annotations?.[ROTATIONS]);
}

/** The same Lease with these rotations, or the newest of them, in the place of those that it had. */
export function withRotations(lease: WireLease, rotations: readonly Rotation[]): WireLease {
  const annotations = { ...lease.metadata?.annotations, [ROTATIONS]: writeRotations(rotations) };
  return { ...lease, metadata: { ...lease.metadata, annotations } };
}

function readRemoval({ at, pod, uid }: Record<string, unknown>): Removal {
  const time = new Date(String(at));
  if (Number.isNaN(time.getTime()) || typeof pod !== "string" || typeof uid !== "string") {
    throw new TypeError("not a removal");
  }
  return { at: time, pod, uid };
}

/** MicroTime of the Kubernetes API: six decimals, always. */
function microTime(at: Date): string {
  return at.toISOString().replace("Z", "000Z");
}

function unreadable({ metadata }: WireLease, why: string): RebalancerError {
  return new RebalancerError("RECORD_INVALID", `lease ${metadata?.namespace}/${metadata?.name}: ${why}`);
}
