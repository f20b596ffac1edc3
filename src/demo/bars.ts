/** Loads as bars, before and after. */

import { widthOf } from "../output/lines.ts";
import type { Painter } from "../output/terminal.ts";

export interface Bar {
  readonly label: string;
  /** Load / mean load; no unit, >= 0. */
  readonly value: number;
  /** A word behind the number. */
  readonly note?: string;
}

interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const GAP = "   ";
const LONGEST_BAR = 30;

/** Both panels side by side on one scale, or one below the other where the width does not allow it. */
export function renderPanels(left: Panel, right: Panel, columns: number, paint: Painter): string[] {
  const bars = [...left.bars, ...right.bars];
  const top = Math.max(1, ...bars.map(({ value }) => value));
  const beside = Math.max(0, ...bars.map(({ label, note = "" }) => widthOf(label) + widthOf(note) + "  2.00 ".length));
  const half = Math.floor((columns - GAP.length) / 2);
  const sideBySide = half - beside >= 10;
  const length = Math.max(1, Math.min(LONGEST_BAR, (sideBySide ? half : columns) - beside));
  const [first = [], second = []] = [left, right].map((panel) => renderPanel(panel, { top, length, paint }));
  if (!sideBySide) return [...first, EMPTY, ...second].map(({ painted }) => painted);
  return Array.from({ length: Math.max(first.length, second.length) }, (_, row) => {
    const { painted, width } = first[row] ?? EMPTY;
    const other = second[row];
    return other ? painted + " ".repeat(beside + length - width) + GAP + other.painted : painted;
  });
}

interface Scale {
  /** The value of a bar of full length. */
  readonly top: number;
  readonly length: number;
  readonly paint: Painter;
}

interface Row {
  readonly painted: string;
  readonly width: number;
}

const EMPTY: Row = { painted: "", width: 0 };

function renderPanel({ title, bars }: Panel, { top, length, paint }: Scale): Row[] {
  const labels = Math.max(0, ...bars.map(({ label }) => widthOf(label)));
  const rows = bars.map(({ label, value, note = "" }) => {
    const bar = barOf((value / top) * length);
    const [start, end] = [`${label.padEnd(labels)} `, ` ${value.toFixed(2)} ${note}`.trimEnd()];
    return { painted: start + paint(hue(value), bar) + end, width: widthOf(start + bar + end) };
  });
  return [{ painted: paint("bold", title), width: widthOf(title) }, ...rows];
}

/** A bar to an eighth of a character, never empty. */
function barOf(length: number): string {
  const eighths = Math.max(1, Math.round(length * 8));
  return "█".repeat(Math.floor(eighths / 8)) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
}

function hue(value: number): "red" | "yellow" | "green" {
  if (value >= 2) return "red";
  return value >= 1.5 ? "yellow" : "green";
}
