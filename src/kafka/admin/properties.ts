/**
 * Reads Java's properties format.
 *
 * @see https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
 * @returns by key; of a key that is there twice the last value.
 */
export function parseProperties(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const [, key = "", value = ""] = /^((?:\\.|[^\\=:\s])*)[^\S\n]*[=:]?\s*(.*)$/su.exec(line) ?? [];
    properties.set(unescaped(key), unescaped(value));
  }
  return properties;
}

/** Lines that are no comment, each with those that continue it. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let begun = "";
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.trimStart();
    if (begun === "" && /^([#!]|$)/.test(line)) continue;
    const continues = isContinued(line);
    begun += continues ? line.slice(0, -1) : line;
    if (continues) continue;
    lines.push(begun);
    begun = "";
  }
  return begun === "" ? lines : [...lines, begun];
}

/** A backslash at the end that is not itself escaped. */
function isContinued(line: string): boolean {
  const [backslashes = ""] = /\\*$/.exec(line) ?? [];
  return backslashes.length % 2 === 1;
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescaped(text: string): string {
  return text.replaceAll(/\\(u[\da-fA-F]{4}|.)/gsu, (_all, escaped: string) =>
    escaped.length === 5 ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16)) : (ESCAPES[escaped] ?? escaped),
  );
}
