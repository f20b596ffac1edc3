/** Shows one process the files of a ServiceAccount where Kubernetes mounts them into every pod, and nobody else. */

import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ControlPlane } from "./control-plane.ts";

/** Where a pod finds them. */
export const MOUNT_POINT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What Kubernetes gives to each container of a pod. */
interface PodAccount {
  /** To be mounted; everybody may read what is in it. */
  readonly directory: string;
  /** Where the API server is. */
  readonly env: { readonly KUBERNETES_SERVICE_HOST: string; readonly KUBERNETES_SERVICE_PORT: string };
}

/** Makes them for the pods of a ServiceAccount. */
export async function writeAccount(plane: ControlPlane, namespace: string, name: string): Promise<PodAccount> {
  const directory = join(plane.directory, `${namespace}.${name}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "token"), await plane.serviceAccountToken(namespace, name));
  await writeFile(join(directory, "ca.crt"), plane.ca);
  const { hostname, port } = new URL(plane.url);
  return { directory, env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } };
}

/** A mount namespace of its own: what is mounted there goes with the process, and needs no rights where user namespaces are on. */
const UNSHARE = ["unshare", "--map-root-user", "--mount"] as const;

/** What is in /run does not matter to the product; the folder of the mount must be made, and the real one left alone. */
const MOUNT = `mount -t tmpfs run /var/run && mkdir -p ${MOUNT_POINT} && mount --rbind "$1" ${MOUNT_POINT} && shift && exec "$@"`;

/**
 * The command that runs what follows it with `directory` (`token`, `ca.crt`, `namespace`) as the mounted files. The process
 * keeps its PID, so that signals reach it.
 */
export function withMountedAccount(directory: string): readonly string[] {
  return [...UNSHARE, "sh", "-c", MOUNT, "sh", directory];
}

/** Why that is not possible here; undefined when it is. */
export function mountingForbidden(): string | undefined {
  const [program, ...args] = withMountedAccount(tmpdir());
  const { status, stderr, error } = spawnSync(program!, [...args, "true"], { encoding: "utf8" });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}
