/** Spoils one answer of a broker after another, and holds what the adapter makes of it to what must always be. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { RebalancerError } from "../../src/errors.ts";
import { boardOf } from "../../src/forecast/board.ts";
import { contradictionWithin, unsettledPartitions } from "../../src/forecast/consistency.ts";
import { ownershipOf } from "../../src/forecast/ownership.ts";
import type { KafkaSasl } from "../../src/kafka/admin/client-config.ts";
import { createConnections } from "../../src/kafka/admin/connections.ts";
import { readGroup } from "../../src/kafka/admin/read-group.ts";
import type { TopicPartition } from "../../src/kafka/assignors/assignor.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import type { Clock } from "../../src/ports.ts";
import { drawOne, type Random, seededRandom } from "../../src/random.ts";
import {
  type Alteration,
  type Asked,
  createFakeBroker,
  type FakeBrokerOptions,
  type FakeGroup,
} from "../fakes/kafka-broker.ts";
import { podsNamed } from "../fakes/pods.ts";
import { MUTATIONS } from "./mutations.ts";

const PODS = podsNamed(["orders-0", "orders-1", "orders-2"]);

const HANDS = ["orders 0,orders 1,refunds 0", "orders 2,orders 3,refunds 1", "orders 4,orders 5"].map((hand) =>
  hand.split(",").map((one) => ({ topic: one.slice(0, -2), partition: Number(one.slice(-1)) })),
);

function groupOf(type: FakeGroup["type"]): FakeGroup {
  return {
    name: "orders",
    type,
    members: PODS.map(({ name, ip = "" }, seat) => ({
      id: `${name}-7d1c7a8e-9f0b-4c57-8a4e-2f6b5d3c1a0${seat}`,
      clientId: name,
      host: ip,
      owned: HANDS[seat]!,
    })),
    topics: [
      { name: "orders", id: "00112233-4455-6677-8899-aabbccddeeff", growth: [90, 80, 7, 6, 5, 4] },
      { name: "refunds", id: "ffeeddcc-bbaa-9988-7766-554433221100", growth: [3, 0] },
    ],
  };
}

const GROUPS = { classic: groupOf("classic"), consumer: groupOf("consumer") };
const LOGINS: readonly KafkaSasl[] = (["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const).map((mechanism) => ({
  mechanism,
  username: "ann",
  password: "s3cret",
}));

/** A broker's answer may be wrong in any of these ways; that we are at fault, or wait, is none of them. */
const NEVER_CODES: ReadonlySet<string> = new Set(["INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED", "RUN_DEADLINE"]);

export interface Tally {
  /** By what came of them: "read", or the error's code. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** By how much the process grew at most since this file was loaded, in MiB, also by earlier calls and for however short a moment. */
  readonly grownMiB: number;
}

/**
 * @param asked - whose answer is spoilt.
 * @param seed - the same seed has the same cases, each by its number.
 * @param only - the number of the one case that is tried.
 * @throws Error that names case and mutation where something happens that never may.
 */
export async function fuzz(asked: Asked, cases: number, seed: number, only?: number): Promise<Tally> {
  const outcomes = new Map<string, number>();
  const numbers = only === undefined ? Array.from({ length: cases }, (_, at) => at) : [only];
  for (const number of numbers) {
    const random = seededRandom(seed * 1_000_003 + number);
    const mutation = drawOne(Object.keys(MUTATIONS), random);
    const outcome = await attempt({ asked, mutation, random }).catch((thrown: unknown) => {
      throw new Error(`${asked}, case ${number} of seed ${seed} (${mutation}): ${String(thrown)}`, { cause: thrown });
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (number % 100 === 99) GROWN.collect();
  }
  return { outcomes, grownMiB: GROWN.byMiB() };
}

interface Case {
  readonly asked: Asked;
  readonly mutation: string;
  readonly random: Random;
}

/** What is asked twice: before and after the samples, or in the two steps of SCRAM. */
const TWICE: ReadonlySet<Asked> = new Set([
  "DescribeGroups",
  "ConsumerGroupDescribe",
  "ListOffsets",
  "SaslAuthenticate",
]);

/** Frames as they should be, to be sent where they should not. */
const RECORDED: Buffer[] = [];
for (const group of Object.values(GROUPS)) {
  const record = (_asked: Asked, _nth: number, frame: Buffer) => {
    RECORDED.push(frame);
    return [frame];
  };
  await readFrom({ group, alter: record }, LOGINS[1]);
  // Loads and compiles, so that what the process grows by afterwards is for spoilt answers.
  for (let time = 0; time < 200; time += 1) await readFrom({ group }, drawOne(LOGINS, seededRandom(time)));
}
const GROWN = growth();

async function attempt({ asked, mutation, random }: Case): Promise<string> {
  const sasl = asked.startsWith("Sasl") ? drawOne(LOGINS, random) : undefined;
  const at = TWICE.has(asked) && random() < 0.5 ? 1 : 0;
  const alter: Alteration = (name, nth, frame) =>
    name === asked && nth === at ? MUTATIONS[mutation]!(frame, random, RECORDED) : [frame];
  const broker = { ...clusterFor(asked, random), alter };
  try {
    judge(await readFrom(broker, sasl));
    return "read";
  } catch (thrown) {
    if (!(thrown instanceof RebalancerError) || NEVER_CODES.has(thrown.code)) throw thrown;
    return thrown.code;
  }
}

/** One whose group is of the type of which that is asked. */
function clusterFor(asked: Asked, random: Random): Pick<FakeBrokerOptions, "group" | "listGroupsVersion"> {
  if (asked === "DescribeGroups") return { group: GROUPS.classic };
  if (asked === "ConsumerGroupDescribe") return { group: GROUPS.consumer };
  if (asked === "ListGroups" && random() < 0.3) return { group: GROUPS.classic, listGroupsVersion: 4 };
  return { group: random() < 0.4 ? GROUPS.classic : GROUPS.consumer };
}

async function readFrom(broker: FakeBrokerOptions, sasl: KafkaSasl | undefined): Promise<ConsumerGroup> {
  const { dial } = createFakeBroker({ ...broker, ...(sasl && { login: sasl }) });
  const { signal } = new AbortController();
  const options = { bootstrapServers: ["broker:9092"], security: { tls: undefined, sasl }, timeoutMillis: 60_000 };
  const connections = createConnections(options, signal, dial);
  try {
    return await readGroup({ group: "orders", sampleMillis: 1_000, clock: fastClock() }, connections, signal);
  } finally {
    await connections.close();
  }
}

/** What is read is judged without a crash, and what is taken for settled has exactly one owner for each of its partitions. */
function judge(group: ConsumerGroup): void {
  const ownership = ownershipOf(group, PODS);
  const why = contradictionWithin(group) ?? unsettledPartitions(group);
  if (group.state !== "Stable" || why !== undefined || group.members.length === 0) return;
  boardOf(ownership);
  const owned = group.members.flatMap((member) => member.owned.map(labelOf)).toSorted();
  const known = group.partitions.map(labelOf).toSorted();
  if (owned.join() !== known.join()) throw new Error(`${owned.join()} are owned of ${known.join()}`);
  for (const partition of group.partitions) {
    if (!isAmount(partition.rate) || !(partition.lag === undefined || isAmount(partition.lag))) {
      throw new Error(`${labelOf(partition)} has a rate of ${partition.rate} and a lag of ${partition.lag}`);
    }
  }
}

function labelOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

function isAmount(value: number | undefined): boolean {
  return value !== undefined && value >= 0 && Number.isFinite(value);
}

/** Each look at it is a second later. */
function fastClock(): Clock {
  let millis = 0;
  return { now: () => new Date((millis += 1_000)), sleep: async () => undefined };
}

/** Of this process from here on, by its highest mark: what was taken and given back between two looks counts as well. */
function growth() {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const start = process.resourceUsage().maxRSS;
  return { collect, byMiB: () => (process.resourceUsage().maxRSS - start) / 2 ** 10 };
}
