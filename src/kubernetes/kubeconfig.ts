/** The kubeconfig, by the rules of kubectl. Loaded only where one is used: it brings a YAML parser and a schema library. */

import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";

import { RebalancerError } from "../errors.ts";
import type { HttpEndpoint, TlsOptions } from "../http.ts";
import { orAborted } from "../or-aborted.ts";
import { readSecretFile } from "../secret-file.ts";
import { quoted } from "../text.ts";
import type { CredentialsRequest, KubernetesEndpoint } from "./credentials.ts";
import { createExecPlugin, type ExecCluster, type ExecCredential } from "./exec-plugin.ts";
import {
  type ClusterEntry,
  type ContextEntry,
  type KubeconfigFile,
  type Named,
  readKubeconfig,
  type UserEntry,
} from "./kubeconfig-file.ts";

/** What one context stands for. */
interface Choice {
  readonly cluster: Named<ClusterEntry> & { readonly server: string };
  /** undefined: the context names none. */
  readonly user: Named<UserEntry> | undefined;
}

/** @throws RebalancerError `CREDENTIALS_INVALID`; see `loadEndpoint`. */
export async function loadKubeconfig(
  { context, env }: Pick<CredentialsRequest, "context" | "env">,
  signal: AbortSignal,
): Promise<Omit<KubernetesEndpoint, "source">> {
  const files = await orAborted(readAll(configPaths(env), env), signal);
  const name = context ?? files.map(({ currentContext }) => currentContext).find((current) => current !== undefined);
  if (name === undefined) throw invalid(`${pathsOf(files)} names no current context; name one (KUBE_CONTEXT)`);
  const choice = chosen(files, name);
  const endpoint = await endpointOf(choice, env, signal);
  return { endpoint, context: name, ...identityOf(choice) };
}

function configPaths(env: CredentialsRequest["env"]): string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  return listed.length > 0 ? listed : [join(homeOf(env), ".kube", "config")];
}

/** From HOME, else from the system's list of users, in which the user of a container often is not. */
function homeOf(env: CredentialsRequest["env"]): string {
  let home = env["HOME"];
  try {
    home ||= homedir();
  } catch {
    // Said below.
  }
  if (home) return home;
  throw invalid("no kubeconfig: neither KUBECONFIG nor HOME is set, and this user has no home directory");
}

/** The files that exist; kubectl, too, passes over those that do not. */
async function readAll(paths: readonly string[], env: CredentialsRequest["env"]): Promise<KubeconfigFile[]> {
  const files: KubeconfigFile[] = [];
  for (const path of paths) {
    const file = await readKubeconfig(path);
    if (file) files.push(file);
  }
  if (files.length > 0) return files;
  const inPod = env["KUBERNETES_SERVICE_HOST"] ? " (and this pod has no service account token)" : "";
  throw invalid(`no kubeconfig: ${paths.join(" and ")} not found${inPod}`);
}

/** Of entries with the same name the first wins, over all files, as with kubectl; within one file there are none. */
function chosen(files: readonly KubeconfigFile[], name: string): Choice {
  const context = named<ContextEntry>("context", name, files, ({ contexts }) => contexts);
  if (!context.cluster) throw invalid(`context "${context.name}": cluster is missing`);
  const cluster = named<ClusterEntry>("cluster", context.cluster, files, ({ clusters }) => clusters);
  const { server } = cluster;
  if (!server) throw invalid(`cluster "${cluster.name}": server is missing`);
  if (cluster["proxy-url"]) throw invalid(`cluster "${cluster.name}": proxy-url is not supported`);
  const user = context.user ? named<UserEntry>("user", context.user, files, ({ users }) => users) : undefined;
  if (user) refuseUnsupported(user);
  return { cluster: { ...cluster, server }, user };
}

function named<Entry>(
  what: string,
  name: string,
  files: readonly KubeconfigFile[],
  entriesOf: (file: KubeconfigFile) => readonly Named<Entry>[],
): Named<Entry> {
  const entries = files.flatMap(entriesOf);
  const found = entries.find((entry) => entry.name === name);
  if (found) return found;
  const known = entries.map((entry) => entry.name).join(", ") || "none";
  throw invalid(`${what} "${name}" is not in ${pathsOf(files)}; there is: ${known}`);
}

/** What is left out silently would make us somebody else. */
function refuseUnsupported(user: Named<UserEntry>): void {
  const { name, "auth-provider": provider, token, tokenFile, username } = user;
  const fault = (why: string) => invalid(`user "${name}": ${why}`);
  if (provider) {
    throw fault(
      `auth-provider ${quoted(provider.name ?? "")} is not supported; expected a credential plugin in its place (exec: ` +
        "kubelogin for OIDC and Azure, gke-gcloud-auth-plugin for Google), a token or a client certificate",
    );
  }
  for (const key of ["as-uid", "as-groups", "as-user-extra"] as const) {
    if (Object.keys(user[key] ?? {}).length > 0 || typeof user[key] === "number")
      throw fault(`${key} is not supported`);
  }
  if ((token ?? tokenFile) && username) throw fault("token and username exclude each other; expected one");
}

async function endpointOf(choice: Choice, env: CredentialsRequest["env"], signal: AbortSignal): Promise<HttpEndpoint> {
  const { cluster, user } = choice;
  const url = serverOf(cluster);
  const tls = await orAborted(tlsOf(choice), signal);
  const credential = credentialSource(choice, tls, env);
  // Asked at once: it may give a client certificate, and one that fails should fail before anything else is done.
  const { cert, key } = await orAborted(credential(signal), signal);
  return {
    url,
    tls: { ...tls, ...(cert && { cert }), ...(key && { key }) },
    async headers() {
      const { token } = await credential();
      return { ...basicOf(user), ...(token && { authorization: `Bearer ${token}` }), ...impersonationOf(user) };
    },
  };
}

/** A token comes before a plugin, and a file before what stands beside it, as with kubectl. */
function credentialSource(
  { cluster, user }: Choice,
  tls: TlsOptions,
  env: CredentialsRequest["env"],
): (signal?: AbortSignal) => Promise<Partial<ExecCredential>> {
  if (user === undefined) return async () => ({});
  const { token, tokenFile, username, exec, directory } = user;
  if (tokenFile) return async () => ({ token: await fileOf("user", user, tokenFile) });
  if (token) return async () => ({ token: token.trim() });
  if (username || !exec) return async () => ({});
  return createExecPlugin(exec, { env, cluster: execCluster(cluster, tls), directory });
}

function basicOf(user: UserEntry | undefined): Readonly<Record<string, string>> {
  if (!user?.username) return {};
  const { username, password = "" } = user;
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

function impersonationOf(user: UserEntry | undefined): Readonly<Record<string, string>> {
  return user?.as ? { "impersonate-user": user.as } : {};
}

/** As whom the API server will see us. */
function identityOf({ cluster, user }: Choice): Pick<KubernetesEndpoint, "identity" | "anonymous"> {
  const identity = user ? `user "${user.name}"` : "no user";
  const acting = user?.as ? `, acting as "${user.as}"` : "";
  const proofs = user && [user.token, user.tokenFile, user.username, user.exec, certificateOf(user)];
  // A server without TLS is a local proxy that proves who we are for us (`kubectl proxy`).
  const anonymous = !proofs?.some(Boolean) && cluster.server.startsWith("https:");
  return { identity: identity + acting, anonymous };
}

function certificateOf(user: UserEntry): string | undefined {
  return user["client-certificate-data"] ?? user["client-certificate"];
}

async function tlsOf({ cluster, user }: Choice): Promise<TlsOptions> {
  const ca = await pemOf("cluster", cluster, "certificate-authority");
  const cert = user && (await pemOf("user", user, "client-certificate"));
  const key = user && (await pemOf("user", user, "client-key"));
  const servername = cluster["tls-server-name"];
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(servername && { servername }),
    rejectUnauthorized: !cluster["insecure-skip-tls-verify"],
  };
}

type Pem = "certificate-authority" | "client-certificate" | "client-key";

/** Data before files, as kubectl has it. */
async function pemOf<Key extends Pem>(
  what: "cluster" | "user",
  entry: Named<{ readonly [Name in Key | `${Key}-data`]: string | undefined }>,
  key: Key,
): Promise<string | undefined> {
  const written: Readonly<Partial<Record<string, string>>> = entry;
  const [file, data] = [written[key], written[`${key}-data`]];
  if (data) return Buffer.from(data, "base64").toString();
  return file && (await fileOf(what, entry, file));
}

/** What stands in a file that an entry names. */
async function fileOf(what: string, { name, directory }: Named<object>, file: string): Promise<string> {
  try {
    return await readSecretFile(resolve(directory, file));
  } catch (thrown) {
    const { code, message, cause } = thrown as RebalancerError;
    throw new RebalancerError(code, `${what} "${name}": ${message}`, { cause });
  }
}

function execCluster(cluster: Choice["cluster"], { ca }: TlsOptions): ExecCluster {
  return {
    server: cluster.server,
    "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca as string).toString("base64"),
    "insecure-skip-tls-verify": cluster["insecure-skip-tls-verify"] || undefined,
    "tls-server-name": cluster["tls-server-name"],
  };
}

function serverOf({ name, server }: Choice["cluster"]): URL {
  const url = URL.parse(server.replace(/\/$/, ""));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(`cluster "${name}": server is ${quoted(server)}, expected an http(s) URL`);
  }
  return url;
}

function pathsOf(files: readonly KubeconfigFile[]): string {
  return files.map(({ path }) => path).join(", ");
}

function invalid(message: string): RebalancerError {
  return new RebalancerError("CREDENTIALS_INVALID", message);
}
