import { describe, expect, it } from "vitest";

import { isLabelSelector, labelMatcher } from "./label-selector.ts";

describe("a label selector", () => {
  it.each([
    "app=consumer",
    "app==consumer",
    "app = consumer , tier != test",
    "app in (a, b),tier notin (c)",
    "app",
    "!canary",
    "app=",
    "example.com/part-of=shop",
    "app.kubernetes.io/name=a_b.c-D9",
    "a=,b",
    " app = a ,\n ! b , c in ( ,a ) ",
  ])("may be %s", (text) => {
    expect(isLabelSelector(text)).toBe(true);
  });

  it("is judged at once, however long", () => {
    const spaced = [`a in (${" , ".repeat(5_000)}!`, `${"a= , ".repeat(5_000)}!`, `a=${" ".repeat(50_000)}!`];
    for (const text of spaced) expect(isLabelSelector(text)).toBe(false);
    expect(isLabelSelector(`a in (${" , ".repeat(5_000)})`)).toBe(true);
  });

  it.each(["app=a\u2028", "app=a,\u00a0b", "\ufeffapp"])("has no space but that of Kubernetes: %j", (text) => {
    expect(isLabelSelector(text)).toBe(false);
  });

  it.each(["", " ", ",", "app=a,", "=a", "app=a b", "app in a", "app in ()b", "app=a;b", "a//b=c", "-a=b", "app=é"])(
    "is not %j",
    (text) => {
      expect(isLabelSelector(text)).toBe(false);
    },
  );
});

describe("what a label selector matches", () => {
  const LABELS = { app: "orders", tier: "", "example.com/part-of": "shop" };

  it.each([
    "app=orders",
    "app == orders , tier=",
    "app!=other",
    "missing!=x",
    "app in (a, orders) ,tier notin (c)",
    "missing notin (x)",
    "tier in (x,)",
    "app",
    "!canary",
    " ! canary , app ",
    "example.com/part-of=shop",
    " app = orders ,\n ! b , tier in ( ,a ) ",
  ])("is this: %j", (selector) => {
    expect(labelMatcher(selector)(LABELS)).toBe(true);
  });

  it.each([
    "app=other",
    "app=orders,tier=x",
    "app!=orders",
    "missing=",
    "missing in (a)",
    "app notin (a, orders)",
    "tier notin (,)",
    "missing",
    "constructor",
    "!app",
    "app=orders,!tier",
  ])("is not this: %j", (selector) => {
    expect(labelMatcher(selector)(LABELS)).toBe(false);
  });
});
