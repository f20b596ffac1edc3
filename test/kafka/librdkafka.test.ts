/** The golden vectors of librdkafka are what librdkafka says: a random part of them is computed anew. */

import { randomInt } from "node:crypto";

import { describe, expect, it } from "vitest";

import { librdkafkaMissing, librdkafkaVectors } from "../harness/librdkafka.ts";
import { goldenText } from "./librdkafka-golden.ts";

const missing = await librdkafkaMissing();

/** One group of a hundred, or this many where there are few. */
const AT_LEAST = 10;

describe.skipIf(missing)(`librdkafka's assignors${missing ? ` (${missing})` : ""}`, () => {
  it.each(["cooperative-sticky", "range", "roundrobin"] as const)("compute the golden vectors of %s", async (name) => {
    const groups = goldenText(`librdkafka-${name}`).split(/^(?=group )/m);
    const count = Math.max(AT_LEAST, Math.ceil(groups.length / 100));
    const from = randomInt(groups.length - count + 1);
    const again = await librdkafkaVectors(name, from, count);
    expect(again, `groups ${from} to ${from + count - 1}`).toBe(groups.slice(from, from + count).join(""));
  });
});
