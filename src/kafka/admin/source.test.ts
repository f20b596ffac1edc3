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

const asksForMore = (socket: Socket) => socket.resume();

describe("a source without a broker", () => {
  it.each([
    ["nothing", asksForMore],
    ["half an answer", (socket: Socket) => socket.once("data", () => socket.write(Buffer.of(0, 0, 1)))],
    [
      "another protocol",
      (socket: Socket) => socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ],
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
      /correlation_id=9.*expected a Kafka broker there/,
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
