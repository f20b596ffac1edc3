/** The licences of the packages whose code is in the bundle. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Metafile } from "esbuild";

/** Those that ask for no more than that their text comes along. */
const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Unlicense",
]);

const LICENCE_FILE = /^(un)?licen[cs]e|^copying|^notice/i;

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/** Folders of the packages of which at least one byte is in the output, in the order of their names. */
export function bundledPackages({ outputs }: Metafile): readonly string[] {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  return [...new Set(files.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []))].toSorted();
}

/**
 * One section for each package: its name, version and licence, and the texts that it comes with.
 *
 * @throws Error on a package whose licence is not on the list, or that brings no text of it.
 */
export function licenceTexts(folders: readonly string[]): string {
  return folders.map(licenceOf).join(`\n${"-".repeat(80)}\n\n`);
}

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license?: unknown;
  };
  if (typeof license !== "string" || !ALLOWED.has(license)) {
    throw new Error(
      `${name} ${version} is bundled under ${JSON.stringify(license)}, expected one of ${[...ALLOWED].join(", ")}`,
    );
  }
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  if (files.length === 0) throw new Error(`${name} ${version} is bundled and brings no text of its licence`);
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return `${name} ${version} (${license})\n\n${texts.join("\n\n")}\n`;
}
