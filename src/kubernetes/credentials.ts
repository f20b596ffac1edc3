/** Where the API server is and how a run proves who it is: the pod's service account, or a kubeconfig. */

import { isIPv6 } from "node:net";
import { join } from "node:path";

import type { HttpEndpoint } from "../http.ts";
import { namingProxy } from "../proxy.ts";
import { readSecretFile } from "../secret-file.ts";
import { isThere } from "../text-file.ts";

/** Kubernetes mounts it into every pod that may have one. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface CredentialsRequest {
  /** A context of the kubeconfig, asked for by name; undefined: its current one. */
  readonly context: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The directory with the service account's `token` and `ca.crt`. */
  readonly serviceAccount?: string | undefined;
  /** Milliseconds, of any beginning; `performance.now` by default. */
  readonly now?: () => number;
}

export interface KubernetesEndpoint {
  readonly endpoint: HttpEndpoint;
  readonly source: "in-cluster" | "kubeconfig";
  /** The kubeconfig's context; undefined inside a cluster. */
  readonly context: string | undefined;
  /** As whom we go there: "the pod's service account", "user …". */
  readonly identity: string;
  /** Nothing proves who we are, and a server with TLS is asked all the same. */
  readonly anonymous: boolean;
}

/**
 * Finds the API server.
 *
 * What was asked for by name wins (KUBECONFIG or a context), as with kubectl; then the service account, if there is one;
 * then `~/.kube/config`. Unlike kubectl, a file that merely lies in a pod's home does not win over its service account.
 *
 * @param signal - for the finding only, not for later requests.
 * @throws RebalancerError `CREDENTIALS_INVALID` naming the file, the context or the plugin, never a secret.
 */
export async function loadEndpoint(request: CredentialsRequest, signal: AbortSignal): Promise<KubernetesEndpoint> {
  const { context, env, serviceAccount = SERVICE_ACCOUNT } = request;
  if (await usesServiceAccount(request)) {
    const endpoint = namingProxy(await inCluster(request, serviceAccount), env);
    const identity = "the pod's service account";
    return { endpoint, source: "in-cluster", context: undefined, identity, anonymous: false };
  }
  // Loaded only now: inside a cluster nobody needs the YAML parser.
  const { loadKubeconfig } = await import("./kubeconfig.ts");
  const found = await loadKubeconfig({ context, env }, signal);
  return { ...found, endpoint: namingProxy(found.endpoint, env), source: "kubeconfig" };
}

/** Whether the run would talk to the cluster it runs in, as itself. */
export async function usesServiceAccount(request: CredentialsRequest): Promise<boolean> {
  const { context, env, serviceAccount = SERVICE_ACCOUNT } = request;
  const byName = Boolean(env["KUBECONFIG"]) || context !== undefined;
  return !byName && Boolean(env["KUBERNETES_SERVICE_HOST"]) && (await isThere(join(serviceAccount, "token")));
}

/**
 * The token is read again after so long, and not for each of the many requests within a second. Kubernetes replaces it when a fifth of its
 * life is left; its own clients keep it for a minute.
 */
const TOKEN_MILLIS = 10_000;

async function inCluster(
  { env, now = () => performance.now() }: CredentialsRequest,
  serviceAccount: string,
): Promise<HttpEndpoint> {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  return {
    url: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    tls: { ca: await readSecretFile(join(serviceAccount, "ca.crt")) },
    headers: keptFor(TOKEN_MILLIS, now, async () => ({
      authorization: `Bearer ${await readSecretFile(join(serviceAccount, "token"))}`,
    })),
  };
}

/** What was read, for so long; what could not be read is asked for again at once. */
function keptFor<Value>(millis: number, now: () => number, read: () => Promise<Value>): () => Promise<Value> {
  let until = Number.NEGATIVE_INFINITY;
  let known: Promise<Value> | undefined;
  return () => {
    if (known !== undefined && now() < until) return known;
    until = now() + millis;
    known = read();
    known.catch(() => (until = Number.NEGATIVE_INFINITY));
    return known;
  };
}
