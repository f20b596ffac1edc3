/** Large groups whose members do not all subscribe to the same topics: looking ahead ends, by itself or when it is told to. */

import { describe, expect, it } from "vitest";

import { createFakeBroker, type FakeGroup, type FakeMember } from "../fakes/kafka-broker.ts";
import { DRY, LIVE, type Scene, startScene } from "./scene.ts";

const TOPICS = Array.from({ length: 10 }, (_none, topic) => `topic-${topic}`);

/** Every other pod subscribes to all topics, the others to half of them. A topic's partitions go round its subscribers. */
function groupOf({ pods }: Scene, partitions: number, growthOf: (partition: number) => number): FakeGroup {
  const members = pods.map(({ name }, seat): FakeMember & { owned: FakeMember["owned"][number][] } => ({
    id: `${name}-7d1c7a8e-9f0b-4c57-8a4e-2f6b5d3c${String(seat).padStart(4, "0")}`,
    clientId: name,
    host: `10.0.0.${seat}`,
    topics: seat % 2 === 0 ? TOPICS : TOPICS.slice(0, 5),
    owned: [],
  }));
  let turn = 0;
  for (const topic of TOPICS) {
    const subscribers = members.filter(({ topics }) => topics?.includes(topic));
    for (let partition = 0; partition < partitions; partition += 1) {
      subscribers[turn % subscribers.length]!.owned.push({ topic, partition });
      turn += 1;
    }
  }
  const topics = TOPICS.map((name, topic) => ({
    name,
    id: `00112233-4455-6677-8899-aabbccddee${String(topic).padStart(2, "0")}`,
    growth: Array.from({ length: partitions }, (_none, partition) => growthOf(partition)),
  }));
  return { name: "orders", type: "classic", members, topics };
}

async function brokerFor(group: FakeGroup) {
  const broker = await createFakeBroker({ group }).listen();
  const settings = { KAFKA_BOOTSTRAP_SERVERS: broker.where, KAFKA_GROUP: "orders" };
  return { settings, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

describe("looking ahead for 100 pods with two kinds of subscription", { concurrent: true }, () => {
  it("comes to a verdict for 10 topics of 500 partitions, with every candidate looked at", async () => {
    await using scene = await startScene({ pods: 100 });
    await using kafka = await brokerFor(groupOf(scene, 500, (partition) => 1_000 + ((partition * 7_919) % 4_001)));
    // A process of its own: so much is said by this broker that it counts as idle here.
    const ended = await scene.start([...DRY, "--output", "json"], kafka.settings).ended;
    const { reason, decision } = JSON.parse(ended.stdout) as {
      reason: string;
      decision: { forecast: { candidates: object[]; planned: number } };
    };
    expect(reason).toMatch(/^(would_rotate|no_gain)$/);
    expect(decision.forecast.planned).toBeGreaterThan(0);
    expect(decision.forecast.candidates).toHaveLength(decision.forecast.planned);
  });

  it("ends at SIGTERM, and frees the Lease", async () => {
    // Few rates, each of many partitions, are the slowest: all of the budget goes by before any candidate is looked at.
    const growths = [7, 11, 13, 1_009, 10_007];
    await using scene = await startScene({ pods: 100 });
    await using kafka = await brokerFor(groupOf(scene, 5_000, (partition) => growths[(partition * 7_919) % 5]!));
    const product = scene.start(LIVE, kafka.settings);
    await product.whenSaid('"step":"fetch"');
    product.kill("SIGTERM");
    const ended = await product.ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "interrupted", code: "CANCELLED" });
    // By then it had read everything, and had not decided.
    expect(ended.lines.flatMap(({ step }) => step ?? [])).toEqual(["observe", "lock", "fetch", "report"]);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});
