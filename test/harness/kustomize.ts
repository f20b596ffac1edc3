/** Renders the manifests that the product ships, as `kubectl apply -k` would. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { parseAllDocuments } from "yaml";

import { ensureTool } from "./build.ts";
import type { Manifest } from "./kube-client.ts";

const run = promisify(execFile);

/** The objects of a folder with a `kustomization.yaml`. @throws Error with kustomize's words. */
export async function renderKustomization(directory: string): Promise<Manifest[]> {
  const { stdout } = await run(await ensureTool("kustomize"), ["build", directory]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}
