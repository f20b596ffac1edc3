/** Stands in for the kubelet where a test starts a container: gives it what a kubelet would, and reports its end. */

import { join } from "node:path";

import type { ControlPlane } from "../harness/control-plane.ts";
import type { Pod } from "../harness/kube-client.ts";
import { type Outcome, startProduct } from "./product.ts";
import { containerEnvironment, type PodSpec } from "./shipped.ts";

const PATIENCE_MILLIS = 30_000;

export type JobPod = Pod & { readonly spec: PodSpec };

/** Every pod that a Job has made. */
export function podsOfJob(plane: ControlPlane, namespace: string, job: string): Promise<Pod[]> {
  return plane.listPods(namespace, `batch.kubernetes.io/job-name=${job}`);
}

/** The pod of a Job, once it is on a node; the Job itself may still have to come. */
export async function startedPod(plane: ControlPlane, namespace: string, job: string): Promise<JobPod> {
  const started = async () => (await podsOfJob(plane, namespace, job)).find(({ spec }) => spec.nodeName !== undefined);
  return (await plane.waitFor(`the pod of the Job ${job}`, started, PATIENCE_MILLIS)) as JobPod;
}

/** Writes a kubeconfig with a token of the pod's ServiceAccount. @returns its path. */
export async function accountKubeconfig(plane: ControlPlane, namespace: string, spec: PodSpec): Promise<string> {
  const token = await plane.serviceAccountToken(namespace, spec.serviceAccountName);
  return await plane.kubeconfig(join(plane.directory, `${namespace}.kubeconfig`), token, namespace);
}

/**
 * Runs the container of a pod to its end, and lets the pod end with it.
 *
 * @param args - further flags for the product.
 */
export async function runContainer(
  plane: ControlPlane,
  namespace: string,
  { metadata, spec }: JobPod,
  args: readonly string[] = [],
): Promise<Outcome & { readonly environment: Readonly<Record<string, string>> }> {
  const environment = await containerEnvironment(plane, spec, namespace);
  const env = { ...environment, KUBECONFIG: await accountKubeconfig(plane, namespace, spec) };
  const outcome = await startProduct({ args: [...(spec.containers[0]?.args ?? []), ...args], env }).ended;
  await plane.finishPod(namespace, metadata.name, outcome.exitCode ?? 137, outcome.stderr);
  return { ...outcome, environment };
}
