import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { cleanText, jsonOf, printable, quoted } from "./text.ts";

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
    [`${ESC}Pq#0;2;0;0;0${ESC}\\pod${ESC}(B${ESC}c`, "pod"],
    [`${ESC}]0;a title without an end`, "0;a title without an end"],
    ["in\u3164vi\u034fsi\ufe0fble", "in vi si ble"],
    ["plain – text, 5 × 2 …", "plain – text, 5 × 2 …"],
  ])("turns %j into %j", (text, clean) => {
    expect(cleanText(text)).toBe(clean);
  });

  it("leaves no character that a terminal acts on", () => {
    // Halves of characters among them.
    const character = fc.integer({ min: 0, max: 0x10_ff_ff }).map((code) => String.fromCodePoint(code));
    const text = fc.string({ unit: fc.oneof(character, fc.constantFrom(ESC, "[", "\n")) });
    fc.assert(
      fc.property(text, (dirty) => {
        expect(cleanText(dirty)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe("long text from outside", () => {
  // What Node's own function takes minutes for, or a regular expression that tries every way.
  it.each([
    `${ESC}]`,
    `${ESC}[`,
    `${ESC}[0`,
    `${ESC}[ `,
    "\u009d",
    "\u009b1;",
    `${ESC}]0;`,
    `${ESC}P${ESC}`,
    "\u0090a",
  ])("is cleaned at once, be it nothing but %j", (piece) => {
    expect(cleanText(piece.repeat(1_000_000))).not.toMatch(/\p{Cc}/u);
  });
});

describe("a value in quotes", () => {
  it.each([
    ["yes", '"yes"'],
    ["http://user:pass@host:9090/path", '"…@host:9090/path"'],
    ["https://host/path?token=1#2", '"https://host/path?…"'],
    ["https://host/path#token", '"https://host/path#…"'],
    [`two\nlines ${ESC}[31mred`, '"two lines red"'],
    ["x".repeat(81), `"${"x".repeat(80)}…"`],
  ])("of %j is %s", (text, shown) => {
    expect(quoted(text)).toBe(shown);
  });
});

describe("a value of a reply as JSON", () => {
  it("is no fault where it is missing or nested too deep", () => {
    expect(jsonOf({ a: [1] })).toBe('{"a":[1]}');
    expect(jsonOf(undefined)).toBe("missing");
    expect(jsonOf(JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`))).toBe("nested too deep to be shown");
  });
});

describe("what a server said", () => {
  it("is told without needless space, and cut short", () => {
    expect(printable("  <h1>\n  Bad\t gateway </h1>\n")).toBe("<h1> Bad gateway </h1>");
    expect(printable("x".repeat(301))).toBe(`${"x".repeat(300)}…`);
  });
});
