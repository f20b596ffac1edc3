/** What goes wrong between us and the brokers, in the product's own terms. */

import { protocolErrors, protocolErrorsCodesById } from "@platformatic/kafka";

import { type ErrorCode, RebalancerError, tooManyFiles } from "../../errors.ts";
import { TLS_PROBLEM } from "../../http.ts";
import { masked } from "../../masking/masker.ts";
import { printable } from "../../text.ts";
import type { KafkaSecurity } from "./client-config.ts";

/**
 * Why there is no connection, or no answer.
 *
 * @param what - names broker and request: "list groups at kafka:9092".
 * @param thrown - by a socket, or a RebalancerError that does not say yet what was asked of whom.
 */
export function connectionFailure(what: string, thrown: unknown, security: KafkaSecurity): RebalancerError {
  const [code, why] = explained(thrown, security);
  const secrets = [security.sasl?.password ?? "", security.tls?.passphrase ?? ""];
  return new RebalancerError(code, `${what}: ${printable(masked(secrets, why))}`, { cause: thrown });
}

export const EXPECTED_PROTOCOL =
  "expected security.protocol in the file of KAFKA_CONFIG to be that of the broker's listener";

/** The fault where a broker has gone without a word. */
export const CLOSED = "the broker closed the connection";

function explained(thrown: unknown, { tls }: KafkaSecurity): readonly [code: ErrorCode, why: string] {
  if (thrown instanceof RebalancerError) return [thrown.code, thrown.message];
  if (!(thrown instanceof Error)) return ["INTERNAL", String(thrown)];
  const { code = "", message } = firstOf(thrown);
  const fault = tls && tlsFault(code, message);
  if (fault !== undefined) return ["TLS_FAILED", fault];
  if (message === CLOSED) return ["CONNECTION_FAILED", `${CLOSED}; ${EXPECTED_PROTOCOL}`];
  if (!/^E[A-Z]+/.test(code)) return ["INTERNAL", message];
  return [tooManyFiles(thrown) ?? "CONNECTION_FAILED", message || code];
}

function tlsFault(code: string, message: string): string | undefined {
  if (message.includes("before secure TLS connection was established")) {
    return `the broker does not speak TLS here; ${EXPECTED_PROTOCOL}`;
  }
  return TLS_PROBLEM.test(code) ? `${message} (${code})` : undefined;
}

/** A name with several addresses has a fault for each. */
function firstOf(thrown: Error): NodeJS.ErrnoException {
  const [first] = thrown instanceof AggregateError ? (thrown.errors as unknown[]) : [];
  return first instanceof Error && thrown.message === "" ? first : thrown;
}

/** "NOT_COORDINATOR", as Kafka calls it. */
export function nameOfError(errorCode: number): string {
  return protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`;
}

/**
 * Sees to it that Kafka answered without an error.
 *
 * @param where - the broker: "kafka:9092".
 * @param what - names what was asked for: "list the groups".
 * @param right - that is needed for it: "DESCRIBE on group orders".
 */
export function insistOnSuccess(where: string, what: string, errorCode: number, right: string): void {
  if (errorCode === 0) return;
  const id = nameOfError(errorCode);
  const { message = "unknown", canRetry = false } = protocolErrors[id] ?? {};
  if (id.endsWith("_AUTHORIZATION_FAILED")) {
    throw new RebalancerError(
      "FORBIDDEN",
      `${what} at ${where}: Kafka refuses it (${id}); expected the right ${right}`,
      {
        advice:
          "Grant the named right to the user of KAFKA_CONFIG (kafka-acls.sh --add); it is all that is needed there.",
      },
    );
  }
  throw new RebalancerError(canRetry ? "SERVER_ERROR" : "REQUEST_REJECTED", `${what} at ${where}: ${id}: ${message}`);
}

export function describeGroupRight(group: string): string {
  return `DESCRIBE on group ${JSON.stringify(group)}`;
}

export function describeTopicRight(topic: string): string {
  return `DESCRIBE on topic ${JSON.stringify(topic)}`;
}
