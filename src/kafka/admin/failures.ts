/** What goes wrong between us and the brokers, in the product's own terms. */

import { protocolErrors, protocolErrorsCodesById, TimeoutError } from "@platformatic/kafka";

import { type ErrorCode, RebalancerError, tooManyFiles } from "../../errors.ts";
import { TLS_PROBLEM } from "../../http.ts";
import { masked, printable } from "../../text.ts";
import type { KafkaSecurity } from "./client-config.ts";

/** Any error of the client library or of a socket, as far as it tells anything. */
interface Fault {
  readonly code?: string;
  readonly message: string;
  /** Kafka's own name of an error. */
  readonly apiId?: string;
  /** Kafka's own words for it. */
  readonly serverErrorMessage?: string | null;
  /** The answer that an error was in. */
  readonly response?: unknown;
}

/**
 * Why there is no connection, or no answer.
 *
 * @param what - names broker and request: "list groups at kafka:9092".
 */
export function connectionFailure(what: string, thrown: unknown, security: KafkaSecurity): RebalancerError {
  if (thrown instanceof RebalancerError) return thrown;
  const faults = allBehind(thrown);
  const [code, why] = refusal(faults, security) ?? tlsFault(faults, security) ?? otherFault(thrown, faults);
  const secrets = [security.sasl?.password ?? "", security.tls?.passphrase ?? ""];
  return new RebalancerError(code, `${what}: ${printable(masked(secrets, why))}`, { cause: thrown });
}

type Explained = readonly [code: ErrorCode, why: string];

/** The error itself, then what it was caused by, and all that it holds. */
function allBehind(thrown: unknown): Fault[] {
  const faults: Fault[] = [];
  const left = [thrown];
  for (const one of left) {
    if (!(one instanceof Error) || left.length > 50) continue;
    faults.push(one);
    left.push(one.cause, ...(one instanceof AggregateError ? (one.errors as unknown[]) : []));
  }
  return faults;
}

function refusal(faults: readonly Fault[], { sasl }: KafkaSecurity): Explained | undefined {
  const ids = new Set(faults.map(({ apiId }) => apiId));
  if (sasl === undefined) return undefined;
  if (ids.has("UNSUPPORTED_SASL_MECHANISM")) {
    const offered = faults.flatMap(
      ({ response }) => (response as { mechanisms?: string[] } | undefined)?.mechanisms ?? [],
    );
    const expected = `expected as sasl.mechanism one of ${offered.join(", ") || "those of the broker"}`;
    return ["UNAUTHORIZED", `the broker does not take ${sasl.mechanism}; ${expected}`];
  }
  if (ids.has("ILLEGAL_SASL_STATE")) {
    return ["CONNECTION_FAILED", `the broker asks for no SASL here; ${EXPECTED_PROTOCOL}`];
  }
  if (!ids.has("SASL_AUTHENTICATION_FAILED") && !faults.some(({ code }) => code === "PLT_KFK_AUTHENTICATION")) {
    return undefined;
  }
  const words = faults.flatMap(({ serverErrorMessage }) => serverErrorMessage ?? [])[0];
  const expected = `expected in sasl.jaas.config a name and a password that it knows for ${sasl.mechanism}`;
  return ["UNAUTHORIZED", `the broker refuses the login; ${expected}${words === undefined ? "" : ` (${words})`}`];
}

const EXPECTED_PROTOCOL = "expected security.protocol in the file of KAFKA_CONFIG to be that of the broker's listener";

function tlsFault(faults: readonly Fault[], { tls }: KafkaSecurity): Explained | undefined {
  if (faults.some(({ message }) => message === "Broker requires TLS.")) {
    return ["TLS_FAILED", `the broker asks for TLS; ${EXPECTED_PROTOCOL}`];
  }
  if (faults.some(({ message }) => message.startsWith("TLS handshake failed"))) {
    return ["TLS_FAILED", `the broker does not speak TLS here; ${EXPECTED_PROTOCOL}`];
  }
  const fault = tls && faults.find(({ code = "" }) => TLS_PROBLEM.test(code));
  return fault && ["TLS_FAILED", `${fault.message} (${fault.code})`];
}

function refusedBySystem(cause: Fault): Explained {
  return [tooManyFiles(cause) ?? "CONNECTION_FAILED", cause.message || String(cause.code)];
}

function otherFault(thrown: unknown, faults: readonly Fault[]): Explained {
  if (thrown instanceof TimeoutError) return ["CONNECTION_FAILED", `no answer in time (${thrown.message})`];
  const misplaced = faults.find(({ code }) => code === "PLT_KFK_UNEXPECTED_CORRELATION_ID");
  if (misplaced !== undefined || !faults.some(({ code }) => code === "PLT_KFK_NETWORK")) {
    const words = misplaced?.message ?? faults[0]?.message ?? String(thrown);
    return ["REPLY_INVALID", `the answer is not understood (${words}); expected a Kafka broker there`];
  }
  const cause = faults.find(({ code = "" }) => /^E[A-Z]+/.test(code));
  if (cause !== undefined) return refusedBySystem(cause);
  return ["CONNECTION_FAILED", `the broker closed the connection; ${EXPECTED_PROTOCOL}`];
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
  const id = protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`;
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
