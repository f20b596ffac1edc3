import { RebalancerError } from "../errors.ts";
import { nameOf, type TopicPartition } from "../kafka/assignors/assignor.ts";
import { assignorOf } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup, GroupMember, GroupSourceName, PartitionLoad } from "../kafka/group.ts";
import { canonicalAddress } from "../kafka/ip-address.ts";
import type { GroupSource } from "../ports.ts";
import type { Prometheus } from "../prometheus/client.ts";
import type { Sample } from "../prometheus/parse.ts";
import { CLIENT_ID_LABELS } from "./profiles.ts";
import { type MetricsOptions, queryOf } from "./queries.ts";
import { labelsOf, refuseIndistinct } from "./rows.ts";

const OWNERSHIP = "ownership query";
const PARTITION_RATE = "partition rate query";

/**
 * Reads the group from metrics: who owns which partition, then what is written to the partitions of those topics.
 *
 * A row of the ownership query has the labels `topic` and `partition`, and at least one of `pod`, `consumer_id`, `client_id` (or
 * another of CLIENT_ID_LABELS) and `member_host`; its value is the partition's lag, negative or NaN where that is not known. A member
 * that gave a partition up may go on showing NaN of it: where another has a number, that one owns it. A pod that is not in
 * the list is kept: it may be another workload's in the same group. Metrics do not show a member that owns nothing, nor what a
 * member subscribes to: all are taken to subscribe to every topic of which one of them owns a partition.
 *
 * Its `read` returns undefined where nobody owns anything, and throws `METRIC_INVALID` on a row without these labels and on a
 * rate that is not finite and >= 0, `METRIC_AMBIGUOUS` on a partition that two own and on one that has two rows; see `Prometheus`
 * for the rest.
 */
export function createMetricsGroupSource(
  prometheus: Pick<Prometheus, "query">,
  options: MetricsOptions,
  name: GroupSourceName,
): GroupSource {
  async function ask(what: string, promql: string | undefined, signal: AbortSignal): Promise<Sample[]> {
    return promql === undefined ? [] : prometheus.query(what, promql, signal);
  }

  return {
    name,
    async read(pods, signal) {
      // No pods, no question: an empty pattern would ask for all series without a pod.
      if (pods.length === 0) return undefined;
      const rows = await ask(OWNERSHIP, queryOf("ownership", pods, options), signal);
      const owned = refuseIndistinct(rows, pods, OWNERSHIP);
      if (owned.length === 0) return undefined;
      const claims = claimsOf(owned);
      const topics = claims.map(({ topic }) => topic);
      const rates = await ask(PARTITION_RATE, queryOf("partitionRate", pods, options, topics), signal);
      return {
        source: name,
        name: options.group,
        type: undefined,
        state: undefined,
        assignor: options.assignor && assignorOf(options.assignor),
        protocol: options.assignor,
        topicIds: new Map(),
        ...membersAndPartitions(claims, ratesOf(rates, topics)),
      };
    },
  };
}

/** A row about a partition. */
interface PartitionRow extends TopicPartition {
  readonly row: Sample;
}

/** A partition, and who says that it owns it. */
interface Claim extends PartitionRow {
  readonly memberId: string;
}

function claimsOf(rows: readonly Sample[]): Claim[] {
  const claims = rows.map((row) => ({ ...partitionRow(row, OWNERSHIP), memberId: memberIdOf(row) }));
  const settled = [...Map.groupBy(claims, keyOf).values()].map(withoutGivenUp);
  for (const same of settled) {
    for (const [index, claim] of same.entries()) {
      // The Java client shows a topic with dots twice (KIP-1109).
      const again = (other: Claim) => other.memberId === claim.memberId && other.topic !== claim.topic;
      const rival = same.slice(0, index).find((other) => !again(other));
      if (rival !== undefined) throw ambiguous(OWNERSHIP, rival, claim);
    }
  }
  return settled.flat();
}

function withoutGivenUp(claims: readonly Claim[]): readonly Claim[] {
  const numbers = claims.filter(({ row }) => !Number.isNaN(row.value));
  return numbers.length > 0 ? numbers : claims;
}

function ratesOf(rows: readonly Sample[], topics: readonly string[]): PartitionRow[] {
  const wanted = new Set(topics.map(flat));
  const found = new Map<string, PartitionRow>();
  for (const row of rows) {
    const rate = partitionRow(row, PARTITION_RATE);
    if (!wanted.has(flat(rate.topic))) continue;
    if (!isAmount(row.value)) {
      throw invalid(PARTITION_RATE, `the rate of ${nameOf(rate)} is ${row.value}, expected a finite one >= 0`, row);
    }
    const other = found.get(keyOf(rate));
    if (other !== undefined) throw ambiguous(PARTITION_RATE, other, rate);
    found.set(keyOf(rate), rate);
  }
  return [...found.values()];
}

function membersAndPartitions(
  claims: readonly Claim[],
  rates: readonly PartitionRow[],
): Pick<ConsumerGroup, "members" | "partitions"> {
  const called = trueNames([...claims, ...rates].map(({ topic }) => topic));
  const named = ({ topic, partition }: TopicPartition) => ({ topic: called.get(flat(topic)) ?? topic, partition });
  const owned = new Map(claims.map((claim) => [keyOf(claim), claim]));
  const written = new Map(rates.map((rate) => [keyOf(rate), rate.row.value]));
  const topics = [...new Set(claims.map((claim) => named(claim).topic))].toSorted();
  const members = [...Map.groupBy(owned.values(), ({ memberId }) => memberId)].map(([id, own]): GroupMember => ({
    ...describedBy(own),
    id,
    topics,
    owned: own.map(named).toSorted(byName),
  }));
  const partitions = [...new Map([...claims, ...rates].map((row) => [keyOf(row), named(row)]))].map(
    ([key, partition]): PartitionLoad => ({ ...partition, rate: written.get(key), lag: lagOf(owned.get(key)) }),
  );
  return {
    members: members.toSorted((one, other) => (one.id < other.id ? -1 : 1)),
    partitions: partitions.toSorted(byName),
  };
}

function lagOf(claim: Claim | undefined): number | undefined {
  return claim !== undefined && isAmount(claim.row.value) ? claim.row.value : undefined;
}

/** What the first row of a member says of it; the others say the same. */
function describedBy([claim]: readonly Claim[]): Pick<GroupMember, "clientId" | "host" | "instanceId" | "pod"> {
  const labels = claim?.row.labels ?? {};
  return {
    clientId: clientIdOf(labels),
    host: canonicalAddress(labels["member_host"] ?? ""),
    instanceId: undefined,
    pod: labels["pod"] || undefined,
  };
}

function memberIdOf(row: Sample): string {
  const { labels } = row;
  const own = labels["consumer_id"];
  if (own) return own;
  const parts = [labels["pod"] || labels["member_host"], clientIdOf(labels)].filter((part) => part);
  if (parts.length > 0) return parts.join("/");
  throw invalid(OWNERSHIP, "a row has no pod, consumer_id, client_id or member_host label", row);
}

function clientIdOf(labels: Sample["labels"]): string | undefined {
  return CLIENT_ID_LABELS.map((name) => labels[name]).find((id) => id);
}

function partitionRow(row: Sample, what: string): PartitionRow {
  const { topic, partition = "" } = row.labels;
  if (!topic) throw invalid(what, "a row has no topic label", row);
  if (!/^\d{1,9}$/.test(partition)) throw invalid(what, "the partition label of a row is no number", row);
  return { topic, partition: Number(partition), row };
}

/** Kafka allows no two topics that differ in dots and underscores only, and Java clients show one as the other. */
function flat(topic: string): string {
  return topic.replaceAll(".", "_");
}

function keyOf({ topic, partition }: TopicPartition): string {
  return nameOf({ topic: flat(topic), partition });
}

/** By flat name the one that was least flattened. */
function trueNames(topics: readonly string[]): ReadonlyMap<string, string> {
  return new Map(topics.toSorted((one, other) => dotsOf(one) - dotsOf(other)).map((topic) => [flat(topic), topic]));
}

function dotsOf(topic: string): number {
  return topic.split(".").length;
}

function byName(one: TopicPartition, other: TopicPartition): number {
  if (one.topic === other.topic) return one.partition - other.partition;
  return one.topic < other.topic ? -1 : 1;
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function invalid(what: string, why: string, row: Sample): RebalancerError {
  return new RebalancerError("METRIC_INVALID", `${what}: ${why}: ${labelsOf(row)}`);
}

function ambiguous(what: string, one: PartitionRow, other: PartitionRow): RebalancerError {
  const both = `${labelsOf(one.row)} and ${labelsOf(other.row)}`;
  return new RebalancerError("METRIC_AMBIGUOUS", `${what}: ${nameOf(one)} has two rows, ${both}, expected one`);
}
