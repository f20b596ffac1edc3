/**
 * A file in Prometheus' own HTTP client format, as other tools have it already. Loaded only where one is named: it brings a YAML
 * parser and a schema.
 *
 * @see https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
 */

import { dirname, resolve } from "node:path";

import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";

import { RebalancerError } from "../errors.ts";
import type { HttpEndpoint, TlsOptions } from "../http.ts";
import { readSecretFile } from "../secret-file.ts";
import { readTextFile } from "../text-file.ts";

const text = z.string().min(1);

const basicAuth = z.strictObject({
  username: text.optional(),
  username_file: text.optional(),
  password: text.optional(),
  password_file: text.optional(),
});

const authorization = z.strictObject({
  type: text.default("Bearer"),
  credentials: text.optional(),
  credentials_file: text.optional(),
});

const tlsConfig = z.strictObject({
  ca: text.optional(),
  ca_file: text.optional(),
  cert: text.optional(),
  cert_file: text.optional(),
  key: text.optional(),
  key_file: text.optional(),
  server_name: text.optional(),
  insecure_skip_verify: z.boolean().default(false),
  min_version: z.enum(["TLS10", "TLS11", "TLS12", "TLS13"]).optional(),
  max_version: z.enum(["TLS10", "TLS11", "TLS12", "TLS13"]).optional(),
});

const header = z.strictObject({
  values: z.array(z.string()).default([]),
  secrets: z.array(z.string()).default([]),
  files: z.array(text).default([]),
});

const httpConfig = z.strictObject({
  basic_auth: basicAuth.optional(),
  authorization: authorization.optional(),
  bearer_token: text.optional(),
  bearer_token_file: text.optional(),
  tls_config: tlsConfig.optional(),
  http_headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/, "expected the name of a header"), header)
    .optional(),
  // Redirects are never followed and HTTP/2 is not used, whatever these say: a redirect is an error that names its target.
  follow_redirects: z.boolean().optional(),
  enable_http2: z.boolean().optional(),
});
type HttpConfig = z.infer<typeof httpConfig>;

/** What the file adds to an endpoint, and what is wrong with it. */
export interface HttpAccess extends Pick<HttpEndpoint, "tls" | "headers" | "openValues"> {
  /** One sentence each; no value of the file is quoted. */
  readonly faults: readonly string[];
}

/** Reads and checks the file and the certificates it names; files with credentials are read again before each request. */
export async function readHttpConfig(path: string): Promise<HttpAccess> {
  const { written, faults } = await parseYaml(path);
  if (faults.length > 0) return { faults };
  const { success, data, error } = httpConfig.safeParse(written);
  if (!success) return { faults: error.issues.flatMap((issue) => explain(path, issue)) };
  const found = inconsistencies(data).map((fault) => `${path}: ${fault}`);
  if (found.length > 0) return { faults: found };
  const directory = dirname(resolve(path));
  try {
    const tls = data.tls_config && (await tlsOf(data.tls_config, directory));
    return {
      faults,
      ...(tls && { tls }),
      openValues: Object.values(data.http_headers ?? {}).flatMap(({ values }) => values),
      headers: () => headersOf(data, directory),
    };
  } catch (thrown) {
    return { faults: [`${path}: ${(thrown as Error).message}`] };
  }
}

async function parseYaml(path: string): Promise<{ written: unknown; faults: string[] }> {
  const lines = new LineCounter();
  try {
    const document = parseDocument(await readTextFile(path), { lineCounter: lines, merge: true });
    // The parser's message quotes the file, and the file holds secrets: only the place is told.
    const faults = document.errors.map(
      ({ pos, code }) => `${path}, line ${lines.linePos(pos[0]).line}: not YAML (${code})`,
    );
    return { written: faults.length > 0 ? undefined : (document.toJS() ?? {}), faults };
  } catch (thrown) {
    const why =
      thrown instanceof RebalancerError
        ? thrown.message
        : `${path}: an alias in it has no anchor, or there are too many`;
    return { written: undefined, faults: [why] };
  }
}

/** zod's own words quote no values; those for unknown keys get the list that a person needs. */
function explain(path: string, issue: z.core.$ZodIssue): string[] {
  const where = issue.path.map(named).join(".");
  if (issue.code !== "unrecognized_keys") return [`${path}: ${where || "the file"}: ${issue.message}`];
  const known = Object.keys(KNOWN_KEYS[where] ?? header.shape).join(", ");
  return issue.keys.map(
    (key) => `${path}: ${[...issue.path, key].map(named).join(".")} is not supported; expected ${known}`,
  );
}

/** A key up to where it is no name any more: a value may have slipped in ("bearer_token=…"). */
function named(key: PropertyKey): string {
  return String(key).replace(/[^\w-].*/s, "…");
}

const KNOWN_KEYS: Readonly<Record<string, object>> = {
  "": httpConfig.shape,
  basic_auth: basicAuth.shape,
  authorization: authorization.shape,
  tls_config: tlsConfig.shape,
};

/** What no schema says: entries that contradict each other, or that are not enough. */
function inconsistencies({ basic_auth, authorization: other, tls_config, ...rest }: HttpConfig): string[] {
  const tls: Section = tls_config ?? {};
  const bearer = rest.bearer_token ?? rest.bearer_token_file;
  const ways = [basic_auth, other, bearer].filter((way) => way !== undefined);
  const sections = { basic_auth, authorization: other, tls_config: tls, "": rest };
  return [
    ...(ways.length > 1 ? ["basic_auth, authorization and bearer_token exclude each other; expected one"] : []),
    ...Object.entries(sections).flatMap(([name, section]) => saidTwice(name, section ?? {})),
    ...(saysOneOf(tls, "cert") === saysOneOf(tls, "key")
      ? []
      : ["tls_config has only one of certificate and key; expected both"]),
    ...(other === undefined || saysOneOf(other, "credentials")
      ? []
      : ["authorization has no credentials; expected credentials or credentials_file"]),
    ...Object.keys(rest.http_headers ?? {})
      .filter((name) => RESERVED.has(name.toLowerCase()))
      .map((name) => `http_headers.${name} is set by the client itself; expected another header`),
  ];
}

type Section = Readonly<Record<string, unknown>>;

/** A value and the file that holds it. */
function saidTwice(name: string, section: Section): string[] {
  return Object.keys(section)
    .filter((key) => section[key] !== undefined && section[`${key}_file`] !== undefined)
    .map((key) => `${name && `${name}.`}${key} and ${key}_file exclude each other; expected one`);
}

function saysOneOf(section: Section, key: string): boolean {
  return (section[key] ?? section[`${key}_file`]) !== undefined;
}

const RESERVED: ReadonlySet<string> = new Set([
  "authorization",
  "host",
  "content-type",
  "content-length",
  "content-encoding",
  "accept",
  "connection",
  "transfer-encoding",
]);

/** The value itself, or that of the file beside it; relative names are meant from the directory of the configuration. */
async function either(inline: string | undefined, file: string | undefined, directory: string): Promise<string> {
  return inline ?? (file === undefined ? "" : await readSecretFile(resolve(directory, file)));
}

async function tlsOf(tls: z.infer<typeof tlsConfig>, directory: string): Promise<TlsOptions> {
  const ca = await either(tls.ca, tls.ca_file, directory);
  const cert = await either(tls.cert, tls.cert_file, directory);
  const key = await either(tls.key, tls.key_file, directory);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.server_name && { servername: tls.server_name }),
    ...(tls.min_version && { minVersion: TLS_VERSIONS[tls.min_version] }),
    ...(tls.max_version && { maxVersion: TLS_VERSIONS[tls.max_version] }),
    rejectUnauthorized: !tls.insecure_skip_verify,
  };
}

const TLS_VERSIONS = { TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3" } as const;

async function headersOf(config: HttpConfig, directory: string): Promise<Readonly<Record<string, string>>> {
  const { basic_auth: basic, authorization: other } = config;
  const headers: Record<string, string> = {};
  for (const [name, { values, secrets, files }] of Object.entries(config.http_headers ?? {})) {
    const read = await Promise.all(files.map((file) => readSecretFile(resolve(directory, file))));
    headers[name.toLowerCase()] = [...values, ...secrets, ...read].join(", ");
  }
  if (basic) {
    const user = await either(basic.username, basic.username_file, directory);
    const password = await either(basic.password, basic.password_file, directory);
    headers["authorization"] = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }
  if (other) {
    headers["authorization"] = `${other.type} ${await either(other.credentials, other.credentials_file, directory)}`;
  }
  const token = await either(config.bearer_token, config.bearer_token_file, directory);
  if (token !== "") headers["authorization"] = `Bearer ${token}`;
  return headers;
}
