/** What a terminal may be sent, and how much of it. */

import { styleText } from "node:util";

/** Where there is no terminal to ask. */
const DEFAULT_COLUMNS = 100;

/** The part of a `tty.WriteStream` that counts. */
interface Screen {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Colour is for terminals only, so nothing can force it into a file or a pipe (no `FORCE_COLOR`).
 * @see https://no-color.org: any value of `NO_COLOR` that is not empty turns it off
 */
export function colourWanted(screen: Screen, env: Environment): boolean {
  return screen.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

/** The terminal's width; without one `COLUMNS`, or 100. */
export function columnsOf(screen: Screen, env: Environment): number {
  if (screen.isTTY === true && screen.columns) return screen.columns;
  const wanted = Number(env["COLUMNS"]);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : DEFAULT_COLUMNS;
}

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

/** Puts a style around text that has its final width already. */
export type Painter = (style: Style | undefined, text: string) => string;

export function createPainter(colour: boolean): Painter {
  return colour ? paintStyle : (_style, text) => text;
}

function paintStyle(style: Style | undefined, text: string): string {
  // The stream is not asked again: the caller knows which one it is.
  return style && text ? styleText(style, text, { validateStream: false }) : text;
}
