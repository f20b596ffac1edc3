/**
 * Measures what it takes to forecast what rotations bring, for groups of several sizes, in this process and without I/O. Writes
 * Markdown, and fails where an aim is missed.
 *
 *     npm run bench:planning [-- --runs 3] [-- --pods 50]
 */

import { parseArgs } from "node:util";

import { type Board, boardOf } from "../src/forecast/board.ts";
import { forecast } from "../src/forecast/forecast.ts";
import type { OrderWeights } from "../src/forecast/likely-orders.ts";
import { ownershipOf } from "../src/forecast/ownership.ts";
import { PROTOCOLS, type ProtocolName } from "../src/kafka/assignors/protocols.ts";
import { createSimulation } from "../src/simulation/simulation.ts";
import { createVirtualClock } from "../src/simulation/virtual-clock.ts";
import { DEFAULTS } from "./decisions/policies.ts";
import { measureFloor } from "./measure.ts";
import { machine, median, table } from "./report.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "5" }, pods: { type: "string", multiple: true } },
});
const RUNS = Number(flags.runs);

/** What a forecast may take, in milliseconds of CPU. */
const SIZES = [
  { pods: 8, partitions: 32 },
  { pods: 20, partitions: 100 },
  { pods: 50, partitions: 256, aim: 100 },
  { pods: 1_000, partitions: 10_000, aim: 2_000 },
].filter(({ pods }) => flags.pods?.includes(String(pods)) ?? true);

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

async function boardOfSize({ pods, partitions }: (typeof SIZES)[number], protocol: ProtocolName): Promise<Board> {
  const signal = new AbortController().signal;
  const { cluster, groupSource } = createSimulation(
    {
      seed: 1,
      pods,
      partitions: new Map([["orders", partitions]]),
      protocol: PROTOCOLS[protocol],
      rates: { kind: "zipf", parameter: 0.6 },
      historySeconds: 1,
    },
    createVirtualClock(),
  );
  const seen = await cluster.observe(signal);
  const group = await groupSource.read(seen.pods, signal);
  const board = group && boardOf(ownershipOf(group, seen.pods));
  if (board === undefined) throw new Error("the group cannot be forecast");
  return board;
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
      ...[size.pods, size.partitions].map((count) => count.toLocaleString("en")),
      ...took.map(([, millis]) => `${millis.toFixed(0)} ms`),
    ]);
    missed.push(
      ...took
        .filter(([, millis]) => millis > (size.aim ?? Number.POSITIVE_INFINITY))
        .map(([order, millis]) => `${assignor}, ${size.pods} pods, ${order}: ${millis.toFixed(0)} ms of ${size.aim}`),
    );
    floors.push((await measureFloor()).cpuMillis);
  }
}
const head = ["Assignor", "Pods", "Partitions", ...Object.keys(ORDERS)];
const floor = `CPU of one forecast; that of \`node -e 0\` is ${median(floors).toFixed(0)} ms.`;
process.stdout.write(`${machine(RUNS)}\n\n${floor}\n\n${table(head, rows)}\n`);
for (const one of missed) process.stderr.write(`Missed: ${one}\n`);
if (missed.length > 0) process.exitCode = 1;
