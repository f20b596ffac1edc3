import { describe, expect, it } from "vitest";

import { renderGrid } from "./grid.ts";
import { createPainter } from "./terminal.ts";

const plain = createPainter(false);
const grid = {
  columns: [
    { id: "name", title: "NAME", align: "left", least: 6 },
    { id: "host", title: "HOST", align: "left", dropped: 1 },
    { id: "load", title: "LOAD", align: "right", dropped: 2 },
    { id: "note", title: "NOTE", align: "left", least: 4 },
  ],
  rows: [
    {
      name: { text: "orders-0" },
      host: { text: "node-1" },
      load: { text: "1.50" },
      note: { text: "hot", style: "red" },
    },
    "… and more …",
    { name: { text: "the mean", short: "mean" }, load: { text: "12.25" } },
  ],
} as const;

describe("a grid", () => {
  it("aligns its columns, and needs no blank behind the last one", () => {
    expect(renderGrid(grid, 80, plain)).toEqual([
      "NAME      HOST     LOAD  NOTE",
      "orders-0  node-1   1.50  hot",
      "… and more …",
      "the mean          12.25",
    ]);
  });

  it("cuts what may be cut once a column had to go, and takes the short word where there is one", () => {
    expect(renderGrid(grid, 19, plain)).toEqual([
      "NAME     LOAD  NOTE",
      "order…   1.50  hot",
      "… and more …",
      "mean    12.25",
    ]);
  });

  it("leaves out a row of which only the first column is left", () => {
    expect(renderGrid(grid, 14, plain)).toEqual(["NAME      NOTE", "orders-0  hot", "… and more …"]);
  });

  it("has the same widths in colour", () => {
    const painted = renderGrid(grid, 80, createPainter(true))[1] ?? "";
    expect(painted).toBe("orders-0  node-1   1.50  \u001b[31mhot\u001b[39m");
  });
});
