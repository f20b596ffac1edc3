import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { cleanText, printable } from "./text.ts";

const ESC = "\u001b";

describe("cleaning text from outside", () => {
  it.each([
    [`${ESC}[31mred${ESC}[0m`, "red"],
    [`${ESC}]0;a new title\u0007pod`, "pod"],
    ["two\r\nlines", "two lines"],
    ["tab\there", "tab here"],
    ["right\u202eto left", "right to left"],
    ["line\u2028separator", "line separator"],
    ["C1\u009b2Jcleared", "C1cleared"],
    ["half \ud800 a character", "half   a character"],
    ["plain – text, 5 × 2 …", "plain – text, 5 × 2 …"],
  ])("turns %j into %j", (text, clean) => {
    expect(cleanText(text)).toBe(clean);
  });

  it("leaves no character that a terminal acts on", () => {
    const text = fc.string({
      unit: fc.oneof(fc.string({ unit: "binary", maxLength: 1 }), fc.constantFrom(ESC, "[", "\n")),
    });
    fc.assert(
      fc.property(text, (dirty) => {
        expect(cleanText(dirty)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe("what a server said", () => {
  it("is told without needless space, and cut short", () => {
    expect(printable("  <h1>\n  Bad\t gateway </h1>\n")).toBe("<h1> Bad gateway </h1>");
    expect(printable("x".repeat(301))).toBe(`${"x".repeat(300)}…`);
  });
});
