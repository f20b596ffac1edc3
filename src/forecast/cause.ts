/** Why a group is uneven. */

import { isIdle, judgeSignals } from "../decision/thresholds.ts";
import { formatDuration } from "../durations.ts";
import { nameOf } from "../kafka/assignors/assignor.ts";
import type { PartitionLoad } from "../kafka/group.ts";
import type { Diagnosis, Group, Policy } from "../types.ts";
import { medianOf, quantileOf, type Share, type Symptom, type Symptoms, symptomsOf, totalOf } from "./symptoms.ts";

/**
 * Tells the causes apart by CPU, lag and consumption rate together, and where it is known by who owns what.
 *
 * The rules are asked in the order of {@link RULES}; the first that finds something names the cause. Pods are compared with the
 * median or a quartile, so that an outlier does not hide itself.
 *
 * Where it is not known who owns which partitions, a hot partition and unequal numbers look like any other uneven load.
 *
 * @returns never throws. `unknown` where signals are missing or contradict each other, `even` only where nothing stands out.
 * @see docs/algorithm.md
 */
export function diagnose(group: Group, policy: Policy): Diagnosis {
  const symptoms = symptomsOf(group, policy);
  for (const rule of RULES) {
    const found = rule(symptoms);
    if (found !== undefined) return { pods: [], node: undefined, partition: undefined, ...found };
  }
  return { cause: "even", evidence: evenEvidence(symptoms), pods: [], node: undefined, partition: undefined };
}

type Found = Pick<Diagnosis, "cause" | "evidence"> & Partial<Diagnosis>;
type Rule = (symptoms: Symptoms) => Found | undefined;

const RULES: readonly Rule[] = [
  unreadable,
  unsettled,
  idle,
  behindTogether,
  contradiction,
  absent,
  stalled,
  slow,
  hotPartition,
  unequalNumbers,
  unequalRates,
  unexplained,
];

/** Fewer cannot be told apart. */
const LEAST_PODS = 3;

/** Missing signals. */
function unreadable({ group, policy, pods }: Symptoms): Found | undefined {
  if (group.coverage < policy.minMetricsCoverage) {
    const share = `${Math.floor(group.coverage * 100)} % of the Ready pods have every signal`;
    return { cause: "unknown", evidence: group.signalsInUse.length === 0 ? "no signal was read" : share };
  }
  const measured = pods.filter(({ cpu, rate, lag }) => cpu !== undefined || rate !== undefined || lag !== undefined);
  if (measured.length >= LEAST_PODS) return undefined;
  const window = formatDuration(policy.metricsWindowSeconds);
  return { cause: "unknown", evidence: `only ${measured.length} pods are Ready, older than ${window} and measured` };
}

/** What was measured over the window is not of the group as it is now. */
function unsettled({ group, policy }: Symptoms): Found | undefined {
  const { snapshot, record, ownership } = group;
  const rollout = snapshot.workload?.rollout;
  if (rollout !== undefined) return { cause: "unknown", evidence: `the workload is rolling out (${rollout})` };
  const state = ownership?.group.state;
  if (state !== undefined && state !== "Stable") return { cause: "unknown", evidence: `the group is ${state}` };
  const last = record?.removals.at(-1);
  if (last === undefined) return undefined;
  const seconds = (snapshot.observedAt.getTime() - last.at.getTime()) / 1_000;
  if (seconds >= policy.metricsWindowSeconds) return undefined;
  return { cause: "unknown", evidence: `the rates are still of the time before ${last.pod} was removed` };
}

function idle({ group, policy }: Symptoms): Found | undefined {
  const verdicts = judgeSignals(group, policy);
  if (verdicts.length === 0) return { cause: "unknown", evidence: "neither CPU nor lag is read" };
  if (!isIdle(verdicts)) return undefined;
  return { cause: "even", evidence: `the group is idle, ${verdicts.map(({ load }) => load).join(", ")}` };
}

/** From here on a pod is late: what keeps up has about as much waiting as it commits at a time. */
const LATE_SECONDS = 60;
/** Of the pods: so many are all. */
const NEARLY_ALL = 0.75;
/** Consumed / brought: below, the rest piles up; nearer to 1 it may be noise. */
const KEEPS_UP = 0.9;

/** All are late, and where ownership says so all together consume less than comes in. */
function behindTogether(symptoms: Symptoms): Found | undefined {
  const { pods, policy } = symptoms;
  const known = pods.filter(({ waitingSeconds }) => waitingSeconds !== undefined);
  const late = known.filter((pod) => isLate(pod, policy));
  if (known.length < LEAST_PODS || late.length < NEARLY_ALL * known.length) return undefined;
  const waiting = `${late.length} of ${known.length} pods have more than ${LATE_SECONDS} s of traffic waiting`;
  const share = consumedShare(pods);
  if (share === undefined) return { cause: "downstream_slow", evidence: `${waiting}; whether it grows is not known` };
  if (share >= KEEPS_UP) return undefined;
  return { cause: "downstream_slow", evidence: `${waiting}, and ${percent(share)} of what comes in is consumed` };
}

function isLate({ lag = 0, waitingSeconds = 0 }: Symptom, { lagFloor }: Policy): boolean {
  return lag >= lagFloor && waitingSeconds >= LATE_SECONDS;
}

/** Consumed / brought, over the pods of which both are known. */
function consumedShare(pods: readonly Symptom[]): number | undefined {
  const known = pods.filter(({ rate, load }) => rate !== undefined && load !== undefined);
  const brought = totalOf(known.map(({ load = 0 }) => load));
  return brought === 0 ? undefined : totalOf(known.map(({ rate = 0 }) => rate)) / brought;
}

/** Consumed / brought, of the median pod that is not late: beyond, ownership and rates are not of one group. */
const PLAUSIBLE = { least: 0.5, most: 2 };

function contradiction({ pods, policy }: Symptoms): Found | undefined {
  const ratios = pods
    .filter((pod) => !isLate(pod, policy))
    .flatMap(({ rate, load = 0 }) => (rate === undefined || load === 0 ? [] : [rate / load]));
  const median = medianOf(ratios);
  if (ratios.length < LEAST_PODS || (median >= PLAUSIBLE.least && median <= PLAUSIBLE.most)) return undefined;
  return {
    cause: "unknown",
    evidence: `the pods consume ${times(median)} what their partitions bring, and have no lag to show for it`,
  };
}

/** Ready, and out of the group: for example because it took longer than max.poll.interval.ms over its last messages. */
function absent({ pods, group: { ownership } }: Symptoms): Found | undefined {
  const without = new Set(ownership?.podsWithoutMember);
  const names = pods.map(({ name }) => name).filter((name) => without.has(name));
  // A member without a pod may be theirs.
  if (names.length === 0 || ownership?.owners.some(({ pod }) => pod === undefined)) return undefined;
  const evidence = `${listed(names)} ${plural(names, "is", "are")} Ready, but not in the consumer group`;
  return { cause: "stalled_consumer", evidence, pods: names };
}

/** Of the median rate, and of what its own partitions bring. */
const STALLED = 0.5;

/** Hardly consumes, although half a window's traffic waits; most others do consume. */
function stalled({ pods, usualRate, policy }: Symptoms): Found | undefined {
  const slowCost = SLOW * usualCost(pods);
  const found = pods
    .filter(({ rate, load = usualRate, lag = 0, waitingSeconds = 0, cost }) => {
      const little = rate !== undefined && rate < STALLED * Math.min(usualRate, load);
      const waits = lag >= policy.lagFloor && waitingSeconds >= policy.metricsWindowSeconds / 2;
      return little && waits && !(cost !== undefined && cost >= slowCost);
    })
    .toSorted((a, b) => (b.waitingSeconds ?? 0) - (a.waitingSeconds ?? 0));
  const [worst] = found;
  if (worst === undefined) return undefined;
  const { rate = 0, waitingSeconds = 0 } = worst;
  const names = found.map(({ name }) => name);
  return {
    cause: "stalled_consumer",
    evidence: `${listed(names)} ${plural(names, "consumes", "consume")} ${short(rate)} messages/s where the median is ${short(usualRate)}, and ${whole(waitingSeconds)} s of traffic wait`,
    pods: names,
  };
}

/** CPU for a message against the group's lower quartile: so that up to three quarters of the pods may be slow. */
const SLOW = 1.5;
/** Enough for a pod whose neighbours on the node are slow. */
const RATHER_SLOW = 1.25;
/** CPU against the group's lower quartile: a pod that has little to do has a high cost for a message, but uses no more CPU. */
const BUSY = 1.2;

function slow({ pods, policy }: Symptoms): Found | undefined {
  const costly = pods.filter(({ cost }) => cost !== undefined);
  if (costly.length < LEAST_PODS) return undefined;
  const usual = usualCost(costly);
  const busy =
    BUSY *
    quantileOf(
      costly.map(({ cpu }) => cpu),
      0.25,
    );
  const slowBy = (factor: number) =>
    costly
      .filter(({ cost = 0, cpu = 0 }) => cost >= factor * usual && cpu >= busy && cpu >= policy.cpuFloor)
      .toSorted((a, b) => (b.cost ?? 0) - (a.cost ?? 0));
  const found = slowBy(SLOW);
  if (found.length === 0) return undefined;
  const against = (of: readonly Symptom[]) =>
    `${times(medianOf(of.map(({ cost }) => cost)) / usual)} the CPU for a message that the others do`;
  const there = slowOnOneNode(found, slowBy(RATHER_SLOW), costly);
  if (there.length > 0) {
    const node = there[0]?.node;
    const evidence = `the ${there.length} pods on ${node} use ${against(there)}`;
    return { cause: "slow_node", evidence, pods: there.map(({ name }) => name), node };
  }
  const names = found.map(({ name }) => name);
  if (found.length > costly.length / 2) {
    return { cause: "unknown", evidence: `${found.length} of ${costly.length} pods use ${against(found)}` };
  }
  const evidence = `${listed(names)} ${plural(names, "uses", "use")} ${against(found)}`;
  return { cause: "slow_pod", evidence: evidence + aloneOnNode(found, costly), pods: names };
}

function usualCost(pods: readonly Symptom[]): number {
  return quantileOf(
    pods.map(({ cost }) => cost),
    0.25,
  );
}

/** The pods of one node: at least two, all rather slow and half of them slow, and no slow one elsewhere. Otherwise none. */
function slowOnOneNode(
  found: readonly Symptom[],
  rather: readonly Symptom[],
  all: readonly Symptom[],
): readonly Symptom[] {
  const node = found[0]?.node;
  const there = rather.filter((pod) => pod.node === node);
  const allThere = there.length >= 2 && there.length === all.filter((pod) => pod.node === node).length;
  const only = found.every((pod) => pod.node === node) && found.length >= there.length / 2;
  return node !== undefined && allThere && only ? there : [];
}

/** One pod cannot tell whether it is slow or its node is. */
function aloneOnNode([only, another]: readonly Symptom[], all: readonly Symptom[]): string {
  if (only?.node === undefined || another !== undefined) return "";
  const there = all.filter(({ node }) => node === only.node);
  return there.length === 1 ? `; it is alone on ${only.node}, so it may be the node` : "";
}

/** Against a pod's fair share: the rates are noisy by some percent. */
const HOT = 1.05;
/** Against the median partition: where there are few partitions for each pod, each of them is near a fair share. */
const HOTTER_THAN_OTHERS = 2;

function hotPartition({ group: { ownership }, sharesAreLoads }: Symptoms): Found | undefined {
  if (ownership === undefined || !sharesAreLoads) return undefined;
  const partitions = ownership.group.partitions.toSorted(byRate);
  const rates = partitions.map(({ rate = 0 }) => rate);
  const fairShare = totalOf(rates) / ownership.owners.length;
  const limit = Math.max(HOT * fairShare, HOTTER_THAN_OTHERS * medianOf(rates));
  const [hottest, ...others] = partitions.filter(({ rate = 0 }) => rate > limit);
  if (hottest === undefined) return undefined;
  const { topic, partition, rate = 0 } = hottest;
  const more = `, and ${others.length} ${others.length === 1 ? "other is" : "others are"} above it, too`;
  return {
    cause: "hot_partition",
    evidence: `${topic}-${partition} brings ${times(rate / fairShare)} a pod's fair share${others.length === 0 ? "" : more}`,
    partition: { topic, partition },
  };
}

function byRate(a: PartitionLoad, b: PartitionLoad): number {
  return (b.rate ?? 0) - (a.rate ?? 0) || (nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Against the median: what noise and a little skew come to stays within, also among a thousand pods. */
const FAR = { below: 0.7, above: 1.3 };

/** Values far from their median, by themselves. */
function farOff<Item>(items: readonly Item[], valueOf: (item: Item) => number): readonly Item[] {
  const median = medianOf(items.map(valueOf));
  return items.filter((item) => valueOf(item) > FAR.above * median || valueOf(item) < FAR.below * median);
}

/** Of the variance of the loads: so much must follow from the numbers of partitions. */
const EXPLAINED = 0.5;

function unequalNumbers({ shares }: Symptoms): Found | undefined {
  const counts = shares.map(({ count }) => count).filter((count) => count !== undefined);
  if (shares.length === 0 || counts.length < shares.length) return undefined;
  const off = farOff(shares, ({ load }) => load).length > 0 || farOff(counts, (count) => count).length > 0;
  if (!off || !(explainedByCount(shares) >= EXPLAINED)) return undefined;
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const idlers = counts.filter((count) => count === 0).length;
  const evidence =
    idlers === 0
      ? `the numbers of partitions go from ${least} to ${most}`
      : `there is no partition for ${idlers} of ${counts.length} pods`;
  return { cause: "count_imbalance", evidence };
}

/**
 * Share of the variance of the loads that is gone when each partition counts as the mean one; below 0 where that makes it worse, NaN
 * where there are no partitions.
 */
function explainedByCount(shares: readonly Share[]): number {
  const total = totalOf(shares.map(({ load }) => load));
  const mean = total / shares.length;
  const perPartition = total / totalOf(shares.map(({ count = 0 }) => count));
  const spread = totalOf(shares.map(({ load }) => (load - mean) ** 2));
  const left = totalOf(shares.map(({ load, count = 0 }) => (load - count * perPartition) ** 2));
  return spread === 0 ? 0 : 1 - left / spread;
}

function unequalRates(symptoms: Symptoms): Found | undefined {
  const { group, shares, sharesAreLoads } = symptoms;
  const off = farOff(shares, ({ load }) => load);
  if (off.length === 0) return undefined;
  const mean = totalOf(shares.map(({ load }) => load)) / shares.length;
  const { name, load } = mostNotable(off, mean);
  if (sharesAreLoads) {
    return {
      cause: "skewed_partitions",
      evidence: `the partitions of ${name} bring ${times(load / mean)} a pod's fair share`,
    };
  }
  const open =
    group.ownership === undefined
      ? "with the owners unknown, it may be one hot partition or unequal numbers"
      : "as not all rates of the partitions are known, it may be one hot partition";
  const evidence = `${name} consumes ${times(load / mean)} the mean, at the same CPU for a message; ${open}`;
  return contrary(symptoms, off) ?? { cause: "skewed_partitions", evidence };
}

/** The busiest, or the least busy where only that one is far from the others. */
function mostNotable(off: readonly Share[], mean: number): Share {
  const sorted = off.toSorted((a, b) => b.load - a.load || (a.name < b.name ? -1 : 1));
  const [busiest, least] = [sorted[0], sorted.at(-1)] as [Share, Share];
  return busiest.load > mean ? busiest : least;
}

/** Where only consumption is known: what speaks against its being what comes in. */
function contrary({ pods, policy }: Symptoms, off: readonly Share[]): Found | undefined {
  const usual = medianOf(pods.map(({ rate }) => rate));
  const late = pods.filter((pod) => isLate(pod, policy) && (pod.rate ?? 0) < usual);
  const first = off.find(({ name }) => late.some((pod) => pod.name === name));
  if (first !== undefined) {
    return { cause: "unknown", evidence: `${first.name} consumes less than the others and is late all the same` };
  }
  const costs = pods.filter(({ cost }) => cost !== undefined).length;
  if (costs >= LEAST_PODS) return undefined;
  return { cause: "unknown", evidence: "consumption differs between the pods, and CPU for a message is not known" };
}

/** Something stands out that no rule has a cause for. */
function unexplained({ pods, shares, policy }: Symptoms): Found | undefined {
  const late = pods.filter((pod) => isLate(pod, policy)).map(({ name }) => name);
  if (late.length > 0) {
    const evidence = `${listed(late)} ${plural(late, "has", "have")} more than ${LATE_SECONDS} s of traffic waiting`;
    return { cause: "unknown", evidence: `${evidence}, and nothing else stands out` };
  }
  if (shares.length < LEAST_PODS) return { cause: "unknown", evidence: "what the pods consume is not known" };
  const paces = pods.flatMap(({ name, rate, load = 0 }) =>
    rate === undefined || load === 0 ? [] : [{ name, pace: rate / load }],
  );
  const [off] = farOff(paces, ({ pace }) => pace);
  if (off === undefined) return undefined;
  return {
    cause: "unknown",
    evidence: `${off.name} consumes ${times(off.pace)} what its partitions bring, and has no lag to show for it`,
  };
}

function evenEvidence({ shares }: Symptoms): string {
  const loads = shares.map(({ load }) => load);
  const median = medianOf(loads);
  const farthest = median === 0 ? 0 : Math.max(...loads.map((load) => Math.abs(load / median - 1)));
  return `no pod's load is further than ${percent(farthest)} from the median`;
}

/** So many names are given; of more, their number. */
const NAMES_SHOWN = 3;

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function plural(names: readonly string[], one: string, many: string): string {
  return names.length === 1 ? one : many;
}

function times(factor: number): string {
  return `${short(factor)} times`;
}

// Made once: to make one takes a hundred times as long as to use it.
const TENTHS = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function short(value: number): string {
  return (value < 10 ? TENTHS : WHOLE).format(value);
}

function whole(value: number): string {
  return WHOLE.format(value);
}

function percent(share: number): string {
  return `${whole(share * 100)} %`;
}
