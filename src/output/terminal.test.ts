import { describe, expect, it } from "vitest";

import { colourWanted, columnsOf, createPainter } from "./terminal.ts";

const ESC = "\u001b";

describe("colour", () => {
  const screen = { isTTY: true };

  it("is for terminals", () => {
    expect(colourWanted(screen, { TERM: "xterm-256color" })).toBe(true);
    expect(colourWanted({}, { TERM: "xterm-256color" })).toBe(false);
  });

  it("gives way to NO_COLOR unless that is empty, and to a dumb terminal", () => {
    expect(colourWanted(screen, { NO_COLOR: "1" })).toBe(false);
    expect(colourWanted(screen, { NO_COLOR: "0" })).toBe(false);
    expect(colourWanted(screen, { NO_COLOR: "" })).toBe(true);
    expect(colourWanted(screen, { TERM: "dumb" })).toBe(false);
  });

  it("cannot be forced into a file", () => {
    expect(colourWanted({ isTTY: false }, { FORCE_COLOR: "3" })).toBe(false);
  });

  it("is put around text only when it is on, and never around nothing", () => {
    expect(createPainter(true)("red", "hot")).toBe(`${ESC}[31mhot${ESC}[39m`);
    expect(createPainter(true)("red", "")).toBe("");
    expect(createPainter(true)(undefined, "hot")).toBe("hot");
    expect(createPainter(false)("red", "hot")).toBe("hot");
  });
});

describe("the width", () => {
  it("is the terminal's, else COLUMNS, else 100", () => {
    expect(columnsOf({ isTTY: true, columns: 132 }, { COLUMNS: "80" })).toBe(132);
    expect(columnsOf({}, { COLUMNS: "80" })).toBe(80);
    expect(columnsOf({}, {})).toBe(100);
  });

  it.each(["", "wide", "-5", "80.5", "0"])("takes COLUMNS=%j for nothing", (COLUMNS) => {
    expect(columnsOf({}, { COLUMNS })).toBe(100);
  });

  it("is not believed where a terminal says 0", () => {
    expect(columnsOf({ isTTY: true, columns: 0 }, {})).toBe(100);
  });
});
