import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { podsNamed } from "../../test/fakes/pods.ts";
import type { Sample } from "../prometheus/parse.ts";
import { joinToPods } from "./fetch.ts";

const [A, B, C] = podsNamed(["a", "b", "c"]);
const PODS = [
  { ...A!, ip: "10.0.0.1" },
  { ...B!, ip: "fd00::2" },
  { ...C!, ip: undefined },
];

function owned(host: string, partition: number, value: number, labels: Record<string, string> = {}): Sample {
  return { labels: { topic: "orders", partition: String(partition), member_host: host, ...labels }, value };
}

function joined(...rows: readonly Sample[]) {
  const { values, rejected } = joinToPods(rows, PODS, "lag query");
  return { values: Object.fromEntries(values), rejected };
}

describe("rows of what members own", () => {
  it("are added up by the pod that has the member's address, however it is written", () => {
    const rows = [
      owned("/10.0.0.1", 0, 5),
      owned("n1.local/10.0.0.1", 1, 7),
      owned("/fd00:0:0:0:0:0:0:2", 2, 1),
      owned("::ffff:10.0.0.1", 3, 100),
      owned("192.0.2.1", 4, 900),
    ];
    expect(joined(...rows)).toEqual({ values: { a: 112, b: 1 }, rejected: [] });
  });

  it("are nobody's where two pods have the address", () => {
    const pods = [...PODS, { ...C!, ip: "10.0.0.1" }];
    expect(joinToPods([owned("10.0.0.1", 0, 5), owned("fd00::2", 1, 3)], pods, "lag query").values).toEqual(
      new Map([["b", 3]]),
    );
  });

  it("of a pod without an address are none", () => {
    expect(joined(owned("", 0, 5, { pod: "a" }), owned("undefined", 1, 5))).toEqual({ values: { a: 5 }, rejected: [] });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("reject the pod by name with %d among them", (bad) => {
    const { values, rejected } = joined(owned("10.0.0.1", 0, 5), owned("10.0.0.1", 1, bad), owned("fd00::2", 2, 3));
    expect([values, rejected]).toEqual([{ b: 3 }, ["a"]]);
  });

  it("are refused where two members own a partition, and it is named", () => {
    expect(() => joined(owned("10.0.0.1", 7, 50_000), owned("fd00::2", 7, 10))).toThrow(
      expect.objectContaining({
        code: "METRIC_AMBIGUOUS",
        message:
          'lag query: orders 7 has two rows, {topic="orders", partition="7", member_host="10.0.0.1"} and {topic="orders", partition="7", member_host="fd00::2"}, expected one',
      }),
    );
    expect(() => joined(owned("10.0.0.1", 7, 1), owned("192.0.2.1", 7, 1))).toThrow(/orders 7 has two rows/);
    expect(() => joined(owned("10.0.0.1", 7, 1), owned("10.0.0.1", 7, 1, { clientId: "x" }))).toThrow(/two rows/);
    expect(() => joined(owned("10.0.0.1", 7, 1), owned("10.0.0.1", 7, 1, { consumer_id: "x" }))).toThrow(/two rows/);
  });

  it("may contradict each other where none of these pods is concerned", () => {
    expect(joined(owned("192.0.2.1", 7, 1), owned("192.0.2.2", 7, 1), owned("10.0.0.1", 0, 5)).values).toEqual({
      a: 5,
    });
  });

  it.each(["cluster", "cluster_name"])("are refused where the addresses are found in two of %s", (name) => {
    const rows = [owned("10.0.0.1", 0, 5, { [name]: "one" }), owned("fd00::2", 0, 7, { [name]: "two" })];
    expect(() => joined(...rows)).toThrow(
      expect.objectContaining({
        code: "METRIC_AMBIGUOUS",
        message: `lag query: the pods' addresses are in two clusters, {topic="orders", partition="0", member_host="10.0.0.1", ${name}="one"} and {topic="orders", partition="0", member_host="fd00::2", ${name}="two"}`,
      }),
    );
    const [one] = rows;
    expect(joined(one!, owned("192.0.2.1", 0, 7, { [name]: "two" })).values).toEqual({ a: 5 });
  });

  it("count for the member with a number, where another gave the partition up", () => {
    expect(joined(owned("10.0.0.1", 7, Number.NaN), owned("fd00::2", 7, 10))).toEqual({
      values: { b: 10 },
      rejected: [],
    });
    const both = joined(owned("10.0.0.1", 7, Number.NaN), owned("fd00::2", 7, Number.NaN));
    expect(both).toEqual({ values: {}, rejected: ["a", "b"] });
  });

  it("are refused beside a row that names its pod", () => {
    expect(() => joined(owned("10.0.0.1", 0, 5), { labels: { pod: "a" }, value: 1 })).toThrow(/pod a has two rows/);
  });

  it("may be of no single partition", () => {
    expect(joined({ labels: { member_host: "10.0.0.1" }, value: 5 }).values).toEqual({ a: 5 });
  });

  it("give the same in any order, and lose nothing", () => {
    const hosts = fc.constantFrom("10.0.0.1", "/fd00:0:0:0:0:0:0:2", "192.0.2.1");
    const values = fc.array(fc.tuple(hosts, fc.nat({ max: 1_000 })));
    fc.assert(
      fc.property(values, (all) => {
        const rows = all.map(([host, value], partition) => owned(host, partition, value));
        expect(joined(...rows.toReversed())).toEqual(joined(...rows));
        const total = all.reduce((sum, [host, value]) => sum + (host === "192.0.2.1" ? 0 : value), 0);
        expect(Object.values(joined(...rows).values).reduce((sum, value) => sum + value, 0)).toBe(total);
      }),
    );
  });
});
