import { RebalancerError } from "../../src/errors.ts";
import type { KubernetesClient, WireLease } from "../../src/kubernetes/client.ts";
import type { Clock } from "../../src/ports.ts";

function unexpected(name: string): () => Promise<never> {
  return async () => {
    throw new Error(`unexpected call: ${name}`);
  };
}

/** A client of which only the named calls are expected; any other fails. */
export function fakeClient(calls: Partial<KubernetesClient>): KubernetesClient {
  return {
    listPods: unexpected("listPods"),
    listAutoscalers: unexpected("listAutoscalers"),
    getPod: unexpected("getPod"),
    getReplicaSet: unexpected("getReplicaSet"),
    getDeployment: unexpected("getDeployment"),
    getStatefulSet: unexpected("getStatefulSet"),
    createEviction: unexpected("createEviction"),
    getLease: unexpected("getLease"),
    createLease: unexpected("createLease"),
    updateLease: unexpected("updateLease"),
    createEvent: unexpected("createEvent"),
    mayI: unexpected("mayI"),
    ...calls,
  };
}

type LeaseCall = "get" | "create" | "update";

/** What goes wrong with a call: before it takes effect, after it did (only the answer is lost), or it never ends. */
type LeaseFault = { readonly before: RebalancerError } | { readonly after: RebalancerError } | "hang";

/** One Lease as the API server keeps it, with resourceVersion and the server's time. */
export interface FakeLease {
  lease: WireLease | undefined;
  /** How far the server's clock is ahead of ours. */
  skewMillis: number;
  /** What is wrong with the server's time. */
  doubt: RebalancerError | undefined;
  /** Faults of the next calls, by call; the first in the list comes first. undefined: that call goes well. */
  readonly faults: Record<LeaseCall, (LeaseFault | undefined)[]>;
  readonly calls: LeaseCall[];
  readonly client: KubernetesClient;
}

export function fakeLease(clock: Clock, skew = 0): FakeLease {
  let version = 0;
  const state: Omit<FakeLease, "client"> = {
    lease: undefined,
    skewMillis: skew,
    doubt: undefined,
    faults: { get: [], create: [], update: [] },
    calls: [],
  };

  /** As the `Date` header tells it: whole seconds. */
  function serverTime(): Date {
    return new Date(Math.floor((clock.now().getTime() + state.skewMillis) / 1_000) * 1_000);
  }

  async function call<Value>(name: LeaseCall, signal: AbortSignal, work: () => Value): Promise<Value> {
    signal.throwIfAborted();
    state.calls.push(name);
    const fault = state.faults[name].shift();
    if (fault === "hang") {
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
    if (fault && fault !== "hang" && "before" in fault) throw fault.before;
    const value = work();
    if (fault && fault !== "hang") throw fault.after;
    return value;
  }

  function store(lease: WireLease): void {
    version += 1;
    state.lease = { ...structuredClone(lease), metadata: { ...lease.metadata, resourceVersion: String(version) } };
  }

  const client = fakeClient({
    getLease: (_ref, signal) =>
      call("get", signal, () => {
        const at = serverTime();
        return {
          value: structuredClone(state.lease),
          get at() {
            if (state.doubt) throw state.doubt;
            return at;
          },
        };
      }),
    createLease: (_ref, lease, signal) =>
      call("create", signal, () => {
        if (state.lease) throw new RebalancerError("CONFLICT", "it exists");
        store(lease);
      }),
    updateLease: (_ref, lease, signal) =>
      call("update", signal, () => {
        if (!state.lease) throw new RebalancerError("NOT_FOUND", "no such lease");
        if (lease.metadata?.resourceVersion !== state.lease.metadata?.resourceVersion) {
          throw new RebalancerError("CONFLICT", "the object has been modified");
        }
        store(lease);
      }),
  });
  return Object.assign(state, { client });
}
