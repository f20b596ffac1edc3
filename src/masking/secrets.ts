/** What of a run's settings is secret. */

import type { KafkaSecurity } from "../kafka/admin/client-config.ts";

type Headers = Readonly<Record<string, string>>;

/** Of an endpoint. */
interface Endpoint {
  readonly url: URL;
  readonly tls?: { readonly key?: unknown };
  /** Values of headers that whoever wrote the settings did not call secret. */
  readonly openValues?: readonly string[];
}

/**
 * Of requests to a server: what headers hold, password and those query parameters of the address that are called a token or the like,
 * and the key that TLS uses.
 */
export function secretsOf({ url, tls, openValues = [] }: Endpoint, credentials: Headers = {}): string[] {
  const headers = Object.entries(credentials).filter(([name]) => !NO_SECRET.has(name));
  const { username, password } = url;
  const basic = password && `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`;
  // A parameter without a value is a bare token; a switch (`partial_response=false`) is none.
  const parameters = [...url.searchParams].filter(isSecret).map(([name, value]) => value || name);
  const key = typeof tls?.key === "string" ? [tls.key] : [];
  const values = headers.flatMap(([, value]) => withoutOpen(value, openValues));
  return [...[...values, basic].flatMap(partsOf), ...parameters, ...key];
}

/** What may be secret and may be a name that is shown everywhere, a tenant's say: the other values of headers and of the address. */
export function doubtfulOf({ url, openValues = [] }: Endpoint): string[] {
  return [...openValues, ...[...url.searchParams].filter((one) => !isSecret(one)).map(([, value]) => value)];
}

function isSecret([name, value]: readonly [string, string]): boolean {
  return value === "" || (CALLED_SECRET.test(name) && !/^(true|false)$/i.test(value));
}

const CALLED_SECRET = /token|key|secret|pass(word|wd)|sig|auth|cred|jwt/i;

/** The header as it is sent, or what is left of its list once the open values are taken out. */
function withoutOpen(header: string, openValues: readonly string[]): string[] {
  if (openValues.length === 0) return [header];
  if (openValues.includes(header)) return [];
  const values = header.split(", ");
  const secret = values.filter((value) => !openValues.includes(value));
  return secret.length === values.length ? [header] : secret;
}

/** Whom we act as is what a refusal must tell. */
const NO_SECRET: ReadonlySet<string> = new Set(["impersonate-user"]);

/** A header as it is sent, without the word in front ("Bearer"), each value of a list, and the password of basic authentication. */
function partsOf(header: string): string[] {
  const [, basic = ""] = /^Basic (\S+)$/i.exec(header) ?? [];
  const password = Buffer.from(basic, "base64")
    .toString("utf8")
    .replace(/^[^:]*:/, "");
  return [header, header.replace(/^\S+ /, ""), ...header.split(", "), password];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Of connections to brokers. */
export function kafkaSecrets({ sasl, tls }: KafkaSecurity): string[] {
  return [sasl?.password, tls?.key, tls?.passphrase].filter((secret) => secret !== undefined);
}
