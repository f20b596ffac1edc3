/** Random fleets, metrics, policies and faults for the property tests of whole runs. */

import fc from "fast-check";

import { type ErrorCode, RebalancerError } from "../src/errors.ts";
import type { ProtocolName } from "../src/kafka/assignors/protocols.ts";
import type { Policy, Signal } from "../src/types.ts";
import { POLICY } from "./fakes/policy.ts";
import type { FakeGroup, Fault, FaultPoint } from "./fakes/world.ts";

/** A pod as data; the test turns ages into times. */
export interface PodCase {
  readonly ageSeconds: number;
  readonly state: "ready" | "starting" | "terminating" | "exempt" | "bare" | "long ready";
  readonly samples: Partial<Record<Signal, number>>;
}

/** dies: its controller makes another. scaled away: it goes, and the workload wants one pod less. */
type Incident = "dies" | "scaled away" | "turns exempt";

export interface RunCase {
  /** The consumer group, with STRATEGY=forecast; undefined: nobody knows it, and the strategy is balanced. */
  readonly group: (FakeGroup & { readonly quickBoot: boolean }) | undefined;
  readonly pods: readonly PodCase[];
  readonly policy: Policy;
  readonly dryRun: boolean;
  readonly bootSeconds: number;
  readonly lastRemovalSeconds: number | undefined;
  readonly hold: "none" | "suspended" | "rollout" | "scaling" | "held" | "foreign";
  readonly extraReplicas: number;
  readonly refusedPods: readonly number[];
  readonly fault: { readonly point: FaultPoint; readonly call: number; readonly fault: Fault } | undefined;
  /** What happens to a pod by itself, so many seconds into the run. */
  readonly meanwhile: { readonly afterSeconds: number; readonly pod: number; readonly what: Incident } | undefined;
  /** Told to stop after so many seconds of the run. */
  readonly stopAfterSeconds: number | undefined;
  /** Loses the Lease after so many seconds. */
  readonly loseLeaseAfterSeconds: number | undefined;
}

const sound = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0, max: 100, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const sample = fc.oneof(
  { weight: 20, arbitrary: sound },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);
const samples = fc.oneof(
  { weight: 8, arbitrary: fc.record({ cpu: sample, lag: sample.map((n) => n * 1_000), rate: sample, memory: sample }) },
  {
    weight: 1,
    arbitrary: fc.record({ cpu: sample, lag: sample, rate: sample, memory: sample }, { requiredKeys: [] }),
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
    { weight: 2, arbitrary: fc.constantFrom("exempt" as const, "long ready" as const) },
  ),
  samples,
});

const seldomTrue = fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });

const policy: fc.Arbitrary<Policy> = fc
  .record({
    cpuVarianceThreshold: fc.constantFrom(0, 0.1, 0.3),
    lagVarianceThreshold: fc.constantFrom(0, 0.2, 0.5),
    cpuFloor: fc.constantFrom(0, 0.05),
    lagFloor: fc.constantFrom(0, 100),
    maxPodsToDelete: fc.integer({ min: 1, max: 6 }),
    minPodsRequired: fc.integer({ min: 1, max: 6 }),
    minMetricsCoverage: fc.constantFrom(0.5, 0.8, 1),
    minPodAgeSeconds: fc.constantFrom(60, 600),
    replacementTimeoutSeconds: fc.constantFrom(60, 300),
    runDeadlineSeconds: fc.constantFrom(200, 720, 5_000),
    suspend: seldomTrue,
  })
  .map((changes) => ({ ...POLICY, ...changes }));

const FAULT_CODES: readonly ErrorCode[] = [
  "CONNECTION_FAILED",
  "SERVER_ERROR",
  "FORBIDDEN",
  "THROTTLED",
  "REPLY_INVALID",
  "QUERY_INCOMPLETE",
  "METRIC_AMBIGUOUS",
  "LOCK_LOST",
  "EVICTION_FAILED",
  "EVICTION_UNCLEAR",
];
const fault = fc.record({
  point: fc.constantFrom<FaultPoint>("observe", "lock", "fetch", "group", "remember", "removing", "evict"),
  call: fc.integer({ min: 0, max: 12 }),
  fault: fc.oneof(
    fc.constantFrom(...FAULT_CODES).map((code) => new RebalancerError(code, `planted ${code}`)),
    fc.constant("hang" as const),
  ),
});

const meanwhile: fc.Arbitrary<RunCase["meanwhile"]> = fc.record({
  afterSeconds: fc.integer({ min: 0, max: 60 }),
  pod: fc.nat({ max: 29 }),
  what: fc.constantFrom<Incident>("dies", "scaled away", "turns exempt"),
});

const seldom = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const group: fc.Arbitrary<NonNullable<RunCase["group"]>> = fc.record({
  protocol: fc.constantFrom<ProtocolName>("java-cooperative-sticky", "librdkafka-cooperative-sticky", "kip848-uniform"),
  partitions: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(),
  state: fc.constantFrom("Stable", "Stable", "Stable", "Stable", "PreparingRebalance"),
  quickBoot: fc.boolean(),
});

export const runCase: fc.Arbitrary<RunCase> = fc.record({
  group: fc.option(group, { nil: undefined, freq: 1 }),
  pods: fc.oneof(
    { weight: 1, arbitrary: fc.array(pod, { maxLength: 4 }) },
    { weight: 9, arbitrary: fc.array(pod, { minLength: 5, maxLength: 30 }) },
  ),
  policy,
  dryRun: fc.constant(false),
  bootSeconds: fc.constantFrom(0, 3, 30, 200, Number.POSITIVE_INFINITY),
  lastRemovalSeconds: seldom(fc.integer({ min: -10, max: 2_000 })),
  hold: fc.oneof(
    { weight: 8, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constantFrom("suspended", "rollout", "scaling", "held", "foreign") },
  ),
  extraReplicas: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 9),
  refusedPods: fc.array(fc.nat({ max: 29 }), { maxLength: 6 }),
  fault: seldom(fault),
  meanwhile: seldom(meanwhile),
  stopAfterSeconds: seldom(fc.integer({ min: 0, max: 120 })),
  loseLeaseAfterSeconds: seldom(fc.integer({ min: 0, max: 120 })),
});
