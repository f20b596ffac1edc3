/** Proves to a broker who we are, by SASL. */

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

import type { Connection } from "@platformatic/kafka";

import { RebalancerError } from "../../errors.ts";
import type { KafkaSasl } from "./client-config.ts";
import { EXPECTED_PROTOCOL, nameOfError } from "./failures.ts";
import { saslAuthenticate, saslHandshake } from "./requests.ts";

const UNSUPPORTED_SASL_MECHANISM = 33;
const ILLEGAL_SASL_STATE = 34;
const SASL_AUTHENTICATION_FAILED = 58;

/**
 * @see https://kafka.apache.org/protocol#sasl_handshake
 * @throws RebalancerError `UNAUTHORIZED` where the broker refuses mechanism or login, or does not know the password itself.
 */
export async function logIn(connection: Connection, sasl: KafkaSasl): Promise<void> {
  const { mechanism } = sasl;
  const { errorCode, mechanisms } = await saslHandshake.async(connection, mechanism);
  if (errorCode === UNSUPPORTED_SASL_MECHANISM) {
    const expected = `expected as sasl.mechanism one of ${mechanisms.join(", ") || "those of the broker"}`;
    throw new RebalancerError("UNAUTHORIZED", `the broker does not take ${mechanism}; ${expected}`);
  }
  if (errorCode === ILLEGAL_SASL_STATE) {
    throw new RebalancerError("CONNECTION_FAILED", `the broker asks for no SASL here; ${EXPECTED_PROTOCOL}`);
  }
  if (errorCode !== 0) throw new RebalancerError("REQUEST_REJECTED", `the SASL handshake: ${nameOfError(errorCode)}`);
  const say = (words: string) => authenticate(connection, words, mechanism);
  if (mechanism === "PLAIN") await say(`\0${sasl.username}\0${sasl.password}`);
  else await scram(sasl, mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512", say);
}

async function authenticate(connection: Connection, words: string, mechanism: string): Promise<string> {
  const { errorCode, errorMessage, authBytes } = await saslAuthenticate.async(connection, Buffer.from(words));
  if (errorCode === 0) return authBytes.toString("utf8");
  const told = errorMessage ?? "";
  if (errorCode !== SASL_AUTHENTICATION_FAILED) {
    throw new RebalancerError("REQUEST_REJECTED", `the login: ${nameOfError(errorCode)}${told && ` (${told})`}`);
  }
  const expected = `expected in sasl.jaas.config a name and a password that it knows for ${mechanism}`;
  throw new RebalancerError("UNAUTHORIZED", `the broker refuses the login; ${expected}${told && ` (${told})`}`);
}

/** Fewer make a password easy to guess (RFC 7677); more than Kafka allows by far would keep us busy for whoever asks for them. */
const LEAST_ITERATIONS = 4_096;
const MOST_ITERATIONS = 1_000_000;

/** @see https://www.rfc-editor.org/rfc/rfc5802#section-3 */
async function scram(
  { username, password }: KafkaSasl,
  hash: "sha256" | "sha512",
  say: (words: string) => Promise<string>,
): Promise<void> {
  const nonce = randomBytes(18).toString("base64");
  const clientFirst = `n=${username.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
  const serverFirst = await say(`n,,${clientFirst}`);
  const { bothNonces, salt, iterations } = challengeIn(serverFirst, nonce);
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const { length: keyBytes } = createHash(hash).digest();
  const salted = await promisify(pbkdf2)(password, salt, iterations, keyBytes, hash);
  const clientFinal = `c=${Buffer.from("n,,").toString("base64")},r=${bothNonces}`;
  const signed = `${clientFirst},${serverFirst},${clientFinal}`;
  const clientKey = hmac(salted, "Client Key");
  const signature = hmac(createHash(hash).update(clientKey).digest(), signed);
  const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0));
  const serverFinal = await say(`${clientFinal},p=${Buffer.from(proof).toString("base64")}`);
  const verifier = Buffer.from(attributesOf(serverFinal).get("v") ?? "", "base64");
  const known = hmac(hmac(salted, "Server Key"), signed);
  // Who does not know the password is not the broker.
  if (verifier.length !== known.length || !timingSafeEqual(verifier, known)) throw unexpected("signature");
}

/** What the broker asks for. */
function challengeIn(serverFirst: string, nonce: string) {
  const attributes = attributesOf(serverFirst);
  const [bothNonces = "", salt = "", i = ""] = ["r", "s", "i"].map((name) => attributes.get(name));
  if (!bothNonces.startsWith(nonce) || bothNonces === nonce || salt === "") throw unexpected("nonce or salt");
  const iterations = /^\d{1,9}$/.test(i) ? Number(i) : 0;
  if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
    const limits = `which is not within ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`;
    throw unexpected(`number of iterations, ${i.slice(0, 20)}, ${limits}`);
  }
  return { bothNonces, salt: Buffer.from(salt, "base64"), iterations };
}

/** "r=…,s=…,i=4096": of a letter that is there twice the last counts. */
function attributesOf(message: string): ReadonlyMap<string, string> {
  return new Map(message.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}

function unexpected(what: string): RebalancerError {
  return new RebalancerError(
    "UNAUTHORIZED",
    `the broker's part of the login has a wrong ${what}; expected SCRAM (RFC 5802)`,
  );
}
