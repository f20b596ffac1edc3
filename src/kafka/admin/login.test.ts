import { describe, expect, it } from "vitest";

import { type Alteration, createFakeBroker } from "../../../test/fakes/kafka-broker.ts";
import type { KafkaSasl } from "./client-config.ts";
import { createConnections } from "./connections.ts";

const NOBODY = { name: "orders", type: "classic", members: [], topics: [] } as const;
const ANN: KafkaSasl = { mechanism: "SCRAM-SHA-256", username: "ann", password: "s3cret" };

interface Deviation {
  readonly alter?: Alteration;
  readonly password?: string;
  readonly iterations?: number;
}

/** @returns what the broker was asked before it let us in. */
async function logIn(sasl: KafkaSasl, { alter, ...knows }: Deviation = {}): Promise<string[]> {
  const heard: string[] = [];
  const broker = createFakeBroker({
    group: NOBODY,
    login: { ...sasl, ...knows },
    alter(asked, nth, frame) {
      heard.push(asked);
      return alter?.(asked, nth, frame) ?? [frame];
    },
  });
  const options = { bootstrapServers: ["broker:9092"], security: { tls: undefined, sasl }, timeoutMillis: 60_000 };
  const connections = createConnections(options, new AbortController().signal, broker.dial);
  try {
    await connections.first();
    return heard;
  } finally {
    await connections.close();
  }
}

/** Of SCRAM's message with this number, the byte so many behind the text. */
function spoil(message: number, text: string, behind: number): Alteration {
  return (asked, nth, frame) => {
    if (asked === "SaslAuthenticate" && nth === message) {
      const at = frame.indexOf(text) + text.length + behind;
      frame[at] = frame[at] === 0x41 ? 0x42 : 0x41;
    }
    return [frame];
  };
}

/** An answer with an error code behind the header of so many bytes. */
function refuse(asked: string, at: number, errorCode: number): Alteration {
  return (name, _nth, frame) => {
    if (name === asked) frame.writeInt16BE(errorCode, at);
    return [frame];
  };
}

describe("a login", () => {
  it.each([
    ["PLAIN", 2],
    ["SCRAM-SHA-256", 3],
    ["SCRAM-SHA-512", 3],
  ] as const)("by %s takes %i steps", async (mechanism, steps) => {
    for (const username of ["ann", "=,ann,="]) {
      expect(await logIn({ ...ANN, mechanism, username })).toHaveLength(steps);
    }
  });

  it.each<[string, Deviation, string, RegExp]>([
    ["does not know the password", { password: "guessed" }, "UNAUTHORIZED", /part of the login has a wrong signature/],
    [
      "gives a wrong proof",
      { alter: spoil(1, "v=", 3) },
      "UNAUTHORIZED",
      /wrong signature; expected SCRAM \(RFC 5802\)/,
    ],
    ["forgets our nonce", { alter: spoil(0, "r=", 3) }, "UNAUTHORIZED", /wrong nonce or salt/],
    [
      "asks for a guessable password",
      { iterations: 4_095 },
      "UNAUTHORIZED",
      /iterations, 4095, which is not within 4096/,
    ],
    ["would keep us busy", { iterations: 9_000_000 }, "UNAUTHORIZED", /iterations, 9000000, which is not within/],
    [
      "refuses the mechanism",
      { alter: refuse("SaslHandshake", 8, 33) },
      "UNAUTHORIZED",
      /expected as sasl\.mechanism one of PLAIN/,
    ],
    ["asks for no login", { alter: refuse("SaslHandshake", 8, 34) }, "CONNECTION_FAILED", /asks for no SASL here/],
    [
      "cannot tell",
      { alter: refuse("SaslHandshake", 8, 42) },
      "REQUEST_REJECTED",
      /the SASL handshake: INVALID_REQUEST/,
    ],
    [
      "refuses it",
      { alter: refuse("SaslAuthenticate", 9, 58) },
      "UNAUTHORIZED",
      /refuses the login; expected in sasl\.jaas/,
    ],
    ["fails", { alter: refuse("SaslAuthenticate", 9, -1) }, "REQUEST_REJECTED", /the login: UNKNOWN_SERVER_ERROR/],
  ])("fails where the broker %s", async (_name, deviation, code, message) => {
    const failed = logIn(ANN, deviation);
    await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(failed).rejects.not.toThrow(/s3cret/);
  });
});
