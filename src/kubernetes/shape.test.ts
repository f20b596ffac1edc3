import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { OBJECT_SHAPES } from "./object-shapes.ts";
import { count, exactly, flag, list, map, object, positive, text } from "./shape.ts";

describe("a shape", () => {
  it.each([
    [text, "", undefined],
    [text, 1, "f is 1, expected text"],
    [text, undefined, "f is missing, expected text"],
    [text, null, "f is null, expected text"],
    [flag, false, undefined],
    [flag, "true", 'f is "true", expected true or false'],
    [count, 0, undefined],
    [count, -1, "f is -1, expected a whole number >= 0"],
    [count, 1.5, "f is 1.5, expected a whole number >= 0"],
    [count, 1e300, "f is 1e+300, expected a whole number >= 0"],
    [count, "1", 'f is "1", expected a whole number >= 0'],
    [positive, 1, undefined],
    [positive, 0, "f is 0, expected a whole number > 0"],
    [exactly("a"), "a", undefined],
    [exactly("a"), "b", 'f is "b", expected "a"'],
    [list(text), null, undefined],
    [list(text), ["a"], undefined],
    [list(text), {}, "f is {}, expected a list"],
    [list(text), ["a", 1], "f[1] is 1, expected text"],
    [map(text), null, undefined],
    [map(text), { a: "b" }, undefined],
    [map(text), ["b"], 'f is ["b"], expected an object'],
    [map(text), { "a\u001b[31m": 1 }, 'f["a\\u001b[31m"] is 1, expected text'],
    [object({ a: text }), {}, undefined],
    [object({ a: text }), { a: undefined, b: 1 }, undefined],
    [object({ a: text }), null, "f is null, expected an object"],
    [object({ a: text }), { a: null }, "f.a is null, expected text"],
    [object({}, { a: text }), {}, "f.a is missing, expected text"],
    [
      object({ a: object({ b: list(count) }) }),
      { a: { b: [0, "x"] } },
      'f.a.b[1] is "x", expected a whole number >= 0',
    ],
    [text, Array.from({ length: 100 }, () => 1), /^f is \[(1,)+1?…, expected text$/],
  ])("%#: %j", (shape, value, expected) => {
    const fault = shape(value, "f");
    if (expected instanceof RegExp) expect(fault).toMatch(expected);
    else expect(fault).toBe(expected);
  });

  it("says what is wrong with any value, and never fails", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(OBJECT_SHAPES)), fc.jsonValue(), (shape, value) => {
        expect(shape(value, "")).toSatisfy((fault) => fault === undefined || typeof fault === "string");
      }),
    );
  });
});
