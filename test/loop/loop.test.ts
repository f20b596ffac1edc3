/** The closed loop on real parts: what the product believes, what it does, and what the broker makes of it. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Assignor } from "../../src/kafka/assignors/assignor.ts";
import { librdkafkaSticky } from "../../src/kafka/assignors/librdkafka-sticky.ts";
import { cooperativeSticky } from "../../src/kafka/assignors/sticky.ts";
import { seededRandom } from "../../src/random.ts";
import { drawRates } from "../../src/simulation/partition-rates.ts";
import { expectEnd } from "../e2e/product.ts";
import { missing as planeMissing } from "../e2e/scene.ts";
import { javaConsumerCommand, kafkaMissing, type Launch, pythonCommand } from "../harness/kafka.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { deployment, statefulSet } from "../harness/workloads.ts";
import {
  type CellOptions,
  type CellRecord,
  type Consumer,
  type Pace,
  type Played,
  playCell,
  type Stage,
  startLoop,
} from "./cell.ts";
import { playTurns, type Turn } from "./rotations.ts";

const missing = planeMissing ?? (await kafkaMissing());

const PARTITIONS = 32;
const MESSAGES_PER_SECOND = 400;

type Settings = Readonly<Record<string, string>>;

/** A consumer; the settings are those of its client. */
function consumerOf(launch: () => Promise<Launch>, settings: (consumer: Consumer) => Settings): CellOptions["command"] {
  return async (consumer) => {
    const { program, args, env = {} } = await launch();
    const client = Object.entries(settings(consumer)).map(([name, value]) => [`client.${name}`, value] as const);
    const pairs = [...Object.entries(consumer), ...client].map(([name, value]) => `${name}=${value}`);
    return { program, args: [...args, ...pairs], env };
  };
}

function librdkafka(settings: Settings): CellOptions["command"] {
  return consumerOf(
    () => pythonCommand("consumer.py"),
    () => settings,
  );
}

const GROUP = {
  name: "consumer",
  replicas: 8,
  gracePeriodSeconds: 10,
  podAnnotations: { [POD_ANNOTATIONS.ownKubelet]: "true" },
} as const;

const COOPERATIVE = {
  "partition.assignment.strategy": "cooperative-sticky",
  "heartbeat.interval.ms": "1000",
  "session.timeout.ms": "10000",
  debug: "assignor",
} as const;

/** The same assignor, which tells what it does. */
const JAVA_COOPERATIVE = {
  "partition.assignment.strategy": "Consumer$Recording",
  "heartbeat.interval.ms": "3000",
  "session.timeout.ms": "30000",
} as const;

const KIP_848 = { "group.protocol": "consumer", "group.remote.assignor": "uniform" } as const;

/** The same for the simulator. */
const JAVA_CLIENTS = { protocol: "java-cooperative-sticky", heartbeatSeconds: 3, sessionTimeoutSeconds: 30 } as const;
const KIP_848_CLIENTS = { protocol: "kip848-uniform", heartbeatSeconds: 1, sessionTimeoutSeconds: 10 } as const;

/** A single thread that needs that long for a message. */
function pace(cpuSecondsPerMessage: number): Pace {
  return { cpuSecondsPerMessage, messagesPerSecond: 1 / cpuSecondsPerMessage };
}

/** Every cell differs from this one. */
const LEAVE_FIRST: CellOptions = {
  name: "leave first",
  workload: deployment(GROUP),
  clients: { protocol: "librdkafka-cooperative-sticky", heartbeatSeconds: 1, sessionTimeoutSeconds: 10 },
  command: librdkafka(COOPERATIVE),
  bootMillis: 4_000,
  rates: drawRates({ kind: "zipf", parameter: 0.6 }, PARTITIONS, MESSAGES_PER_SECOND / PARTITIONS, seededRandom(1)),
  unevenness: 1.4,
  pace: () => pace(0.005),
  settings: { CPU_VARIANCE_THRESHOLD: "0.02" },
};

const ONE_BARRIER: CellOptions = {
  ...LEAVE_FIRST,
  name: "one barrier",
  clients: JAVA_CLIENTS,
  command: consumerOf(javaConsumerCommand, () => JAVA_COOPERATIVE),
  bootMillis: 200,
};

const STATIC: CellOptions = {
  ...LEAVE_FIRST,
  name: "static membership",
  clients: { ...JAVA_CLIENTS, staticMembers: true },
  workload: statefulSet(GROUP),
  lease: "pod-rebalancer-statefulset-consumer",
  command: consumerOf(javaConsumerCommand, ({ pod }) => ({ ...JAVA_COOPERATIVE, "group.instance.id": pod })),
  bootMillis: 1_000,
};

const SLOW_NODE: CellOptions = {
  ...LEAVE_FIRST,
  name: "slow node",
  clients: KIP_848_CLIENTS,
  command: librdkafka(KIP_848),
  pace: ({ node }) => pace(node === "node-1" ? 0.02 : 0.005),
};

/** The third to start. */
const STALLED_ORDINAL = 2;

const STALLED: CellOptions = {
  ...LEAVE_FIRST,
  name: "stalled consumer",
  pace: ({ ordinal }) => ({ ...pace(0.005), ...(ordinal === STALLED_ORDINAL ? { messagesPerSecond: 2 } : {}) }),
  settings: { LAG_FLOOR: "10" },
};

const HOT_PARTITION: CellOptions = {
  ...LEAVE_FIRST,
  name: "hot partition",
  command: librdkafka(KIP_848),
  clients: KIP_848_CLIENTS,
  rates: drawRates({ kind: "hot", parameter: 0.22 }, PARTITIONS, MESSAGES_PER_SECOND / PARTITIONS, seededRandom(1)),
};

/** Their members are told from their pods by the client id. */
const FORECASTS: readonly CellOptions[] = [
  {
    ...LEAVE_FIRST,
    name: "forecast librdkafka",
    command: consumerOf(
      () => pythonCommand("consumer.py"),
      ({ pod }) => ({ ...COOPERATIVE, "client.id": pod }),
    ),
  },
  {
    ...LEAVE_FIRST,
    name: "forecast Java",
    clients: JAVA_CLIENTS,
    command: consumerOf(javaConsumerCommand, ({ pod }) => ({ ...JAVA_COOPERATIVE, "client.id": pod })),
  },
  {
    ...LEAVE_FIRST,
    name: "forecast KIP-848",
    clients: KIP_848_CLIENTS,
    command: consumerOf(
      () => pythonCommand("consumer.py"),
      ({ pod }) => ({ ...KIP_848, "client.id": pod }),
    ),
  },
].map((cell) => ({ ...cell, unevenness: 1.25, settings: {} }));

/** By hand: a series of forty takes about an hour and a half. */
const ROTATIONS = Number(process.env["LOOP_ROTATIONS"] ?? "1");
/** Chance says who owns what, and so whether anything would help: a run may well hold. */
const MOST_TURNS = 3 * ROTATIONS + 5;

function rotatedOf(turns: readonly Turn[]): readonly Turn[] {
  return turns.filter(({ reason }) => reason === "rotated");
}

describe.skipIf(missing)(`the closed loop on real parts${missing ? ` (${missing})` : ""}`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startLoop();
  });
  afterAll(() => stage[Symbol.asyncDispose]());
  const records: CellRecord[] = [];
  async function played(options: CellOptions): Promise<Played> {
    const cell = await playCell(stage, options);
    records.push(cell.record);
    return cell;
  }

  it("leave first: librdkafka's cooperative-sticky", async () => {
    const { record, outcome } = await played(LEAVE_FIRST);
    expectEnd(outcome, 0, "rotated");
    expectTrueBelief(record);
    expectReportedRemovals(record);
    expectModelled(record, librdkafkaSticky);
  });

  it("one barrier: the Java client's cooperative-sticky", async () => {
    const { record, outcome } = await played(ONE_BARRIER);
    expectEnd(outcome, 0, "rotated");
    expectTrueBelief(record);
    expectReportedRemovals(record);
    expectModelled(record, cooperativeSticky);
  });

  it("static membership of the Java client: whoever is back in time owns what it owned", async () => {
    const { record, outcome } = await played(STATIC);
    expectEnd(outcome, 0, "rotated");
    expectTrueBelief(record);
    expectReportedRemovals(record);
    expectModelled(record, cooperativeSticky);
    expect(record.after.owned).toEqual(record.before.owned);
  });

  it("slow node: KIP-848", async () => {
    const { record, outcome } = await played(SLOW_NODE);
    const report = expectEnd(outcome, 0, "rotated");
    expectTrueBelief(record);
    expectReportedRemovals(record);
    expect(record.before.nodes[report.removal!.steps[0]!.pod]).toBe("node-1");
  });

  it("stalled consumer: its lag gives it away", async () => {
    const { record, outcome } = await played(STALLED);
    expectEnd(outcome, 0, "rotated");
    expectReportedRemovals(record);
    const stalled = Object.keys(record.before.trueCores).find((pod) => record.before.trueCores[pod]! <= 0.01);
    expect(record.removed).toContain(stalled);
    expectModelled(record, librdkafkaSticky);
  });

  it("hot partition: KIP-848 moves it, and cannot divide it", async () => {
    const { record, outcome } = await played(HOT_PARTITION);
    expectEnd(outcome, 0, "rotated");
    expectTrueBelief(record);
    expectReportedRemovals(record);
    const busiest = Math.max(...Object.values(record.after.trueRates));
    expect(busiest).toBe(
      Object.entries(record.after.owned)
        .filter(([, owned]) => owned.includes(record.rates.indexOf(Math.max(...record.rates))))
        .map(([pod]) => record.after.trueRates[pod])[0],
    );
  });

  it.each(FORECASTS)(`$name: until ${ROTATIONS} rotated`, { timeout: 60_000 + MOST_TURNS * 90_000 }, async (cell) => {
    const turns = await playTurns(stage, cell, MOST_TURNS, (soFar) => rotatedOf(soFar).length >= ROTATIONS);
    for (const { trouble } of turns) expect(trouble).toBe("");
    const rotated = rotatedOf(turns);
    expect(rotated.length).toBeGreaterThan(0);
    for (const { rotation, before, after } of rotated) {
      // The rates that the product reads are off a little, and so is what it takes them to come to.
      expect(Math.abs(rotation!.after! - after)).toBeLessThan(0.08 * after);
      expect(after).toBeLessThan(before * 1.02);
    }
    const held = turns.filter(({ reason }) => reason !== "rotated");
    for (const { before, after } of held) expect(after).toBe(before);
  });

  it("comes to what the simulator says", () => {
    const errors = records.map(errorOf).toSorted((a, b) => a - b);
    expect(errors.length).toBeGreaterThan(3);
    expect(errors[Math.floor(errors.length / 2)]).toBeLessThanOrEqual(0.05);
  });
});

/** The product believed of each pod about what was true. */
function expectTrueBelief({ report, before }: CellRecord): void {
  const believed = new Map(report!.group!.pods.map(({ name, cpuCores }) => [name, cpuCores]));
  for (const [pod, cores] of Object.entries(before.trueCores)) {
    const error = Math.abs((believed.get(pod) ?? Number.NaN) - cores);
    expect(error, `${pod}: ${believed.get(pod)} cores, truly ${cores}`).toBeLessThan(0.15 * cores);
  }
}

/** What went is what the product says that it removed, in that order. */
function expectReportedRemovals({ report, removed }: CellRecord): void {
  expect(removed).toEqual(report!.removal!.steps.map(({ pod }) => pod));
}

/** Every round of the real group is what the model of its assignor answers, and the simulator gives each partition to the same pod. */
function expectModelled({ rounds, rates, simulated }: CellRecord, assign: Assignor): void {
  expect(rounds.length).toBeGreaterThan(0);
  for (const { members, assigned } of rounds) {
    const partitions = new Map([[members[0]?.topics[0] ?? "", rates.length]]);
    const answer = [...assign(partitions, members)].map(([id, own]) => [id, own.map(({ partition }) => partition)]);
    expect(sorted(Object.fromEntries(answer) as CellAssignment)).toEqual(sorted(assigned));
  }
  expect(simulated.alike).toBe(1);
}

type CellAssignment = Readonly<Record<string, readonly number[]>>;

/** The order within a member's list is nothing that a group shows; one that has nothing may be left out. */
function sorted(assignment: CellAssignment): CellAssignment {
  const entries = Object.entries(assignment).filter(([, own]) => own.length > 0);
  return Object.fromEntries(entries.map(([id, own]) => [id, own.toSorted((a, b) => a - b)]));
}

/** How far the simulator is off, as a share of busiest / mean load afterwards. */
function errorOf({ simulated, after }: CellRecord): number {
  return Math.abs(simulated.imbalance - after.imbalance) / after.imbalance;
}
