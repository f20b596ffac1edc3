/** Kafka's wire, in whole: 20,000 spoilt answers to each request that a run makes. The short form is test/kafka-frames.test.ts. */

import { describe, expect, it } from "vitest";

import { ASKED } from "../fakes/kafka-broker.ts";
import { fuzz } from "./fuzz.ts";

const CASES = Number(process.env["FUZZ_CASES"] ?? 20_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
/** To try one again: its number, as the failure names it. */
const ONLY = process.env["FUZZ_ONLY"] === undefined ? undefined : Number(process.env["FUZZ_ONLY"]);
const MOST_GROWN_MIB = 64;

describe(`a broker that answers wrongly (FUZZ_SEED=${SEED})`, () => {
  it.each(ASKED)("to %s never ends or fills the process, nor makes it wait", async (asked) => {
    const { outcomes, grownMiB } = await fuzz(asked, CASES, SEED, ONLY);
    const told = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(", ");
    process.stdout.write(`${asked}: ${told}; grown by ${grownMiB.toFixed(1)} MiB\n`);
    expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(ONLY === undefined ? CASES : 1);
    expect(grownMiB).toBeLessThanOrEqual(MOST_GROWN_MIB);
  });
});
