/** The calls of the Kubernetes API that a run makes, and no others: each typed, with a deadline and the server's time. */

import type {
  CoreV1Event,
  V1Deployment,
  V1Lease,
  V1Pod,
  V1ReplicaSet,
  V1StatefulSet,
  V2HorizontalPodAutoscaler,
} from "@kubernetes/client-node";

import { advising, type ErrorReply, RebalancerError } from "../errors.ts";
import type { HttpCall, HttpClient, HttpReply } from "../http.ts";
import type { Clock } from "../ports.ts";
import { jsonOf, printable, quoted } from "../text.ts";
import type { PodRef } from "../types.ts";
import { createAgreedTime, type Reading } from "./agreed-time.ts";
import { OBJECT_SHAPES, type ObjectKind } from "./object-shapes.ts";
import { exactly, flag, list as listShape, object, text } from "./shape.ts";
import { failureOf } from "./status.ts";
import { withoutUnread } from "./unread.ts";

/** An official type as it travels: times are strings. What a server leaves out is undefined, whatever the type says. */
type Wire<Value> = Value extends Date
  ? string
  : Value extends (infer Item)[]
    ? Wire<Item>[]
    : Value extends object
      ? { [Key in keyof Value]: Wire<Value[Key]> }
      : Value;

export type WirePod = Wire<V1Pod>;
export type WireReplicaSet = Wire<V1ReplicaSet>;
export type WireDeployment = Wire<V1Deployment>;
export type WireStatefulSet = Wire<V1StatefulSet>;
export type WireAutoscaler = Wire<V2HorizontalPodAutoscaler>;
export type WireLease = Wire<V1Lease>;
export type WireEvent = Wire<CoreV1Event>;

export interface ObjectRef {
  readonly namespace: string;
  readonly name: string;
}

/** As a Role grants it. */
export interface Right {
  readonly verb: string;
  /** "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name?: string;
}

interface Told<Value> {
  readonly value: Value;
  /**
   * The API server's time when it said so (the `Date` header, whole seconds, rounded down). Whoever takes it relies on it:
   * @throws RebalancerError `CLOCKS_DIFFER` where an earlier reply told another time.
   */
  readonly at: Date;
}

/** What a list is asked for, and what is kept of each item: only that stays in memory. */
export interface ListQuery<Item, Kept> {
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly keep: (item: Item) => Kept;
}

/**
 * Every call throws a RebalancerError whose message names it ("list pods in namespace shop"), so that a missing right
 * (`FORBIDDEN`) can be granted. All but the eviction are tried again where that may help. Those that read or write the world's state throw
 * `CLOCKS_DIFFER` too where their reply tells another time than an earlier one: with `Told` where it is taken, else at once.
 */
export interface KubernetesClient {
  /** @throws RebalancerError `EXPIRED` when the list changed under the pages twice. */
  listPods<Kept>(query: ListQuery<WirePod, Kept>, signal: AbortSignal): Promise<Told<Kept[]>>;
  listAutoscalers<Kept>(query: ListQuery<WireAutoscaler, Kept>, signal: AbortSignal): Promise<Told<Kept[]>>;
  /** Its value is undefined when there is no such pod. */
  getPod(ref: ObjectRef, signal: AbortSignal): Promise<Told<WirePod | undefined>>;
  /** undefined: there is no such ReplicaSet. */
  getReplicaSet(ref: ObjectRef, signal: AbortSignal): Promise<WireReplicaSet | undefined>;
  /** undefined: there is no such Deployment. */
  getDeployment(ref: ObjectRef, signal: AbortSignal): Promise<WireDeployment | undefined>;
  /** undefined: there is no such StatefulSet. */
  getStatefulSet(ref: ObjectRef, signal: AbortSignal): Promise<WireStatefulSet | undefined>;
  /** Sends the eviction once, with the UID as its precondition and the pod's own grace period. */
  createEviction(pod: PodRef, options: { readonly dryRun: boolean }, signal: AbortSignal): Promise<void>;
  /** Its value is undefined when there is no such Lease; the time is told all the same. */
  getLease(ref: ObjectRef, signal: AbortSignal): Promise<Told<WireLease | undefined>>;
  createLease(ref: ObjectRef, lease: WireLease, signal: AbortSignal): Promise<void>;
  /** `lease` carries the resourceVersion it was read with; a later write makes it a `CONFLICT`. */
  updateLease(ref: ObjectRef, lease: WireLease, signal: AbortSignal): Promise<void>;
  createEvent(namespace: string, event: WireEvent, signal: AbortSignal): Promise<void>;
  /** Whether this account has a right, by the API server's authorisation; asking changes nothing. */
  mayI(right: Right, signal: AbortSignal): Promise<boolean>;
}

/** For one call, its retries included (docs/operations.md). */
export const CALL_DEADLINE_MILLIS = 10_000;

/** Items a page: few enough that a page, its text and its objects fit into a small container's memory. */
const PAGE_SIZE = 250;
/** 250 pods of 64 KB; one is rarely above 20 KB. */
const MAX_LIST_BYTES = 16 * 2 ** 20;
/** etcd's own limit is 1.5 MiB. */
const MAX_OBJECT_BYTES = 4 * 2 ** 20;

/** What an object or list must say of itself, so that a proxy's JSON is not taken for it. */
interface Typed {
  readonly kind?: string;
}
interface TypedList extends Typed {
  readonly items?: readonly Named[] | null;
  readonly metadata?: { readonly continue?: string };
}
interface Named {
  readonly metadata?: { readonly name?: string };
}

interface Review extends Typed {
  readonly status: { readonly allowed: boolean };
}
const REVIEW = object({}, { status: object({}, { allowed: flag }) });

const PAGE = object({ metadata: object({ continue: text }) }, { items: listShape(object({})) });

/** How an eviction is answered: a Status, or, before Kubernetes 1.22, the Eviction itself. */
interface SignOfSuccess extends Typed {
  readonly status?: string;
  readonly metadata?: { readonly name?: string };
}

/** What a reply holds, and what it says of the server's time. */
interface Dated<Value> {
  readonly value: Value;
  readonly reading: Reading;
}

/** A request, and when it was sent. */
type Sent = Request & { readonly sent: Date };
type Request = Pick<HttpCall, "what" | "path" | "signal"> & Partial<Pick<HttpCall, "method" | "query" | "retry">>;
/** For one object; another one's is no answer. */
type NamedRequest = Request & { readonly name: string };

/**
 * @param http - its endpoint is the API server; the caller closes it.
 * @param clock - by which it is told whether the times of two replies can be those of one clock.
 */
export function createKubernetesClient(http: HttpClient, clock: Clock): KubernetesClient {
  const agreedTime = createAgreedTime();

  function send(request: Request, body?: object, maxBytes = MAX_OBJECT_BYTES): Promise<HttpReply> {
    const sent = http.request({
      method: "GET",
      retry: true,
      deadlineMillis: CALL_DEADLINE_MILLIS,
      maxBytes,
      ...request,
      ...(body && { body: { type: "application/json", text: JSON.stringify(body) } }),
    });
    return advising(sent, (error) => adviceOn(request, error));
  }

  /** The beginning of a server's words, fit to be shown. */
  function shown(words: string): string {
    return printable(http.mask(words)).slice(0, 60);
  }

  function parseKind(body: string, kinds: readonly string[], what: string, shortened = (json: string) => json): Typed {
    let parsed: unknown;
    try {
      parsed = JSON.parse(shortened(body));
    } catch {
      throw invalid(what, `the reply is not JSON but begins ${JSON.stringify(shown(body))}`);
    }
    const { kind } = (parsed ?? {}) as Typed;
    if (kinds.includes(kind ?? "")) return parsed as Typed;
    const other = kind === undefined ? "undefined" : shown(jsonOf(kind));
    throw invalid(what, `the reply is of kind ${other}, expected ${kinds.join(" or ")}`);
  }

  function dated<Value>(value: Value, headers: ErrorReply["headers"] = {}, { what, sent }: Sent): Dated<Value> {
    return { value, reading: { what, date: timeOf(headers.date, what), sent, came: clock.now() } };
  }

  /** The time is compared when it is taken: what became of an evicted pod, and the release of the Lease, do without it. */
  function told<Value>({ value, reading }: Dated<Value>): Told<Value> {
    return {
      value,
      get at() {
        return agreedTime(reading);
      },
    };
  }

  /** Its time is used by no caller, and is compared all the same: another connection may lead to another API server. */
  function compared<Value>({ value, reading }: Dated<Value>): Value {
    agreedTime(reading);
    return value;
  }

  async function write(request: Request, lease: WireLease): Promise<void> {
    const sent = clock.now();
    const reply = await send(request, lease);
    assertStored(parseKind(reply.body, ["Lease"], request.what), lease, request.what);
    compared(dated(undefined, reply.headers, { ...request, sent }));
  }

  /** One page of a list, and where the next begins; "" behind the last. */
  function parsePage(body: string, kind: ObjectKind, what: string): { items: readonly Named[]; next: string } {
    const page: TypedList = parseKind(body, [`${kind}List`], what, withoutUnread);
    const fault = PAGE(page, "");
    if (fault !== undefined) throw invalid(what, http.mask(fault));
    return { items: page.items ?? [], next: page.metadata?.continue ?? "" };
  }

  async function get<Value extends Typed>(kind: ObjectKind, request: NamedRequest & Sent): Promise<Dated<Value>> {
    const reply = await send(request);
    const value = parseKind(reply.body, [kind], request.what);
    const fault =
      OBJECT_SHAPES[kind](value, "") ?? object({ metadata: object({ name: exactly(request.name) }) })(value, "");
    if (fault !== undefined) throw invalid(request.what, http.mask(fault));
    return dated(value as Value, reply.headers, request);
  }

  async function find<Value extends Typed>(kind: ObjectKind, asked: NamedRequest): Promise<Dated<Value | undefined>> {
    const request = { ...asked, sent: clock.now() };
    try {
      return await get<Value>(kind, request);
    } catch (thrown) {
      // Only the API server knows what is not there; a proxy's 404 says nothing.
      if (!(thrown instanceof RebalancerError) || failureOf(thrown.reply)?.code !== 404) throw thrown;
      return dated(undefined, thrown.reply?.headers, request);
    }
  }

  async function listOnce<Kept>(
    kind: ObjectKind,
    request: Request,
    keep: (item: never) => Kept,
  ): Promise<Told<Kept[]>> {
    const kept: Kept[] = [];
    const seen = new Set<string>();
    const names = new Set<string>();
    let next = "";
    for (;;) {
      const query = { ...request.query, limit: String(PAGE_SIZE), ...(next && { continue: next }) };
      const sent = clock.now();
      const reply = await send({ ...request, query }, undefined, MAX_LIST_BYTES);
      const page = parsePage(reply.body, kind, request.what);
      const fault = faultIn(page.items, kind, names);
      if (fault !== undefined) throw invalid(request.what, http.mask(fault));
      for (const item of page.items) kept.push(keep(item as never));
      next = page.next;
      const { reading } = dated(undefined, reply.headers, { ...request, sent });
      const at = agreedTime(reading);
      if (next === "") return { value: kept, at };
      if (seen.has(next)) throw invalid(request.what, "the same page came twice");
      seen.add(next);
    }
  }

  /** 410 Gone says that the snapshot behind `continue` was compacted away: the pages so far are worth nothing. */
  async function list<Kept>(kind: ObjectKind, request: Request, keep: (item: never) => Kept): Promise<Told<Kept[]>> {
    try {
      return await listOnce(kind, request, keep);
    } catch (thrown) {
      if (!(thrown instanceof RebalancerError) || thrown.code !== "EXPIRED") throw thrown;
      return listOnce(kind, request, keep);
    }
  }

  return {
    listPods: ({ namespace, labelSelector = "", keep }, signal) =>
      list("Pod", { ...listOf("pods", namespace, CORE), query: { labelSelector }, signal }, keep),
    listAutoscalers: ({ namespace, keep }, signal) =>
      list(
        "HorizontalPodAutoscaler",
        { ...listOf("horizontalpodautoscalers", namespace, "/apis/autoscaling/v2"), signal },
        keep,
      ),
    getPod: async (ref, signal) => told(await find<WirePod>("Pod", { ...one("pods", ref, CORE), signal })),
    getReplicaSet: async (ref, signal) =>
      compared(await find<WireReplicaSet>("ReplicaSet", { ...one("replicasets", ref, APPS), signal })),
    getDeployment: async (ref, signal) =>
      compared(await find<WireDeployment>("Deployment", { ...one("deployments", ref, APPS), signal })),
    getStatefulSet: async (ref, signal) =>
      compared(await find<WireStatefulSet>("StatefulSet", { ...one("statefulsets", ref, APPS), signal })),
    async createEviction(pod, { dryRun }, signal) {
      const { namespace, name, uid } = pod;
      const what = `evict pod ${namespace}/${name} (create pods/eviction)`;
      const path = `${one("pods", pod, CORE).path}/eviction`;
      const eviction = {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid }, ...(dryRun && { dryRun: ["All"] }) },
      };
      const reply = await send({ what, path, method: "POST", retry: false, signal }, eviction);
      const answer: SignOfSuccess = parseKind(reply.body, ["Status", "Eviction"], what);
      const succeeded = answer.kind === "Status" ? answer.status === "Success" : answer.metadata?.name === name;
      if (!succeeded)
        throw invalid(what, `HTTP ${reply.status} without a word of success: ${shown(reply.body)}`, reply);
    },
    getLease: async (ref, signal) =>
      told(await find<WireLease>("Lease", { ...one("leases", ref, COORDINATION), signal })),
    async createLease(ref, lease, signal) {
      const { path } = listOf("leases", ref.namespace, COORDINATION);
      const what = `create lease ${ref.namespace}/${ref.name}`;
      await write({ what, path, method: "POST", signal }, lease);
    },
    async updateLease(ref, lease, signal) {
      const { path } = one("leases", ref, COORDINATION);
      const what = `update lease ${ref.namespace}/${ref.name}`;
      await write({ what, path, method: "PUT", signal }, lease);
    },
    async createEvent(namespace, event, signal) {
      const { path } = listOf("events", namespace, CORE);
      const what = `create event in namespace ${namespace}`;
      parseKind((await send({ what, path, method: "POST", signal }, event)).body, ["Event"], what);
    },
    async mayI(right, signal) {
      const what = `ask for the right to ${right.verb} ${right.resource}`;
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: right },
      };
      const reply = await send(
        { what, path: `${AUTHORIZATION}/selfsubjectaccessreviews`, method: "POST", signal },
        review,
      );
      const answer = parseKind(reply.body, ["SelfSubjectAccessReview"], what);
      const fault = REVIEW(answer, "");
      if (fault !== undefined) throw invalid(what, http.mask(fault));
      return (answer as Review).status.allowed;
    },
  };
}

function adviceOn(request: Request, { code, reply }: RebalancerError): string | undefined {
  if (code === "DEADLINE_EXCEEDED") {
    return "The API server answered too slowly; check its load, its admission webhooks, and the network in between.";
  }
  return code === "FORBIDDEN" ? rightFor(request, reply) : undefined;
}

/** How the refused right is got. The right to a Lease is one to its name, and so most often the name is what is wrong. */
function rightFor({ what }: Request, reply: ErrorReply | undefined): string {
  if (failureOf(reply) === undefined) {
    return "That was not the API server itself: look at the proxy or gateway at the named address.";
  }
  return /^(get|update) lease /.test(what)
    ? "The Role must name this very Lease under resourceNames (deploy/kubernetes/base/role.yaml; its name is set in kustomization.yaml), unless KUBE_LABEL_SELECTOR matches another workload than meant."
    : "Grant the named right to this account; deploy/kubernetes/base/role.yaml has all that a run needs.";
}

const CORE = "/api/v1";
const APPS = "/apis/apps/v1";
const AUTHORIZATION = "/apis/authorization.k8s.io/v1";
const COORDINATION = "/apis/coordination.k8s.io/v1";

function listOf(resource: string, namespace: string, api: string): Pick<Request, "what" | "path"> {
  return {
    what: `list ${resource} in namespace ${namespace}`,
    path: `${api}/namespaces/${segment(namespace)}/${resource}`,
  };
}

function one(
  resource: string,
  { namespace, name }: ObjectRef,
  api: string,
): Pick<NamedRequest, "what" | "path" | "name"> {
  return {
    name,
    what: `get ${resource.replace(/s$/, "")} ${namespace}/${name}`,
    path: `${listOf(resource, namespace, api).path}/${segment(name)}`,
  };
}

/**
 * A name as one step of a path. Owners are named by whoever makes a pod, and the API server does not look at those names.
 *
 * @throws RebalancerError `REPLY_INVALID` on what a URL takes for a step up, and on what it cannot hold.
 */
function segment(name: string): string {
  if (/^\.{0,2}$/.test(name) || !name.isWellFormed()) {
    throw new RebalancerError("REPLY_INVALID", `${quoted(name)} is not the name of an object`);
  }
  return encodeURIComponent(name);
}

/** @param names - of the items on earlier pages; those of this one join them. */
function faultIn(items: readonly Named[], kind: ObjectKind, names: Set<string>): string | undefined {
  for (const [at, item] of items.entries()) {
    const fault = OBJECT_SHAPES[kind](item, "");
    const { name } = item.metadata ?? {};
    const which = () => (typeof name === "string" ? `${kind.toLowerCase()} ${printable(name)}` : `items[${at}]`);
    if (fault !== undefined) return `${which()}: ${fault}`;
    if (name !== undefined && names.has(name)) return `${which()} is listed twice`;
    if (name !== undefined) names.add(name);
  }
  return undefined;
}

/** Ages, expiry and the cooldown are judged by it; our own clock may be wrong. */
function timeOf(header: string | string[] | undefined, what: string): Date {
  const at = new Date(String(header));
  if (Number.isNaN(at.getTime())) throw invalid(what, "the reply has no Date header, by which ages are judged");
  return at;
}

/**
 * The API server answers a write with what it has stored. A cache that answers with an older Lease, or a webhook that takes the record
 * away, must not pass for it.
 *
 * @throws RebalancerError `REPLY_INVALID` unless holder, time and annotations are those that were sent.
 */
function assertStored(reply: WireLease, sent: WireLease, what: string): void {
  const annotations = Object.keys(sent.metadata?.annotations ?? {});
  const marks = ({ metadata, spec }: WireLease) => [
    metadata?.name,
    spec?.holderIdentity,
    spec?.renewTime,
    ...annotations.map((key) => metadata?.annotations?.[key]),
  ];
  const written = marks(sent);
  if (marks(reply).some((mark, at) => mark !== written[at]))
    throw invalid(what, "the reply is not the Lease that was written");
}

function invalid(what: string, why: string, reply?: HttpReply): RebalancerError {
  return new RebalancerError("REPLY_INVALID", `${what}: ${why}`, reply && { reply });
}
