import { describe, expect, it } from "vitest";

import { isLabelSelector } from "./label-selector.ts";

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
  ])("may be %s", (text) => {
    expect(isLabelSelector(text)).toBe(true);
  });

  it.each(["", " ", ",", "app=a,", "=a", "app=a b", "app in a", "app in ()b", "app=a;b", "a//b=c", "-a=b", "app=é"])(
    "is not %j",
    (text) => {
      expect(isLabelSelector(text)).toBe(false);
    },
  );
});
