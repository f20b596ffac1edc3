/** The flags of one row, and what they mean. */

import { parseArgs } from "node:util";

import type { Order } from "../../src/kafka/assignors/orders.ts";
import { type ProtocolName, protocolOf } from "../../src/kafka/assignors/protocols.ts";
import { parseRateShape } from "../../src/simulation/partition-rates.ts";
import { POLICIES, type PolicyName } from "./policies.ts";
import type { RowSettings } from "./row.ts";

/** Every flag with its default; docs/decision-quality.md says what each means. */
export const DEFAULT_FLAGS = {
  policy: "balanced",
  gate: "on",
  assignor: "java-cooperative-sticky",
  order: "leave-first",
  pods: "8",
  partitions: "32",
  topics: "1",
  rates: "zipf:0.6",
  "rate-error": "0",
  "min-imbalance": "1.25",
  capacity: "2",
  "replaced-before": "0",
  learned: "0",
  "max-pods": "2",
  states: "300",
  seed: "1",
  runs: "1",
} as const;

export type Flag = keyof typeof DEFAULT_FLAGS;
export type Flags = Readonly<Record<Flag, string>>;

const ORDERS: readonly RowSettings["order"][] = [
  "leave-first",
  "join-first",
  "one-barrier",
  "one-at-a-time",
  "unknown",
] satisfies (Order | "unknown")[];

export interface CommandLine {
  /** Those that were given. */
  readonly given: Partial<Flags>;
  readonly json: boolean;
  /** Whether the tables are to be written into docs/decision-quality.md. */
  readonly write: boolean;
  /** The only one of them that is asked for. */
  readonly table: string | undefined;
}

/** @throws TypeError for a flag that there is not. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const text = Object.fromEntries(Object.keys(DEFAULT_FLAGS).map((name) => [name, { type: "string" }] as const));
  const { values } = parseArgs({
    args: [...args],
    options: { ...text, json: SWITCH, write: SWITCH, table: { type: "string" } },
  });
  const { json, write, table, ...given } = values as Partial<Flags> & {
    json?: boolean;
    write?: boolean;
    table?: string;
  };
  return { given, json: json === true, write: write === true, table };
}

const SWITCH = { type: "boolean" } as const;

/** @throws Error that names the flag, the value and what is expected. */
export function settingsOf(flags: Flags): RowSettings {
  const pods = count(flags, "pods", 2);
  const partitions = count(flags, "partitions", 1);
  const topics = count(flags, "topics", 1);
  if (topics > partitions) throw expected("topics", flags, `${partitions} at most, as many as there are partitions`);
  return {
    policy: oneOf(flags, "policy", Object.keys(POLICIES) as PolicyName[]),
    gate: oneOf(flags, "gate", ["on", "off"]),
    protocol: protocolOf(flags.assignor),
    protocolName: flags.assignor as ProtocolName,
    order: oneOf(flags, "order", ORDERS),
    pods,
    partitions,
    topics,
    rates: parseRateShape(flags.rates),
    rateError: number(flags, "rate-error", 0, 1),
    minImbalance: number(flags, "min-imbalance", 1, pods),
    capacity: number(flags, "capacity", 0.1, 1_000),
    replacedBefore: count(flags, "replaced-before", 0),
    learned: count(flags, "learned", 0),
    maxPods: count(flags, "max-pods", 1),
    states: count(flags, "states", 1),
    seed: count(flags, "seed", 0),
    runs: count(flags, "runs", 1),
  };
}

function oneOf<Value extends string>(flags: Flags, flag: Flag, values: readonly Value[]): Value {
  const found = values.find((value) => value === flags[flag]);
  if (found === undefined) throw expected(flag, flags, `one of ${values.join(", ")}`);
  return found;
}

function count(flags: Flags, flag: Flag, least: number): number {
  const value = /^\d+$/.test(flags[flag]) ? Number(flags[flag]) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw expected(flag, flags, `a whole number, ${least} or more`);
}

function number(flags: Flags, flag: Flag, least: number, most: number): number {
  const value = /^\d+(\.\d+)?$/.test(flags[flag]) ? Number(flags[flag]) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw expected(flag, flags, `a number from ${least} to ${most}`);
}

function expected(flag: Flag, flags: Flags, what: string): Error {
  return new Error(`--${flag} is ${JSON.stringify(flags[flag])}, expected ${what}`);
}
