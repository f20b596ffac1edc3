/** Text from outside, made fit to be shown. */

import { stripVTControlCharacters } from "node:util";

/** Control and format characters (bidirectional overrides among them), line separators, halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** More of what a server says helps nobody. */
const MOST_CHARACTERS = 300;

/**
 * Text from outside (a name, a server's words) as it may be shown: one line, without escape sequences, and without
 * characters that move the cursor, change the direction of writing or cannot be seen.
 */
export function cleanText(text: string): string {
  return stripVTControlCharacters(text).replaceAll(UNPRINTABLE, " ");
}

/** What a server or a program said, clean, without needless space, and cut short. */
export function printable(text: string): string {
  const clean = cleanText(text).replaceAll(/\s+/g, " ").trim();
  return clean.length > MOST_CHARACTERS ? `${clean.slice(0, MOST_CHARACTERS)}…` : clean;
}
