/** What a run reads of the pods besides Kubernetes: their signals, and the consumer group behind them. */

import type { Observation } from "./podstate/assess.ts";
import type { GroupSource, MetricsSource } from "./ports.ts";
import type { PodInfo } from "./types.ts";

export type Readings = Required<Pick<Observation, "signals" | "groups">>;

export const NOTHING_READ: Readings = {
  signals: { cpu: undefined, lag: undefined, rate: undefined, memory: undefined },
  groups: [],
};

/** All at the same time; the first source that fails ends the others. */
export async function readAll(
  pods: readonly PodInfo[],
  { metrics, groups = [] }: { readonly metrics: MetricsSource; readonly groups?: readonly GroupSource[] },
  signal: AbortSignal,
): Promise<Readings> {
  const failed = new AbortController();
  const abort = AbortSignal.any([signal, failed.signal]);
  const asked = [metrics.fetch(pods, abort), ...groups.map((source) => source.read(pods, abort))] as const;
  try {
    const [signals, ...found] = await Promise.all(asked);
    return { signals, groups: found.flatMap((group) => group ?? []) };
  } catch (thrown) {
    failed.abort(thrown);
    // Nothing is left running behind the caller's back.
    await Promise.allSettled(asked);
    throw thrown;
  }
}
