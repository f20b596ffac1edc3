/** What an error or a join says of a row. */

import type { Sample } from "../prometheus/parse.ts";
import { printable } from "../text.ts";

/** The labels of a row, as an error names it. */
export function labelsOf({ labels }: Sample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return printable(`{${pairs.join(", ")}}`);
}
