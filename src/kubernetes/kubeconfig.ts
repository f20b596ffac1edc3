/** The kubeconfig, by the rules of kubectl. Loaded only where one is used: it brings the official client and a YAML parser. */

import { existsSync, readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

import { type Cluster, type Context, KubeConfig, type User } from "@kubernetes/client-node";
import { isMap, LineCounter, parseDocument } from "yaml";

import { RebalancerError } from "../errors.ts";
import type { HttpEndpoint, TlsOptions } from "../http.ts";
import { orAborted } from "../or-aborted.ts";
import { readSecretFile } from "../secret-file.ts";
import { quoted } from "../text.ts";
import type { CredentialsRequest } from "./credentials.ts";
import { createExecPlugin, type ExecCluster, type ExecCredential, type ExecSpec, gist } from "./exec-plugin.ts";

/** One file, as the official client reads it, and what that client leaves out. */
interface ConfigFile {
  readonly path: string;
  readonly config: KubeConfig;
  /** Each user as written. */
  readonly rawUsers: ReadonlyMap<string, RawUser>;
}

interface RawUser {
  readonly tokenFile?: string;
  readonly "as-uid"?: unknown;
  readonly "as-groups"?: unknown;
  readonly "as-user-extra"?: unknown;
}

/** What one context stands for. */
interface Choice {
  readonly cluster: Cluster;
  readonly user: User;
  readonly tokenFile: string | undefined;
  /** Of the file that holds the user: relative commands are meant from there. */
  readonly directory: string;
}

/** @throws RebalancerError `CREDENTIALS_INVALID`; see `loadEndpoint`. */
export async function loadKubeconfig(
  { context, env }: Pick<CredentialsRequest, "context" | "env">,
  signal: AbortSignal,
): Promise<{ endpoint: HttpEndpoint; context: string }> {
  const files = configPaths(env).map(readConfig);
  const name = context ?? files.map(({ config }) => config.currentContext).find(Boolean);
  if (name === undefined) throw invalid(`${pathsOf(files)} names no current context; name one (KUBE_CONTEXT)`);
  const choice = chosen(files, name);
  return { endpoint: await endpointOf(choice, env, signal), context: name };
}

/** The files of KUBECONFIG that exist; kubectl, too, passes over those that do not. */
function configPaths(env: CredentialsRequest["env"]): string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  const paths = listed.length > 0 ? listed : [join(env["HOME"] ?? homedir(), ".kube", "config")];
  const existing = paths.filter((path) => existsSync(path));
  if (existing.length > 0) return existing;
  const inPod = env["KUBERNETES_SERVICE_HOST"] ? " (and this pod has no service account token)" : "";
  throw invalid(`no kubeconfig: ${paths.join(" and ")} not found${inPod}`);
}

function readConfig(path: string): ConfigFile {
  const written = parseYaml(path);
  const config = new KubeConfig();
  try {
    config.loadFromString(JSON.stringify(written));
    config.makePathsAbsolute(dirname(resolve(path)));
    return { path, config, rawUsers: new Map(written.users?.map(({ name, user }) => [name, user ?? {}])) };
  } catch (thrown) {
    throw invalid(`kubeconfig ${path}: ${gist(thrown)}`);
  }
}

interface WrittenConfig {
  readonly users?: readonly { readonly name: string; readonly user?: RawUser }[];
}

/** Its own parser, because a parser's message quotes the file, and the file holds secrets: only the place is told. */
function parseYaml(path: string): WrittenConfig {
  const lines = new LineCounter();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    throw invalid(`kubeconfig ${path} cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
  }
  const document = parseDocument(text, { lineCounter: lines });
  const [fault] = document.errors;
  if (fault) throw invalid(`kubeconfig ${path}, line ${lines.linePos(fault.pos[0]).line}: ${fault.code}`);
  if (!isMap(document.contents)) throw invalid(`kubeconfig ${path} is empty or no kubeconfig`);
  return document.toJS() as WrittenConfig;
}

/** Of entries with the same name the first wins, over all files, as with kubectl. */
function chosen(files: readonly ConfigFile[], name: string): Choice {
  const context = named<Context>("context", name, files, ({ contexts }) => contexts);
  const cluster = named<Cluster>("cluster", context.cluster, files, ({ clusters }) => clusters);
  if (cluster.proxyUrl) throw invalid(`cluster "${cluster.name}": proxy-url is not supported`);
  const user: User = context.user
    ? named<User>("user", context.user, files, ({ users }) => users)
    : { name: "(no user)" };
  const home = files.find(({ config }) => config.users.includes(user));
  const raw = home?.rawUsers.get(user.name) ?? {};
  for (const key of ["as-uid", "as-groups", "as-user-extra"] as const) {
    // Left out silently, it would make us somebody else.
    if (raw[key] !== undefined) throw invalid(`user "${user.name}": ${key} is not supported`);
  }
  const directory = dirname(resolve(home?.path ?? "."));
  return { cluster, user, tokenFile: raw.tokenFile && resolve(directory, raw.tokenFile), directory };
}

function named<Entry extends { readonly name: string }>(
  what: string,
  name: string,
  files: readonly ConfigFile[],
  entriesOf: (config: KubeConfig) => readonly Entry[],
): Entry {
  const entries = files.flatMap(({ config }) => entriesOf(config));
  const found = entries.find((entry) => entry.name === name);
  if (found) return found;
  const known = entries.map((entry) => entry.name).join(", ") || "none";
  throw invalid(`${what} "${name}" is not in ${pathsOf(files)}; there is: ${known}`);
}

async function endpointOf(choice: Choice, env: CredentialsRequest["env"], signal: AbortSignal): Promise<HttpEndpoint> {
  const { cluster } = choice;
  const official = officialConfig(choice);
  const tls = tlsOf(await apply(official, signal), cluster);
  const credential = credentialSource(choice, tls, env);
  // Asked at once: it may give a client certificate, and one that fails should fail before anything else is done.
  const { cert, key } = await orAborted(credential(), signal);
  return {
    url: serverOf(cluster),
    tls: { ...tls, ...(cert && { cert }), ...(key && { key }) },
    async headers(during) {
      const { token } = await credential();
      return { ...headersOf(await apply(official, during)), ...(token && { authorization: `Bearer ${token}` }) };
    },
  };
}

/** The sources that the official client does not serve well: plugins and token files. */
function credentialSource(
  { cluster, user, tokenFile, directory }: Choice,
  tls: TlsOptions,
  env: CredentialsRequest["env"],
): () => Promise<Partial<ExecCredential>> {
  if (tokenFile) return async () => ({ token: await readSecretFile(tokenFile) });
  if (!user.exec) return async () => ({});
  return createExecPlugin(user.exec as ExecSpec, { env, cluster: execCluster(cluster, tls), directory });
}

/**
 * The official client's view of the choice, for TLS, tokens, basic authentication, auth providers and impersonation. It
 * refuses http:// without skipped verification (there is none to skip), takes files before data (kubectl: data first), and
 * gives plugins neither a deadline nor KUBERNETES_EXEC_INFO, so those are kept from it.
 */
function officialConfig({ cluster, user }: Choice): KubeConfig {
  const { exec: _exec, ...rest } = user;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      ...dataFirst(cluster, "caFile", cluster.caData),
      skipTLSVerify: cluster.skipTLSVerify || cluster.server.startsWith("http:"),
    },
    dataFirst(dataFirst(rest, "certFile", user.certData), "keyFile", user.keyData),
  );
  return config;
}

async function apply(config: KubeConfig, signal: AbortSignal): Promise<RequestOptions> {
  const options: RequestOptions = {};
  try {
    await orAborted(config.applyToHTTPSOptions(options), signal);
    return options;
  } catch (thrown) {
    signal.throwIfAborted();
    throw invalid(`user "${config.getCurrentUser()?.name}": ${gist(thrown)}`);
  }
}

function dataFirst<Entry extends object>(entry: Entry, file: keyof Entry, data: string | undefined): Entry {
  if (!data) return entry;
  const { [file]: _file, ...rest } = entry;
  return rest as Entry;
}

function tlsOf({ ca, cert, key }: RequestOptions, cluster: Cluster): TlsOptions {
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
    rejectUnauthorized: !cluster.skipTLSVerify,
  };
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const given = Object.entries((headers ?? {}) as Record<string, unknown>);
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  return { ...basic, ...Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), String(value).trim()])) };
}

function execCluster(cluster: Cluster, { ca }: TlsOptions): ExecCluster {
  return {
    server: cluster.server,
    "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca as Buffer).toString("base64"),
    "insecure-skip-tls-verify": cluster.skipTLSVerify || undefined,
    "tls-server-name": cluster.tlsServerName,
  };
}

function serverOf({ name, server }: Cluster): URL {
  const url = URL.parse(server);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(`cluster "${name}": server is ${quoted(server)}, expected an http(s) URL`);
  }
  return url;
}

function pathsOf(files: readonly ConfigFile[]): string {
  return files.map(({ path }) => path).join(", ");
}

function invalid(message: string): RebalancerError {
  return new RebalancerError("CREDENTIALS_INVALID", message);
}
