import { cleanText } from "../text.ts";
import { formatCount } from "./numbers.ts";

/** So many names are given in full; of more, their number. */
const NAMES_SHOWN = 5;

/** "without a controller, ignored: a, b, c, d, e and 3 more"; nothing where there are no names. */
export function note(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > NAMES_SHOWN ? ` and ${formatCount(names.length - NAMES_SHOWN)} more` : "";
  return [`${title}: ${cleanText(names.slice(0, NAMES_SHOWN).join(", "))}${more}`];
}
