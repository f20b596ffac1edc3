/** Random fleets, metrics, policies and faults for the property tests of whole runs. */

import fc from "fast-check";

import { type ErrorCode, RebalancerError } from "../src/errors.ts";
import type { ProtocolName } from "../src/kafka/assignors/protocols.ts";
import type { Policy, Signal } from "../src/types.ts";
import type { ApiGroup } from "./fakes/api-world-sources.ts";
import type { ApiCall, ApiFault } from "./fakes/api-world.ts";
import { POLICY } from "./fakes/policy.ts";

/** A pod as data; the test turns ages into times. */
export interface PodCase {
  readonly ageSeconds: number;
  readonly state: "ready" | "starting" | "terminating" | "exempt" | "bare";
  readonly samples: Partial<Record<Signal, number>>;
}

/** dies: its controller makes another. scaled in: the workload wants one pod less, which goes a moment later. */
export type Incident = "dies" | "scaled in" | "turns exempt" | "half turn not Ready" | "workload deleted" | "suspended";

export interface RunCase {
  /** The consumer group, with STRATEGY=forecast; undefined: nobody knows it, and the strategy is balanced. */
  readonly group: (ApiGroup & { readonly quickBoot: boolean }) | undefined;
  /** Whether the Lease tells of three rotations of this very group that changed nothing. */
  readonly inVain: boolean;
  readonly kind: "Deployment" | "StatefulSet";
  /** Strangely: a StatefulSet owns pods whose names are not its own. */
  readonly owned: "usual" | "directly" | "elsewhere" | "strangely";
  readonly pods: readonly PodCase[];
  /** A finished pod has the address of the first, and is busier than any. */
  readonly reusedAddress: boolean;
  readonly policy: Policy;
  readonly dryRun: boolean;
  readonly bootSeconds: number;
  readonly lastRemovalSeconds: number | undefined;
  readonly hold: "none" | "suspended" | "rollout" | "scaling" | "held" | "foreign" | "deleted";
  /** Below 0: a scale-in is under way. */
  readonly extraReplicas: number;
  readonly refusedPods: readonly number[];
  readonly fault: (ApiFault & { readonly call: ApiCall; readonly nth: number }) | undefined;
  readonly sourceFault:
    | { readonly source: "metrics" | "group"; readonly nth: number; readonly fault: RebalancerError | "hang" }
    | undefined;
  /** So long these calls take, before and after they take effect. */
  readonly delay:
    | { readonly calls: readonly ApiCall[]; readonly beforeSeconds: number; readonly afterSeconds: number }
    | undefined;
  /** From a moment on the server that answers such calls is so far ahead of the others. */
  readonly skew: { readonly call: ApiCall | "any"; readonly seconds: number; readonly fromSeconds: number } | undefined;
  /** What happens by itself, so many seconds into the run. */
  readonly meanwhile:
    | { readonly afterSeconds: number; readonly pod: number; readonly what: Incident; readonly lagSeconds: number }
    | undefined;
  /** Told to stop after so many seconds of the run. */
  readonly stopAfterSeconds: number | undefined;
  /** Loses the Lease to another run after so many seconds. */
  readonly usurpedAfterSeconds: number | undefined;
}

const sound = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0, max: 100, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const sample = fc.oneof(
  { weight: 80, arbitrary: sound },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);
const samples = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({ cpu: sample, lag: sample.map((n) => n * 1_000), rate: sample, memory: sample }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ cpu: sample, lag: sample, rate: sample, memory: sample }, { requiredKeys: ["cpu", "lag"] }),
  },
);

const pod: fc.Arbitrary<PodCase> = fc.record({
  ageSeconds: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 601, max: 1e6 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 900 }) },
  ),
  state: fc.oneof(
    { weight: 60, arbitrary: fc.constant("ready" as const) },
    { weight: 1, arbitrary: fc.constantFrom("starting" as const, "terminating" as const, "bare" as const) },
    { weight: 2, arbitrary: fc.constant("exempt" as const) },
  ),
  samples,
});

const seldomTrue = fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });

const policy: fc.Arbitrary<Policy> = fc
  .record({
    cpuVarianceThreshold: fc.constantFrom(0, 0.1, 0.3, 9),
    lagVarianceThreshold: fc.constantFrom(0, 0.2, 0.5, 9),
    cpuFloor: fc.constantFrom(0, 0.05),
    lagFloor: fc.constantFrom(0, 100),
    maxPodsToDelete: fc.integer({ min: 1, max: 4 }),
    minPodsRequired: fc.integer({ min: 1, max: 6 }),
    minMetricsCoverage: fc.constantFrom(0.5, 0.8, 1),
    minPodAgeSeconds: fc.constantFrom(60, 600),
    replacementTimeoutSeconds: fc.constantFrom(60, 60, 60, 300),
    runDeadlineSeconds: fc.constantFrom(200, 720, 5_000),
    suspend: seldomTrue,
  })
  .map((changes) => ({ ...POLICY, ...changes }));

/** What a proxy answers in the API server's place: it does not tell what the API server did. */
const proxied = fc
  .constantFrom<readonly [ErrorCode, number]>(
    ["UNAUTHORIZED", 401],
    ["REDIRECTED", 302],
    ["NOT_FOUND", 404],
    ["REQUEST_REJECTED", 408],
    ["CONFLICT", 409],
    ["THROTTLED", 429],
    ["REQUEST_REJECTED", 499],
    ["SERVER_ERROR", 502],
  )
  .map(
    ([code, status]) => new RebalancerError(code, `HTTP ${status}`, { reply: { status, headers: {}, body: "<html>" } }),
  );

/** What the API server itself says, before it does anything. */
const said = fc
  .constantFrom<readonly [ErrorCode, number, string]>(
    ["FORBIDDEN", 403, 'pods "x" is forbidden: User "x" cannot create resource "pods/eviction"'],
    ["REQUEST_REJECTED", 400, 'admission webhook "guard" denied the request: no'],
    ["SERVER_ERROR", 500, 'admission webhook "guard" denied the request: no'],
    ["REQUEST_REJECTED", 422, "invalid"],
    ["THROTTLED", 429, "too many requests"],
  )
  .map(([code, status, message]) => {
    const body = JSON.stringify({ kind: "Status", status: "Failure", code: status, message });
    return new RebalancerError(code, `HTTP ${status}: ${message}`, { reply: { status, headers: {}, body } });
  });

const broken = fc
  .constantFrom<ErrorCode>("CONNECTION_FAILED", "TLS_FAILED", "REPLY_INVALID", "DEADLINE_EXCEEDED")
  .map((code) => new RebalancerError(code, `planted ${code}`));

const API_CALLS = [
  "listPods",
  "listAutoscalers",
  "getPod",
  "getReplicaSet",
  "getDeployment",
  "getStatefulSet",
  "createEviction",
  "getLease",
  "updateLease",
] as const satisfies readonly ApiCall[];
const apiCall = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom<ApiCall>(...API_CALLS) },
  { weight: 1, arbitrary: fc.constant<ApiCall>("createEviction") },
);

const fault: fc.Arbitrary<NonNullable<RunCase["fault"]>> = fc
  .record({
    call: apiCall,
    nth: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 12 })),
    lost: fc.boolean(),
    error: fc.oneof(proxied, broken, fc.constant("hang" as const)),
    honest: said,
    isHonest: fc.boolean(),
  })
  .map(({ call, nth, lost, error, honest, isHonest }) => ({
    call,
    nth,
    ...(isHonest ? { effect: "before", error: honest } : { effect: lost ? "after" : "before", error }),
  }));

const sourceFault = fc.record({
  source: fc.constantFrom("metrics" as const, "group" as const),
  nth: fc.integer({ min: 0, max: 4 }),
  fault: fc.oneof(
    fc
      .constantFrom<ErrorCode>("CONNECTION_FAILED", "QUERY_INCOMPLETE", "METRIC_AMBIGUOUS", "REPLY_INVALID")
      .map((code) => new RebalancerError(code, `planted ${code}`)),
    fc.constant("hang" as const),
  ),
});

const seconds = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 9 }));
const delay = fc.record({
  calls: fc.subarray<ApiCall>([...API_CALLS], { minLength: 1 }),
  beforeSeconds: seconds,
  afterSeconds: fc.constantFrom(0, 0, 0, 1),
});

const skew = fc.record({
  call: fc.constantFrom<ApiCall | "any">("listPods", "getLease", "getPod", "any"),
  seconds: fc.constantFrom(-10_800, -60, -3, 3, 60, 10_800),
  fromSeconds: fc.integer({ min: -1, max: 60 }),
});

const meanwhile: fc.Arbitrary<RunCase["meanwhile"]> = fc.record({
  afterSeconds: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 60 })),
  pod: fc.nat({ max: 29 }),
  what: fc.constantFrom<Incident>(
    "dies",
    "scaled in",
    "turns exempt",
    "half turn not Ready",
    "workload deleted",
    "suspended",
  ),
  lagSeconds: fc.constantFrom(0, 4, 60),
});

const seldom = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const rareValue = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const rare = <Value>(usual: Value, ...others: readonly Value[]): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 30, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const group: fc.Arbitrary<NonNullable<RunCase["group"]>> = fc.record({
  protocol: fc.constantFrom<ProtocolName>("java-cooperative-sticky", "librdkafka-cooperative-sticky", "kip848-uniform"),
  partitions: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 60 }) },
  ),
  seed: fc.nat(),
  state: fc.constantFrom("Stable", "Stable", "Stable", "Stable", "PreparingRebalance"),
  oddity: fc.oneof(
    { weight: 4, arbitrary: fc.constant("none" as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("streams", "share", "range", "static", "unmatched", "no rates", "hot", "even"),
    },
  ),
  byAddress: fc.boolean(),
  contradicted: rare(false, true),
  quickBoot: fc.boolean(),
});

export const runCase: fc.Arbitrary<RunCase> = fc.record({
  // A forecast takes as long as ten runs without one.
  group: fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: group }),
  inVain: rare(false, true),
  kind: fc.constantFrom("Deployment" as const, "Deployment" as const, "StatefulSet" as const),
  owned: rare<RunCase["owned"]>("usual", "directly", "elsewhere", "strangely"),
  pods: fc.oneof(
    { weight: 1, arbitrary: fc.array(pod, { maxLength: 4 }) },
    { weight: 8, arbitrary: fc.array(pod, { minLength: 5, maxLength: 9 }) },
    { weight: 1, arbitrary: fc.array(pod, { minLength: 8, maxLength: 24 }) },
  ),
  reusedAddress: rare(false, true),
  policy,
  dryRun: fc.constant(false),
  bootSeconds: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(0, 3) },
    { weight: 1, arbitrary: fc.constantFrom(30, 200, Number.POSITIVE_INFINITY) },
  ),
  lastRemovalSeconds: seldom(fc.integer({ min: -10, max: 2_000 })),
  hold: fc.oneof(
    { weight: 8, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constantFrom("suspended", "rollout", "scaling", "held", "foreign", "deleted") },
  ),
  extraReplicas: rare(0, 1, 9, -1, -3),
  refusedPods: fc.array(fc.nat({ max: 29 }), { maxLength: 4 }),
  fault: seldom(fault),
  sourceFault: rareValue(sourceFault),
  delay: seldom(delay),
  skew: rareValue(skew),
  meanwhile: seldom(meanwhile),
  stopAfterSeconds: seldom(fc.integer({ min: 0, max: 120 })),
  usurpedAfterSeconds: rareValue(fc.integer({ min: 0, max: 120 })),
});
