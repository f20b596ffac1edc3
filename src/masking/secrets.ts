/** What of a run's settings is secret. */

import type { KafkaSecurity } from "../kafka/admin/client-config.ts";

type Headers = Readonly<Record<string, string>>;

/** Of an endpoint. */
interface Endpoint {
  readonly url: URL;
  readonly tls?: { readonly key?: unknown };
}

/** Of requests to a server: what headers hold, query parameters and password of the address, and the key that TLS uses. */
export function secretsOf({ url, tls }: Endpoint, credentials: Headers = {}): string[] {
  const headers = Object.entries(credentials).filter(([name]) => !NO_SECRET.has(name));
  const { username, password } = url;
  const basic = password && `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`;
  // A parameter without a value is a bare token; a switch (`partial_response=false`) is none.
  const parameters = [...url.searchParams].map(([name, value]) => value || name).filter((text) => !SWITCH.test(text));
  const key = typeof tls?.key === "string" ? [tls.key] : [];
  return [...[...headers.map(([, value]) => value), basic].flatMap(partsOf), ...parameters, ...key];
}

const SWITCH = /^(true|false)$/i;

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
