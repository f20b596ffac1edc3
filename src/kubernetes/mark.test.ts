import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { markOf } from "./mark.ts";

describe("a mark by which a person keeps the product off", () => {
  it.each<[string | undefined, string | undefined, boolean, string | undefined]>([
    [undefined, undefined, false, undefined],
    ["false", undefined, false, undefined],
    ["false", "false", false, undefined],
    ["true", undefined, true, undefined],
    ["false", "true", true, undefined],
    ["yes", "true", true, undefined],
    ["yes", undefined, true, '"yes"'],
    [undefined, "", true, '""'],
    ["True", undefined, true, '"True"'],
    ["False", undefined, true, '"False"'],
    [" false", undefined, true, '" false"'],
    ["1", "no", true, '"1"'],
    ["\u001b[31mno\n", undefined, true, '"\\u001b[31mno\\n"'],
  ])("of %j and %j", (one, other, set, odd) => {
    expect(markOf(one, other)).toEqual({ set, odd });
  });

  it("counts whatever it says, but for false", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(markOf(value).set).toBe(value !== "false");
      }),
    );
  });
});
