/** A table with aligned columns that gives way when the terminal is narrow. */

import { type Cut, cutTo, CUT_END, widthOf } from "./lines.ts";
import type { Painter, Style } from "./terminal.ts";

export interface Cell {
  readonly text: string;
  /** Used instead where `text` does not fit. */
  readonly short?: string;
  readonly style?: Style | undefined;
}

export interface GridColumn<Id extends string> {
  readonly id: Id;
  readonly title: string;
  readonly align: "left" | "right";
  /** May be cut down to this width; without it the column is shown whole or not at all. */
  readonly least?: number;
  readonly cut?: Cut;
  /** Columns with a number may be left out, the lowest first. */
  readonly dropped?: number;
}

/** Cells by column; a string takes the whole line. */
export type GridRow<Id extends string> = Readonly<Partial<Record<Id, Cell>>> | string;

export interface Grid<Id extends string> {
  readonly columns: readonly GridColumn<Id>[];
  readonly rows: readonly GridRow<Id>[];
}

const GAP = 2;

/**
 * The header and the rows, each as one line of at most `width` characters. A row of which only the first column is left is left
 * out, too.
 */
export function renderGrid<Id extends string>(grid: Grid<Id>, width: number, paint: Painter): string[] {
  const columns = fit(grid, width);
  const title = Object.fromEntries(columns.map(({ id, title: text }) => [id, { text, style: "bold" }]));
  const told = grid.rows.filter((row) => typeof row === "string" || columns.slice(1).some(({ id }) => row[id]));
  const rows: readonly GridRow<Id>[] = [title as GridRow<Id>, ...told];
  return rows.map((row) => {
    if (typeof row === "string") return paint("dim", cutTo(row, width, CUT_END));
    return columns
      .map((column) => renderCell(column, row[column.id], paint))
      .join(" ".repeat(GAP))
      .trimEnd();
  });
}

type Measured<Id extends string> = GridColumn<Id> & { width: number };

/** Leaves columns out until the rest fits when cut down, then shares out the room, from the right to the left. */
function fit<Id extends string>({ columns, rows }: Grid<Id>, width: number): readonly Measured<Id>[] {
  const natural = (column: GridColumn<Id>) =>
    Math.max(
      widthOf(column.title),
      ...rows.map((row) => cellWidth(typeof row === "string" ? undefined : row[column.id])),
    );
  let kept = columns.map((column) => {
    const whole = natural(column);
    return { ...column, whole, width: Math.min(column.least ?? whole, whole) };
  });
  const spare = () => width - kept.reduce((sum, column) => sum + column.width + GAP, -GAP);
  while (spare() < 0) {
    const next = kept
      .filter(({ dropped }) => dropped !== undefined)
      .toSorted((a, b) => (a.dropped ?? 0) - (b.dropped ?? 0));
    if (next.length === 0) break;
    kept = kept.filter((column) => column !== next[0]);
  }
  for (const column of kept.toReversed())
    column.width = Math.max(column.width, Math.min(column.whole, column.width + spare()));
  return kept;
}

function cellWidth(cell: Cell | undefined): number {
  return cell === undefined ? 0 : widthOf(cell.text);
}

function renderCell<Id extends string>(column: Measured<Id>, cell: Cell | undefined, paint: Painter): string {
  const { text = "", short = text, style } = cell ?? {};
  const shown = widthOf(text) <= column.width ? text : cutTo(short, column.width, column.cut ?? CUT_END);
  const padding = " ".repeat(column.width - widthOf(shown));
  const painted = paint(style, shown);
  return column.align === "left" ? painted + padding : padding + painted;
}
