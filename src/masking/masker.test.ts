import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { decodings } from "./decodings.ts";
import { createMasker, masked } from "./masker.ts";

/** How a character may be written down; which of these, changes from one to the next. */
type Encoding = (character: string) => string;

const hex = (character: string) => (character.codePointAt(0) ?? 0).toString(16);
const bytesOf = (character: string) => [...Buffer.from(character)];
const halvesOf = (character: string) => character.split("").map((half) => half.charCodeAt(0));

const ENCODINGS: readonly Encoding[] = [
  (character) => character,
  (character) =>
    bytesOf(character)
      .map((byte) => `%${byte.toString(16).padStart(2, "0")}`)
      .join(""),
  (character) =>
    bytesOf(character)
      .map((byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`)
      .join(""),
  (character) =>
    bytesOf(character)
      .map((byte) => `%25${byte.toString(16).padStart(2, "0")}`)
      .join(""),
  (character) => (character === " " ? "+" : encodeURIComponent(character)),
  (character) => JSON.stringify(character).slice(1, -1),
  (character) => JSON.stringify(JSON.stringify(character).slice(1, -1)).slice(1, -1),
  (character) =>
    halvesOf(character)
      .map((code) => `\\u${code.toString(16).padStart(4, "0")}`)
      .join(""),
  (character) =>
    bytesOf(character)
      .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
      .join(""),
  (character) => `&#${character.codePointAt(0)};`,
  (character) => `&#x${hex(character).toUpperCase()};`,
  (character) => `&amp;#${character.codePointAt(0)};`,
  (character) =>
    ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;", "/": "&sol;" })[character] ?? character,
];

const BASE64: readonly ((text: string) => string)[] = [
  (text) => Buffer.from(text).toString("base64"),
  (text) => Buffer.from(text).toString("base64url"),
  (text) => encodeURIComponent(Buffer.from(text).toString("base64")),
];

/** What a server says around it; no eight characters of it are part of a secret below. */
const AROUND = ["the server says ", " to you"] as const;

function oneOf(characters: string) {
  return fc.constantFrom(...Array.from(characters));
}

/** As people and machines make them; each has a digit and a capital somewhere in any eight characters. */
const token = fc
  .array(
    fc.tuple(oneOf("aQz7"), oneOf("0123456789"), oneOf(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ü€😀A9z"), oneOf("XYZ")),
    { minLength: 3, maxLength: 12 },
  )
  .map((parts) => parts.flat().join(""));

/** What is left of a secret in a text, in whatever way it is written: the longest of its runs, in bytes. */
function longestLeft(secret: string, text: string): number {
  const written = decodings(text).map(({ bytes }) => bytes.toString("latin1"));
  const said = decodings(secret).map(({ bytes }) => bytes.toString("latin1"));
  return Math.max(...said.map((form) => Math.max(...written.map((layer) => commonRun(form, layer)))));
}

function commonRun(form: string, text: string): number {
  let longest = 0;
  for (let from = 0; from < form.length; from += 1) {
    while (from + longest < form.length && text.includes(form.slice(from, from + longest + 1))) longest += 1;
  }
  return longest;
}

describe("a secret", () => {
  it("is masked in whatever way each of its characters is written", () => {
    const encoded = token.chain((secret) =>
      fc.tuple(
        fc.constant(secret),
        fc.array(fc.constantFrom(...ENCODINGS), {
          minLength: Array.from(secret).length,
          maxLength: Array.from(secret).length,
        }),
      ),
    );
    fc.assert(
      fc.property(encoded, ([secret, ways]) => {
        const written = Array.from(secret)
          .map((character, index) => ways[index]?.(character) ?? "")
          .join("");
        expect(longestLeft(secret, masked([secret], AROUND.join(written)))).toBeLessThan(8);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is masked when all of it is written in one way, once more or twice, and nothing else is", () => {
    const whole: readonly Encoding[] = [
      encodeURIComponent,
      (text) => new URLSearchParams({ "": text }).toString().slice(1),
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => text.replaceAll(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`),
    ];
    fc.assert(
      fc.property(token, fc.array(fc.constantFrom(...whole), { maxLength: 3 }), (secret, ways) => {
        const trimmed = secret.trim();
        const written = ways.reduce((text, encode) => encode(text), trimmed);
        expect(masked([trimmed], AROUND.join(written))).toBe(AROUND.join("…"));
      }),
      { numRuns: 1_000 },
    );
  });

  it("is masked in Base64, with whatever stands before it", () => {
    fc.assert(
      fc.property(token, fc.string({ maxLength: 5 }), fc.constantFrom(...BASE64), (secret, user, encode) => {
        const shown = masked([secret], encode(`${user}:${secret}`));
        expect(longestLeft(Buffer.from(secret).toString("base64"), shown)).toBeLessThan(8);
        expect(shown.length).toBeLessThan(`${user}:`.length * 2 + 12);
      }),
    );
  });

  it("leaves no half that can be told, wherever it is cut", () => {
    fc.assert(
      fc.property(token, fc.constantFrom(...ENCODINGS), (secret, encode) => {
        const written = Array.from(secret).map(encode);
        for (let at = 0; at <= written.length; at += 1) {
          for (const half of [written.slice(0, at), written.slice(at)]) {
            expect(longestLeft(secret, masked([secret], AROUND.join(half.join(""))))).toBeLessThan(8);
          }
        }
      }),
    );
  });

  it("that is a key in PEM is masked line by line", () => {
    const body = ["MC4CAQAwBQYDK2VwBCIEIA1wQ0", "4cGFzc3dvcmQxMjM0NTY3ODkw"];
    const key = `-----BEGIN PRIVATE KEY-----\n${body.join("\n")}\n-----END PRIVATE KEY-----\n`;
    expect(masked([key], `got ${JSON.stringify(key)}`)).toBe(
      String.raw`got "-----BEGIN PRIVATE KEY-----\n…\n…\n-----END PRIVATE KEY-----\n"`,
    );
    expect(masked([key], "expected -----BEGIN PRIVATE KEY-----")).toBe("expected -----BEGIN PRIVATE KEY-----");
  });

  it.each([
    ["hunter2", "root:hunter2@db, password=hunter2.", "root:…@db, password=…."],
    ["hunter2", "my_hunter2-of-the-pod", "my_…-of-the-pod"],
    ["orders", "pod orders-7d4f of Deployment/orders", "pod orders-7d4f of Deployment/…"],
    ["true", "it is true", "it is true"],
    ["pod", "pod", "pod"],
    ["checkout", "the checkout-7d4f", "the …-7d4f"],
    ["kafka-4c7e19-password", "expected a password, not kafka-4c7e19", "expected a password, not …"],
    ["namespace=shop", 'sum{namespace="shop"} namespace=shop', 'sum{namespace="shop"} …'],
    ["correct horse battery", "correct horse bat", "…"],
    ["Zürich-4711-ß", "Z%C3%BCrich-4711-%c3%9f", "…"],
  ])("%j is masked in %j as %j", (secret, words, shown) => {
    expect(masked([secret], words)).toBe(shown);
  });
});

describe("a masker", () => {
  it("hides the longer of two secrets that hold one another, and both where they touch", () => {
    const secrets = ["hunter2", "hunter2-of-the-pod", "another-s3cret"];
    expect(masked(secrets, "hunter2-of-the-pod or hunter2, hunter2-of-the-podanother-s3cret")).toBe("… or …, …");
  });

  it("forgets none that it learned, and shows those that are no secret anyway", () => {
    const masker = createMasker();
    masker.show(["shop-eu1", "app=checkout"]);
    masker.learn(["first-t0ken-4711"]);
    masker.learn(["second-t0ken-0815", "shop-eu1", "checkout"]);
    expect(masker.mask("first-t0ken-4711, second-t0ken-0815, checkout-7d4f in shop-eu1")).toBe(
      "…, …, checkout-7d4f in shop-eu1",
    );
  });

  it("leaves words without a secret as they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (words) => {
        expect(masked(["s3cret-t0ken-4711"], words)).toBe(words);
      }),
    );
  });

  it.each(["%25", "&amp;", "\\\\", "&#", "%2", "\\u", "s3cret-t", "😀", "\ud800"])(
    "takes no longer for what is nothing but %j",
    (piece) => {
      const words = piece.repeat(300_000);
      const shown = masked(["s3cret-t0ken-4711"], words);
      expect(shown.length).toBeLessThanOrEqual(2 ** 20 + 1);
    },
  );
});

describe("a value that may be a name", () => {
  const masker = createMasker();
  masker.learnWhole(["prod-eu-west-1", "payments", "10000", "anonymous", "tenant-81c6d2a05f-header"]);

  it.each([
    "node prod-eu-west-1",
    "payments-7d4f",
    "lag 100000",
    "lag 10000",
    "tenant-81c6d2a05f-header-2",
    "tenant-81c6d2a0",
  ])("is no reason to mask %s", (words) => {
    expect(masker.mask(words)).toBe(words);
  });

  it.each(["pod tenant-81c6d2a05f-header", "pod tenant%2D81c6d2a05f-header"])("is masked in %s", (words) => {
    expect(masker.mask(words)).toBe("pod …");
  });
});
