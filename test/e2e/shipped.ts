/** The shipped manifests: changed as a user would change them, and read as a kubelet would read them. */

import { mkdir, realpath, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

import type { ControlPlane } from "../harness/control-plane.ts";
import type { Manifest } from "../harness/kube-client.ts";
import { renderKustomization } from "../harness/kustomize.ts";

const FOLDERS = join(import.meta.dirname, "../../deploy/kubernetes");

/** What a user sets in a kustomization of their own. */
export interface Overlay {
  readonly namespace: string;
  /** Which of the shipped folders; default `live`. */
  readonly folder?: "base" | "live" | undefined;
  /** Added to the ConfigMap. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** The Lease's name where it is not the shipped one. */
  readonly lease?: string | undefined;
}

/** Writes the kustomization into a new folder and renders it. */
export async function renderOverlay(parent: string, overlay: Overlay): Promise<Manifest[]> {
  const { namespace, folder = "live", settings = {}, lease } = overlay;
  // Relative paths lead nowhere from a folder that is reached by a link.
  const directory = join(await realpath(parent), `overlay-${namespace}`);
  await mkdir(directory);
  const leaseName = { op: "replace", path: "/rules/0/resourceNames/0", value: lease };
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    namespace,
    resources: [relative(directory, join(await realpath(FOLDERS), folder))],
    configMapGenerator: [
      {
        name: "pod-rebalancer",
        behavior: "merge",
        literals: Object.entries(settings).map(([name, value]) => `${name}=${value}`),
      },
    ],
    patches: lease
      ? [{ target: { kind: "Role", name: "pod-rebalancer" }, patch: JSON.stringify([leaseName]) }]
      : undefined,
  };
  await writeFile(join(directory, "kustomization.yaml"), JSON.stringify(kustomization));
  return await renderKustomization(directory);
}

/** Renders a shipped folder as it is. */
export function renderShipped(folder: "base" | "live"): Promise<Manifest[]> {
  return renderKustomization(join(FOLDERS, folder));
}

/** The one object of a kind. */
export function ofKind(kind: string, manifests: readonly Manifest[]): Manifest {
  const [found, another] = manifests.filter((manifest) => manifest.kind === kind);
  if (found === undefined || another !== undefined) throw new Error(`expected one ${kind} in the manifests`);
  return found;
}

/** The part of a pod's specification that says how its container is started, and as whom. */
export interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly env?: readonly Variable[];
    readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  }[];
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

/** Of the CronJob. */
export function podSpecOf(manifests: readonly Manifest[]): PodSpec {
  const { jobTemplate } = ofKind("CronJob", manifests)["spec"] as {
    jobTemplate: { spec: { template: { spec: PodSpec } } };
  };
  return jobTemplate.spec.template.spec;
}

/**
 * The environment that a kubelet gives to the container of a pod, from the ConfigMap in the cluster; without credentials.
 *
 * @throws Error on what the shipped manifests did not use when this was written, so that nothing they say is left out.
 */
export async function containerEnvironment(
  plane: ControlPlane,
  { containers: [container] }: PodSpec,
  namespace: string,
): Promise<Record<string, string>> {
  const { env = [], envFrom = [] } = container ?? {};
  const maps = await Promise.all(envFrom.map(({ configMapRef }) => configMap(plane, namespace, configMapRef?.name)));
  const variables = env.map((variable) => [variable.name, valueOf(variable, namespace)] as const);
  return Object.assign({}, ...maps, Object.fromEntries(variables)) as Record<string, string>;
}

async function configMap(
  plane: ControlPlane,
  namespace: string,
  name: string | undefined,
): Promise<Record<string, string>> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const { status, body } = await plane.request<{ data: Record<string, string> }>("GET", path);
  if (status !== 200) throw new Error(`the container would not start: GET ${path}: ${status}`);
  return body.data;
}

function valueOf({ name, value, valueFrom }: Variable, namespace: string): string {
  if (value !== undefined) return value;
  if (valueFrom?.fieldRef?.fieldPath === "metadata.namespace") return namespace;
  throw new Error(`${name} comes from ${JSON.stringify(valueFrom)}, which no test knows`);
}
