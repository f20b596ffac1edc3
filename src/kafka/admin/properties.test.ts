import { describe, expect, it } from "vitest";

import { parseProperties } from "./properties.ts";

describe("a properties file", () => {
  it.each<[string, Record<string, string>]>([
    ["", {}],
    ["a=b", { a: "b" }],
    ["  a = b \r\nc:d\re f", { a: "b ", c: "d", e: "f" }],
    ["a=b=c:d", { a: "b=c:d" }],
    ["a", { a: "" }],
    ["a=\nb=1", { a: "", b: "1" }],
    ["# a=1\n ! b=2\nc=3", { c: "3" }],
    ["# goes on \\\na=1", { a: "1" }],
    ["a=1, \\\n   2, \\\n   3", { a: "1, 2, 3" }],
    ["a=1\\\\\nb=2", { a: "1\\", b: "2" }],
    ["a=1\\", { a: "1" }],
    ["a=1 \\\n\nb=2", { a: "1 ", b: "2" }],
    ["a\\=b\\ c=\\u00e9\\t\\n\\q\\\\", { "a=b c": "é\t\nq\\" }],
    ["a=1\na=2", { a: "2" }],
    ["a=x # y", { a: "x # y" }],
  ])("%j is %j", (text, expected) => {
    expect(Object.fromEntries(parseProperties(text))).toEqual(expected);
  });
});
