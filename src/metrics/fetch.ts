import { allOrNone } from "../all-or-none.ts";
import { RebalancerError } from "../errors.ts";
import type { MetricsSource } from "../ports.ts";
import type { Prometheus } from "../prometheus/client.ts";
import type { Sample } from "../prometheus/parse.ts";
import { type PodInfo, SIGNALS, type Signal, type Signals, type SignalSamples } from "../types.ts";
import { sumByOwner } from "./by-owner.ts";
import { type MetricsOptions, queryOf } from "./queries.ts";
import { labelsOf, refuseIndistinct } from "./rows.ts";
import { clueOf, searchQuery } from "./search.ts";

/**
 * Reads each signal with one query, all at the same time; the first that fails ends the others.
 *
 * Its `fetch` throws what `joinToPods` throws; see `Prometheus` for the rest.
 */
export function createMetricsSource(prometheus: Pick<Prometheus, "query">, options: MetricsOptions): MetricsSource {
  async function samplesOf(signal: Signal, pods: readonly PodInfo[], abort: AbortSignal) {
    const promql = queryOf(signal, pods, options);
    if (promql === undefined) return undefined;
    const what = `${signal} query`;
    // No pods, no question: an empty pattern would ask for all series without a pod.
    const rows = pods.length === 0 ? [] : await prometheus.query(what, promql, abort);
    return joinToPods(rows, pods, what);
  }

  return {
    async fetch(pods, signal): Promise<Signals> {
      const [cpu, lag, rate, memory] = await allOrNone(
        (abort) => SIGNALS.map((name) => samplesOf(name, pods, abort)),
        signal,
      );
      return { cpu, lag, rate, memory };
    },
    async searchFor(signals, pods, signal) {
      const search = async (name: Signal, matchers: string) => {
        const promql = searchQuery(name, pods, options, matchers);
        return promql === undefined ? undefined : await prometheus.query(`${name} search`, promql, signal);
      };
      const clues: string[] = [];
      // Such queries look at many series of a server that others share: one at a time, and within what is meant for us.
      for (const name of signals) {
        const rows = await search(name, options.matchers);
        const isInVain = rows?.length === 0 && options.matchers !== "";
        clues.push(clueOf(name, isInVain ? await search(name, "") : rows, options));
      }
      return clues;
    },
  };
}

/**
 * Joins the rows of a query to the pods that Kubernetes lists; rows of other pods fall out. A row says its pod by the label `pod`, or
 * where it has none by `member_host`, the address of a member of the group: such rows of one pod are added up (see `sumByOwner`).
 *
 * @param what - names the query in errors.
 * @throws RebalancerError `METRIC_INVALID` on a row without either label, `METRIC_AMBIGUOUS` on two rows for one pod, two owners of
 *   one partition, or two clients that cannot be told apart.
 */
export function joinToPods(rows: readonly Sample[], pods: readonly PodInfo[], what: string): SignalSamples {
  const wanted = new Set(pods.map(({ name }) => name));
  const found = new Map<string, Sample>();
  const rejected: string[] = [];
  const values = new Map<string, number>();
  for (const row of ofPods(refuseIndistinct(rows, pods, what), pods, what)) {
    const { pod = "" } = row.labels;
    if (!wanted.has(pod)) continue;
    const other = found.get(pod);
    if (other !== undefined) {
      const both = `${labelsOf(other)} and ${labelsOf(row)}`;
      throw new RebalancerError("METRIC_AMBIGUOUS", `${what}: pod ${pod} has two rows, ${both}, expected one`);
    }
    found.set(pod, row);
    if (Number.isFinite(row.value) && row.value >= 0) values.set(pod, row.value);
    else rejected.push(pod);
  }
  return { values, rejected };
}

/** All of them with the label `pod`. */
function ofPods(rows: readonly Sample[], pods: readonly PodInfo[], what: string): readonly Sample[] {
  const addressed = rows.filter(({ labels }) => !labels["pod"] && labels["member_host"]);
  const named = rows.filter(({ labels }) => labels["pod"]);
  const nameless = rows.find(({ labels }) => !labels["pod"] && !labels["member_host"]);
  if (nameless !== undefined) {
    throw new RebalancerError("METRIC_INVALID", `${what}: a row has no pod label but ${labelsOf(nameless)}`);
  }
  return addressed.length === 0 ? named : [...named, ...sumByOwner(addressed, pods, what)];
}
