/** Builds the image as `npm run docker` does, with what needs no daemon, looks into it, and runs it. */

import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { type Run, startCommand } from "../e2e/product.ts";
import { temporaryFolder } from "../harness/processes.ts";
import { nodeImage } from "./base.ts";

const run = promisify(execFile);

const ROOT = resolve(import.meta.dirname, "../..");

/** Needs no more rights than a process that may call chroot, so that it also works where the test itself is in a container. */
const BUILD = ["bud", "--isolation", "chroot", "--pull=false"] as const;

/**
 * As the CronJob runs it: it cannot write, has no capabilities and cannot get any. The rest is for the machine:
 * - The default limits are above what a machine without CAP_SYS_RESOURCE may set.
 * - crun, the default on Debian, refuses machines that mount the second version of cgroups beside the first.
 */
const RUN = [
  ...(spawnSync("runc", ["--version"]).status === 0 ? ["--runtime", "runc"] : []),
  "run",
  "--rm",
  "--pull=never",
  "--read-only",
  "--read-only-tmpfs=false",
  "--cap-drop=all",
  "--security-opt=no-new-privileges",
  "--ulimit=nofile=1024:1024",
  "--ulimit=nproc=1024:1024",
] as const;

/** What the image says of itself. */
interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

interface ContainerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: as the image says. */
  readonly user?: string | undefined;
  /** Default: the image's. */
  readonly entrypoint?: string;
  /** Further flags of `podman run`. Without any, the container has no network but its own loopback. */
  readonly flags?: readonly string[];
}

export interface Image extends AsyncDisposable {
  readonly config: ImageConfig;
  /** Of all its layers, without folders; sorted, without the first slash. */
  readonly files: readonly string[];
  readonly unpackedBytes: number;
  /** Of its layers, as they travel. */
  readonly compressedBytes: number;
  /** The content of a file. */
  read(path: string): Promise<string>;
  start(args: readonly string[], options?: ContainerOptions): Run;
}

/** What `npm run docker` hands to docker. */
export async function dockerArguments(): Promise<string[]> {
  await using folder = await temporaryFolder("docker");
  await writeFile(join(folder.path, "docker"), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder.path}:${process.env["PATH"]}` };
  const { stdout } = await run("npm", ["run", "-s", "docker"], { cwd: ROOT, env });
  return stdout.trimEnd().split("\n");
}

/** Builds the image; it is removed in the end, with all that still runs of it. @throws Error with the builder's words. */
export async function buildImage(): Promise<Image> {
  await using started = new AsyncDisposableStack();
  const { path: folder } = started.use(await temporaryFolder("image"));
  const [, ...args] = await dockerArguments();
  // Under another name, so that an image of the user's is left alone.
  const name = `localhost/pod-rebalancer-test:${randomBytes(4).toString("hex")}`;
  const own = args.map((arg, index) => (args[index - 1] === "-t" ? name : arg));
  await run("buildah", [...BUILD, "--build-arg", `NODE_IMAGE=${await nodeImage()}`, ...own], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  started.defer(async () => void (await run("podman", ["rmi", "--force", name])));

  const inspected = await run("podman", ["image", "inspect", name]);
  const [{ Config, Size }] = JSON.parse(inspected.stdout) as [{ Config: ImageConfig; Size: number }];
  const layers = await layersOf(name, join(folder, "pushed"));
  const listed = await Promise.all(layers.map((layer) => run("tar", ["-tzf", layer])));
  const sizes = await Promise.all(layers.map((layer) => stat(layer)));
  const running = started.move();
  return {
    config: Config,
    files: listed.flatMap(({ stdout }) => stdout.split("\n").filter((path) => !/(^|\/)$/.test(path))).toSorted(),
    unpackedBytes: Size,
    compressedBytes: sizes.reduce((sum, { size }) => sum + size, 0),
    async read(path) {
      for (const layer of layers) {
        const content = await run("tar", ["-xzOf", layer, path], { maxBuffer: 2 ** 28 }).catch(() => undefined);
        if (content !== undefined) return content.stdout;
      }
      throw new Error(`${path} is not in the image`);
    },
    start: (containerArgs, options = {}) => startContainer(name, containerArgs, options),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The files of the image's layers, as a registry would get them. */
async function layersOf(name: string, directory: string): Promise<string[]> {
  await run("buildah", ["push", name, `oci:${directory}`]);
  const blob = (digest: string) => join(directory, "blobs", digest.replace(":", "/"));
  const index = JSON.parse(await readFile(join(directory, "index.json"), "utf8")) as {
    manifests: [{ digest: string }];
  };
  const manifest = JSON.parse(await readFile(blob(index.manifests[0].digest), "utf8")) as {
    layers: readonly { digest: string }[];
  };
  return manifest.layers.map(({ digest }) => blob(digest));
}

function startContainer(name: string, args: readonly string[], options: ContainerOptions): Run {
  const { env = {}, user, entrypoint, flags = ["--network=none"] } = options;
  const variables = Object.entries(env).map(([variable, value]) => `--env=${variable}=${value}`);
  const chosen = [...(user ? [`--user=${user}`] : []), ...(entrypoint ? [`--entrypoint=${entrypoint}`] : [])];
  return startCommand(["podman", ...RUN, ...variables, ...chosen, ...flags, name, ...args], process.env);
}
