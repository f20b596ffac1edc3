/**
 * A file in the format of Kafka's Java client (`client.properties`), as people have it already: how to reach the brokers, and as whom.
 * Loaded only where one is named.
 *
 * @see https://kafka.apache.org/documentation/#adminclientconfigs
 */

import { dirname, resolve } from "node:path";
import { createSecureContext } from "node:tls";

import { readTextFile } from "../../text-file.ts";
import { parseProperties } from "./properties.ts";

/** How brokers are reached, and how we prove who we are. */
export interface KafkaSecurity {
  /** undefined: without TLS. */
  readonly tls: KafkaTls | undefined;
  /** undefined: without SASL. */
  readonly sasl: KafkaSasl | undefined;
}

/** All in PEM; without `ca` the authorities that Node trusts. */
export interface KafkaTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** Whether the certificate must be for the broker's name. */
  readonly checkName: boolean;
}

export interface KafkaSasl {
  readonly mechanism: SaslMechanism;
  readonly username: string;
  readonly password: string;
}

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
type SaslMechanism = (typeof MECHANISMS)[number];

const PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;

const KEYS = [
  "security.protocol",
  "sasl.mechanism",
  "sasl.jaas.config",
  "ssl.truststore.type",
  "ssl.truststore.location",
  "ssl.truststore.certificates",
  "ssl.keystore.type",
  "ssl.keystore.location",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
] as const;
type Key = (typeof KEYS)[number];

/** How to reach the brokers is said in these; of the other keys none changes what we do. */
const OURS = /^(security\.|sasl\.|ssl\.|config\.providers)/;

/** They have no effect on PEM, on these mechanisms, or on what is agreed upon (TLS 1.2 or newer). */
const HARMLESS =
  /^(ssl\.(truststore\.password|keystore\.password|protocol|enabled\.protocols|(key|trust)manager\.algorithm|secure\.random\.implementation)|sasl\.(kerberos|oauthbearer)\.|sasl\.login\.(refresh|retry|connect|read)\.)/;

export interface ClientConfig {
  /** undefined where there are faults. */
  readonly security: KafkaSecurity | undefined;
  /** One sentence each; no value of the file is quoted. */
  readonly faults: readonly string[];
}

/** Reads and checks the file, and those with certificates that it names. */
export async function readClientConfig(path: string): Promise<ClientConfig> {
  const faults: string[] = [];
  const text = await readText(path, faults);
  if (text === undefined) return { security: undefined, faults };
  const properties = parseProperties(text);
  faults.push(...strangers(properties), ...misplaced(properties));
  if (faults.length === 0) faults.push(...ineffective(properties));
  if (faults.length > 0) return refused(path, faults);
  const file: ConfigFile = { properties, directory: dirname(resolve(path)), faults };
  const protocol = oneOf(PROTOCOLS, "security.protocol", { ...file, otherwise: "PLAINTEXT" });
  const tls = protocol?.endsWith("SSL") ? await tlsOf(file) : undefined;
  const sasl = protocol?.startsWith("SASL") ? saslOf(file) : undefined;
  return faults.length > 0 ? refused(path, faults) : { security: { tls, sasl }, faults };
}

function refused(path: string, faults: readonly string[]): ClientConfig {
  return { security: undefined, faults: faults.map((fault) => `${path}: ${fault}`) };
}

interface ConfigFile {
  readonly properties: ReadonlyMap<string, string>;
  readonly directory: string;
  readonly faults: string[];
}

/** What a file holds; a fault where it cannot be read. */
async function readText(path: string, faults: string[]): Promise<string | undefined> {
  try {
    return await readTextFile(path);
  } catch (thrown) {
    faults.push((thrown as Error).message);
    return undefined;
  }
}

/** A misspelt key must not leave the connection without a password or certificate. */
function strangers(properties: ReadonlyMap<string, string>): string[] {
  const unknown = [...properties.keys()].filter(
    (key) => OURS.test(key) && !HARMLESS.test(key) && !(KEYS as readonly string[]).includes(key),
  );
  return unknown.map((key) => `${shown(key)} is not supported; expected ${KEYS.join(", ")}`);
}

/** Before a key of the client itself; `schema.registry.ssl.…` or an interceptor's `….ssl.…` are settings of another client. */
const OTHER_TOOLS = /^(?:(?:spring|kafka|connect|properties|consumer|producer|admin|client)\.)+/;

/** What other tools make of these keys: `spring.kafka.security.protocol`, `consumer.security.protocol`, `SECURITY_PROTOCOL`. */
function misplaced(properties: ReadonlyMap<string, string>): string[] {
  return [...properties.keys()].flatMap((key) => {
    const plain = key.toLowerCase().replaceAll(/[_-]/g, ".").replace(OTHER_TOOLS, "");
    const meant = KEYS.find((one) => plain === one);
    if (meant === undefined || meant === key || properties.has(meant)) return [];
    return `${shown(key)} has no effect; expected ${meant}, as Kafka's Java client has it`;
  });
}

/** Whoever names a file does not want to connect as if there were none. */
function ineffective(properties: ReadonlyMap<string, string>): string[] {
  const effective = KEYS.filter((key) => (properties.get(key) ?? "").trim() !== "");
  if (effective.length === 0) return [`nothing in it has an effect; expected at least one of ${KEYS.join(", ")}`];
  if (effective.includes("security.protocol")) return [];
  const what = `${effective.join(", ")} ${effective.length === 1 ? "has" : "have"} no effect`;
  return [`${what} without security.protocol, which is PLAINTEXT then; expected one of ${PROTOCOLS.join(", ")}`];
}

/** A key without what may have slipped in behind it. */
function shown(key: string): string {
  return key.replace(/[^\w.-].*/s, "…");
}

/** A value that is there and not empty: to Java an empty one says nothing either, but for the check of the name. */
function get({ properties }: ConfigFile, key: Key): string | undefined {
  const value = properties.get(key)?.trim();
  return value === "" ? undefined : value;
}

function oneOf<Choice extends string>(
  choices: readonly Choice[],
  key: Key,
  file: ConfigFile & { readonly otherwise?: Choice },
): Choice | undefined {
  const value = get(file, key) ?? file.otherwise;
  const choice = choices.find((one) => one === value?.toUpperCase());
  const what = value === undefined ? "is missing" : "is none that is supported";
  if (choice === undefined) file.faults.push(`${key} ${what}; expected ${choices.join(", ")}`);
  return choice;
}

function saslOf(file: ConfigFile): KafkaSasl | undefined {
  const mechanism = oneOf(MECHANISMS, "sasl.mechanism", file);
  const login = get(file, "sasl.jaas.config");
  const options = login === undefined ? undefined : loginOptions(login);
  const { username, password, ...others } = options ?? {};
  if (username === undefined || password === undefined) {
    file.faults.push(
      `sasl.jaas.config ${login === undefined ? "is missing" : "is not understood"}; expected one login module with ` +
        'a name and a password (org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";)',
    );
    return undefined;
  }
  for (const name of Object.keys(others)) {
    file.faults.push(`sasl.jaas.config: ${name} is not supported; expected username and password`);
  }
  return mechanism && { mechanism, username, password };
}

const JAAS_VALUE = String.raw`"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s;"'=]+`;
const JAAS_OPTION = new RegExp(String.raw`([\w.-]+)\s*=\s*(${JAAS_VALUE})`, "gsu");
const JAAS_LOGIN = new RegExp(
  String.raw`^[\w.$]+\s+(?:required|requisite|sufficient|optional)((?:\s+[\w.-]+\s*=\s*(?:${JAAS_VALUE}))*)\s*;?\s*$`,
  "isu",
);

/** @returns undefined unless it is exactly one login module. */
function loginOptions(text: string): Readonly<Record<string, string>> | undefined {
  const options = JAAS_LOGIN.exec(text)?.[1];
  if (options === undefined) return undefined;
  return Object.fromEntries(
    [...options.matchAll(JAAS_OPTION)].map(([, name = "", value = ""]) => [
      name,
      /^["']/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gsu, "$1") : value,
    ]),
  );
}

async function tlsOf(file: ConfigFile): Promise<KafkaTls> {
  const pem = { ...(await authoritiesOf(file)), ...(await identityOf(file)) };
  try {
    createSecureContext(pem);
  } catch (thrown) {
    // OpenSSL's words name no part of a key or a password.
    const { code, message } = thrown as NodeJS.ErrnoException;
    const expected = "expected a key in PEM that belongs to the certificate, and its ssl.key.password";
    file.faults.push(`ssl.keystore or ssl.truststore cannot be used (${code ?? message}); ${expected}`);
  }
  return { ...pem, checkName: file.properties.get("ssl.endpoint.identification.algorithm")?.trim() !== "" };
}

async function authoritiesOf(file: ConfigFile): Promise<Pick<KafkaTls, "ca">> {
  const text = await pemOf(file, "ssl.truststore", ["ssl.truststore.certificates"]);
  if (text === undefined) return {};
  const ca = blocksOf(text, "CERTIFICATE");
  if (ca === "") file.faults.push("ssl.truststore: no certificate is in it; expected some in PEM");
  return { ca };
}

async function identityOf(file: ConfigFile): Promise<Pick<KafkaTls, "cert" | "key" | "passphrase">> {
  const text = await pemOf(file, "ssl.keystore", ["ssl.keystore.certificate.chain", "ssl.keystore.key"]);
  if (text === undefined) return {};
  const [cert, key] = [blocksOf(text, "CERTIFICATE"), blocksOf(text, "PRIVATE KEY")];
  if (cert === "" || key === "") {
    file.faults.push("ssl.keystore: certificate or key is missing; expected both in PEM");
    return {};
  }
  const passphrase = get(file, "ssl.key.password");
  return { cert, key, ...(passphrase !== undefined && { passphrase }) };
}

/** What the store's file holds, or the values that stand for it; undefined where there is neither. */
async function pemOf(
  file: ConfigFile,
  store: "ssl.truststore" | "ssl.keystore",
  inline: readonly Key[],
): Promise<string | undefined> {
  const location = get(file, `${store}.location`);
  const values = inline.flatMap((key) => get(file, key) ?? []);
  if (location === undefined && values.length === 0) return undefined;
  // Java's own default is JKS.
  if (get(file, `${store}.type`)?.toUpperCase() !== "PEM") {
    file.faults.push(`${store}.type is missing or not supported; expected PEM`);
    return undefined;
  }
  if (location !== undefined && values.length > 0) {
    file.faults.push(`${store}.location and ${inline.join(", ")} exclude each other; expected one`);
  }
  return location === undefined ? values.join("\n") : await readText(resolve(file.directory, location), file.faults);
}

/** The blocks of one kind. In a properties file they often stand on one line, with blanks for the ends of the lines. */
function blocksOf(text: string, kind: "CERTIFICATE" | "PRIVATE KEY"): string {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g);
  return [...blocks]
    .filter(([, label = ""]) => label.endsWith(kind))
    .map(([block, label = "", body = ""]) => {
      // An old way to encrypt a key has headers, whose lines count.
      if (body.includes(":")) return `${block}\n`;
      const lines = body.replaceAll(/\s/g, "").replaceAll(/.{1,64}/g, "$&\n");
      return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
    })
    .join("");
}
