/** Text from outside, made fit to be shown. */

/**
 * What terminals act on: control sequences (CSI), command strings (OSC, DCS and their kin) up to their end, and escapes of a few
 * characters.
 *
 * Not Node's `stripVTControlCharacters`: it takes hours for the largest reply that is read, when that begins a command string at
 * every other character. Here no two matches can begin within one another, so each character is looked at a few times.
 */
const SEQUENCES = new RegExp(
  [
    String.raw`(?:\u001B\[|\u009B)[0-?]*[ -\/]*[@-~]`,
    String.raw`(?:\u001B[\]PX^_]|[\u0090\u0098\u009D-\u009F])[^\u0007\u001B\u0090-\u009F]*(?:\u0007|\u001B\\|\u009C)`,
    String.raw`\u001B[ -\/]*[0-~]`,
  ].join("|"),
  "gu",
);

/** Control and format characters (bidirectional overrides among them), what has no width, line separators, halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** More of what a server says helps nobody. */
const MOST_CHARACTERS = 300;

/** Of a setting or an argument. */
const MOST_OF_A_VALUE = 80;

/**
 * Text from outside (a name, a server's words) as it may be shown: one line, without escape sequences, and without
 * characters that move the cursor, change the direction of writing or cannot be seen.
 */
export function cleanText(text: string): string {
  return text.replaceAll(SEQUENCES, "").replaceAll(UNPRINTABLE, " ");
}

/** What a server or a program said, clean, without needless space, and cut short. */
export function printable(text: string): string {
  return shortened(cleanText(text).replaceAll(/\s+/g, " ").trim(), MOST_CHARACTERS);
}

/** A value as a person gave it, in quotes, clean and cut short, without what may be a secret in an address. */
export function quoted(text: string): string {
  return `"${shortened(withoutSecrets(cleanText(text)), MOST_OF_A_VALUE)}"`;
}

/** An address without what stands before "@" and behind "?" or "#"; any other text as it is, if it has none of these. */
export function withoutSecrets(address: string): string {
  return address.replace(/^.*@/s, "…@").replace(/([?#]).*/s, "$1…");
}

/** Any value of a reply as JSON; `JSON.stringify` alone breaks on what is nested too deep. */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "missing";
  } catch {
    return "nested too deep to be shown";
  }
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
