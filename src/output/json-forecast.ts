/** What the JSON report tells of the consumer group, of a forecast, and of what came of it. */

import type { LikelyOrder } from "../forecast/likely-orders.ts";
import { membersWithoutPod, type Ownership } from "../forecast/ownership.ts";
import type { GroupSourceName } from "../kafka/group.ts";
import type { CandidateForecast, Forecast, Rotation, Spread } from "../types.ts";

export interface JsonConsumerGroup {
  readonly name: string | null;
  readonly source: GroupSourceName;
  readonly state: string | null;
  readonly assignor: string | null;
  readonly members: number;
  readonly partitions: number;
  readonly membersWithoutPod: readonly string[];
  readonly podsWithoutMember: readonly string[];
  /** In what another source differs. */
  readonly contradiction: string | null;
}

/** `paybackSeconds` is `null` where it never pays back; `afterBy` has the orders that are likely enough. */
type JsonCandidate = Omit<CandidateForecast, "paybackSeconds"> & { readonly paybackSeconds: number | null };

/** Imbalance is busiest / mean load. */
export interface JsonForecast extends Omit<Forecast, "candidates" | "chosen"> {
  /** The best first. */
  readonly candidates: readonly JsonCandidate[];
  readonly chosen: readonly string[] | null;
}

export interface JsonRotation extends Pick<Rotation, "pods" | "before"> {
  readonly expected: Spread | null;
  readonly after: number | null;
  readonly order: LikelyOrder | null;
}

export function jsonConsumerGroup(ownership: Ownership, contradiction: string | undefined): JsonConsumerGroup {
  const { group, podsWithoutMember } = ownership;
  return {
    name: group.name ?? null,
    source: group.source,
    state: group.state ?? null,
    assignor: group.assignor ?? null,
    members: group.members.length,
    partitions: group.partitions.length,
    membersWithoutPod: membersWithoutPod(ownership),
    podsWithoutMember,
    contradiction: contradiction ?? null,
  };
}

export function jsonForecast({ candidates, chosen, ...today }: Forecast): JsonForecast {
  return {
    ...today,
    candidates: candidates.map((one) => ({
      ...one,
      paybackSeconds: Number.isFinite(one.paybackSeconds) ? one.paybackSeconds : null,
    })),
    chosen: chosen?.pods ?? null,
  };
}

export function jsonRotation({ pods, before, expected, after, order }: Rotation): JsonRotation {
  return { pods, before, expected: expected ?? null, after: after ?? null, order: order ?? null };
}
