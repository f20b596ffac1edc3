import { describe, expect, it } from "vitest";

import { RebalancerError } from "../../errors.ts";
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
    const words = "refused (no s3cret for ann, nor pa55phrase\u001B[2J\nnext)";
    const { code, message } = connectionFailure("connect", new RebalancerError("UNAUTHORIZED", words), security);
    expect([code, message]).toEqual(["UNAUTHORIZED", "connect: refused (no … for ann, nor … next)"]);
  });

  it.each<[string, unknown, string, RegExp]>([
    [
      "of each address of a name",
      new AggregateError([Object.assign(new Error("connect ECONNREFUSED ::1:9092"), { code: "ECONNREFUSED" })], ""),
      "CONNECTION_FAILED",
      /^connect: connect ECONNREFUSED ::1:9092$/,
    ],
    ["without words", Object.assign(new Error(""), { code: "ETIMEDOUT" }), "CONNECTION_FAILED", /^connect: ETIMEDOUT$/],
    ["that nobody has foreseen", new TypeError("x is undefined"), "INTERNAL", /^connect: x is undefined$/],
    ["that is no error", "thrown", "INTERNAL", /^connect: thrown$/],
  ])("%s is told", (_name, thrown, code, message) => {
    expect(connectionFailure("connect", thrown, security)).toMatchObject({
      code,
      message: expect.stringMatching(message),
      cause: thrown,
    });
  });

  it("for want of a right names it, and Kafka's own way to grant it", () => {
    expect(refuse).toThrow(
      /Kafka refuses it \(GROUP_AUTHORIZATION_FAILED\); expected the right DESCRIBE on group "orders"$/,
    );
    expect(refuse).toThrow(expect.objectContaining({ advice: expect.stringMatching(/KAFKA_CONFIG \(kafka-acls\.sh/) }));
  });
});
