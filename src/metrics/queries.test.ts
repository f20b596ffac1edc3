import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { METRICS_OPTIONS } from "../../test/fakes/metrics-options.ts";
import { type PodInfo, SIGNALS } from "../types.ts";
import { PROFILES } from "./profiles.ts";
import { isLabelName, isMatcherList, type MetricsOptions, podsPattern, queryOf } from "./queries.ts";

type Named = Pick<PodInfo, "namePrefix" | "controller">;

function named(namePrefix: string, kind = "ReplicaSet"): Named {
  return { namePrefix, controller: { kind, name: "x", uid: "x" } };
}

const PODS = [named("consumer-5d8f7c9b-")] as unknown as readonly PodInfo[];

describe("podsPattern", () => {
  it.each([
    ["one prefix once, however many pods", [named("a-1-"), named("a-1-")], "a-1-.*"],
    ["two ReplicaSets of a rollout, in a steady order", [named("a-2-"), named("a-1-")], "a-1-.*|a-2-.*"],
    ["ordinals only behind a StatefulSet's name", [named("a-", "StatefulSet")], "a-[0-9]+"],
    ["another group's StatefulSet like any other kind", [named("a-", "StatefulSet.apps.kruise.io")], "a-.*"],
    ["a dot as itself", [named("a.v2-1-")], "a[.]v2-1-.*"],
  ])("holds %s", (_, pods, pattern) => {
    expect(podsPattern(pods)).toBe(pattern);
  });

  it("catches every pod it was made from, and needs no escaping in PromQL", () => {
    const prefix = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?-$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(prefix, fc.boolean()), { minLength: 1 }), (rows) => {
        const pods = rows.map(([each, stateful]) => named(each, stateful ? "StatefulSet" : "ReplicaSet"));
        const pattern = podsPattern(pods);
        expect(pattern).not.toMatch(/["'`\\\n]/);
        const anchored = new RegExp(`^(?:${pattern})$`);
        for (const [each, stateful] of rows) expect(`${each}${stateful ? "12" : "x2k9q"}`).toMatch(anchored);
        for (const [each] of rows) expect(`z${each}x2k9q`.replaceAll(".", "z")).not.toBe(each);
      }),
    );
  });

  it("catches nothing but what begins like one of them", () => {
    const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,8}[a-z0-9])?$/);
    fc.assert(
      fc.property(name, name, fc.boolean(), (owner, other, stateful) => {
        const pattern = podsPattern([named(`${owner}-`, stateful ? "StatefulSet" : "ReplicaSet")]);
        const caught = new RegExp(`^(?:${pattern})$`);
        for (const pod of [other, owner, `${owner}-${other}`, `${owner}-0`, `${owner.replaceAll(".", "x")}-0`]) {
          const begins = pod.startsWith(`${owner}-`);
          expect(caught.test(pod), pod).toBe(stateful ? begins && /^\d+$/.test(pod.slice(owner.length + 1)) : begins);
        }
      }),
    );
  });

  const anything = fc.string({
    unit: fc.oneof(fc.constantFrom(...Array.from("\"'`\\\n$){}|.*+?[]^#")), fc.string({ unit: "binary" })),
  });

  it("stays one string of PromQL in any quotes, and catches its pods, whatever their names", () => {
    fc.assert(
      fc.property(anything, fc.boolean(), (prefix, stateful) => {
        const pods = [named(prefix, stateful ? "StatefulSet" : "ReplicaSet")] as unknown as readonly PodInfo[];
        for (const quote of ['"', "'", "`"]) {
          const queries = { cpu: `up{pod=~${quote}$pods${quote}}` };
          const query = queryOf("cpu", pods, { ...METRICS_OPTIONS, queries }) ?? "";
          const [, pattern = "no literal"] = /^up\{pod=~["'`]([a-z0-9.*+|[\]-]*)["'`]\}$/.exec(query) ?? [];
          expect(`${prefix}7`).toMatch(new RegExp(`^(?:${pattern})$`, "su"));
        }
      }),
    );
  });

  it("stays short for 1,000 pods", () => {
    const pods = Array.from({ length: 1_000 }, (_, index) => named(`consumer-${index % 3}-`));
    expect(podsPattern(pods)).toBe("consumer-0-.*|consumer-1-.*|consumer-2-.*");
  });
});

describe("queryOf", () => {
  it.each(Object.keys(PROFILES) as (keyof typeof PROFILES)[])("leaves no variable in the queries of %s", (profile) => {
    for (const signal of SIGNALS) {
      const query = queryOf(signal, PODS, { ...METRICS_OPTIONS, profile, matchers: 'cluster="eu"' }) ?? "";
      expect(query).not.toMatch(/\$[a-z]/);
      const selectors = [...query.matchAll(/\{([a-z][^{}]*)\}/g)].map(([, inside]) => inside);
      expect(selectors.length).toBeGreaterThan(0);
      for (const selector of selectors) {
        expect(selector).toMatch(/^namespace="shop",pod=~"consumer-5d8f7c9b-[.][*]",.*cluster="eu"$/);
      }
    }
  });

  it("replaces the variables of a custom query, and nothing else", () => {
    const cpu = "$namespace $pods $window $staleness $matchers [$replica_labels] $1 ${1} $podsx $pods_x $toString $$";
    const options = {
      ...METRICS_OPTIONS,
      queries: { cpu },
      matchers: 'a="$pods"',
      windowSeconds: 90,
      stalenessSeconds: 45,
    };
    expect(queryOf("cpu", PODS, options)).toBe(
      'shop consumer-5d8f7c9b-.* 90s 45 a="$pods" [prometheus_replica, replica] $1 ${1} $podsx $pods_x $toString $$',
    );
  });

  it("leaves out a signal whose query is none", () => {
    const options: MetricsOptions = { ...METRICS_OPTIONS, queries: { lag: "none" } };
    expect(queryOf("lag", PODS, options)).toBeUndefined();
    expect(queryOf("cpu", PODS, options)).toBeDefined();
  });

  it.each([
    [300, "5m"],
    [90, "90s"],
    [3_600, "60m"],
    [1.5, "1500ms"],
  ])("writes a window of %d s as %s", (windowSeconds, text) => {
    expect(queryOf("cpu", PODS, { ...METRICS_OPTIONS, queries: { cpu: "$window" }, windowSeconds })).toBe(text);
  });
});

describe("what may enter a query", () => {
  it.each(["", " ", 'cluster="eu"', ` a = "b" , c!~'d|e' `, String.raw`a="say \"hi\" \\"`, 'a=~".*",b!="{}"'])(
    "takes matchers %j",
    (text) => {
      expect(isMatcherList(text)).toBe(true);
    },
  );

  it.each([
    'cluster="eu"} or up{a="b"',
    "cluster=eu",
    'cluster="eu",',
    ',a="b"',
    'a="b" c="d"',
    'a=="b"',
    'a="b',
    String.raw`a="b\"`,
    '1a="b"',
    'a="b"#',
  ])("refuses matchers %j", (text) => {
    expect(isMatcherList(text)).toBe(false);
  });

  it("judges long matchers at once", () => {
    expect(isMatcherList(`${'a="b",'.repeat(20_000)}!`)).toBe(false);
    expect(isMatcherList(`a="${"\\".repeat(50_001)}`)).toBe(false);
  });

  it("tells label names from others", () => {
    expect(["replica", "_a1", "A"].filter(isLabelName)).toHaveLength(3);
    expect(["", "1a", "a-b", "a b", "a,b", "a) (x"].filter(isLabelName)).toEqual([]);
  });
});
