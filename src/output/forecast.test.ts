import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { groupOf, reportOf } from "../../test/fakes/report.ts";
import type { Ownership } from "../forecast/ownership.ts";
import type { CandidateForecast, Forecast, Group, Rotation, RunReport } from "../types.ts";
import { renderJson, type JsonReport } from "./json.ts";
import { renderPlan } from "./table.ts";

const PODS = ["consumer-5d8f7cc7b5-aaaaa", "consumer-5d8f7cc7b5-bbbbb"];

function candidate(pods: readonly string[], p50: number): CandidateForecast {
  return {
    pods,
    atOnce: true,
    after: { p10: p50 - 0.04, p50, p90: p50 + 0.05 },
    expected: p50,
    afterBy: { "leave-first": p50 },
    worse: 0.031,
    improvement: 0.5,
    delayed: 1_000,
    paybackSeconds: pods.length === 1 ? 44.2 : Number.POSITIVE_INFINITY,
  };
}

const CHOSEN = candidate([PODS[0]!], 1.44);

const FORECAST: Forecast = {
  imbalance: 1.734,
  percentile: 0.62,
  floor: 1.36,
  orders: { "leave-first": 0.92, "join-first": 0.08, "one-barrier": 0 },
  candidates: [CHOSEN, ...[1.5, 1.6, 1.7, 1.8, 1.9, 2].map((p50) => candidate(PODS, p50))],
  planned: 7,
  chosen: CHOSEN,
};

const OWNERSHIP: Ownership = {
  group: {
    source: "kafka",
    name: "orders\u001B[31m",
    type: "classic",
    state: "Stable",
    assignor: "cooperative-sticky",
    protocol: "java-cooperative-sticky",
    members: [],
    partitions: [],
    topicIds: new Map(),
  },
  owners: [
    { pod: PODS[0], members: [], partitions: [], load: 120 },
    {
      pod: undefined,
      members: [{ id: "elsewhere-1" } as Ownership["owners"][0]["members"][0]],
      partitions: [],
      load: 1,
    },
  ],
  podsWithoutMember: [PODS[1]!],
  mismatch: undefined,
};

const ROTATION: Rotation = {
  at: new Date(0),
  pods: [PODS[0]!],
  group: "g",
  before: 1.734,
  expected: CHOSEN.after,
  after: 1.451,
  order: "leave-first",
};

function report(changes: Partial<RunReport> = {}): RunReport {
  const known: Group = {
    ...groupOf(PODS.map((name) => ({ name, cpu: 0.5, lag: 500, rate: 10, memory: 1e8 }))),
    ownership: OWNERSHIP,
  };
  const targets = [{ pod: known.pods[0]!.pod, role: "best_forecast", score: 1 }] as const;
  const facts = { because: ["x"], atOnce: false, passedOver: [], forecast: FORECAST };
  return { ...reportOf(known), decision: { action: "rotate", targets, ...facts }, ...changes };
}

function linesOf(shown: RunReport, columns: number): string[] {
  return renderPlan(shown, POLICY, { columns, colour: false }).split("\n");
}

describe("the table of a forecast", () => {
  it("shows group, today's imbalance, likely orders, and what the best candidates would bring", () => {
    const lines = linesOf(report(), 120);
    expect(lines).toContain("group orders (kafka): Stable, cooperative-sticky, 0 members, 0 partitions");
    expect(lines).toContain("members without a pod: elsewhere-1");
    expect(lines).toContain(`pods without a member: ${PODS[1]}`);
    expect(lines).toContain("busiest / mean load 1.73, above 62 % of random deals; least possible 1.36");
    expect(lines).toContain("likely order: leave first 92 %, join first 8 %");
    expect(lines.find((line) => line.startsWith("IF ROTATED"))).toMatch(/P10 +P50 +P90 +WORSE +PAYS BACK/);
    expect(lines.find((line) => line.includes("chosen"))).toMatch(/aaaaa +1\.40 +1\.44 +1\.49 +3 % +45 s  chosen$/);
    expect(lines.filter((line) => line.startsWith("…aaaaa + …bbbbb "))).toHaveLength(4);
    expect(lines.find((line) => line.includes(" + "))).toMatch(/never$/);
    expect(lines).toContain("… 2 more …");
  });

  it("says what was not looked at", () => {
    const cut = "7 of 100 candidates forecast within the planning budget of 20 s; the others were not looked at";
    expect(linesOf(report(), 120)).not.toContain(cut);
    const made = { ...FORECAST, planned: 100 };
    expect(linesOf(report({ decision: { ...report().decision!, forecast: made } }), 120)).toContain(cut);
  });

  it("marks none as chosen where the run holds, and does not call a pod that was not tried the best", () => {
    const passedOver = [{ pod: PODS[1]!, role: "best_forecast", why: "too young (10m)" }] as const;
    const held = { action: "hold", reason: "hot_partition", detail: "x", passedOver, forecast: FORECAST } as const;
    const text = linesOf(report({ decision: held, reason: "hot_partition" }), 120).join("\n");
    expect(text).not.toMatch(/chosen|best forecast/);
    const { decision } = report();
    const rotating = linesOf(report({ decision: { ...decision!, passedOver } }), 120);
    expect(rotating.find((line) => line.includes("–"))).toMatch(/not tried +passed over: too young/);
    expect(rotating.filter((line) => line.includes("best forecast"))).toHaveLength(2);
  });

  it("tells two in turn from two at once, and a small chance from none", () => {
    const inTurn = { ...candidate(PODS, 1.44), atOnce: false, worse: 0.004 };
    const made = { ...FORECAST, candidates: [inTurn, { ...CHOSEN, worse: 0 }], chosen: inTurn };
    const lines = linesOf(report({ decision: { ...report().decision!, forecast: made } }), 80);
    expect(lines.find((line) => line.startsWith("…aaaaa, then …bbbbb"))).toMatch(/ < 1 % /);
    expect(lines.find((line) => /^consumer-5d8f7cc7b5-aaaaa .*1\.49/.test(line))).toMatch(/ 0 % /);
    const strangers = candidate(["a-1", "b-1"], 1.5);
    const others = { ...made, candidates: [strangers, candidate(["a", "b"], 1.5)] };
    const whole = linesOf(report({ decision: { ...report().decision!, forecast: others } }), 80).join("\n");
    expect(whole).toMatch(/^a-1 \+ b-1 /m);
    expect(whole).toMatch(/^a \+ b /m);
  });

  it.each([40, 60, 100])("fits %d columns", (columns) => {
    const lines = linesOf(report({ rotation: ROTATION }), columns).filter((line) => !/pod-rebalancer/.test(line));
    for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(columns);
    expect(lines.join("\n")).toMatch(/P50 +P90/);
  });

  it("tells what came of a rotation, and says so where that is not known", () => {
    expect(linesOf(report({ rotation: ROTATION }), 120)).toContain(
      "busiest / mean load was 1.73, 1.44 expected (1.40 to 1.49), came to 1.45, leave first",
    );
    const open = { ...ROTATION, expected: undefined, after: undefined, order: undefined };
    expect(linesOf(report({ rotation: open }), 120)).toContain(
      "busiest / mean load was 1.73, what came is not known yet",
    );
  });

  it("does not let the second of a pair wait in a dry run", () => {
    const group = groupOf(PODS.map((name) => ({ name, cpu: 0.5, lag: 500, rate: 10, memory: 1e8 })));
    const targets = group.pods.map(({ pod }) => ({ pod, role: "best_forecast", score: 1 }) as const);
    const steps = targets.map(({ pod: { name: pod, uid }, role }) => {
      return { pod, uid, role, outcome: "replaced", why: "the API would accept it" } as const;
    });
    const removal = { requested: 2, steps, reason: "rotated", detail: "", error: undefined } as const;
    const shown = (atOnce: boolean) => {
      const decision = { action: "rotate", because: ["x"], targets, atOnce, passedOver: [] } as const;
      return linesOf({ ...reportOf(group), decision, removal }, 120).join("\n");
    };
    expect(shown(false)).toContain("waits until 1 is replaced");
    expect(shown(true)).not.toContain("waits");
  });

  it("is not there without a forecast", () => {
    expect(linesOf(reportOf(groupOf([])), 120).join("\n")).not.toMatch(/IF ROTATED|likely order/);
  });
});

function json(shown: RunReport): JsonReport {
  return JSON.parse(renderJson(shown, POLICY)) as JsonReport;
}

describe("the JSON of a forecast", () => {
  it("carries the same", () => {
    const { decision, group, rotation } = json(report({ rotation: ROTATION }));
    expect(decision?.forecast).toMatchObject({ imbalance: 1.734, percentile: 0.62, floor: 1.36, chosen: [PODS[0]] });
    expect(decision?.forecast?.candidates.map(({ paybackSeconds }) => paybackSeconds)).toEqual([
      44.2,
      ...Array.from({ length: 6 }, () => null),
    ]);
    expect(group?.consumerGroup).toMatchObject({
      source: "kafka",
      state: "Stable",
      membersWithoutPod: ["elsewhere-1"],
      podsWithoutMember: [PODS[1]],
      contradiction: null,
    });
    expect(group?.pods.map(({ loadMessagesPerSecond }) => loadMessagesPerSecond)).toEqual([120, null]);
    expect(rotation).toEqual({
      pods: [PODS[0]],
      before: 1.734,
      expected: CHOSEN.after,
      after: 1.451,
      order: "leave-first",
    });
  });

  it("has null for what is not known", () => {
    const bare = reportOf(groupOf([]));
    expect(json(bare)).toMatchObject({ rotation: null, group: { consumerGroup: null }, decision: { forecast: null } });
  });
});
