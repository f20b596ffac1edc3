/**
 * Measures what it takes to forecast what rotations bring, for groups of several sizes, in this process and without I/O. Writes
 * Markdown, and fails where an aim is missed.
 *
 *     npm run bench:planning [-- --runs 3] [-- --pods 50]
 */

import { parseArgs } from "node:util";

import { assignorGroupOf, type Board, boardOf } from "../src/forecast/board.ts";
import { forecast } from "../src/forecast/forecast.ts";
import type { OrderWeights } from "../src/forecast/likely-orders.ts";
import { ownershipOf } from "../src/forecast/ownership.ts";
import { settle } from "../src/kafka/assignors/orders.ts";
import { PROTOCOLS, type ProtocolName } from "../src/kafka/assignors/protocols.ts";
import type { ConsumerGroup } from "../src/kafka/group.ts";
import { createSimulation } from "../src/simulation/simulation.ts";
import { createVirtualClock } from "../src/simulation/virtual-clock.ts";
import { DEFAULTS } from "./decisions/policies.ts";
import { measureFloor } from "./measure.ts";
import { machine, median, table } from "./report.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "5" }, pods: { type: "string", multiple: true } },
});
const RUNS = Number(flags.runs);

interface Size {
  readonly pods: number;
  readonly topics: number;
  readonly partitions: number;
  /** Which topics a pod subscribes to, by their places; all, where it is not said. */
  readonly wants?: (pod: number, topic: number) => boolean;
  readonly subscriptions: string;
  /** What a forecast may take, in milliseconds of CPU. */
  readonly aim?: number;
}

const ALIKE = { topics: 1, subscriptions: "alike" };

/** A third of all topics for each pod, spread as by chance. */
const aThird: Size["wants"] = (pod, topic) => ((pod * 7_919 + topic * 104_729) % 9_973) % 3 === 0;

const ALL_SIZES: readonly Size[] = [
  { ...ALIKE, pods: 8, partitions: 32 },
  { ...ALIKE, pods: 20, partitions: 100 },
  { ...ALIKE, pods: 50, partitions: 256, aim: 100 },
  { ...ALIKE, pods: 1_000, partitions: 10_000, aim: 2_000 },
  {
    pods: 100,
    topics: 10,
    partitions: 5_000,
    subscriptions: "all, or half of them",
    wants: (pod, topic) => pod % 2 === 0 || topic < 5,
    aim: 2_000,
  },
  { pods: 1_000, topics: 100, partitions: 10_000, subscriptions: "a third each", wants: aThird, aim: 2_000 },
];
const SIZES = ALL_SIZES.filter(({ pods }) => flags.pods?.includes(String(pods)) ?? true);

const ASSIGNORS: readonly ProtocolName[] = [
  "java-cooperative-sticky",
  "java-sticky",
  "librdkafka-cooperative-sticky",
  "kip848-uniform",
];

/** Of pods that boot in 8 s, before and after their order was seen; and of pods that boot at once. */
const ORDERS: Readonly<Record<string, OrderWeights>> = {
  "Order guessed": { "leave-first": 0.92, "join-first": 0.08, "one-barrier": 0 },
  "Leave first": { "leave-first": 0.99, "join-first": 0.01, "one-barrier": 0 },
  "One barrier": { "leave-first": 0, "join-first": 0, "one-barrier": 1 },
};

async function boardOfSize(size: Size, protocol: ProtocolName): Promise<Board> {
  const { pods, topics, partitions, wants } = size;
  const names = Array.from({ length: topics }, (_none, topic) => `orders-${topic}`);
  const signal = new AbortController().signal;
  const { cluster, groupSource } = createSimulation(
    {
      seed: 1,
      pods,
      partitions: new Map(names.map((name) => [name, partitions / topics])),
      protocol: PROTOCOLS[protocol],
      rates: { kind: "zipf", parameter: 0.6 },
      historySeconds: 1,
    },
    createVirtualClock(),
  );
  const seen = await cluster.observe(signal);
  const group = await groupSource.read(seen.pods, signal);
  const board = group && boardOf(ownershipOf(wants ? subscribed(group, names, wants) : group, seen.pods));
  if (board === undefined) throw new Error("the group cannot be forecast");
  return board;
}

/** The group at rest once each of its members subscribes to what it wants of these topics. */
function subscribed(group: ConsumerGroup, topics: readonly string[], wants: Exclude<Size["wants"], undefined>) {
  const { protocol, members } = group;
  if (protocol === undefined) throw new Error("the group has no model");
  const changed = members.map((member, pod) => ({
    ...member,
    topics: topics.filter((_name, topic) => wants(pod, topic)),
    owned: [],
  }));
  const settled = settle(PROTOCOLS[protocol], assignorGroupOf({ ...group, members: changed }));
  const owned = new Map(settled.members.map((member) => [member.id, member.owned]));
  return { ...group, members: changed.map((member) => ({ ...member, owned: owned.get(member.id) ?? [] })) };
}

function millisOf(board: Board, orders: OrderWeights): number {
  const pairs = { atOnce: true, inTurn: true };
  const scope = { removable: [...board.owners.keys()], pairs, orders, rateError: 0.02 };
  const runs = Array.from({ length: RUNS }, () => {
    const begun = process.threadCpuUsage();
    forecast(board, scope, DEFAULTS);
    const { user, system } = process.threadCpuUsage(begun);
    return (user + system) / 1_000;
  });
  return median(runs);
}

const floors: number[] = [];
const rows: string[][] = [];
const missed: string[] = [];
for (const size of SIZES) {
  for (const assignor of ASSIGNORS) {
    const board = await boardOfSize(size, assignor);
    const took = Object.entries(ORDERS).map(([order, weights]) => [order, millisOf(board, weights)] as const);
    rows.push([
      assignor,
      ...[size.pods, size.topics, size.partitions].map((count) => count.toLocaleString("en")),
      size.subscriptions,
      ...took.map(([, millis]) => `${millis.toFixed(0)} ms`),
    ]);
    missed.push(
      ...took
        .filter(([, millis]) => millis > (size.aim ?? Number.POSITIVE_INFINITY))
        .map(
          ([order, millis]) =>
            `${assignor}, ${size.pods} pods, ${size.topics} topics, ${order}: ${millis.toFixed(0)} ms of ${size.aim}`,
        ),
    );
    floors.push((await measureFloor()).cpuMillis);
  }
}
const head = ["Assignor", "Pods", "Topics", "Partitions", "Subscriptions", ...Object.keys(ORDERS)];
const floor = `CPU of one forecast; that of \`node -e 0\` is ${median(floors).toFixed(0)} ms.`;
process.stdout.write(`${machine(RUNS)}\n\n${floor}\n\n${table(head, rows)}\n`);
for (const one of missed) process.stderr.write(`Missed: ${one}\n`);
if (missed.length > 0) process.exitCode = 1;
