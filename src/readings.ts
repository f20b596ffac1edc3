/** What a run reads of the pods besides Kubernetes: their signals, and the consumer group behind them. */

import { allOrNone } from "./all-or-none.ts";
import type { ConsumerGroup } from "./kafka/group.ts";
import type { Observation } from "./podstate/assess.ts";
import type { GroupSource, HistorySource, MetricsSource } from "./ports.ts";
import type { PodInfo } from "./types.ts";

export type Readings = Required<Pick<Observation, "signals" | "groups" | "history">>;

export const NOTHING_READ: Readings = {
  signals: { cpu: undefined, lag: undefined, rate: undefined, memory: undefined },
  groups: [],
  history: [],
};

export interface ReadingPorts {
  readonly metrics: MetricsSource;
  readonly groups?: readonly GroupSource[];
  readonly history?: HistorySource;
}

/** All at the same time; the first source that fails ends the others. The past is asked for only where it is needed. */
export async function readAll(
  pods: readonly PodInfo[],
  { metrics, groups: sources = [], history }: ReadingPorts,
  signal: AbortSignal,
): Promise<Readings> {
  const begin = (abort: AbortSignal) =>
    [metrics.fetch(pods, abort), Promise.all(sources.map((source) => source.read(pods, abort)))] as const;
  const [signals, found] = await allOrNone(begin, signal);
  const groups = found.flatMap((group) => group ?? []);
  // The run is judged by the most trusted of them.
  const known = groups[0] !== undefined && isRated(groups[0]);
  return { signals, groups, history: known ? [] : ((await history?.imbalances(pods, signal)) ?? []) };
}

/** Whether chance can be told from its partitions. */
function isRated({ partitions }: ConsumerGroup): boolean {
  return partitions.every(({ rate }) => rate !== undefined);
}
