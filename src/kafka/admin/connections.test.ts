import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Authority, createAuthority, type KeyPair } from "../../../test/faults/certificates.ts";
import { createConnections } from "./connections.ts";

describe("a trust store", () => {
  let authority: Authority & Disposable;
  let intermediate: Authority;
  let broker: KeyPair;
  beforeAll(() => {
    authority = createAuthority();
    intermediate = authority.intermediate();
    broker = intermediate.sign();
  });
  afterAll(() => authority[Symbol.dispose]());

  /** Connects to a server that shows its own certificate and that of the intermediate authority, but not the root's. */
  async function connect(ca: string, server: KeyPair = broker): Promise<string> {
    const listening = createServer({ key: server.key, cert: server.cert + intermediate.cert }, (socket) => {
      socket.on("error", () => undefined);
    });
    listening.on("tlsClientError", () => undefined);
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
    const { port } = listening.address() as AddressInfo;
    const tls = { ca, checkName: true };
    const options = {
      bootstrapServers: [`127.0.0.1:${port}`],
      security: { tls, sasl: undefined },
      timeoutMillis: 60_000,
    };
    const connections = createConnections(options, new AbortController().signal);
    try {
      return (await connections.first()).where;
    } finally {
      await connections.close();
      listening.close();
      await once(listening, "close");
    }
  }

  it("may hold the root, the intermediate authority alone, or the broker's own certificate", async () => {
    for (const ca of [authority.cert, intermediate.cert, broker.cert]) {
      expect(await connect(ca)).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it("is no reason to trust another, whatever a variable says, nor another name or an expired certificate", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      using stranger = createAuthority();
      await expect(connect(stranger.cert)).rejects.toMatchObject({ code: "TLS_FAILED" });
      const elsewhere = intermediate.sign({ names: "DNS:elsewhere.example" });
      await expect(connect(elsewhere.cert, elsewhere)).rejects.toMatchObject({
        code: "TLS_FAILED",
        message: expect.stringMatching(/ERR_TLS_CERT_ALTNAME_INVALID/),
      });
      const expired = intermediate.sign({ until: "20200102000000Z" });
      await expect(connect(intermediate.cert, expired)).rejects.toMatchObject({
        code: "TLS_FAILED",
        message: expect.stringMatching(/expired/),
      });
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });
});
