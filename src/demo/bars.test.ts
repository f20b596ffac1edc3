import { stripVTControlCharacters } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { widthOf } from "../output/lines.ts";
import { createPainter } from "../output/terminal.ts";
import { renderPanels } from "./bars.ts";

const plain = createPainter(false);
const before = {
  title: "before",
  bars: [
    { label: "abcde", value: 2 },
    { label: "fg", value: 0.5 },
  ],
};
const after = { title: "after", bars: [{ label: "hijkl", value: 1, note: "new" }] };

describe("bars before and after", () => {
  it("stand side by side on one scale where there is room", () => {
    expect(renderPanels(before, after, 54, plain)).toEqual([
      "before                      after",
      "abcde ██████████ 2.00       hijkl █████ 1.00 new",
      "fg    ██▌ 0.50",
    ]);
  });

  it("stand one below the other where there is not", () => {
    expect(renderPanels(before, after, 30, plain)).toEqual([
      "before",
      "abcde ███████████████ 2.00",
      "fg    ███▊ 0.50",
      "",
      "after",
      "hijkl ███████▌ 1.00 new",
    ]);
  });

  it("never are wider than the screen, and show a load of zero too", () => {
    const bars = fc.array(
      fc.record({ label: fc.constantFrom("a", "bcdef"), value: fc.double({ min: 0, max: 9, noNaN: true }) }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(bars, bars, fc.integer({ min: 30, max: 120 }), (left, right, columns) => {
        const lines = renderPanels({ title: "a", bars: left }, { title: "b", bars: right }, columns, plain);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
        expect(lines.join("").match(/[█▏▎▍▌▋▊▉] \d/g)?.length).toBe(left.length + right.length);
      }),
    );
  });

  it("have the same layout in colour", () => {
    const painted = renderPanels(before, after, 54, createPainter(true)).map(stripVTControlCharacters);
    expect(painted).toEqual(renderPanels(before, after, 54, plain));
  });
});
