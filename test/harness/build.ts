/** Builds the binaries the tests need that no package manager brings, once, into a cache outside the checkout. */

import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { failInCi } from "./processes.ts";

const MODULE = join(import.meta.dirname, "controlplane");
const LINK = ["-trimpath", "-ldflags", "-s -w"];

/** Versions that the latest stable Go can build; they are part of the cache key. */
const INSTALLED = {
  kwok: "sigs.k8s.io/kwok/cmd/kwok@v0.7.0",
  kustomize: "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2",
  vmalert: "github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert@v1.148.8",
} as const;

type Tool = "controlplane" | keyof typeof INSTALLED;

export const TOOLS: readonly Tool[] = ["controlplane", "kwok", "kustomize", "vmalert"];
type Component = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kubectl";

/** The program and the arguments that come before a component's own flags. */
export type Command = readonly [program: string, ...args: string[]];

const run = promisify(execFile);

/** How long a lock may stand without a sign of life before the next builder takes its place. */
const LOCK_STALE_MILLIS = 30_000;

function cachedTool(tool: Tool): string {
  if (tool !== "controlplane") return cachedPath(tool, [INSTALLED[tool]]);
  return cachedPath(
    tool,
    ["go.mod", "go.sum", "main.go"].map((file) => readFileSync(join(MODULE, file))),
  );
}

/** Where something built lies: under a name of its own for its platform and whatever it is made of. */
export function cachedPath(name: string, sources: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256").update(`${process.platform}/${process.arch}`);
  for (const source of sources) hash.update(source);
  const root = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(root, "pod-rebalancer", `${name}-${hash.digest("hex").slice(0, 16)}`);
}

/**
 * Finds a tool, and builds it first when the cache does not have it (minutes when Go's own cache is cold too).
 *
 * @returns the path of the binary.
 * @throws Error with the end of the compiler's output.
 */
export async function ensureTool(tool: Tool): Promise<string> {
  return ensureCached(cachedTool(tool), (scratch) => build(tool, scratch));
}

/**
 * Makes what is not in the cache yet.
 *
 * @param path - from {@link cachedPath}.
 * @param make - makes it in a folder that is removed afterwards, and says where it is.
 * @throws Error with the end of what the command said on stderr.
 */
export async function ensureCached(path: string, make: (scratch: string) => Promise<string>): Promise<string> {
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  await using held = new AsyncDisposableStack();
  held.use(await takeLock(`${path}.lock`));
  if (!existsSync(path)) await makeInScratch(path, make);
  return path;
}

/**
 * How to start a component: the binary in `KUBEBUILDER_ASSETS` where there is one, otherwise the one built here. The
 * assets of envtest hold etcd, kube-apiserver and kubectl only, so both may be in use at once.
 */
export async function componentCommand(component: Component): Promise<Command> {
  const provided = assetPath(component);
  return provided === undefined ? [await ensureTool("controlplane"), component] : [provided];
}

/** Why `tools` can be neither found nor built here; undefined when they can. */
export function toolsMissing(tools: readonly Tool[]): string | undefined {
  const unbuilt = tools.filter((tool) => !existsSync(cachedTool(tool)));
  if (unbuilt.length === 0 || spawnSync("go", ["version"]).status === 0) return undefined;
  return `${unbuilt.join(", ")} must be built, and Go is not installed (see https://go.dev/doc/install)`;
}

/**
 * Why no control plane can be started here; undefined when one can.
 *
 * @throws Error instead, where `CI` is set: there a missing server is a failure, not a reason to skip.
 */
export function controlPlaneMissing(): string | undefined {
  const components: Component[] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"];
  const complete = components.every((component) => assetPath(component) !== undefined);
  return failInCi(toolsMissing(complete ? ["kwok"] : ["controlplane", "kwok"]));
}

function assetPath(component: Component): string | undefined {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  if (!assets) return undefined;
  const path = join(assets, component);
  return existsSync(path) ? path : undefined;
}

async function makeInScratch(path: string, make: (scratch: string) => Promise<string>): Promise<void> {
  const scratch = await mkdtemp(`${path}.building-`);
  try {
    // The rename is what keeps parallel builders apart: what is half written never has the final name.
    await rename(await make(scratch), path);
  } catch (error) {
    const output = error instanceof Error && "stderr" in error ? String(error.stderr).trimEnd().slice(-2_000) : "";
    throw new Error(`cannot build ${basename(path)}: ${output || String(error)}`, { cause: error });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function build(tool: Tool, scratch: string): Promise<string> {
  const args =
    tool === "controlplane"
      ? ["build", ...LINK, "-o", join(scratch, tool), "."]
      : ["install", ...LINK, INSTALLED[tool]];
  // Outside the module `go install` must not see our go.mod, and its output goes where GOBIN says.
  const options = {
    cwd: tool === "controlplane" ? MODULE : scratch,
    env: { ...process.env, GOFLAGS: "-buildvcs=false", GOTOOLCHAIN: "local", GOBIN: scratch },
    maxBuffer: 64 * 1024 * 1024,
  };
  await run("go", args, options);
  return join(scratch, tool);
}

/** Keeps parallel builders from doing the same work twice; that they cannot harm each other does not rest on it. */
async function takeLock(path: string): Promise<AsyncDisposable> {
  while (!(await createLock(path))) {
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > LOCK_STALE_MILLIS) await rm(path, { force: true });
    else await sleep(500);
  }
  const alive = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), 5_000);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(alive);
      await rm(path, { force: true });
    },
  };
}

async function createLock(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
