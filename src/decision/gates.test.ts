import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { unevenGroup } from "../../test/fakes/uneven.ts";
import { lowestImbalanceInSlices } from "../forecast/imbalance.ts";
import { ownershipOf } from "../forecast/ownership.ts";
import { groupMark } from "../forecast/rotations.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import { HOLD_REASONS, type HoldReason } from "../reasons.ts";
import { OutOfTime } from "../slices.ts";
import type { Decision, Group, Policy, RunRecord, Snapshot, Workload } from "../types.ts";
import { decideInSlices } from "./decide.ts";
import { firstWorldHold, GATES } from "./gates.ts";

interface Case {
  readonly group: Group;
  readonly policy: Policy;
  /** As soon as the first candidate is played. */
  readonly outOfTime?: true;
}

const REASONS = Object.keys(HOLD_REASONS) as HoldReason[];
const ROTATED: Case = { group: await unevenGroup(), policy: { ...POLICY, strategy: "forecast" } };

const policy = (changes: Partial<Policy>) => (one: Case) => ({ ...one, policy: { ...one.policy, ...changes } });
const group = (changes: (group: Group) => Partial<Group>) => (one: Case) => ({
  ...one,
  group: { ...one.group, ...changes(one.group) },
});
const snapshot = (changes: Partial<Snapshot>) => group((seen) => ({ snapshot: { ...seen.snapshot, ...changes } }));
const record = (changes: Partial<RunRecord>) =>
  group((seen) => ({ record: { heldBy: undefined, removals: [], rotations: [], ...seen.record, ...changes } }));
const workload = (changes: Partial<Workload>) =>
  group(({ snapshot: seen }) => ({
    snapshot: { ...seen, workload: seen.workload && { ...seen.workload, ...changes } },
  }));
const kafka = (changes: (group: ConsumerGroup) => Partial<ConsumerGroup>) =>
  group((seen) => {
    const known = seen.ownership!.group;
    return { ownership: ownershipOf({ ...known, ...changes(known) }, seen.snapshot.pods) };
  });
const firstMember = (changes: Partial<GroupMember>) =>
  kafka(({ members: [first, ...others] }) => ({ members: [{ ...first!, ...changes }, ...others] }));
const rates = (rateOf: (place: number) => number, protocol: ConsumerGroup["protocol"]) =>
  kafka(({ partitions }) => ({
    protocol,
    partitions: partitions.map((one, place) => ({ ...one, rate: rateOf(place) })),
  }));

const { observedAt } = ROTATED.group.snapshot;
const { protocol: known } = ROTATED.group.ownership!.group;

/** How each gate is closed, whatever else is. */
const CLOSE: Readonly<Record<HoldReason, (one: Case) => Case>> = {
  no_pods: snapshot({ pods: [] }),
  ambiguous_group: snapshot({ workload: undefined, controllers: ["Deployment/a", "Deployment/b"] }),
  workload_deleting: workload({ deleting: "Deployment/consumer is being deleted since 12:00" }),
  suspended: policy({ suspend: true }),
  locked: record({ heldBy: "another run" }),
  rollout_in_progress: workload({ rollout: "3 of 8 pods run the newest template" }),
  scaling_in_progress: workload({ scaling: "hpa/orders wants 9" }),
  pods_not_ready: workload({ replicas: 99 }),
  too_few_pods: policy({ minPodsRequired: 8 }),
  cooldown: record({ removals: [{ at: observedAt, pod: "z", uid: "z" }] }),
  insufficient_metrics: group(() => ({ coverage: 0 })),
  idle: policy({ cpuFloor: 1e6, lagFloor: 1e9 }),
  ineffective: (one) => {
    const vain = { at: observedAt, pods: ["x"], before: 1.7, expected: undefined, after: 1.7, order: undefined };
    return record({ rotations: [1, 2, 3].map(() => ({ ...vain, group: groupMark(one.group) })) })(one);
  },
  sources_contradict: group(() => ({ contradiction: "orders-1 is owned by a (kafka) and by b (exporter)" })),
  streams_group: kafka(() => ({ type: "streams", members: [] })),
  share_group: kafka(() => ({ type: "share", members: [] })),
  group_unstable: kafka(() => ({ state: "PreparingRebalance" })),
  members_unmatched: firstMember({ clientId: "elsewhere", instanceId: undefined }),
  few_partitions: kafka(({ members, partitions }) => ({
    partitions: partitions.slice(0, members.length),
    members: members.map((member, seat) => ({ ...member, owned: partitions.slice(seat, seat + 1) })),
  })),
  stateless_assignor: kafka(() => ({ assignor: "range" })),
  static_membership: firstMember({ instanceId: "fixed" }),
  hot_partition: rates((place) => (place === 0 ? 1_000 : 1), known),
  balanced: rates(() => 1, known),
  not_unusual: rates(() => 1, undefined),
  no_eligible_target: policy({ minPodAgeSeconds: 1e9 }),
  planning_timeout: (one) => ({ ...one, outOfTime: true }),
  no_gain: policy({ minimumImprovement: 1 }),
};

function decided({ group: seen, policy: limits, outOfTime }: Case): Decision {
  const work = decideInSlices(seen, limits);
  const partitionRates = seen.ownership?.group.partitions.map(({ rate = 0 }) => rate) ?? [];
  let swaps = [...lowestImbalanceInSlices(partitionRates, seen.ownership?.owners.length || 1)].length;
  let next = work.next();
  for (; !next.done; swaps -= 1) next = outOfTime && swaps <= 0 ? work.throw(new OutOfTime()) : work.next();
  return next.value;
}

/** The earliest last, so that it is closed whatever the others change. */
function decideWith(closed: readonly HoldReason[], from = ROTATED) {
  return decided(closed.toReversed().reduce((seen, reason) => CLOSE[reason](seen), from));
}

describe("the gates", () => {
  it("are asked in the order of the reasons, which the documentation lists", () => {
    expect(GATES.map(({ reason }) => reason)).toEqual(REASONS);
  });

  it("are all open for a group that is rotated", () => {
    expect(decideWith([])).toMatchObject({ action: "rotate" });
  });

  it.each(REASONS)("hold with %s", (reason) => {
    expect(decideWith([reason])).toMatchObject({ action: "hold", reason });
  });

  it("name the first that is closed, whichever others are", () => {
    fc.assert(
      fc.property(fc.subarray(REASONS, { minLength: 1 }), (closed) => {
        expect(decideWith(closed)).toMatchObject({ action: "hold", reason: closed[0] });
      }),
      { numRuns: 300 },
    );
  });

  it("that look ahead are open with STRATEGY=balanced, whatever the record and Kafka say", () => {
    const blind = policy({ strategy: "balanced", cpuVarianceThreshold: 0.001 })(ROTATED);
    const first = REASONS.indexOf("ineffective");
    const closed = REASONS.slice(first, REASONS.indexOf("static_membership") + 1);
    expect(decideWith([], blind).action).toBe("rotate");
    for (const reason of closed) expect(decideWith([reason], blind)).toEqual(decideWith([], blind));
  });

  it("hold for one pod that is not Ready where a StatefulSet makes its pods in turn", () => {
    const unready = group(({ snapshot: seen }) => {
      const [first, ...others] = seen.pods;
      return { snapshot: { ...seen, pods: [{ ...first!, readySince: undefined }, ...others] } };
    });
    // Eleven wanted: one that is missing is less than a tenth.
    const many = group(({ snapshot: seen }) => ({
      snapshot: {
        ...seen,
        pods: [...seen.pods, ...seen.pods.slice(0, 3).map((pod) => ({ ...pod, uid: `${pod.uid}x` }))],
      },
    }));
    const of = (ordered: boolean) => workload({ replicas: 11, ordered })(unready(many(ROTATED)));
    expect(firstWorldHold(of(false).group.snapshot, POLICY)).toBeUndefined();
    expect(firstWorldHold(of(true).group.snapshot, POLICY)).toMatchObject({
      reason: "pods_not_ready",
      detail: expect.stringMatching(/^10 of 11 .*podManagementPolicy/),
    });
  });

  it("hold where the controller says that it cannot make pods", () => {
    const { group: seen } = workload({ hindered: "its controller cannot make pods (exceeded quota)" })(ROTATED);
    expect(firstWorldHold(seen.snapshot, POLICY)).toMatchObject({
      reason: "pods_not_ready",
      detail: "its controller cannot make pods (exceeded quota)",
    });
  });
});
