/** Kafka's wire, in short: the whole is test/fuzz. */

import { describe, expect, it } from "vitest";

import { ASKED } from "./fakes/kafka-broker.ts";
import { fuzz } from "./fuzz/fuzz.ts";

describe("a broker that answers wrongly", () => {
  it.each(ASKED)("to %s never ends the process, nor makes it wait", async (asked) => {
    const { outcomes } = await fuzz(asked, 100, 1);
    expect(outcomes.get("REPLY_INVALID")).toBeGreaterThan(10);
    expect(outcomes.get("read")).toBeGreaterThan(10);
  });
});
