/**
 * An in-memory Kubernetes API: the calls that a run makes, with the paths, objects, status codes and words of kube-apiserver
 * 1.34. Everything else answers 404.
 */

import type { WireEvent, WireLease } from "../kubernetes/client.ts";
import type { Clock } from "../ports.ts";
import { type DeleteOptions, evict, type Status } from "../simulation/kubernetes-eviction.ts";
import {
  createWorld,
  type KubernetesWorld,
  livingPods,
  replicaSetNameOf,
  type SimulatedPod,
  type SimulatedWorkload,
} from "../simulation/kubernetes-world.ts";
import { autoscalerObject, podObject, replicaSetObject, statusObject, workloadObject } from "./kubernetes-objects.ts";
import { type Answer, type Loopback, type LoopbackOptions, type Received, startLoopback } from "./loopback.ts";

export interface KubernetesServerOptions extends LoopbackOptions {
  /** Its time is the `Date` of every reply. */
  readonly clock: Clock;
}

export interface KubernetesServer extends Loopback {
  /** Compacts the past away: `continue` tokens given so far answer 410 Gone. */
  compact(): void;
}

/** Serves this world on 127.0.0.1; what changes in it shows in the next reply. */
export async function startKubernetesServer(
  world: KubernetesWorld,
  options: KubernetesServerOptions,
): Promise<KubernetesServer> {
  const { clock } = options;
  const pages = new Map<string, readonly object[]>();

  function answer(received: Received): Answer {
    const now = clock.now();
    const { status, body } = answerTo(received, { world, now, pages });
    return { status, body, headers: { date: now.toUTCString() } };
  }

  const loopback = await startLoopback(answer, options);
  return { ...loopback, compact: () => pages.clear() };
}

/** What a call may look at and change. */
interface Scene {
  readonly world: KubernetesWorld;
  readonly now: Date;
  /** The rest of a list by its `continue` token: what a list shows does not change between its pages. */
  readonly pages: Map<string, readonly object[]>;
}

/** One call, taken apart as the API server does for authorisation. */
interface Call extends Scene {
  /** "create pods/eviction". */
  readonly right: string;
  readonly group: string;
  readonly namespace: string;
  readonly resource: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

const PATH = new RegExp(
  "^/apis?(?:/(?<group>[^/]+))??/v[12]/namespaces/(?<namespace>[^/]+)" +
    "/(?<collection>[^/]+)(?:/(?<name>[^/]+))?(?:/(?<subresource>[^/]+))?$",
);

function answerTo(received: Received, scene: Scene): Answer {
  return received.path === ACCESS_REVIEWS ? review(received.body, scene) : handle(received, scene);
}

function handle({ method, path, query, body }: Received, scene: Scene): Answer {
  const parts = PATH.exec(path)?.groups;
  if (parts === undefined) return failure(UNKNOWN);
  const { group = "", namespace = "", collection = "", name = "", subresource = "" } = parts;
  const resource = [collection, subresource].filter(Boolean).join("/");
  const right = `${verbOf(method, name)} ${resource}`;
  const world = namespace === scene.world.namespace ? scene.world : createWorld({ namespace });
  return perform({ ...scene, world, right, group, namespace, resource, name, query, body });
}

const ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** Every account may ask what it may do (the API server's own role system:basic-user). */
function review(body: string, { world }: Scene): Answer {
  const asked = JSON.parse(body) as { spec: { resourceAttributes: { verb: string; resource: string } } };
  const { verb, resource } = asked.spec.resourceAttributes;
  return { status: 201, body: { ...asked, status: { allowed: !world.missingRights.has(`${verb} ${resource}`) } } };
}

function perform(call: Call): Answer {
  if (call.world.missingRights.has(call.right)) return failure(forbidden(call));
  return HANDLERS[call.right]?.(call) ?? failure(UNKNOWN);
}

function verbOf(method: string, name: string): string {
  if (method === "GET") return name === "" ? "list" : "get";
  return method === "POST" ? "create" : "update";
}

const HANDLERS: Readonly<Record<string, (call: Call) => Answer>> = {
  "list pods": (call) => listOf("PodList", "v1", podsOf(call).map(podObjectFor(call)), call),
  "get pods": (call) => found(podNamed(call), call, podObjectFor(call)),
  "create pods/eviction": createEviction,
  "get replicasets": (call) => {
    const owner = call.world.workloads.find((one) => one.kind === "Deployment" && replicaSetNameOf(one) === call.name);
    return found(owner, call, (workload) => replicaSetObject(workload, call.namespace));
  },
  "get deployments": (call) => getWorkload("Deployment", call),
  "get statefulsets": (call) => getWorkload("StatefulSet", call),
  "list horizontalpodautoscalers": (call) => {
    const items = call.world.autoscalers.map((autoscaler) => autoscalerObject(autoscaler, call.namespace));
    return listOf("HorizontalPodAutoscalerList", "autoscaling/v2", items, call);
  },
  "get leases": (call) => found(call.world.leases.get(call.name), call, (lease) => lease),
  "create leases": createLease,
  "update leases": updateLease,
  "create events": createEvent,
};

function podsOf({ world, now, query }: Call): SimulatedPod[] {
  const selector = query.get("labelSelector") ?? "";
  return livingPods(world, now).filter(({ labels }) => matches(labels, selector));
}

/** Equality terms only: `app=consumer,tier!=test`. */
function matches(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return selector
    .split(",")
    .filter((term) => term.trim() !== "")
    .every((term) => {
      const [, key = "", operator, value] = /^\s*([^=!\s]+)\s*(!=|==?)\s*(\S*)\s*$/.exec(term) ?? [];
      return (operator === "!=") !== (labels[key] === value);
    });
}

function podObjectFor({ namespace, now }: Call): (pod: SimulatedPod) => object {
  return (pod) => podObject(pod, namespace, now);
}

function podNamed({ world, now, name }: Call): SimulatedPod | undefined {
  return livingPods(world, now).find((pod) => pod.name === name);
}

function getWorkload(kind: SimulatedWorkload["kind"], call: Call): Answer {
  const workload = call.world.workloads.find((one) => one.kind === kind && one.name === call.name);
  return found(workload, call, (one) => workloadObject(one, call.world, call.now));
}

function found<Value>(value: Value | undefined, call: Call, render: (value: Value) => object): Answer {
  return value === undefined ? failure(notFound(call)) : { status: 200, body: render(value) };
}

/** One page; the rest is kept under a token, as it is now. */
function listOf(kind: string, apiVersion: string, all: readonly object[], { query, pages }: Call): Answer {
  const token = query.get("continue") ?? "";
  const items = token === "" ? all : pages.get(token);
  if (items === undefined) return failure(EXPIRED);
  const limit = Number(query.get("limit") ?? 0) || items.length;
  const rest = items.slice(limit);
  const next = rest.length === 0 ? "" : `page-${pages.size + 1}`;
  if (next !== "") pages.set(next, rest);
  const metadata = { resourceVersion: "1", ...(next && { continue: next, remainingItemCount: rest.length }) };
  return { status: 200, body: { kind, apiVersion, metadata, items: items.slice(0, limit) } };
}

function createEviction(call: Call): Answer {
  const pod = podNamed(call);
  if (pod === undefined) return failure(notFound(call));
  const { deleteOptions = {} } = JSON.parse(call.body) as { deleteOptions?: DeleteOptions };
  const status = evict(pod, deleteOptions, call.world, call.now);
  return { status: status.code, body: statusObject(status) };
}

function createLease(call: Call): Answer {
  const lease = JSON.parse(call.body) as WireLease;
  const name = lease.metadata?.name ?? "";
  if (!call.world.leases.has(name)) return storeLease(201, lease, call);
  return failure({ code: 409, reason: "AlreadyExists", message: `${qualified(call)} "${name}" already exists` });
}

function updateLease(call: Call): Answer {
  const stored = call.world.leases.get(call.name);
  if (stored === undefined) return failure(notFound(call));
  const lease = JSON.parse(call.body) as WireLease;
  const version = lease.metadata?.resourceVersion;
  if (version === undefined) {
    const message = `${qualified(call)} "${call.name}" is invalid: metadata.resourceVersion: Invalid value: "": must be specified for an update`;
    return failure({ code: 422, reason: "Invalid", message });
  }
  if (version !== stored.metadata?.resourceVersion) {
    const changed = "the object has been modified; please apply your changes to the latest version and try again";
    return failure(conflict(call, changed));
  }
  return storeLease(200, lease, call);
}

function storeLease(status: number, lease: WireLease, { world }: Call): Answer {
  const name = lease.metadata?.name ?? "";
  const earlier = Number(world.leases.get(name)?.metadata?.resourceVersion ?? 0);
  const stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(earlier + 1) } };
  world.leases.set(name, stored);
  return { status, body: stored };
}

function createEvent({ world, body }: Call): Answer {
  const event = JSON.parse(body) as WireEvent;
  const { name } = event.metadata;
  if (world.events.some(({ metadata }) => metadata.name === name)) {
    return failure({ code: 409, reason: "AlreadyExists", message: `events "${name}" already exists` });
  }
  world.events.push(event);
  return { status: 201, body: event };
}

function failure(status: Status): Answer {
  return { status: status.code, body: statusObject(status) };
}

const UNKNOWN: Status = {
  code: 404,
  reason: "NotFound",
  message: "the server could not find the requested resource",
};

const EXPIRED: Status = {
  code: 410,
  reason: "Expired",
  message:
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
};

function qualified({ group, resource }: Call): string {
  const [collection = ""] = resource.split("/");
  return group === "" ? collection : `${collection}.${group}`;
}

function notFound(call: Call): Status {
  return { code: 404, reason: "NotFound", message: `${qualified(call)} "${call.name}" not found` };
}

function conflict(call: Call, why: string): Status {
  const message = `Operation cannot be fulfilled on ${qualified(call)} "${call.name}": ${why}`;
  return { code: 409, reason: "Conflict", message };
}

function forbidden(call: Call): Status {
  const { right, group, namespace, resource, name } = call;
  const subject = name === "" ? qualified(call) : `${qualified(call)} "${name}"`;
  const [verb] = right.split(" ");
  const user = `system:serviceaccount:${namespace}:pod-rebalancer`;
  const message = `${subject} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "${namespace}"`;
  return { code: 403, reason: "Forbidden", message };
}
