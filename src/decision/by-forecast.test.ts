import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { type Known, unevenGroup as seen } from "../../test/fakes/uneven.ts";
import { imbalanceOf } from "../forecast/imbalance.ts";
import { groupMark } from "../forecast/rotations.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import type { SimulationSettings } from "../simulation/simulation.ts";
import { OutOfTime } from "../slices.ts";
import type { Decision, Group, Policy, Rotation } from "../types.ts";
import { decide, decideInSlices } from "./decide.ts";

const FORECAST: Policy = { ...POLICY, strategy: "forecast" };

async function decided(known?: Known, changes?: Partial<SimulationSettings>): Promise<Decision> {
  return decide(await seen(known, changes), FORECAST);
}

function withMember(group: ConsumerGroup, at: number, changes: Partial<GroupMember>): ConsumerGroup {
  return {
    ...group,
    members: group.members.map((member, place) => (place === at ? { ...member, ...changes } : member)),
  };
}

function withoutOwned(group: ConsumerGroup): ConsumerGroup {
  return { ...group, members: group.members.map((member) => ({ ...member, owned: [] })) };
}

describe("the decision by forecast", () => {
  it("rotates the one pod that the forecast says helps most, and says what is to be expected", async () => {
    const decision = await decided();
    expect(decision).toMatchObject({ action: "rotate", atOnce: false, targets: [{ role: "best_forecast" }] });
    if (decision.action !== "rotate") throw new Error("hold");
    expect(decision.forecast?.chosen?.pods).toEqual([decision.targets[0]?.pod.name]);
    expect(decision.because.join()).toMatch(
      /^busiest \/ mean is 1\.\d+; the rotation is expected to bring 1\.\d+, and 1\.\d+ at/,
    );
  });

  it("rotates a pair at once where a single pod would get back what it had", async () => {
    const changes = { bootSeconds: 0.5 };
    expect(await decided(undefined, changes)).toMatchObject({ action: "rotate", atOnce: true, targets: [{}, {}] });
    const group = await seen(undefined, changes);
    for (const limits of [{ maxPodsToDelete: 1 }, { minPodsRequired: 7 }]) {
      expect(decide(group, { ...FORECAST, ...limits })).toMatchObject({ action: "hold", reason: "no_gain" });
    }
  });

  it("passes over pods that may not be removed, and takes the best of the others", async () => {
    const group = await seen();
    const first = decide(group, FORECAST);
    const best = first.action === "rotate" ? first.targets[0]!.pod.name : "";
    const pods = group.pods.map((state) =>
      state.pod.name === best ? { ...state, pod: { ...state.pod, exempt: true } } : state,
    );
    const second = decide({ ...group, pods }, FORECAST);
    expect(second.passedOver).toEqual([{ pod: best, role: "best_forecast", why: "exempt" }]);
    expect(second.forecast?.candidates.flatMap(({ pods: names }) => names)).not.toContain(best);
  });

  it("does not look at the thresholds of balanced", async () => {
    const decision = decide(await seen(), { ...FORECAST, cpuVarianceThreshold: 9, lagVarianceThreshold: 9 });
    expect(decision.action).toBe("rotate");
  });

  it.each<[string, string, Known, Partial<SimulationSettings>?]>([
    ["group_unstable", "PreparingRebalance", (group) => [{ ...group, state: "PreparingRebalance" }]],
    ["members_unmatched", "no members", (group) => [{ ...group, state: "Dead", members: [] }]],
    [
      "members_unmatched",
      "kafka knows no member of consumer-",
      (group) => [withMember(group, 0, { clientId: "elsewhere", instanceId: undefined })],
    ],
    [
      "sources_contradict",
      "is owned by",
      (group) => {
        const [first, second] = group.members;
        const other = withMember(withMember(group, 0, { owned: second!.owned }), 1, { owned: first!.owned });
        return [group, { ...other, source: "client-metrics" }];
      },
    ],
    [
      "sources_contradict",
      "owns ghost-0",
      (group) => {
        const [first] = group.members;
        const owned = [...first!.owned.slice(1), { topic: "ghost", partition: 0 }];
        return [withMember(group, 0, { owned })];
      },
    ],
    ["sources_contradict", "no such partition", (group) => [{ ...group, partitions: group.partitions.slice(0, 16) }]],
    ["sources_contradict", "is there: orders", (group) => [{ ...withoutOwned(group), partitions: [] }]],
    [
      "group_unstable",
      "the rates of 32 of 32 partitions are not known",
      (group) => [{ ...group, partitions: group.partitions.map((one) => ({ ...one, rate: undefined })) }],
    ],
    [
      "members_unmatched",
      "which names consumer-",
      (group) => [withMember(group, 0, { instanceId: group.members[1]!.clientId })],
    ],
    ["group_unstable", "4 of 32 partitions have no owner", (group) => [withMember(group, 0, { owned: [] })]],
    ["streams_group", "Kafka Streams", (group) => [{ ...group, type: "streams", members: [] }]],
    ["share_group", "share group", (group) => [{ ...group, type: "share" }]],
    ["few_partitions", "8 partitions for 8 consumers", (group) => [group], { partitions: new Map([["orders", 8]]) }],
    ["stateless_assignor", "range", (group) => [group], { protocol: PROTOCOLS["java-range"] }],
    ["stateless_assignor", "roundrobin", (group) => [group], { protocol: PROTOCOLS["librdkafka-roundrobin"] }],
    ["stateless_assignor", "range", (group) => [group], { protocol: PROTOCOLS["kip848-range"] }],
    ["static_membership", "1 of 8 members", (group) => [withMember(group, 0, { instanceId: "fixed" })]],
    ["hot_partition", "times a consumer's fair share", (group) => [group], { rates: { kind: "hot", parameter: 0.4 } }],
    [
      "balanced",
      "less than 1.1",
      (group) => [group],
      {
        rates: { kind: "lognormal", parameter: 0.1 },
        wanted: (loads) => imbalanceOf(loads) > 1.05 && imbalanceOf(loads) < 1.1,
      },
    ],
    [
      "balanced",
      "the least",
      (group) => [group],
      { rates: { kind: "even", parameter: 0 }, partitions: new Map([["orders", 20]]), wanted: () => true },
    ],
  ])("holds with %s: %s", async (reason, detail, known, changes = {}) => {
    const decision = await decided(known, changes);
    expect(decision).toMatchObject({ action: "hold", reason });
    expect(decision.action === "hold" && decision.detail).toContain(detail);
  });

  it("holds with no_gain where no rotation promises enough, and names the best", async () => {
    const decision = decide(await seen(), { ...FORECAST, minimumImprovement: 1 });
    expect(decision).toMatchObject({
      action: "hold",
      reason: "no_gain",
      detail: expect.stringMatching(/the best, consumer-/),
    });
    expect(decision.forecast?.candidates).toHaveLength(8);
  });

  it("holds with no_eligible_target where no pod may go", async () => {
    const decision = decide(await seen(), { ...FORECAST, minPodAgeSeconds: 1e9 });
    expect(decision).toMatchObject({ action: "hold", reason: "no_eligible_target" });
    expect(decision.passedOver).toHaveLength(8);
  });

  it("asks the gates of every strategy first", async () => {
    expect(decide(await seen(), { ...FORECAST, suspend: true })).toMatchObject({ reason: "suspended" });
    expect(decide(await seen(), { ...FORECAST, cpuFloor: 99, lagFloor: 1e9 })).toMatchObject({ reason: "idle" });
  });
});

/** Out of time as soon as so many candidates are forecast. */
function cutAfter(candidates: number, group: Group, policy = FORECAST): Decision {
  for (let slices = 0; ; slices += 1) {
    const work = decideInSlices(group, policy);
    let next = work.next();
    for (let left = slices; !next.done; left -= 1) next = left > 0 ? work.next() : work.throw(new OutOfTime());
    if ((next.value.forecast?.candidates.length ?? 0) >= candidates) return next.value;
  }
}

describe("out of time", () => {
  it("holds where nothing was forecast yet, and says so", async () => {
    expect(cutAfter(0, await seen())).toMatchObject({
      action: "hold",
      reason: "planning_timeout",
      detail: "no candidate was forecast within the planning budget of 20 s",
    });
  });

  it("rotates the best of those that were forecast where it is good enough, and says that there were others", async () => {
    const group = await seen();
    const first = Array.from({ length: 8 }, (_none, place) => cutAfter(place + 1, group)).find(
      ({ action }) => action === "rotate",
    );
    const { candidates = [], chosen, planned } = first?.forecast ?? {};
    expect(first).toMatchObject({ targets: [{ pod: { name: chosen?.pods[0] } }] });
    expect(candidates).toContain(chosen);
    expect(planned).toBe(8);
    expect(candidates.length).toBeLessThan(8);
    expect(first?.action === "rotate" && first.because.join()).toContain(
      `${candidates.length} of 8 candidates were forecast within the planning budget of 20 s; the rotation is expected`,
    );
  });

  it("holds where none of those that were forecast is good enough", async () => {
    const decision = cutAfter(3, await seen(), { ...FORECAST, minimumImprovement: 1 });
    expect(decision).toMatchObject({
      action: "hold",
      reason: "planning_timeout",
      detail: expect.stringMatching(/^busiest \/ mean is 1\.\d+; 3 of 8 candidates were .* 20 s; the best, consumer-/),
    });
  });
});

function rotation(group: string, after: number | undefined): Rotation {
  return { at: new Date(0), pods: ["x"], group, before: 1.7, expected: undefined, after, order: undefined };
}

async function decidedAfter(...courses: (readonly [group: string, after: number | undefined])[]): Promise<Decision> {
  const mark = groupMark(await seen());
  const rotations = courses.map(([group, after]) => rotation(group || mark, after));
  return decided(undefined, { rotations });
}

describe("three rotations in vain", () => {
  it("hold the fourth", async () => {
    expect(await decidedAfter(["", 1.5], ["", 1.7], ["", 1.69], ["", 1.9])).toMatchObject({
      action: "hold",
      reason: "ineffective",
      detail: "busiest / mean went from 1.7 to 1.7, from 1.7 to 1.69, from 1.7 to 1.9",
    });
  });

  it.each<[string, (readonly [string, number | undefined])[]]>([
    [
      "one of them helped",
      [
        ["", 1.7],
        ["", 1.6],
        ["", 1.7],
      ],
    ],
    [
      "of one nobody knows what came",
      [
        ["", 1.7],
        ["", undefined],
        ["", 1.7],
      ],
    ],
    [
      "the group was another then",
      [
        ["other", 1.7],
        ["", 1.7],
        ["", 1.7],
      ],
    ],
    [
      "they were two",
      [
        ["", 1.7],
        ["", 1.7],
      ],
    ],
  ])("do not where %s", async (_, courses) => {
    expect(await decidedAfter(...courses)).toMatchObject({ action: "rotate" });
  });
});

function unmodelled(group: ConsumerGroup): readonly ConsumerGroup[] {
  return [{ ...group, protocol: undefined, assignor: "sticky" }];
}

describe("without a forecast", () => {
  it("rotates only the busiest, and only while chance seldom makes a load so uneven", async () => {
    const extreme = await seen(unmodelled, { wanted: (drawn) => imbalanceOf(drawn) >= 2.3 });
    const decision = decide(extreme, FORECAST);
    const loads = new Map(extreme.ownership!.owners.map(({ pod, load }) => [pod, load]));
    const busiest = [...loads].toSorted(([, a = 0], [, b = 0]) => b - a)[0]![0];
    expect(decision).toMatchObject({ action: "rotate", targets: [{ pod: { name: busiest }, role: "most_busy" }] });
    expect(decision.action === "rotate" && decision.because.join()).toMatch(
      /more than in (9[5-9]|100) % of random deals/,
    );
    const usual = await seen(unmodelled, { wanted: (drawn) => imbalanceOf(drawn) < 1.7 });
    expect(decide(usual, FORECAST)).toMatchObject({ action: "hold", reason: "not_unusual" });
  });

  it("asks the thresholds of balanced where nobody knows who owns what", async () => {
    const group = await seen(() => []);
    expect(decide(group, { ...FORECAST, cpuVarianceThreshold: 9, lagVarianceThreshold: 9 })).toMatchObject({
      action: "hold",
      reason: "not_unusual",
    });
    const decision = decide(group, { ...FORECAST, cpuVarianceThreshold: 0.001 });
    expect(decision).toMatchObject({ action: "rotate", targets: [{ role: "most_busy" }] });
    expect(decision.action === "rotate" && decision.because.join()).toMatch(/^CPU is uneven/);
  });

  it.each<[string, number, number, string]>([
    ["acts where the past was nearly always more even", 336, 0.96, "rotate"],
    ["leaves a group alone that is often as uneven", 336, 0.9, "hold"],
    ["does without a past that is shorter than a day", 47, 0.5, "rotate"],
  ])("%s", async (_, moments, moreEven, action) => {
    const group = await seen(() => []);
    const history = Array.from({ length: moments }, (_moment, place) => (place < moments * moreEven ? 1.2 : 3));
    const uneven = { ...FORECAST, cpuVarianceThreshold: 0.001 };
    const decision = decide({ ...group, history }, uneven);
    expect(decision).toMatchObject({ action, ...(action === "hold" && { reason: "not_unusual" }) });
    const clause = decision.action === "hold" ? decision.detail : decision.because.join();
    expect(clause).toMatch(/^CPU is uneven/);
    expect(clause.includes("of the last week")).toBe(moments > 48);
    // However unusual, an imbalance that passes no threshold is left alone.
    expect(decide({ ...group, history }, { ...uneven, cpuVarianceThreshold: 9, lagVarianceThreshold: 9 }).action).toBe(
      "hold",
    );
  });

  it("leaves the busiest alone where it may not be removed", async () => {
    const group = await seen(() => []);
    const pods = group.pods.map((state) => ({ ...state, pod: { ...state.pod, exempt: true } }));
    expect(decide({ ...group, pods }, { ...FORECAST, cpuVarianceThreshold: 0.001 })).toMatchObject({
      action: "hold",
      reason: "no_eligible_target",
    });
  });
});
