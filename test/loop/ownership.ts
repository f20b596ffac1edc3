/** Who owns which partition when, from what the consumers say of themselves. */

import type { Container } from "./kubelet.ts";

/** A partition changes hands, or begins or ends to be owned. */
export interface Change {
  readonly at: number;
  readonly uid: string;
  /** Whoever closes is of the group no more. */
  readonly kind: "assigned" | "revoked" | "closed";
  readonly partitions: readonly number[];
}

/** All changes, in the order of time. */
export function changesOf(containers: readonly Container[]): Change[] {
  const changes = containers.flatMap((container) =>
    container.events().flatMap((event): Change[] => {
      if (event.event === "closed") return [{ at: event.at, uid: container.uid, kind: "closed", partitions: [] }];
      if (!("partitions" in event)) return [];
      const kind = event.event === "assigned" ? "assigned" : "revoked";
      return [{ at: event.at, uid: container.uid, kind, partitions: event.partitions }];
    }),
  );
  return changes.toSorted((a, b) => a.at - b.at);
}

/** By uid, ascending numbers; who owns nothing has an empty list from its first assignment on. */
export type Ownership = ReadonlyMap<string, readonly number[]>;

/** What each owned after the changes up to a moment, and those who closed are gone. */
export function ownershipOf(changes: readonly Change[]): Ownership {
  const owned = new Map<string, Set<number>>();
  for (const { uid, kind, partitions } of changes) {
    const mine = owned.get(uid) ?? new Set();
    owned.set(uid, mine);
    if (kind === "closed") owned.delete(uid);
    for (const partition of partitions) {
      if (kind === "assigned") mine.add(partition);
      else mine.delete(partition);
    }
  }
  return new Map([...owned].map(([uid, mine]) => [uid, [...mine].sort((a, b) => a - b)]));
}

/** Milliseconds without an owner, by partition, longest pause of each; only those that paused. */
export function pausesOf(changes: readonly Change[], since: number): ReadonlyMap<number, number> {
  const orphanedAt = new Map<number, number>();
  const pauses = new Map<number, number>();
  for (const { at, kind, partitions } of changes.filter((change) => change.at >= since)) {
    for (const partition of partitions) {
      if (kind === "revoked") orphanedAt.set(partition, at);
      const from = orphanedAt.get(partition);
      if (kind === "revoked" || from === undefined) continue;
      orphanedAt.delete(partition);
      pauses.set(partition, Math.max(at - from, pauses.get(partition) ?? 0));
    }
  }
  return pauses;
}

/** Whether each of the partitions has exactly one owner. */
export function isComplete(ownership: Ownership, partitions: number): boolean {
  const owned = [...ownership.values()].flat();
  return owned.length === partitions && new Set(owned).size === partitions;
}
