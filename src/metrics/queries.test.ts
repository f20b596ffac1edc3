import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { METRICS_OPTIONS } from "../../test/fakes/metrics-options.ts";
import { type PodInfo, SIGNALS } from "../types.ts";
import { LEFT_OUT, PROFILES, type QueryName } from "./profiles.ts";
import {
  isLabelName,
  isMatcherList,
  type MetricsOptions,
  podsPattern,
  queryOf,
  topicsPattern,
  usesGroup,
} from "./queries.ts";

type Named = Pick<PodInfo, "namePrefix" | "controller">;

function named(namePrefix: string, kind = "ReplicaSet"): Named {
  return { namePrefix, controller: { kind, name: "x", uid: "x" } };
}

const PODS = [named("consumer-5d8f7c9b-")] as unknown as readonly PodInfo[];

const anything = fc.string({
  unit: fc.oneof(fc.constantFrom(...Array.from("\"'`\\\n$){}|.*+?[]^#")), fc.string({ unit: "binary" })),
});

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
  const profiles = Object.keys(PROFILES) as (keyof typeof PROFILES)[];
  const queries = profiles.flatMap((profile) =>
    (Object.keys(PROFILES[profile]) as QueryName[])
      .filter((name) => PROFILES[profile][name] !== LEFT_OUT)
      .map((name) => [profile, name] as const),
  );

  it.each(queries)("leaves no variable in the query of %s for %s, and no selector without its own", (profile, name) => {
    const query = queryOf(name, PODS, { ...METRICS_OPTIONS, profile, matchers: 'cluster="eu"' }, ["a.b"]) ?? "";
    expect(query).not.toMatch(/\$[a-z]/);
    const selectors = [...query.matchAll(/\{([a-z][^{}]*)\}/g)].map(([, inside]) => inside);
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) {
      expect(selector).toMatch(
        /^(namespace="shop",pod=~"consumer-5d8f7c9b-[.][*]"|group="orders"|topic=~"a\[\._\]b"),.*cluster="eu"$/,
      );
    }
    const ofGroup = profile === "kafka-lag-exporter" && (name === "lag" || name === "rate");
    if (SIGNALS.some((signal) => signal === name) && !ofGroup) expect(query).toContain('namespace="shop",pod=~');
  });

  it.each(queries)("stays far below what VictoriaMetrics refuses: %s, %s", (profile, name) => {
    expect(PROFILES[profile][name].length).toBeLessThan(6_000);
  });

  it("replaces the variables of a custom query, and nothing else", () => {
    const cpu =
      "$namespace $pods $group $topics $window $staleness $matchers [$replica_labels] $1 ${1} $podsx $pods_x $groups $toString $$";
    const options = {
      ...METRICS_OPTIONS,
      queries: { cpu },
      matchers: 'a="$pods"',
      windowSeconds: 90,
      stalenessSeconds: 45,
    };
    expect(queryOf("cpu", PODS, options, ["orders"])).toBe(
      'shop consumer-5d8f7c9b-.* orders orders 90s 45 a="$pods" [prometheus_replica, replica] $1 ${1} $podsx $pods_x $groups $toString $$',
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

describe("the group's name in a query", () => {
  it("stays one string of PromQL in any quotes, and is what it was", () => {
    fc.assert(
      fc.property(anything, (group) => {
        for (const quote of ['"', "'", "`"]) {
          const queries = { cpu: `up{group=${quote}$group${quote}}` };
          const query = queryOf("cpu", PODS, { ...METRICS_OPTIONS, group, queries }) ?? "";
          const [, inside = "no literal"] =
            /^up\{group=["'`]((?:[a-zA-Z0-9 ._-]|\\U[0-9a-f]{8})*)["'`]\}$/.exec(query) ?? [];
          const read = inside.replaceAll(/\\U(.{8})/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)));
          expect(read).toBe(group);
        }
      }),
    );
  });

  it("is needed where a query names it", () => {
    const { queries } = METRICS_OPTIONS;
    expect(usesGroup({ profile: "kafka-lag-exporter", queries })).toBe(true);
    expect(usesGroup({ profile: "java-client", queries })).toBe(false);
    expect(usesGroup({ profile: "seed", queries: { lag: 'lag{group="$group"}' } })).toBe(true);
    expect(usesGroup({ profile: "seed", queries: { lag: 'lag{groups="$groups"}' } })).toBe(false);
    const custom = { lag: "l", rate: "r", ownership: "none", partitionRate: "none" };
    expect(usesGroup({ profile: "kafka-lag-exporter", queries: custom })).toBe(false);
  });
});

describe("topicsPattern", () => {
  it("catches its topics with dots or underscores, once each and in a steady order", () => {
    expect(topicsPattern(["orders", "com.shop_x", "com_shop.x", "a-b"])).toBe("a-b|com[._]shop[._]x|orders");
  });

  it("stays one string of PromQL in any quotes, and catches its topics, whatever their names", () => {
    fc.assert(
      fc.property(fc.array(anything, { minLength: 1 }), (topics) => {
        const pattern = topicsPattern(topics);
        expect(pattern).toMatch(/^[a-zA-Z0-9._|[\]-]*$/);
        for (const topic of topics) expect(topic).toMatch(new RegExp(`^(?:${pattern})$`, "su"));
      }),
    );
  });

  it("catches every topic where it would be too long for VictoriaMetrics", () => {
    expect(topicsPattern(Array.from({ length: 1_000 }, (_, index) => `topic-${index}`))).toBe(".+");
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
