import type { Clock, HistorySource } from "../ports.ts";
import type { Prometheus } from "../prometheus/client.ts";
import { type MetricsOptions, queryOf } from "./queries.ts";

/** A week has every hour of the day and every day of the week in it. */
const HISTORY_SECONDS = 7 * 86_400;
const STEP_SECONDS = 30 * 60;

/**
 * Reads how uneven the group was over the last week, every half hour, with one range query, however many pods.
 *
 * Pods of before a rollout do not count: their names begin differently, and they ran something else.
 *
 * @param clock - tells the API server's time; ours may be wrong.
 */
export function createHistorySource(
  prometheus: Pick<Prometheus, "queryRange">,
  options: MetricsOptions,
  clock: Pick<Clock, "now">,
): HistorySource {
  return {
    async imbalances(pods, signal) {
      const rate = queryOf("rate", pods, options);
      if (rate === undefined || pods.length === 0) return [];
      const end = clock.now();
      const start = new Date(end.getTime() - HISTORY_SECONDS * 1_000);
      // A custom query may end with a comment.
      const promql = `max(${rate}\n) / avg(${rate}\n)`;
      const series = await prometheus.queryRange(
        "history query",
        promql,
        { start, end, stepSeconds: STEP_SECONDS },
        signal,
      );
      return series.flatMap(({ values }) => values.filter((value) => Number.isFinite(value)));
    },
  };
}
