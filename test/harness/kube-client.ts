/** A small Kubernetes client for tests: JSON in, JSON out, server-side apply, and a watch that is written down. */

import type { IncomingMessage } from "node:http";
import * as https from "node:https";

/** A Kubernetes object as its manifest says it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** What tests read of a pod. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  };
  readonly spec: { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number };
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

interface Reply<T> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed where it is JSON, otherwise the text. */
  readonly body: T;
}

interface RequestOptions {
  /** Instead of the administrator's. */
  readonly token?: string;
  /** Default: JSON; for PATCH a merge patch. */
  readonly contentType?: string;
}

/** One event of a watch, with the time of its arrival. */
export interface PodEvent {
  /** `ADDED` also for the pods that were there when the recording began. */
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly pod: Pod;
}

export interface PodRecording extends AsyncDisposable {
  /** In the order of arrival; grows until the recording is closed. */
  readonly events: readonly PodEvent[];
  /** When a pod was first seen Ready, in milliseconds since 1970. */
  readyAt(uid: string): number | undefined;
  /** When a pod was first seen terminating or gone, in milliseconds since 1970. */
  removedAt(uid: string): number | undefined;
  /** Ends the watch. @throws Error when it had ended by itself, so that a torn recording is not taken for a quiet one. */
  close(): Promise<void>;
}

export interface KubeClient {
  request<T = unknown>(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Reply<T>>;
  /**
   * Applies objects on the server's side, in their order.
   *
   * @param namespace - where given, replaces the namespace of every namespaced object and of every subject of a binding.
   * @returns the objects as the server keeps them.
   * @throws Error with the server's words.
   */
  apply(manifests: readonly Manifest[], namespace?: string): Promise<Manifest[]>;
  /** The pods of a namespace, in the order of their names. */
  listPods(namespace: string, selector?: string): Promise<Pod[]>;
  watchPods(namespace: string, selector?: string): Promise<PodRecording>;
  close(): void;
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const REQUEST_TIMEOUT_MILLIS = 30_000;
const FIELD_MANAGER = "test-harness";

/** Whether a pod's Ready condition is true. */
export function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}

/** A client with one identity, which each request may replace. */
export function createKubeClient(server: { url: string; ca: string; token: string }): KubeClient {
  const agent = new https.Agent({ keepAlive: true, ca: server.ca });
  const resources = new Map<string, Promise<readonly ApiResource[]>>();

  function open(
    method: string,
    path: string,
    options: RequestOptions & { length?: number } = {},
  ): https.RequestOptions {
    const patch = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    return {
      ...urlParts(new URL(path, server.url)),
      method,
      agent,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${options.token ?? server.token}`,
        ...(options.length === undefined
          ? {}
          : { "content-type": options.contentType ?? patch, "content-length": options.length }),
      },
    };
  }

  async function request<T>(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Reply<T>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const length = text === undefined ? {} : { length: Buffer.byteLength(text) };
    return await new Promise((resolve, reject) => {
      const outgoing = https.request(open(method, path, { ...options, ...length }), (incoming) => {
        readText(incoming).then(
          (reply) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: parsed(reply) as T }),
          reject,
        );
      });
      outgoing.setTimeout(REQUEST_TIMEOUT_MILLIS, () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
      outgoing.once("error", reject);
      outgoing.end(text);
    });
  }

  async function succeed<T>(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    const reply = await request<T>(method, path, body, options);
    if (reply.status < 300) return reply.body;
    throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
  }

  async function pathOf(manifest: Manifest, namespace: string | undefined): Promise<string> {
    const group = manifest.apiVersion.includes("/") ? `/apis/${manifest.apiVersion}` : `/api/${manifest.apiVersion}`;
    let listed = resources.get(group);
    if (listed === undefined) {
      listed = succeed<{ resources: ApiResource[] }>("GET", group).then((list) => list.resources);
      resources.set(group, listed);
    }
    const found = (await listed).find(({ kind, name }) => kind === manifest.kind && !name.includes("/"));
    if (found === undefined) throw new Error(`${manifest.apiVersion} has no kind ${manifest.kind}`);
    const where = found.namespaced ? `/namespaces/${namespace ?? manifest.metadata.namespace ?? "default"}` : "";
    return `${group}${where}/${found.name}/${manifest.metadata.name}`;
  }

  async function apply(manifests: readonly Manifest[], namespace?: string): Promise<Manifest[]> {
    const kept: Manifest[] = [];
    for (const manifest of manifests) {
      const path = await pathOf(manifest, namespace);
      const moved =
        namespace === undefined ? manifest : inNamespace(manifest, namespace, path.includes("/namespaces/"));
      const query = `?fieldManager=${FIELD_MANAGER}&force=true`;
      kept.push(await succeed("PATCH", path + query, moved, { contentType: "application/apply-patch+yaml" }));
    }
    return kept;
  }

  async function listPods(namespace: string, selector = ""): Promise<Pod[]> {
    const list = await succeed<{ items: Pod[] }>("GET", podsPath(namespace, selector));
    return list.items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  async function watchPods(namespace: string, selector = ""): Promise<PodRecording> {
    const path = podsPath(namespace, selector);
    const list = await succeed<{ items: Pod[]; metadata: { resourceVersion: string } }>("GET", path);
    const now = Date.now();
    const events: PodEvent[] = list.items.map((pod) => ({ type: "ADDED", at: now, pod }));
    // Left to itself the API server ends a watch after half an hour.
    const version = `resourceVersion=${list.metadata.resourceVersion}`;
    const watch = open("GET", `${path}&watch=1&timeoutSeconds=86400&${version}`);
    return await recordWatch(watch, events);
  }

  return { request, apply, listPods, watchPods, close: () => agent.destroy() };
}

function podsPath(namespace: string, selector: string): string {
  return `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
}

function urlParts(url: URL): { host: string; port: string; path: string } {
  return { host: url.hostname, port: url.port, path: url.pathname + url.search };
}

async function readText(incoming: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function inNamespace(manifest: Manifest, namespace: string, namespaced: boolean): Manifest {
  const moved: Record<string, unknown> = { ...manifest };
  if (namespaced) moved["metadata"] = { ...manifest.metadata, namespace };
  const subjects = manifest["subjects"] as readonly { kind: string }[] | undefined;
  if (subjects !== undefined) moved["subjects"] = subjects.map((subject) => subjectIn(subject, namespace));
  return moved as unknown as Manifest;
}

function subjectIn(subject: { readonly kind: string }, namespace: string): object {
  return subject.kind === "ServiceAccount" ? { ...subject, namespace } : subject;
}

/** Resolves when the server has accepted the watch. */
async function recordWatch(options: https.RequestOptions, events: PodEvent[]): Promise<PodRecording> {
  let failure: Error | undefined;
  let closing = false;
  function fail(error: Error): void {
    if (!closing) failure = error;
  }
  const outgoing = https.request(options);
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end();
  });
  const ended = readLines(incoming, (line) => {
    const event = JSON.parse(line) as { type: PodEvent["type"] | "ERROR"; object: Pod };
    if (event.type === "ERROR") throw new Error(`the watch ended: ${line}`);
    events.push({ type: event.type, at: Date.now(), pod: event.object });
  }).then(
    () => fail(new Error("the watch ended by itself")),
    (error: unknown) => fail(new Error("the watch broke", { cause: error })),
  );
  const first = (uid: string, test: (event: PodEvent) => boolean): number | undefined =>
    events.find((event) => event.pod.metadata.uid === uid && test(event))?.at;
  async function close(): Promise<void> {
    closing = true;
    outgoing.destroy();
    await ended;
    if (failure !== undefined) throw failure;
  }
  return {
    events,
    readyAt: (uid) => first(uid, (event) => isReady(event.pod)),
    removedAt: (uid) =>
      first(uid, (event) => event.type === "DELETED" || event.pod.metadata.deletionTimestamp !== undefined),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function readLines(incoming: AsyncIterable<Buffer>, handle: (line: string) => void): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of incoming) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") handle(line);
  }
}
