/** Text that fits a width. Widths count characters, not bytes. */

/** Cut where it hurts least: a pod's name tells most at its end, a node's name at both. */
export interface Cut {
  /** Share (0…1) of what is kept that comes from the beginning. */
  readonly head: number;
}
export const CUT_POD: Cut = { head: 0.3 };
export const CUT_NODE: Cut = { head: 0.5 };
export const CUT_END: Cut = { head: 1 };

export function widthOf(text: string): number {
  return Array.from(text).length;
}

/** The text if it fits, otherwise both its ends with "…" between them; `width` >= 1. */
export function cutTo(text: string, width: number, { head }: Cut): string {
  const characters = Array.from(text);
  if (characters.length <= width) return text;
  const kept = width - 1;
  const front = Math.floor(kept * head);
  return [...characters.slice(0, front), "…", ...characters.slice(characters.length - (kept - front))].join("");
}

/**
 * Breaks a sentence into lines no wider than `width`, between words where that can be done.
 *
 * @param lead - what stands before it on its first line, as it is.
 * @param indent - how far its other lines are set in; less than `width`.
 */
export function wrap(lead: string, text: string, width: number, indent: number): string[] {
  const margin = " ".repeat(indent);
  const lines: string[] = [];
  let line = lead;
  let begun = false;
  for (const word of words(text, width - indent)) {
    const longer = begun ? `${line} ${word}` : line + word;
    if (widthOf(longer) <= width) line = longer;
    else {
      lines.push(line.trimEnd());
      line = margin + word;
    }
    begun = true;
  }
  return [...lines, line.trimEnd()];
}

/** Joins parts with three spaces, and begins a new line (set in by two) where the next does not fit. */
export function flow(parts: readonly string[], width: number): string[] {
  let lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const joined = last === undefined ? part : `${last}   ${part}`;
    const own = last === undefined ? part : `  ${part}`;
    if (widthOf(joined) <= width) lines = [...lines.slice(0, -1), joined];
    else if (widthOf(own) <= width) lines = [...lines, own];
    else lines = [...lines, ...wrap(last === undefined ? "" : "  ", part, width, 2)];
  }
  return lines;
}

/** A word that no line can hold is cut into pieces that fit. */
function words(text: string, width: number): string[] {
  return text.split(" ").flatMap((word) => {
    const characters = Array.from(word);
    const pieces: string[] = [];
    for (let from = 0; from < characters.length; from += width) {
      pieces.push(characters.slice(from, from + width).join(""));
    }
    return pieces;
  });
}
