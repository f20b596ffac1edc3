/** A sample of the same through the built product: whatever a broker answers, the run is reported, and its Lease is free afterwards. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { drawOne, seededRandom } from "../../src/random.ts";
import { type Alteration, type Asked, ASKED, createFakeBroker, type FakeGroup } from "../fakes/kafka-broker.ts";
import { endProducts } from "../faults/product.ts";
import { LIVE, type Scene, startScene } from "../faults/scene.ts";
import { MUTATIONS } from "./mutations.ts";

const CASES = 20;
const AT_ONCE = 5;
const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);

afterAll(endProducts);

function groupOf({ pods }: Scene, type: FakeGroup["type"]): FakeGroup {
  return {
    name: "orders",
    type,
    members: pods.map(({ name }, seat) => ({
      id: `${name}-7d1c7a8e-9f0b-4c57-8a4e-2f6b5d3c1a0${seat}`,
      clientId: name,
      host: `10.0.0.${seat}`,
      owned: [0, 1].map((one) => ({ topic: "orders", partition: 2 * seat + one })),
    })),
    topics: [
      { name: "orders", id: "00112233-4455-6677-8899-aabbccddeeff", growth: pods.flatMap((_, seat) => [90 - seat, 9]) },
    ],
  };
}

/** An answer that names another address, a host and its port, would have the product ask somebody else. */
function keepsAddresses(frame: Buffer, pieces: readonly Buffer[]): boolean {
  const at = frame.indexOf("127.0.0.1");
  if (at < 0) return true;
  const address = frame.subarray(at, at + "127.0.0.1".length + 4).toString("latin1");
  const count = (bytes: Buffer) => bytes.toString("latin1").split(address).length;
  return count(Buffer.concat(pieces)) >= count(frame);
}

async function attempt(asked: Asked, number: number): Promise<void> {
  const random = seededRandom(SEED * 1_000_003 + number);
  const mutation = drawOne(Object.keys(MUTATIONS), random);
  const alter: Alteration = (name, nth, frame) => {
    if (name !== asked || nth > 0) return [frame];
    const pieces = MUTATIONS[mutation]!(frame, random, [frame]);
    return keepsAddresses(frame, pieces) ? pieces : [frame];
  };
  await using scene = await startScene();
  const group = groupOf(scene, asked === "DescribeGroups" ? "classic" : "consumer");
  await using broker = await createFakeBroker({ group, alter }).listen();
  const config = join(scene.directory, "client.properties");
  const module = "org.apache.kafka.common.security.plain.PlainLoginModule";
  writeFileSync(
    config,
    `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=${module} required username="ann" password="s3cret";\n`,
  );
  const settings = { KAFKA_BOOTSTRAP_SERVERS: broker.where, KAFKA_GROUP: "orders" };
  const ended = await scene.start(LIVE, { ...settings, ...(asked.startsWith("Sasl") && { KAFKA_CONFIG: config }) })
    .ended;
  const which = `${asked}, case ${number} of seed ${SEED} (${mutation})`;
  expect(ended, which).toMatchObject({ reason: expect.any(String), exitCode: expect.toBeOneOf([0, 1, 3, 4]) });
  expect(ended.code, `${which}: ${ended.said}`).not.toBe("INTERNAL");
  expect([which, scene.lease()?.spec?.holderIdentity]).toEqual([which, ""]);
  expect([which, scene.recorded()]).toEqual([which, scene.removed()]);
}

describe(`a run upon a broker that answers wrongly (FUZZ_SEED=${SEED})`, () => {
  it.each(ASKED)("to %s is reported, and lets go of its Lease", async (asked) => {
    for (let first = 0; first < CASES; first += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => attempt(asked, first + at)));
    }
  });
});
