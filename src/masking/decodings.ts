/** The ways in which servers and programs write down what they were sent, undone. */

/**
 * A text as the bytes of its UTF-8, after some decoding. Byte `i` was written as the characters from `at[i]` up to `at[i + 1]` of the
 * original text; `at` has one entry more than there are bytes.
 */
export interface Decoded {
  readonly bytes: Buffer;
  readonly at: Uint32Array;
}

/** Encoded, encoded again by the next server, and once more by the one before it. */
const MOST_LAYERS = 3;

/** The text as it stands, and behind it what it says once its escapes are undone, and undone again: as often as there are any. */
export function decodings(text: string): Decoded[] {
  const layers: Decoded[] = [];
  let layer: Decoded | undefined = folded(bytesOf(text));
  while (layer && layers.length <= MOST_LAYERS) {
    layers.push(layer);
    layer = withoutEscapes(layer);
  }
  return layers;
}

function bytesOf(text: string): Decoded {
  const bytes = Buffer.from(text, "utf8");
  const at = new Uint32Array(bytes.length + 1);
  let to = 0;
  for (let from = 0; from < text.length;) {
    const code = text.codePointAt(from) ?? 0;
    at.fill(from, to, (to += byteLength(code)));
    from += code > 0xff_ff ? 2 : 1;
  }
  at[to] = text.length;
  return { bytes, at };
}

function byteLength(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x8_00) return 2;
  return code > 0xff_ff ? 4 : 3;
}

const SPACE = 0x20;
/** Tab, line feed, carriage return, and "+", which stands for a space in a form. */
const LIKE_SPACE: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x2b]);

/** Whether "+" was meant cannot be told, and what is shown may have other white space: all count as a space. */
function folded(decoded: Decoded): Decoded {
  const { bytes } = decoded;
  for (let index = 0; index < bytes.length; index += 1) {
    if (LIKE_SPACE.has(bytes[index] ?? 0)) bytes[index] = SPACE;
  }
  return decoded;
}

interface Escape {
  readonly stands: Buffer;
  /** How many bytes it takes. */
  readonly taken: number;
}

/** @returns undefined where there are none. */
function withoutEscapes({ bytes, at }: Decoded): Decoded | undefined {
  // No escape is shorter than what it stands for.
  const to = Buffer.from(bytes);
  const toAt = new Uint32Array(bytes.length + 1);
  let length = 0;
  for (let from = 0; from < bytes.length;) {
    const { stands, taken } = escapeAt(bytes, from) ?? { stands: bytes.subarray(from, from + 1), taken: 1 };
    stands.copy(to, length);
    toAt.fill(at[from] ?? 0, length, length + stands.length);
    length += stands.length;
    from += taken;
  }
  if (length === bytes.length) return undefined;
  toAt[length] = at.at(-1) ?? 0;
  return folded({ bytes: to.subarray(0, length), at: toAt.subarray(0, length + 1) });
}

function escapeAt(bytes: Buffer, from: number): Escape | undefined {
  const byte = bytes[from];
  if (byte === PERCENT) return percentAt(bytes, from);
  if (byte === AMPERSAND) return entityAt(bytes, from);
  return byte === BACKSLASH ? backslashAt(bytes, from) : undefined;
}

const PERCENT = 0x25;
const AMPERSAND = 0x26;
const BACKSLASH = 0x5c;

/** RFC 3986, in either case. */
function percentAt(bytes: Buffer, from: number): Escape | undefined {
  const byte = hexAt(bytes, from + 1, 2);
  return byte === undefined ? undefined : { stands: Buffer.of(byte), taken: 3 };
}

/** HTML's references to a character: by number, or by name where it is one of ASCII. */
const ENTITY = /^&(?:#(?<decimal>\d{1,7})|#[xX](?<hex>[\da-fA-F]{1,6})|(?<name>[a-zA-Z]{2,8}));/;
const LONGEST_ENTITY = 10;

function entityAt(bytes: Buffer, from: number): Escape | undefined {
  const match = ENTITY.exec(bytes.toString("latin1", from, from + LONGEST_ENTITY));
  if (match === null) return undefined;
  const { decimal, hex, name } = match.groups ?? {};
  const stands = name === undefined ? characterOf(decimal ?? `0x${hex}`) : NAMED.get(name);
  return stands === undefined ? undefined : { stands: Buffer.from(stands), taken: match[0].length };
}

function characterOf(number: string): string | undefined {
  const code = Number(number);
  return code > 0x10_ff_ff ? undefined : String.fromCodePoint(code);
}

/** @see https://html.spec.whatwg.org/multipage/named-characters.html */
const NAMED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    Tab: "\t",
    NewLine: "\n",
    nbsp: " ",
    excl: "!",
    quot: '"',
    QUOT: '"',
    num: "#",
    dollar: "$",
    percnt: "%",
    amp: "&",
    AMP: "&",
    apos: "'",
    lpar: "(",
    rpar: ")",
    ast: "*",
    plus: "+",
    comma: ",",
    period: ".",
    sol: "/",
    colon: ":",
    semi: ";",
    lt: "<",
    LT: "<",
    equals: "=",
    gt: ">",
    GT: ">",
    quest: "?",
    commat: "@",
    lsqb: "[",
    lbrack: "[",
    bsol: "\\",
    rsqb: "]",
    rbrack: "]",
    Hat: "^",
    lowbar: "_",
    grave: "`",
    lcub: "{",
    lbrace: "{",
    verbar: "|",
    vert: "|",
    rcub: "}",
    rbrace: "}",
  }),
);

/** JSON's escapes, and those that Go, Python and C have besides. */
function backslashAt(bytes: Buffer, from: number): Escape | undefined {
  const letter = String.fromCharCode(bytes[from + 1] ?? 0);
  const digits = HEX_DIGITS.get(letter);
  if (digits !== undefined) return numberedAt(bytes, from, digits);
  const stands = SIMPLE.get(letter);
  return stands === undefined ? undefined : { stands: Buffer.from(stands), taken: 2 };
}

/** A byte (two digits), or a character by its number; half of one, and the other half behind it, in JSON. */
function numberedAt(bytes: Buffer, from: number, digits: number): Escape | undefined {
  const code = hexAt(bytes, from + 2, digits);
  if (code === undefined || code > 0x10_ff_ff) return undefined;
  const taken = 2 + digits;
  if (digits === 2) return { stands: Buffer.of(code), taken };
  const low = isHighHalf(code) ? lowHalfAt(bytes, from + taken) : undefined;
  if (low === undefined) return { stands: Buffer.from(String.fromCodePoint(code)), taken };
  return { stands: Buffer.from(String.fromCharCode(code, low)), taken: 2 * taken };
}

function lowHalfAt(bytes: Buffer, from: number): number | undefined {
  const code = bytes.toString("latin1", from, from + 2) === "\\u" ? hexAt(bytes, from + 2, 4) : undefined;
  return code !== undefined && isLowHalf(code) ? code : undefined;
}

const HEX_DIGITS: ReadonlyMap<string, number> = new Map([
  ["x", 2],
  ["u", 4],
  ["U", 8],
]);

const SIMPLE: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

function isHighHalf(code: number): boolean {
  return code >= 0xd8_00 && code < 0xdc_00;
}

function isLowHalf(code: number): boolean {
  return code >= 0xdc_00 && code < 0xe0_00;
}

function hexAt(bytes: Buffer, from: number, digits: number): number | undefined {
  let value = 0;
  for (let at = from; at < from + digits; at += 1) {
    const digit = HEX[bytes[at] ?? 0] ?? -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

/** By the byte of a digit its value; -1: none. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) =>
  "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase()),
);
