/** The image that the product's Dockerfile builds upon. */

import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { failInCi, temporaryFolder } from "../harness/processes.ts";

const run = promisify(execFile);

/** What the test's own base is made of; a change of it makes a new one. */
const RECIPE = { debian: "bookworm", npm: "npm@11", node: process.version, arch: process.arch } as const;

/** An image to use instead, where images can be pulled: the official one, for example. */
const CHOSEN = process.env["NODE_IMAGE"];

/**
 * Why no image can be built and run here; undefined when one can.
 *
 * @throws Error instead, where `CI` is set.
 */
export function containersMissing(): string | undefined {
  const needed = ["buildah", "podman", ...(CHOSEN ? [] : ["debootstrap"])];
  const absent = needed.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (absent.length > 0) return failInCi(`${absent.join(", ")} is not installed (npm run tools)`);
  if (!CHOSEN && process.getuid?.() !== 0) return failInCi("debootstrap needs root, unless NODE_IMAGE names an image");
  return undefined;
}

/**
 * The image named by `NODE_IMAGE`, or one that stands in for the official one without any registry of images: a least
 * Debian with this Node and an npm. It is made once, and stays among the images of this machine.
 */
export async function nodeImage(): Promise<string> {
  return CHOSEN ?? (await standIn());
}

async function standIn(): Promise<string> {
  const { settings, certificates } = await npmSettings();
  const key = JSON.stringify([RECIPE, settings, certificates]);
  const name = `localhost/pod-rebalancer-node-base:${createHash("sha256").update(key).digest("hex").slice(0, 16)}`;
  if (spawnSync("podman", ["image", "exists", name]).status === 0) return name;
  await using folder = await temporaryFolder("base");
  const root = join(folder.path, "root");
  await run("debootstrap", ["--variant=minbase", RECIPE.debian, root]);
  await copyFile(process.execPath, join(root, "usr/local/bin/node"));
  await run("npm", ["install", "--global", "--prefix", join(root, "usr/local"), "--no-audit", "--no-fund", RECIPE.npm]);
  await mkdir(join(root, "usr/local/share"), { recursive: true });
  await writeFile(join(root, CERTIFICATES), certificates);
  const archive = join(folder.path, "root.tar");
  await run("tar", ["-C", root, "-cf", archive, "."]);
  const variables = Object.entries(settings).flatMap(([variable, value]) => ["--change", `ENV ${variable}=${value}`]);
  await run("podman", ["import", ...variables, archive, name]);
  return name;
}

const CERTIFICATES = "/usr/local/share/machine.crt";

/** How npm reaches its registry from here, for the npm of the image: it knows neither this machine's CA nor its `.npmrc`. */
async function npmSettings(): Promise<{ settings: Readonly<Record<string, string>>; certificates: string }> {
  const { stdout } = await run("npm", ["config", "get", "registry"]);
  const file = process.env["NODE_EXTRA_CA_CERTS"];
  const settings = { npm_config_registry: stdout.trim(), ...(file && { NODE_EXTRA_CA_CERTS: CERTIFICATES }) };
  return { settings, certificates: file ? readFileSync(file, "utf8") : "" };
}
