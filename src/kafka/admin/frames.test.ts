import { duplexPair } from "node:stream";

import type { Connection } from "@platformatic/kafka";
import { describe, expect, it } from "vitest";

import { type Alteration, createFakeBroker, type FakeGroup } from "../../../test/fakes/kafka-broker.ts";
import { createConnections } from "./connections.ts";
import { createSender } from "./frames.ts";
import { readGroup } from "./read-group.ts";
import { listClassicGroups, listGroups } from "./requests.ts";

const GROUP: FakeGroup = {
  name: "orders",
  type: "consumer",
  members: [0, 1].map((seat) => ({
    id: `member-${seat}`,
    clientId: `orders-${seat}`,
    host: `10.0.0.${seat}`,
    owned: [{ topic: "orders", partition: seat }],
  })),
  topics: [{ name: "orders", id: "00112233-4455-6677-8899-aabbccddeeff", growth: [50, 20] }],
};

/** A look at the group of a broker that alters what it answers. */
async function look(alter: Alteration, group = GROUP) {
  const { signal } = new AbortController();
  const options = {
    bootstrapServers: ["broker:9092"],
    security: { tls: undefined, sasl: undefined },
    timeoutMillis: 60_000,
  };
  const connections = createConnections(options, signal, createFakeBroker({ group, alter }).dial);
  let millis = 0;
  const clock = { now: () => new Date((millis += 1_000)), sleep: async () => undefined };
  try {
    return await readGroup({ group: "orders", sampleMillis: 1_000, clock }, connections, signal);
  } finally {
    await connections.close();
  }
}

describe("an answer", () => {
  it.each(["classic", "consumer"] as const)(
    "is read in whichever pieces it comes: a group of the type %s",
    async (type) => {
      const group = { ...GROUP, type };
      const whole = await look((_asked, _nth, frame) => [frame], group);
      expect(whole).toMatchObject({ type, state: "Stable", partitions: [{ rate: 50 }, { rate: 20 }] });
      const inBytes = await look((_asked, _nth, frame) => Array.from(frame, (byte) => Buffer.of(byte)), group);
      expect(inBytes).toEqual(whole);
    },
  );

  it("of which bytes are left over is not taken for one", async () => {
    const longer = look((asked, _nth, frame) => {
      if (asked !== "Metadata") return [frame];
      const copy = Buffer.concat([frame, Buffer.of(0)]);
      copy.writeInt32BE(copy.length - 4, 0);
      return [copy];
    });
    await expect(longer).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(/^ask for the partitions of orders at broker:9092: .*1 bytes are left over/),
    });
  });

  it("that nobody asked for ends the connection, and all that is asked on it", async () => {
    const twice = look((asked, _nth, frame) => (asked === "FindCoordinator" ? [frame, frame] : [frame]));
    await expect(twice).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(/it is one to request 2, (no request waits|expected 3)/),
    });
  });

  it("with an error that is not known is told by its number", async () => {
    const odd = look((asked, _nth, frame) => {
      if (asked !== "ListGroups") return [frame];
      frame.writeInt16BE(30_000, 13);
      return [frame];
    });
    await expect(odd).rejects.toMatchObject({
      code: "REQUEST_REJECTED",
      message: expect.stringContaining("error 30000: unknown"),
    });
  });
});

/** To the request with this number, from a broker of before Kafka 3.8: no groups, and this error. */
function listed(correlationId: number, errorCode: number): Buffer {
  return Buffer.of(0, 0, 0, 13, 0, 0, 0, correlationId, 0, 0, 0, 0, 0, 0, errorCode, 1, 0);
}

describe("a sender", () => {
  it("hands answers that come in one piece to whoever asked, in their order", async () => {
    const [ours, theirs] = duplexPair();
    const connection = { send: createSender(ours, "test") } as unknown as Connection;
    const both = Promise.all([1, 2].map(() => listClassicGroups.async(connection, [], [])));
    theirs.write(Buffer.concat([listed(1, 14), listed(2, 15)]));
    expect((await both).map(({ errorCode }) => errorCode)).toEqual([14, 15]);
    ours.destroy();
  });

  it("fails what waits and what comes later with the first fault, once its socket is gone", async () => {
    const [ours, theirs] = duplexPair();
    const connection = { send: createSender(ours, "test") } as unknown as Connection;
    const waiting = listGroups.async(connection, [], []);
    theirs.destroy();
    await expect(waiting).rejects.toThrow("the broker closed the connection");
    await expect(listGroups.async(connection, [], [])).rejects.toThrow("the broker closed the connection");
  });
});
