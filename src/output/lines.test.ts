import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { CUT_END, CUT_NODE, CUT_POD, cutTo, flow, widthOf, wrap } from "./lines.ts";

describe("cutting", () => {
  it("keeps the end of a pod's name, both ends of a node's, the beginning of a sentence", () => {
    expect(cutTo("consumer-5d8f7cc7b5-x2k9q", 14, CUT_POD)).toBe("con…c7b5-x2k9q");
    expect(cutTo("ip-10-0-1-23.internal", 11, CUT_NODE)).toBe("ip-10…ernal");
    expect(cutTo("too young (10m)", 10, CUT_END)).toBe("too young…");
  });

  it("leaves alone what fits, and counts characters, not bytes", () => {
    expect(cutTo("orders-0", 8, CUT_POD)).toBe("orders-0");
    expect(cutTo("😀😀😀", 3, CUT_END)).toBe("😀😀😀");
    expect(cutTo("😀😀😀", 2, CUT_END)).toBe("😀…");
  });

  it("never exceeds the width", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 30 }), (text, width) => {
        for (const cut of [CUT_POD, CUT_NODE, CUT_END])
          expect(widthOf(cutTo(text, width, cut))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe("wrapping", () => {
  it("breaks between words and sets the other lines in", () => {
    expect(wrap("HOLD  ", "the group is balanced", 18, 2)).toEqual(["HOLD  the group is", "  balanced"]);
  });

  it("begins a new line where not even the first word fits behind the lead", () => {
    expect(wrap("  1  orders-0  ", "replaced", 16, 5)).toEqual(["  1  orders-0", "     replaced"]);
  });

  it("cuts a word that no line can hold", () => {
    expect(wrap("", "a-very-long-name", 10, 2)).toEqual(["a-very-l", "  ong-name"]);
  });

  it("loses no word and never exceeds the width", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "é", "-"), minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(word), fc.integer({ min: 12, max: 60 }), (words, width) => {
        const lines = wrap("ERROR  ", words.join(" "), width, 2);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
        expect(lines.join("").replaceAll(" ", "")).toBe(`ERROR${words.join("")}`);
      }),
    );
  });
});

describe("flowing", () => {
  it("keeps parts together and begins a line where the next does not fit", () => {
    expect(flow(["shop  app=x", "8 pods, 8 Ready", "window 5m"], 30)).toEqual([
      "shop  app=x   8 pods, 8 Ready",
      "  window 5m",
    ]);
  });

  it("wraps a part that no line can hold", () => {
    expect(flow(["shop", "samples: cpu 8/8  lag 8/8"], 20)).toEqual(["shop", "  samples: cpu 8/8", "  lag 8/8"]);
  });
});
