import { RebalancerError } from "../errors.ts";
import { podAddresses } from "../forecast/pod-addresses.ts";
import { nameOf } from "../kafka/assignors/assignor.ts";
import type { Sample } from "../prometheus/parse.ts";
import type { PodInfo } from "../types.ts";
import { CLIENT_ID_LABELS } from "./profiles.ts";
import { labelsOf } from "./rows.ts";

/** Labels that say who owns a partition; the others say which partition it is. */
const OWNER_LABELS: ReadonlySet<string> = new Set(["member_host", "consumer_id", ...CLIENT_ID_LABELS]);

/**
 * Adds up what the rows say of the partitions that each pod owns, the pod found by the member's address among those that
 * Kubernetes lists: a finished pod keeps the address that another one got, and metrics go on showing both.
 *
 * @param rows - each with the label `member_host`.
 * @param what - names the query in errors.
 * @returns one row for each pod, with the label `pod` alone. A value that is no finite number >= 0 is that of the pod's row.
 * @throws RebalancerError `METRIC_AMBIGUOUS` on a partition of these pods that has two owners at once, and on pods whose addresses
 *   are found in two clusters.
 */
export function sumByOwner(rows: readonly Sample[], pods: readonly PodInfo[], what: string): Sample[] {
  const podAt = podAddresses(pods);
  const owned = rows.map((row) => ({ row, pod: podAt(row.labels["member_host"]) }));
  const settled = [...Map.groupBy(owned, ({ row }) => partitionOf(row) ?? row).values()].flatMap((claims) => {
    // A member that gave its partition up may go on showing NaN of it.
    const numbers = claims.filter(({ row }) => !Number.isNaN(row.value));
    const [one, other] = numbers;
    if (one && other && numbers.some(({ pod }) => pod !== undefined)) {
      throw ambiguousPartition(what, one.row, other.row);
    }
    return numbers.length > 0 ? numbers : claims;
  });
  const ofPods = settled.flatMap(({ row, pod }) => (pod === undefined ? [] : [{ row, pod }]));
  const [first] = ofPods;
  const elsewhere = first && ofPods.find(({ row }) => clusterOf(row) !== clusterOf(first.row));
  if (first && elsewhere) {
    const both = `${labelsOf(first.row)} and ${labelsOf(elsewhere.row)}`;
    throw new RebalancerError("METRIC_AMBIGUOUS", `${what}: the pods' addresses are in two clusters, ${both}`);
  }
  return [...Map.groupBy(ofPods, ({ pod }) => pod)].map(([pod, own]) => {
    const values = own.map(({ row }) => row.value);
    const bad = values.find((value) => !(Number.isFinite(value) && value >= 0));
    return { labels: { pod }, value: bad ?? values.reduce((sum, value) => sum + value, 0) };
  });
}

/** Kubernetes' and Kafka's: the addresses of one may be used in another, too. */
function clusterOf({ labels }: Sample): string {
  return JSON.stringify([labels["cluster"], labels["cluster_name"]]);
}

/** What tells the partition of a row from any other; undefined where the row is of several. */
function partitionOf({ labels }: Sample): string | undefined {
  if (!labels["topic"] || !labels["partition"]) return undefined;
  const own = Object.entries(labels).filter(([name]) => !OWNER_LABELS.has(name));
  return JSON.stringify(own.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function ambiguousPartition(what: string, one: Sample, other: Sample): RebalancerError {
  const { topic = "", partition = "" } = one.labels;
  const both = `${labelsOf(one)} and ${labelsOf(other)}`;
  const name = nameOf({ topic, partition: Number(partition) });
  return new RebalancerError("METRIC_AMBIGUOUS", `${what}: ${name} has two rows, ${both}, expected one`);
}
