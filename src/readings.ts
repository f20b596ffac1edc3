/** What a run reads of the pods besides Kubernetes: their signals, and the consumer group behind them. */

import { allOrNone } from "./all-or-none.ts";
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
  const begin = (abort: AbortSignal) =>
    [metrics.fetch(pods, abort), Promise.all(groups.map((source) => source.read(pods, abort)))] as const;
  const [signals, found] = await allOrNone(begin, signal);
  return { signals, groups: found.flatMap((group) => group ?? []) };
}
