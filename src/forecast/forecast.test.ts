import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { unevenSimulation } from "../../test/fakes/uneven.ts";
import { PROTOCOLS, type ProtocolName } from "../kafka/assignors/protocols.ts";
import type { SimulationSettings } from "../simulation/simulation.ts";
import { inOneGo, OutOfTime } from "../slices.ts";
import type { CandidateForecast } from "../types.ts";
import { type Board, boardOf } from "./board.ts";
import { forecast, forecastInSlices, type ForecastScope } from "./forecast.ts";
import type { LikelyOrder } from "./likely-orders.ts";
import { orderSeen } from "./order-seen.ts";
import { ownershipOf } from "./ownership.ts";

const NEVER = new AbortController().signal;

/** Nothing speaks against an eviction. */
const NONE = () => undefined;

async function boardIn(changes: Partial<SimulationSettings> = {}): Promise<Board> {
  const simulation = unevenSimulation({ historySeconds: 1, ...changes });
  const { pods } = await simulation.cluster.observe(NEVER);
  const group = await simulation.groupSource.read(pods, NEVER);
  const board = group && boardOf(ownershipOf(group, pods));
  if (board === undefined) throw new Error("no board");
  return board;
}

const LEAVE_FIRST = { "leave-first": 1, "join-first": 0, "one-barrier": 0 };
const ONE_BARRIER = { "leave-first": 0, "join-first": 0, "one-barrier": 1 };

const NO_PAIRS = { atOnce: false, inTurn: false };
const AT_ONCE = { atOnce: true, inTurn: false };

function scopeOf(board: Board, changes: Partial<ForecastScope> = {}): ForecastScope {
  return { removable: [...board.owners.keys()], pairs: AT_ONCE, orders: LEAVE_FIRST, rateError: 0.02, ...changes };
}

describe("a forecast", () => {
  it("knows today's imbalance, its percentile and the floor", async () => {
    const board = await boardIn();
    const made = forecast(board, scopeOf(board), POLICY);
    expect(made.imbalance).toBeGreaterThanOrEqual(1.5);
    expect(made.floor).toBeLessThan(made.imbalance);
    expect(made.percentile).toBeGreaterThan(0.2);
    expect(made.percentile).toBeLessThanOrEqual(1);
  });

  it("is the same for the same group", async () => {
    const board = await boardIn();
    expect(forecast(board, scopeOf(board), POLICY)).toEqual(forecast(board, scopeOf(board), POLICY));
  });

  it("chooses the one that is expected to do best", async () => {
    const board = await boardIn();
    const { candidates, chosen } = forecast(board, scopeOf(board), POLICY);
    expect(candidates).toHaveLength(8);
    expect(candidates.map(({ expected }) => expected)).toEqual(
      candidates.map(({ expected }) => expected).toSorted((a, b) => a - b),
    );
    expect(chosen).toBe(candidates[0]);
  });

  it("finds that a single pod gets back what it had where both are in one rebalance, and looks at pairs", async () => {
    const board = await boardIn();
    const single = forecast(board, scopeOf(board, { orders: ONE_BARRIER, pairs: NO_PAIRS }), POLICY);
    for (const { after } of single.candidates) expect(after.p50).toBeCloseTo(single.imbalance);
    expect(single.chosen).toBeUndefined();
    const pairs = forecast(board, scopeOf(board, { orders: ONE_BARRIER }), POLICY);
    expect(pairs.candidates).toHaveLength((8 * 7) / 2);
    expect(pairs.chosen?.pods).toHaveLength(2);
  });

  it("takes two in turn where the order is known, two bring more than one, and the first alone does no harm", async () => {
    const board = await boardIn();
    const pairs = { atOnce: true, inTurn: true };
    const made = forecast(board, scopeOf(board, { pairs }), POLICY);
    const single = forecast(board, scopeOf(board), POLICY);
    const { pods = [], atOnce, expected = Infinity, paybackSeconds = 0 } = made.chosen ?? {};
    expect([pods.length, atOnce]).toEqual([2, false]);
    const minimum = POLICY.minimumImprovement * (made.imbalance - made.floor);
    expect(expected).toBeLessThanOrEqual(single.chosen!.expected - minimum);
    expect(paybackSeconds).toBeGreaterThan(0);
    const harmless = single.candidates.filter(({ after }) => after.p90 <= single.imbalance * 1.02);
    for (const one of made.candidates.filter((each) => !each.atOnce)) {
      expect(harmless.flatMap((each) => each.pods)).toContain(one.pods[0]);
    }
    // The second must bring the minimum, too.
    const choosy = { ...POLICY, minimumImprovement: single.chosen!.improvement };
    expect(forecast(board, scopeOf(board, { pairs }), choosy).chosen?.pods).toEqual(single.chosen!.pods);
    const unsure = { "leave-first": 0.94, "join-first": 0.06, "one-barrier": 0 };
    const alone = forecast(board, scopeOf(board, { pairs, orders: unsure }), POLICY);
    for (const one of alone.candidates) expect(one.pods).toHaveLength(1);
  });

  it("leaves alone what may make it worse, whatever else it promises", async () => {
    const orders = { "leave-first": 0.92, "join-first": 0.08, "one-barrier": 0 };
    let tempting = 0;
    for (let seed = 1; seed <= 10; seed += 1) {
      const board = await boardIn({ seed });
      const { candidates, imbalance, chosen } = forecast(board, scopeOf(board, { orders }), POLICY);
      const risky = candidates.filter(({ worse }) => worse > 0.05);
      tempting += risky.filter(({ after, improvement }) => after.p90 < imbalance * 0.98 && improvement > 0.1).length;
      for (const one of risky) expect(chosen).not.toBe(one);
    }
    expect(tempting).toBeGreaterThan(0);
  });

  it.each<ProtocolName>(["java-range", "java-roundrobin", "librdkafka-range", "kip848-range"])(
    "finds nothing to gain with %s",
    async (protocol) => {
      const board = await boardIn({ protocol: PROTOCOLS[protocol] });
      const made = forecast(board, scopeOf(board, { pairs: NO_PAIRS }), POLICY);
      for (const { after } of made.candidates) expect(after.p50).toBeCloseTo(made.imbalance);
      expect(made.chosen).toBeUndefined();
    },
  );

  it("weighs the gain against what waits meanwhile", async () => {
    const board = await boardIn();
    const made = forecast(board, scopeOf(board), POLICY);
    const { paybackSeconds = 0, delayed = 0 } = made.chosen ?? {};
    expect(paybackSeconds).toBeGreaterThan(0);
    const total = board.rates.reduce((sum, rate) => sum + rate, 0);
    expect(delayed).toBeLessThan(2.5 * total);
    const impatient = { ...POLICY, cooldownSeconds: paybackSeconds / 2 };
    expect(forecast(board, scopeOf(board), impatient).chosen?.pods).not.toEqual(made.chosen?.pods);
  });

  it("wants a minimum of improvement at the pessimistic end", async () => {
    const board = await boardIn();
    const { chosen } = forecast(board, scopeOf(board), POLICY);
    const improvement = chosen?.improvement ?? 0;
    expect(improvement).toBeGreaterThan(POLICY.minimumImprovement);
    const choosy = { ...POLICY, minimumImprovement: Math.min(1, improvement + 0.01) };
    const other = forecast(board, scopeOf(board), choosy).chosen;
    expect(other?.pods).not.toEqual(chosen?.pods);
  });

  it("looks at the busiest only where all would be too many, and at pairs of them with the least busy", async () => {
    const board = await boardIn({ pods: 60, partitions: new Map([["orders", 300]]), wanted: () => true });
    const byLoad = board.owners.toSorted((a, b) => (b.load ?? 0) - (a.load ?? 0)).map(({ pod }) => pod);
    const single = forecast(board, scopeOf(board), POLICY).candidates.map(({ pods }) => pods[0]);
    expect(single.length).toBeLessThan(60);
    expect(new Set(single)).toEqual(new Set(byLoad.slice(0, single.length)));
    const pairs = forecast(board, scopeOf(board, { orders: ONE_BARRIER }), POLICY).candidates;
    expect(new Set(pairs.map(({ pods }) => pods[0]))).toEqual(new Set([byLoad[0]]));
    expect(pairs.flatMap(({ pods }) => pods)).toContain(byLoad.at(-1));
  });

  it("holds to what adds up, whatever the group", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 3, max: 8 }),
        fc.integer({ min: 1, max: 5 }),
        async (seed, pods, each) => {
          const partitions = new Map([["orders", pods * each + (seed % pods)]]);
          const board = await boardIn({ seed, pods, partitions, wanted: () => true });
          const orders = { "leave-first": 0.6, "join-first": 0.3, "one-barrier": 0.1 };
          const { candidates } = forecast(board, scopeOf(board, { orders }), POLICY);
          for (const one of candidates) expectSound(one);
        },
      ),
      { numRuns: 30 },
    );
  });
});

/** What is known after so many slices; undefined where that is nothing. */
function cutAfter(slices: number, ...[board, scope, policy]: Parameters<typeof forecastInSlices>) {
  const work = forecastInSlices(board, scope, policy);
  let next = work.next();
  try {
    for (let left = slices; !next.done; left -= 1) next = left > 0 ? work.next() : work.throw(new OutOfTime());
    return next.value;
  } catch (thrown) {
    if (thrown instanceof OutOfTime) return undefined;
    throw thrown;
  }
}

describe("a forecast whose time is up", () => {
  it.each<[string, Partial<ForecastScope>]>([
    ["single pods", { pairs: NO_PAIRS }],
    ["pairs at once", { orders: ONE_BARRIER }],
    ["pairs in turn", { pairs: { atOnce: true, inTurn: true } }],
  ])("has the same as otherwise, only less of it: %s", async (_, changes) => {
    const board = await boardIn({ pods: 5, partitions: new Map([["orders", 15]]), wanted: () => true });
    const scope = scopeOf(board, changes);
    const whole = forecast(board, scope, POLICY);
    expect(whole.planned).toBe(whole.candidates.length);
    const slices = [...forecastInSlices(board, scope, POLICY)].length;
    let before = 0;
    for (let after = 0; after <= slices; after += 1) {
      const cut = cutAfter(after, board, scope, POLICY);
      if (cut === undefined) {
        expect(before).toBe(0);
        continue;
      }
      const { candidates, chosen, planned, ...today } = cut;
      expect(whole).toMatchObject(today);
      for (const one of candidates) expect(whole.candidates).toContainEqual(one);
      expect(candidates.length).toBeGreaterThanOrEqual(before);
      if (after < slices) expect(planned).toBeGreaterThan(candidates.length);
      if (chosen !== undefined) expect(candidates).toContainEqual(chosen);
      before = candidates.length;
    }
    expect(cutAfter(slices, board, scope, POLICY)).toEqual(whole);
    expect(before).toBe(whole.candidates.length);
  });
});

function expectSound({ after: { p10, p50, p90 }, worse, expected, delayed }: CandidateForecast): void {
  expect(p10).toBeLessThanOrEqual(p50);
  expect(p50).toBeLessThanOrEqual(p90);
  expect(p10).toBeGreaterThan(0.9);
  expect(expected).toBeGreaterThan(0.9);
  expect(worse).toBeGreaterThanOrEqual(0);
  expect(worse).toBeLessThanOrEqual(1 + 1e-9);
  expect(delayed).toBeGreaterThanOrEqual(0);
}

function seen(...rotation: Parameters<typeof orderSeen>): LikelyOrder | undefined {
  return inOneGo(orderSeen(...rotation));
}

describe("the order that was seen", () => {
  it.each([
    ["leave-first", { bootSeconds: 8, timing: { closeSeconds: 0.2 } }],
    ["join-first", { bootSeconds: 8, timing: { closeSeconds: 25 } }],
    ["one-barrier", { bootSeconds: 0.5, timing: { closeSeconds: 0.2 } }],
  ] as const)("is %s where it was", async (order, circumstances) => {
    const simulation = unevenSimulation(circumstances);
    const read = async () => {
      const group = await simulation.groupSource.read([], NEVER);
      if (group === undefined) throw new Error("no group");
      return group;
    };
    const before = await read();
    const [victim] = (await simulation.cluster.observe(NEVER)).pods;
    await simulation.cluster.evict(victim!, NONE, NEVER);
    await simulation.clock.sleep(90_000, NEVER);
    expect(seen(before, await read(), true)).toBe(order);
  });

  it("is told of two that went in turn, whichever was first, and not of three", async () => {
    const simulation = unevenSimulation({ bootSeconds: 8, timing: { closeSeconds: 0.2 } });
    const read = async () => (await simulation.groupSource.read([], NEVER))!;
    const before = await read();
    const { pods } = await simulation.cluster.observe(NEVER);
    for (const victim of [pods[5]!, pods[1]!]) {
      await simulation.cluster.evict(victim, NONE, NEVER);
      await simulation.clock.sleep(90_000, NEVER);
    }
    const after = await read();
    expect(seen(before, after, false)).toBe("leave-first");
    expect(seen(before, after, true)).not.toBe("leave-first");
    await simulation.cluster.evict(pods[2]!, NONE, NEVER);
    await simulation.clock.sleep(90_000, NEVER);
    expect(seen(before, await read(), false)).toBeUndefined();
  });

  it("is not told of a group of which nobody was replaced, or with an assignor that nobody knows", async () => {
    const group = await unevenSimulation().groupSource.read([], NEVER);
    expect(seen(group!, group!, true)).toBeUndefined();
    const { members } = group!;
    const other = { ...group!, members: members.map((member, at) => (at === 0 ? { ...member, id: "other" } : member)) };
    expect(seen({ ...group!, protocol: undefined }, other, true)).toBeUndefined();
  });
});
