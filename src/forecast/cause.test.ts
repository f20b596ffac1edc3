import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { consumerGroupOf, memberOf } from "../../test/fakes/consumer-group.ts";
import { POLICY } from "../../test/fakes/policy.ts";
import { altered, groupOf, type GroupChanges, type PodSpec } from "../../test/fakes/report.ts";
import { CAUSES } from "../causes.ts";
import type { ConsumerGroup } from "../kafka/group.ts";
import type { Policy } from "../types.ts";
import { diagnose } from "./cause.ts";
import { ownershipOf } from "./ownership.ts";

const RATE = 500;

/** Pods that do the same, two on each node. */
function evenPods(count: number): PodSpec[] {
  return Array.from({ length: count }, (_pod, index) => ({
    name: podName(index),
    node: `node-${Math.floor(index / 2)}`,
    cpu: 0.5,
    lag: 250,
    rate: RATE,
    memory: 1,
  }));
}

function podName(index: number): string {
  return `consumer-${String(index).padStart(3, "0")}`;
}

const EIGHT = evenPods(8);

/** The pods, but for the first so many, which are otherwise. */
function butFirst(count: number, change: Partial<PodSpec>, pods: readonly PodSpec[] = EIGHT): PodSpec[] {
  return altered(pods, (_pod, index) => (index < count ? change : {}));
}

/** By pod: the rates of its partitions, which are numbered through. */
type Hands = readonly (readonly (number | undefined)[])[];

function consumersOf(hands: Hands, changes: Partial<ConsumerGroup> = {}): ConsumerGroup {
  let next = 0;
  const numbered = hands.map((hand) => hand.map((rate) => ({ topic: "orders", partition: next++, rate, lag: 0 })));
  return consumerGroupOf({
    members: numbered.map((own, index) =>
      memberOf({
        id: `member-${index}`,
        clientId: podName(index),
        owned: own.map(({ topic, partition }) => ({ topic, partition })),
      }),
    ),
    partitions: numbered.flat(),
    ...changes,
  });
}

/** Every pod has four partitions of the same rate. */
function evenHands(count = 8): number[][] {
  return Array.from({ length: count }, () => Array.from({ length: 4 }, () => RATE / 4));
}

/** What the pods consume when they keep up. */
function keepingUp(hands: Hands, pods = EIGHT): PodSpec[] {
  return altered(pods, (_pod, index) => {
    const rate = (hands[index] ?? []).reduce<number>((sum, one) => sum + (one ?? RATE / 4), 0);
    return { rate, cpu: rate / 1_000, lag: rate / 2 };
  });
}

interface Changes extends GroupChanges {
  readonly policy?: Policy;
}

function causeOf(pods: readonly PodSpec[], consumers?: ConsumerGroup, changes: Changes = {}) {
  const group = groupOf(pods, changes);
  const ownership = consumers && ownershipOf(consumers, group.snapshot.pods);
  return diagnose({ ...group, ownership }, changes.policy ?? POLICY);
}

const EVEN_HANDS = consumersOf(evenHands());

/** The first four are on one node: so many are slow, the others a little less so. */
function slowOnOneNode(slow: number): PodSpec[] {
  return altered(EIGHT, (_pod, index) =>
    index < 4 ? { cpu: index < slow ? 0.8 : 0.65, node: "node-0" } : { node: "node-1" },
  );
}

describe("a group of which nobody knows who owns what", () => {
  it("is even where nothing stands out", () => {
    expect(causeOf(EIGHT)).toEqual({
      cause: "even",
      evidence: "no pod's load is further than 0 % from the median",
      pods: [],
      node: undefined,
      partition: undefined,
    });
  });

  it("is even when it is idle, however uneven", () => {
    const pods = altered(EIGHT, (_pod, index) => ({ cpu: 0.001 * index, lag: index, rate: index }));
    expect(causeOf(pods)).toMatchObject({ cause: "even", evidence: expect.stringMatching(/^the group is idle, CPU/) });
  });

  it("has a slow pod, which is named with what a message costs there", () => {
    expect(causeOf(butFirst(1, { cpu: 1.5 }))).toMatchObject({
      cause: "slow_pod",
      evidence: "consumer-000 uses 3 times the CPU for a message that the others do",
      pods: ["consumer-000"],
    });
    expect(causeOf(butFirst(1, { cpu: 0.5 * 1.49 })).cause).toBe("even");
    expect(causeOf(butFirst(1, { cpu: 0.5 * 1.51 })).cause).toBe("slow_pod");
  });

  it("has a slow pod also where it falls behind for that", () => {
    const pods = butFirst(1, { cpu: 0.9, rate: 225, lag: 160_000 });
    expect(causeOf(pods)).toMatchObject({ cause: "slow_pod", pods: ["consumer-000"] });
  });

  it("does not call a pod slow that has little to do: its CPU is what it costs to be there", () => {
    const pods = butFirst(1, { cpu: 0.3, rate: 100 });
    expect(causeOf(pods)).toMatchObject({ cause: "skewed_partitions", pods: [] });
  });

  it("says where one slow pod is alone on its node, so that it may be the node", () => {
    const pods = butFirst(1, { cpu: 1.5, node: "node-9" });
    expect(causeOf(pods).evidence).toMatch(/; it is alone on node-9, so it may be the node$/);
    expect(causeOf(butFirst(1, { cpu: 1.5 })).evidence).not.toMatch(/alone/);
  });

  it("has a slow node where all pods there are slow and no other is", () => {
    expect(causeOf(butFirst(2, { cpu: 1.5 }))).toMatchObject({
      cause: "slow_node",
      evidence: "the 2 pods on node-0 use 3 times the CPU for a message that the others do",
      pods: ["consumer-000", "consumer-001"],
      node: "node-0",
    });
    expect(causeOf(butFirst(3, { cpu: 1.5 }))).toMatchObject({ cause: "slow_pod", node: undefined });
    const unplaced = altered(butFirst(2, { cpu: 1.5 }), () => ({ node: undefined }));
    expect(causeOf(unplaced)).toMatchObject({ cause: "slow_pod", node: undefined });
  });

  it("takes a neighbour for slow that is a little less so, unless most of them are", () => {
    expect(causeOf(slowOnOneNode(2))).toMatchObject({ cause: "slow_node", pods: [0, 1, 2, 3].map(podName) });
    expect(causeOf(slowOnOneNode(1))).toMatchObject({ cause: "slow_pod", pods: [podName(0)] });
  });

  it("finds a slow node that has half of the pods, and blames nobody where most are slow here and there", () => {
    const half = altered(butFirst(4, { cpu: 1.5 }), (_pod, index) => ({ node: index < 4 ? "node-0" : "node-1" }));
    expect(causeOf(half)).toMatchObject({ cause: "slow_node", node: "node-0" });
    expect(causeOf(butFirst(5, { cpu: 1.5 }))).toMatchObject({ cause: "unknown", pods: [] });
  });

  it("has a stalled consumer where one hardly consumes while half a window's traffic waits", () => {
    expect(causeOf(butFirst(1, { rate: 0, cpu: 0.02, lag: 150 * RATE }))).toMatchObject({
      cause: "stalled_consumer",
      evidence: "consumer-000 consumes 0 messages/s where the median is 500, and 150 s of traffic wait",
      pods: ["consumer-000"],
    });
    expect(causeOf(butFirst(1, { rate: 0, cpu: 0.02, lag: 149 * RATE })).cause).toBe("unknown");
    expect(causeOf(butFirst(1, { rate: 0.5 * RATE, cpu: 0.25, lag: 150 * RATE })).cause).toBe("unknown");
  });

  it("names the stalled consumers with the longest wait first, the first three in words", () => {
    const pods = altered(evenPods(12), (_pod, index) =>
      index < 5 ? { rate: 1, lag: (200 + index) * RATE, cpu: 0.5 } : {},
    );
    expect(causeOf(pods)).toMatchObject({
      evidence: expect.stringMatching(/^consumer-004, consumer-003, consumer-002 and 2 more consume 1 messages/),
      pods: ["consumer-004", "consumer-003", "consumer-002", "consumer-001", "consumer-000"],
    });
  });

  it("is slow downstream where three quarters of the pods are late", () => {
    expect(causeOf(butFirst(6, { lag: 60 * RATE }))).toMatchObject({
      cause: "downstream_slow",
      evidence: "6 of 8 pods have more than 60 s of traffic waiting; whether it grows is not known",
      pods: [],
    });
    expect(causeOf(butFirst(8, { lag: 1_000_000, rate: 0 })).cause).toBe("downstream_slow");
    expect(causeOf(butFirst(5, { lag: 60 * RATE }))).toMatchObject({ cause: "unknown" });
    expect(causeOf(butFirst(8, { lag: 59 * RATE })).cause).toBe("even");
  });

  it("has skewed partitions where consumption differs and its cost does not, and says what that leaves open", () => {
    expect(causeOf(butFirst(1, { rate: 2 * RATE, cpu: 1 }))).toMatchObject({
      cause: "skewed_partitions",
      evidence:
        "consumer-000 consumes 1.8 times the mean, at the same CPU for a message; with the owners unknown, it may be one hot partition or unequal numbers",
    });
    expect(causeOf(butFirst(1, { rate: 1.29 * RATE, cpu: 0.645 })).cause).toBe("even");
    expect(causeOf(butFirst(1, { rate: 1.31 * RATE, cpu: 0.655 })).cause).toBe("skewed_partitions");
    expect(causeOf(butFirst(1, { rate: 0.69 * RATE, cpu: 0.345 })).cause).toBe("skewed_partitions");
  });

  it("has skewed partitions also where the busiest is late for that", () => {
    expect(causeOf(butFirst(1, { rate: 2 * RATE, cpu: 1, lag: 90 * RATE })).cause).toBe("skewed_partitions");
  });

  it("has nobody late or stalled below the floor of lag, however long that takes", () => {
    const slowly = altered(EIGHT, () => ({ rate: 0.5, lag: 99 }));
    expect(causeOf(slowly).cause).toBe("even");
    expect(causeOf(altered(slowly, () => ({ lag: 100 }))).cause).toBe("downstream_slow");
    const one = (lag: number) =>
      causeOf(
        butFirst(
          1,
          { rate: 0.1, cpu: 0.1, lag },
          altered(EIGHT, () => ({ rate: 0.5, lag: 0 })),
        ),
      );
    expect(one(99).cause).toBe("skewed_partitions");
    expect(one(100).cause).toBe("stalled_consumer");
  });

  it("is not explained where one consumes less and is late all the same", () => {
    expect(causeOf(butFirst(1, { rate: 0.6 * RATE, cpu: 0.3, lag: 100 * RATE }))).toMatchObject({
      cause: "unknown",
      evidence: "consumer-000 consumes less than the others and is late all the same",
    });
  });

  it("is not explained by consumption alone", () => {
    const pods = butFirst(1, { rate: 2 * RATE });
    expect(causeOf(pods, undefined, { without: ["cpu"] })).toMatchObject({
      cause: "unknown",
      evidence: "consumption differs between the pods, and CPU for a message is not known",
    });
    expect(causeOf(pods, undefined, { without: ["rate"] })).toMatchObject({
      cause: "unknown",
      evidence: "what the pods consume is not known",
    });
  });
});

/** One partition has so many times a pod's fair share, and each other as much as the next. */
function handsWithHot(shares: number): number[][] {
  const others = 31 * 125;
  return evenHands().with(0, [(others * shares) / (8 - shares), 125, 125, 125]);
}

describe("a group of which it is known who owns what", () => {
  it("is even where nothing stands out", () => {
    expect(causeOf(EIGHT, EVEN_HANDS).cause).toBe("even");
  });

  it("has a hot partition, which is named with its share against a pod's fair share", () => {
    const hands = evenHands().with(3, [125, 125, 1_200, 125]);
    expect(causeOf(keepingUp(hands), consumersOf(hands))).toMatchObject({
      cause: "hot_partition",
      evidence: "orders-14 brings 1.9 times a pod's fair share",
      partition: { topic: "orders", partition: 14 },
      pods: [],
    });
  });

  it("has a hot partition only where it is above the fair share", () => {
    const pods = butFirst(1, { rate: 900, cpu: 0.9 });
    expect(causeOf(pods, consumersOf(handsWithHot(0.95))).cause).toBe("skewed_partitions");
    expect(causeOf(pods, consumersOf(handsWithHot(1.15))).cause).toBe("hot_partition");
  });

  it("has a hot partition, not a stalled consumer, where its owner is at its limit", () => {
    const hands = evenHands().with(0, [2_000, 125, 125, 125]);
    const pods = butFirst(1, { rate: 1_000, cpu: 1, lag: 2_375 * 200 });
    expect(causeOf(pods, consumersOf(hands)).cause).toBe("hot_partition");
  });

  it("counts further partitions that are above it, too", () => {
    const hands = evenHands().with(0, [1_000, 125, 1_500, 125]);
    expect(causeOf(keepingUp(hands), consumersOf(hands)).evidence).toBe(
      "orders-2 brings 1.9 times a pod's fair share, and 1 other is above it, too",
    );
  });

  it("has unequal numbers where these explain the loads, and no hot partition where there are hardly more than pods", () => {
    const hands = Array.from({ length: 8 }, (_hand, index) => (index === 0 ? [500, 510] : [500 + 10 * index]));
    expect(causeOf(keepingUp(hands), consumersOf(hands))).toMatchObject({
      cause: "count_imbalance",
      evidence: "the numbers of partitions go from 1 to 2",
    });
  });

  it("has unequal numbers where pods have no partition at all", () => {
    const hands = Array.from({ length: 8 }, (_hand, index) => (index < 5 ? [500] : []));
    const pods = altered(keepingUp(hands), () => ({ cpu: 0.3 }));
    expect(causeOf(pods, consumersOf(hands))).toMatchObject({
      cause: "count_imbalance",
      evidence: "there is no partition for 3 of 8 pods",
    });
  });

  it("has skewed partitions where numbers are equal, or differ and explain little", () => {
    const equal = evenHands().with(0, [250, 200, 250, 200]);
    expect(causeOf(keepingUp(equal), consumersOf(equal))).toMatchObject({
      cause: "skewed_partitions",
      evidence: "the partitions of consumer-000 bring 1.6 times a pod's fair share",
    });
    const less = evenHands().with(0, [60, 60, 60, 60]);
    expect(causeOf(keepingUp(less), consumersOf(less)).evidence).toBe(
      "the partitions of consumer-000 bring 0.5 times a pod's fair share",
    );
    const fewer = evenHands().with(0, [300, 300, 300]);
    expect(causeOf(keepingUp(fewer), consumersOf(fewer)).cause).toBe("skewed_partitions");
  });

  it("is even where heavier partitions make up for fewer of them", () => {
    const hands = evenHands().with(0, [250, 250]);
    expect(causeOf(keepingUp(hands), consumersOf(hands)).cause).toBe("even");
  });

  it("judges the loads by what is consumed where the rate of a partition is not known", () => {
    const hands = evenHands().with(0, [undefined as never, 125, 125, 125]);
    const pods = butFirst(1, { rate: 2 * RATE, cpu: 1 });
    expect(causeOf(pods, consumersOf(hands))).toMatchObject({
      cause: "skewed_partitions",
      evidence: expect.stringMatching(/not all rates of the partitions are known, it may be/),
    });
  });

  it("does not explain by numbers what pods consume that are said to have no partition", () => {
    const hands = [...evenHands().map(() => []), [undefined as never]];
    const pods = butFirst(1, { rate: 2 * RATE, cpu: 1 });
    expect(causeOf(pods, consumersOf(hands)).cause).toBe("skewed_partitions");
  });

  it("is slow downstream where less is consumed than comes in, and not where it catches up", () => {
    const late = { lag: 90 * RATE };
    expect(causeOf(butFirst(8, { ...late, rate: 0.8 * RATE, cpu: 0.4 }), EVEN_HANDS)).toMatchObject({
      cause: "downstream_slow",
      evidence: "8 of 8 pods have more than 60 s of traffic waiting, and 80 % of what comes in is consumed",
    });
    expect(causeOf(butFirst(8, { ...late, rate: 1.5 * RATE, cpu: 0.75 }), EVEN_HANDS)).toMatchObject({
      cause: "unknown",
      evidence: expect.stringMatching(/and 5 more have more than 60 s of traffic waiting, and nothing else stands out/),
    });
  });

  it("has a stalled consumer by what its own partitions bring", () => {
    const hands = evenHands().with(0, [20, 20, 20, 20]);
    const pods = altered(keepingUp(hands), (_pod, index) => (index === 0 ? { rate: 0, lag: 80 * 200 } : {}));
    expect(causeOf(pods, consumersOf(hands))).toMatchObject({ cause: "stalled_consumer", pods: ["consumer-000"] });
  });

  it("takes a pod for stalled that is Ready and out of the group, unless a member without a pod may be its", () => {
    const hands = evenHands(7);
    const pods = butFirst(8, {}).toReversed();
    const idle = altered(pods, ({ name }) => (name === podName(7) ? { rate: 0, lag: 0, cpu: 0.02 } : {}));
    expect(causeOf(idle, consumersOf(hands))).toMatchObject({
      cause: "stalled_consumer",
      evidence: "consumer-007 is Ready, but not in the consumer group",
      pods: ["consumer-007"],
    });
    const members = EVEN_HANDS.members.map((member, index) => (index === 7 ? { ...member, clientId: "x" } : member));
    expect(causeOf(EIGHT, { ...EVEN_HANDS, members }).cause).toBe("even");
  });

  it("is not explained where consumption and what comes in contradict each other", () => {
    expect(causeOf(butFirst(8, { rate: 2.1 * RATE, cpu: 1 }), EVEN_HANDS)).toMatchObject({
      cause: "unknown",
      evidence: "the pods consume 2.1 times what their partitions bring, and have no lag to show for it",
    });
    expect(causeOf(butFirst(1, { rate: 1.5 * RATE, cpu: 0.75 }), EVEN_HANDS)).toMatchObject({
      cause: "unknown",
      evidence: "consumer-000 consumes 1.5 times what its partitions bring, and has no lag to show for it",
    });
  });

  it("waits until the group has settled", () => {
    expect(causeOf(EIGHT, { ...EVEN_HANDS, state: "PreparingRebalance" })).toMatchObject({
      cause: "unknown",
      evidence: "the group is PreparingRebalance",
    });
    expect(causeOf(EIGHT, { ...EVEN_HANDS, state: undefined }).cause).toBe("even");
  });
});

describe("signals that are not whole", () => {
  it("are not judged below the coverage that a run asks for", () => {
    const holes = butFirst(2, { cpu: undefined });
    expect(causeOf(holes)).toMatchObject({ cause: "unknown", evidence: "75 % of the Ready pods have every signal" });
    expect(causeOf(butFirst(1, { cpu: undefined })).cause).toBe("even");
    expect(causeOf([]).cause).toBe("unknown");
    const none = { without: ["cpu", "lag", "rate", "memory"] } as const;
    expect(causeOf(EIGHT, undefined, none)).toMatchObject({ cause: "unknown", evidence: "no signal was read" });
  });

  it("find the others all the same", () => {
    const holes = altered(butFirst(2, { cpu: 1.5 }), (_pod, index) => (index === 7 ? { lag: undefined } : {}));
    expect(causeOf(holes)).toMatchObject({ cause: "slow_node", node: "node-0" });
  });

  it("are not judged of pods younger than the window, nor of fewer than three", () => {
    const young = { ageSeconds: POLICY.metricsWindowSeconds, rate: 0, cpu: 0, lag: 1_000_000 };
    expect(causeOf(butFirst(2, young)).cause).toBe("even");
    expect(causeOf(butFirst(6, young))).toMatchObject({
      cause: "unknown",
      evidence: "only 2 pods are Ready, older than 5m and measured",
    });
    expect(causeOf(evenPods(3)).cause).toBe("even");
    expect(causeOf(butFirst(1, { state: "starting", rate: 0 })).cause).toBe("even");
  });

  it("are not judged in a rollout, nor within a window of a removal", () => {
    const slow = butFirst(1, { cpu: 1.5 });
    const { workload } = groupOf(EIGHT).snapshot;
    const rollout = { snapshot: { workload: { ...workload!, rollout: "3 of 8 pods are new" } } };
    expect(causeOf(slow, undefined, rollout)).toMatchObject({
      cause: "unknown",
      evidence: "the workload is rolling out (3 of 8 pods are new)",
    });
    const removed = (secondsAgo: number) => {
      const at = new Date(groupOf(EIGHT).snapshot.observedAt.getTime() - secondsAgo * 1_000);
      return { record: { heldBy: undefined, removals: [{ at, pod: "consumer-x", uid: "x" }], rotations: [] } };
    };
    expect(causeOf(slow, undefined, removed(299)).evidence).toMatch(/before consumer-x was removed$/);
    expect(causeOf(slow, undefined, removed(300)).cause).toBe("slow_pod");
  });

  it("do without CPU or lag where these are left out", () => {
    const hands = evenHands().with(3, [125, 125, 1_200, 125]);
    for (const without of [["cpu"], ["lag"], ["cpu", "rate"]] as const) {
      const { cause } = causeOf(keepingUp(hands), consumersOf(hands), { without });
      expect([without, cause]).toEqual([without, "hot_partition"]);
    }
  });
});

/** By 5 % either way. */
function noise(index: number): number {
  return 1 + 0.05 * Math.sin(index * 12.9898);
}

describe("groups of any size", () => {
  it.each([3, 4, 50, 1_000])(
    "with %d pods and noise of 5 percent are even, or have the one fault they have",
    (count) => {
      const pods = altered(evenPods(count), (_pod, index) => ({
        node: "node-0",
        cpu: 0.5 * noise(index),
        rate: RATE * noise(index + 0.5),
        lag: 250 * noise(index + 0.25),
      }));
      const hands = consumersOf(evenHands(count));
      for (const consumers of [undefined, hands]) {
        expect(causeOf(pods, consumers).cause).toBe("even");
        expect(causeOf(butFirst(1, { cpu: 1.2 }, pods), consumers)).toMatchObject({
          cause: "slow_pod",
          pods: [podName(0)],
        });
        expect(causeOf(butFirst(1, { rate: 0, cpu: 0.02, lag: 200 * RATE }, pods), consumers)).toMatchObject({
          cause: "stalled_consumer",
          pods: [podName(0)],
        });
      }
    },
  );
});

/** Usually as all the others, sometimes otherwise, at times not measured. */
function around(usual: number) {
  const factor = fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    fc.constantFrom(0, 0.5, 3, 200),
    fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
  );
  const measured = factor.map((times) => usual * times);
  return fc.oneof({ weight: 30, arbitrary: measured }, { weight: 1, arbitrary: fc.constant(undefined) });
}

describe("a diagnosis", () => {
  const pod = fc.record({
    cpu: around(0.5),
    lag: around(250),
    rate: around(RATE),
    memory: fc.constant(1),
    node: fc.constantFrom("node-0", "node-1", undefined),
    ageSeconds: fc.constantFrom(100, 10_000, 10_000),
    state: fc.constantFrom("ready", "ready", "ready", "starting"),
  });
  const LENIENT: Policy = { ...POLICY, minMetricsCoverage: 0, cpuFloor: 0, lagFloor: 0 };
  const cases = fc.record({
    pods: fc.array(pod, { maxLength: 8 }).map((pods) => pods.map((one, index) => ({ name: podName(index), ...one }))),
    hands: fc.option(fc.array(fc.array(around(RATE), { maxLength: 4 }), { maxLength: 9 }), { nil: undefined }),
    without: fc.subarray(["cpu", "lag", "rate"] as const, { maxLength: 2 }),
  });

  it("is always one of the causes, with evidence, and blames only pods that are there", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(cases, fc.boolean(), ({ pods, hands, without }, lenient) => {
        const policy = lenient ? LENIENT : POLICY;
        const { cause, evidence, pods: blamed } = causeOf(pods, hands && consumersOf(hands), { policy, without });
        seen.add(cause);
        expect(Object.keys(CAUSES)).toContain(cause);
        expect(evidence).toMatch(/^\S.*[^.]$/);
        expect(evidence).not.toMatch(/NaN|undefined|∞/);
        expect(pods.map(({ name }) => name)).toEqual(expect.arrayContaining([...blamed]));
      }),
      // One seed, or chance decides how many causes there are.
      { numRuns: 1_000, seed: 1 },
    );
    expect(seen.size).toBeGreaterThan(5);
  });

  it("does not depend on the order of pods, members and partitions", () => {
    fc.assert(
      fc.property(cases, ({ pods, hands, without }) => {
        const changes = { policy: LENIENT, without };
        const group = groupOf(pods, changes);
        const consumers = hands && consumersOf(hands);
        const { members = [], partitions = [] } = consumers ?? {};
        const reversed = consumers && {
          ...consumers,
          members: members.toReversed(),
          partitions: partitions.toReversed(),
        };
        const turned = { ...group, pods: group.pods.toReversed() };
        const ofPods = group.snapshot.pods;
        expect(diagnose({ ...turned, ownership: reversed && ownershipOf(reversed, ofPods) }, LENIENT)).toEqual(
          diagnose({ ...group, ownership: consumers && ownershipOf(consumers, ofPods) }, LENIENT),
        );
      }),
    );
  });

  it("does not depend on the unit", () => {
    // A power of two changes no digit of a sum or a ratio.
    const units = fc.integer({ min: -8, max: 8 }).map((power) => 2 ** power);
    fc.assert(
      fc.property(cases, units, units, ({ pods, hands, without }, messages, cores) => {
        const scaled = altered(pods, ({ cpu, lag, rate }) => ({
          cpu: cpu === undefined ? undefined : cpu * cores,
          lag: lag === undefined ? undefined : lag * messages,
          rate: rate === undefined ? undefined : rate * messages,
        }));
        const scaledHands = hands?.map((hand) =>
          hand.map((rate) => (rate === undefined ? undefined : rate * messages)),
        );
        const changes = { policy: LENIENT, without };
        const { cause, pods: blamed, node, partition } = causeOf(pods, hands && consumersOf(hands), changes);
        expect(causeOf(scaled, scaledHands && consumersOf(scaledHands), changes)).toMatchObject({
          cause,
          pods: blamed,
          node,
          partition,
        });
      }),
    );
  });
});
