import { AuthenticationError, NetworkError, ProtocolError } from "@platformatic/kafka";
import { describe, expect, it } from "vitest";

import type { KafkaSecurity } from "./client-config.ts";
import { connectionFailure, describeGroupRight, insistOnSuccess } from "./failures.ts";

const security: KafkaSecurity = {
  tls: { key: "KEY", cert: "CERT", passphrase: "pa55phrase", checkName: true },
  sasl: { mechanism: "PLAIN", username: "ann", password: "s3cret" },
};

function refuse(): void {
  insistOnSuccess("kafka:9092", "describe the group", 30, describeGroupRight("orders"));
}

describe("a failure", () => {
  it("never shows a secret that a broker repeats, nor what moves a cursor", () => {
    const words = "no s3cret for ann, nor pa55phrase\u001B[2J\nnext";
    const refused = new ProtocolError("SASL_AUTHENTICATION_FAILED", words);
    const cause = new AuthenticationError("SASL authentication failed.", { cause: refused });
    const { code, message } = connectionFailure("connect", new NetworkError("x", { cause }), security);
    expect(code).toBe("UNAUTHORIZED");
    expect(message).toContain("(no … for ann, nor … next)");
  });

  it("is explained also where errors are causes of each other", () => {
    const ring = new Error("round");
    ring.cause = ring;
    const { code, message } = connectionFailure("connect", ring, security);
    expect([code, message]).toEqual(["REPLY_INVALID", expect.stringContaining("(round)")]);
    expect(connectionFailure("connect", "thrown", security).message).toContain("thrown");
  });

  it("for want of a right names it, and Kafka's own way to grant it", () => {
    expect(refuse).toThrow(
      /Kafka refuses it \(GROUP_AUTHORIZATION_FAILED\); expected the right DESCRIBE on group "orders"$/,
    );
    expect(refuse).toThrow(expect.objectContaining({ advice: expect.stringMatching(/KAFKA_CONFIG \(kafka-acls\.sh/) }));
  });
});
