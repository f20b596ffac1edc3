import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

import { describe, expect, it } from "vitest";

import { systemClock } from "../../clock.ts";
import { RebalancerError } from "../../errors.ts";
import type { KafkaSecurity } from "./client-config.ts";
import { createKafkaGroupSource } from "./source.ts";

const NEVER = new AbortController().signal;
const PLAIN: KafkaSecurity = { tls: undefined, sasl: undefined };
const LOGIN: KafkaSecurity = {
  tls: undefined,
  sasl: { mechanism: "SCRAM-SHA-256", username: "ann", password: "s3cret" },
};

const TLS: KafkaSecurity = { tls: { checkName: true }, sasl: undefined };

/** A server that is no broker. */
async function impostor(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    answer(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    where: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves when whoever connected has gone; a test that waits for ever fails. */
    async abandoned() {
      await Promise.all([...sockets].filter((socket) => !socket.closed).map((socket) => once(socket, "close")));
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function sourceAt(where: string, { security = PLAIN, timeoutMillis = 10_000 } = {}) {
  const bootstrapServers = [where];
  const options = { bootstrapServers, group: "orders", security, timeoutMillis, sampleMillis: 0, clock: systemClock };
  return createKafkaGroupSource(options);
}

function says(...bytes: readonly number[]) {
  return (socket: Socket) => socket.once("data", () => socket.write(Buffer.from(bytes)));
}

const asksForMore = (socket: Socket) => socket.resume();

describe("a source without a broker", () => {
  it.each([
    ["nothing", asksForMore],
    ["half an answer", (socket: Socket) => socket.once("data", () => socket.write(Buffer.of(0, 0, 1)))],
  ])("gives up at its deadline where there comes %s", async (_name, answer) => {
    for (const security of [PLAIN, LOGIN, TLS]) {
      await using server = await impostor(answer);
      await expect(sourceAt(server.where, { security, timeoutMillis: 200 }).read([], NEVER)).rejects.toMatchObject({
        code: expect.stringMatching(/^(DEADLINE_EXCEEDED|CONNECTION_FAILED|TLS_FAILED)$/),
        message: expect.stringContaining(server.where),
      });
      expect(await server.abandoned()).toBe(1);
    }
  });

  it.each([
    [
      "closes",
      (socket: Socket) => socket.once("data", () => socket.end()),
      "CONNECTION_FAILED",
      /expected security\.protocol/,
    ],
    [
      "answers something else",
      (socket: Socket) => socket.once("data", () => socket.write(Buffer.of(0, 0, 0, 6, 0, 0, 0, 1, 0, 0))),
      "REPLY_INVALID",
      /expected a Kafka broker there/,
    ],
    [
      "answers another request",
      (socket: Socket) => socket.once("data", () => socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 9))),
      "REPLY_INVALID",
      /it is one to request 9, expected 1\); expected a Kafka broker there/,
    ],
    ["sends an answer of 3 bytes", says(0, 0, 0, 3, 0, 0, 0), "REPLY_INVALID", /it has 3 bytes, expected 4 at least/],
    ["sends an answer of no bytes", says(0, 0, 0, 0), "REPLY_INVALID", /it has 0 bytes, expected 4 at least/],
    ["sends an answer of -1 bytes", says(255, 255, 255, 255), "REPLY_INVALID", /it has -1 bytes, expected 4 at least/],
    [
      "sends a number and no more",
      says(0, 0, 0, 4, 0, 0, 0, 1),
      "REPLY_INVALID",
      /the answer is not understood \(Out of bounds\.\); expected a Kafka broker there/,
    ],
    [
      "sends a count of 200 million",
      // No error, and an array of that many; the client library's own reader would begin to read them.
      says(0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0),
      "REPLY_INVALID",
      /a length is 268435454, and 1 bytes are left/,
    ],
    [
      "announces an answer of 2 GiB",
      says(0x7f, 255, 255, 255, 0, 0, 0, 1),
      "REPLY_TOO_LARGE",
      /the answer has 2147483647 bytes, expected at most 16777216/,
    ],
    [
      "speaks HTTP",
      (socket: Socket) => socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
      "REPLY_TOO_LARGE",
      /expected at most 16777216 and a Kafka broker there/,
    ],
    [
      "speaks TLS",
      (socket: Socket) => socket.once("data", () => socket.write(Buffer.of(0x15, 3, 3, 0, 2, 2, 40))),
      "TLS_FAILED",
      /asks for TLS/,
    ],
  ])("fails at once where the server %s", async (_name, answer, code, message) => {
    await using server = await impostor(answer);
    await expect(sourceAt(server.where).read([], NEVER)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await server.abandoned()).toBe(1);
  });

  it.each([
    ["connects", PLAIN],
    ["logs in", LOGIN],
    ["agrees on TLS", TLS],
    // Well before it would give the connection up by itself.
  ])("is left at once when the run is told to stop while it %s", { timeout: 4_000 }, async (_name, security) => {
    const stop = new AbortController();
    const reason = new RebalancerError("CANCELLED", "told to stop");
    await using server = await impostor((socket) => socket.once("data", () => stop.abort(reason)));
    await expect(sourceAt(server.where, { security }).read([], stop.signal)).rejects.toBe(reason);
    expect(await server.abandoned()).toBe(1);
    // It was told before it began.
    await expect(sourceAt(server.where, { security }).read([], stop.signal)).rejects.toBe(reason);
    expect(await server.abandoned()).toBe(1);
  });

  it("says CANCELLED for any other reason to stop", async () => {
    const signal = AbortSignal.abort();
    await expect(sourceAt("127.0.0.1:1").read([], signal)).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
