/** Keeps the secrets of a run out of what it says, however a server or a program wrote them down. */

import { type Decoded, decodings } from "./decodings.ts";

export interface Masker {
  /** What is shown anyway (the namespace, say): a secret that is part of it is none, and neither is a part of a secret. */
  show(words: Iterable<string>): void;
  /** From now on these are secret, one after the other; what they are called, and by whom they were issued, does not matter. */
  learn(secrets: Iterable<string>): void;
  /**
   * These may be secret, or be names that are shown everywhere (a tenant): only the whole value is masked, where it stands alone, and
   * only where it does not read like a name or a number.
   */
  learnWhole(values: Iterable<string>): void;
  /**
   * The words with "…" in place of each secret and of what is left of one; of words beyond 1 MiB only the beginning. It takes time
   * in proportion to their length, and next to none where nothing is secret.
   */
  mask(words: string): string;
}

/** What is left of a secret that was cut is masked if it has so many bytes. A guess at what is missing is then still hopeless. */
const FRAGMENT = 8;

/** So many, where they read like words: "password" is no part of a secret that ends in "-password", as far as anybody can tell. */
const FRAGMENT_OF_WORDS = 12;

/** A shorter secret may well be any word. One that is shorter than a fragment and reads like a word is masked where it stands alone. */
const SHORTEST = 5;

/** Eight letters and digits in a row, of both kinds: "81c6d2a05f", but neither "prod-eu-west-1" nor "10000". */
const OPAQUE = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{8}/i;

/** Names of pods, topics or tenants have no such characters. */
const IN_NO_NAME = /[^\w .:=/,-]/;

/** No message, name or page for people is longer; nor is anything shown that is. */
const MOST_CHARACTERS = 2 ** 20;

export function createMasker(): Masker {
  const known = new Set<string>();
  const index = createIndex();
  const openly: string[] = [];
  const alone = new Set<string>();

  function isSecret(run: string): boolean {
    if (openly.some((word) => word.includes(run))) return false;
    return run.length >= FRAGMENT_OF_WORDS || !WORDS.test(run) || index.holdsWhole(run);
  }

  return {
    show(words) {
      for (const word of words) openly.push(textOf(decodings(word)[0]));
    },
    learn(secrets) {
      for (const secret of secrets) {
        if (known.has(secret)) continue;
        const part = secret.length >= FRAGMENT_OF_WORDS && [...known].some((other) => other.includes(secret));
        known.add(secret);
        // Each of its fragments is one of the other's.
        if (part) continue;
        for (const form of linesOf(secret).flatMap((line) => [line, ...base64Of(line)])) {
          for (const layer of decodings(form)) index.add(textOf(layer));
        }
      }
    },
    learnWhole(values) {
      for (const value of values) {
        if (OPAQUE.test(value) || (value.length >= FRAGMENT_OF_WORDS && IN_NO_NAME.test(value))) {
          for (const layer of decodings(value)) alone.add(textOf(layer));
        }
      }
    },
    mask(words) {
      if (known.size === 0 && alone.size === 0) return words;
      if (words.length > MOST_CHARACTERS) return `${this.mask(words.slice(0, MOST_CHARACTERS))}…`;
      if (AS_IT_STANDS.test(words) && !index.mayBeIn(words) && ![...alone].some((one) => words.includes(one)))
        return words;
      const spans = decodings(words).flatMap((layer) => [
        ...spansIn(layer, index, isSecret),
        ...[...alone].flatMap((whole) => standingAlone(layer, whole)),
      ]);
      return spans.length === 0 ? words : without(spans, words);
    },
  };
}

/** The words without these secrets. */
export function masked(secrets: readonly string[], words: string): string {
  const masker = createMasker();
  masker.learn(secrets);
  return masker.mask(words);
}

function textOf(decoded: Decoded | undefined): string {
  return decoded?.bytes.toString("latin1") ?? "";
}

/** Text of ASCII without escapes, which is most that is said: there is nothing to undo in it. */
const AS_IT_STANDS = /^[ -$'-*,-[\]-~]*$/;

/** Of a key in PEM the lines around it are no secret. */
function linesOf(secret: string): string[] {
  return secret.split(/\r?\n/).filter((line) => !line.startsWith("-----"));
}

/** Words of letters of one case, at most the first of them a capital, and what joins words. */
const WORDS = /^[-_ =.:/,]*(?:(?:[A-Z]?[a-z]+|[A-Z]+)(?:[-_ =.:/,]+|$))*$/;

/** The text of Base64 that holds a secret: in a pair with a user name it may begin at any third of a group. */
function base64Of(secret: string): string[] {
  const forms = [0, 1, 2].map((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    // Characters at both ends that also depend on what stands beside it are left out.
    const first = Math.ceil((offset * 4) / 3);
    const whole = Math.floor((padded.length * 4) / 3);
    return padded.toString("base64").slice(first, whole);
  });
  return [...new Set(forms.flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]))];
}

/** Finds fragments of secrets. All are texts of one byte a character. */
interface Index {
  add(secret: string): void;
  /** Quick, for text of one byte a character; true of more than has a secret. */
  mayBeIn(text: string): boolean;
  /** Quick, and true of more than `hasFragment` and `shortAt` are. */
  mayBeginAt(bytes: Buffer, at: number): boolean;
  hasFragment(fragment: string): boolean;
  /** The length of a secret there that is shorter than a fragment, and stands alone if it reads like a word; 0: none. */
  shortAt(bytes: Buffer, at: number): number;
  /** Whether a secret that reads like words, and is shorter than what is masked of these, is in it. */
  holdsWhole(run: string): boolean;
}

function createIndex(): Index {
  const fragments = new Set<string>();
  const short = new Set<string>();
  const wholes = new Set<string>();
  /** Of the first four bytes of each. */
  const beginnings = new Uint8Array(2 ** 16);

  return {
    add(secret) {
      if (secret.length < SHORTEST) return;
      if (secret.length < FRAGMENT) short.add(secret);
      else if (secret.length < FRAGMENT_OF_WORDS) wholes.add(secret);
      const bytes = Buffer.from(secret, "latin1");
      beginnings[hashAt(bytes, 0)] = 1;
      for (let at = 0; at + FRAGMENT <= secret.length; at += 1) {
        fragments.add(secret.slice(at, at + FRAGMENT));
        beginnings[hashAt(bytes, at)] = 1;
      }
    },
    mayBeIn(text) {
      for (let at = 0; at + SHORTEST <= text.length; at += 1) {
        if (beginnings[hashIn(text, at)] === 0) continue;
        if (fragments.has(text.slice(at, at + FRAGMENT)) || short.size > 0) return true;
      }
      return false;
    },
    mayBeginAt: (bytes, at) => beginnings[hashAt(bytes, at)] === 1,
    hasFragment: (fragment) => fragments.has(fragment),
    shortAt(bytes, at) {
      if (short.size === 0) return 0;
      for (let length = FRAGMENT - 1; length >= SHORTEST; length -= 1) {
        const found = bytes.toString("latin1", at, at + length);
        const alone = !isWordAt(bytes, at - 1) && !isWordAt(bytes, at + length);
        if (short.has(found) && (alone || !WORDS.test(found))) return length;
      }
      return 0;
    },
    holdsWhole: (run) => short.has(run) || [...wholes].some((whole) => run.includes(whole)),
  };
}

/** Of four bytes, all before the end. */
function hashAt(bytes: Buffer, at: number): number {
  return hashOf(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0);
}

function hashIn(text: string, at: number): number {
  return hashOf(text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2), text.charCodeAt(at + 3));
}

function hashOf(first: number, second: number, third: number, fourth: number): number {
  return ((first << 8) ^ second ^ (third << 5) ^ (fourth << 11)) & 0xff_ff;
}

/** Names are joined by dashes: "orders" does not stand alone in "orders-7d4f". */
function isWordAt(bytes: Buffer, at: number): boolean {
  const byte = bytes[at] ?? 0;
  return byte >= 0x80 || /[\w-]/.test(String.fromCharCode(byte));
}

/** From and to, in characters of the original text. */
type Span = readonly [number, number];

/** One for each run of fragments that overlap, and for each short secret. */
function spansIn({ bytes, at }: Decoded, index: Index, isSecret: (run: string) => boolean): Span[] {
  const spans: Span[] = [];
  let [begin, end] = [0, 0];

  function close(): void {
    const run = bytes.toString("latin1", begin, end);
    // A space beside a secret is none of it, as a rule.
    const inner = run.trim();
    const from = begin + run.indexOf(inner);
    if (inner !== "" && isSecret(inner)) spans.push([at[from] ?? 0, at[from + inner.length] ?? 0]);
  }

  for (let here = 0; here + SHORTEST <= bytes.length; here += 1) {
    const length = index.mayBeginAt(bytes, here) ? lengthAt(bytes, here, index) : 0;
    if (length === 0) continue;
    if (here >= end) {
      close();
      begin = here;
    }
    end = Math.max(end, here + length);
  }
  close();
  return spans;
}

/** Where this value stands, and no other word is joined to it. */
function standingAlone({ bytes, at }: Decoded, whole: string): Span[] {
  const spans: Span[] = [];
  const sought = Buffer.from(whole, "latin1");
  for (let from = bytes.indexOf(sought); from >= 0; from = bytes.indexOf(sought, from + sought.length)) {
    const to = from + sought.length;
    if (!isWordAt(bytes, from - 1) && !isWordAt(bytes, to)) spans.push([at[from] ?? 0, at[to] ?? 0]);
  }
  return spans;
}

function lengthAt(bytes: Buffer, at: number, index: Index): number {
  return index.hasFragment(bytes.toString("latin1", at, at + FRAGMENT)) ? FRAGMENT : index.shortAt(bytes, at);
}

/** The words with "…" for each span; spans that overlap or touch are one. */
function without(spans: readonly Span[], words: string): string {
  let shown = "";
  let end = -1;
  for (const [from, to] of spans.toSorted((one, other) => one[0] - other[0])) {
    if (from > end) shown += `${words.slice(Math.max(end, 0), from)}…`;
    end = Math.max(end, to);
  }
  return shown + words.slice(end);
}
