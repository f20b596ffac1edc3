/** Builds the Kubernetes objects that tests apply. */

import type { Manifest } from "./kube-client.ts";
import { POD_ANNOTATIONS } from "./kwok-stages.ts";

export interface WorkloadOptions {
  readonly name: string;
  /** Default 24. */
  readonly replicas?: number;
  /** Of the pods, besides `app: <name>`, which is also the selector. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Of the Deployment or StatefulSet itself. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the pods. */
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /** How long a pod is Running before it is Ready; default: the cluster's own delay. */
  readonly readyDelaySeconds?: number;
  /** No pod gets Ready. */
  readonly neverReady?: boolean;
  /** Default 0. */
  readonly minReadySeconds?: number;
  /** Default 1. */
  readonly gracePeriodSeconds?: number;
  /** Change it to make a rollout. */
  readonly image?: string;
}

/** A Deployment of consumers. */
export function deployment(options: WorkloadOptions): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: options.name, ...annotated(options.annotations) },
    spec: workloadSpec(options),
  };
}

/** A StatefulSet of consumers, all started at once. */
export function statefulSet(options: WorkloadOptions): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: options.name, ...annotated(options.annotations) },
    spec: { ...workloadSpec(options), serviceName: options.name, podManagementPolicy: "Parallel" },
  };
}

/** A pod that no controller owns. */
export function barePod(options: WorkloadOptions): Manifest {
  const { metadata, spec } = podTemplate(options);
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: options.name }, spec };
}

/** A Job as a CronJob would make it: one attempt, no restart. */
export function job(options: Pick<WorkloadOptions, "name"> & { readonly backoffLimit?: number }): Manifest {
  const { metadata, spec } = podTemplate(options);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: options.name },
    spec: {
      backoffLimit: options.backoffLimit ?? 0,
      template: { metadata, spec: { ...spec, restartPolicy: "Never" } },
    },
  };
}

export interface BudgetOptions {
  readonly name: string;
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
}

export function podDisruptionBudget(options: BudgetOptions): Manifest {
  const { name, matchLabels, minAvailable, maxUnavailable } = options;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name },
    spec: {
      selector: { matchLabels },
      ...(minAvailable === undefined ? {} : { minAvailable }),
      ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    },
  };
}

/** A node that kwok makes Ready. */
export function nodeManifest(name: string): Manifest {
  const resources = { cpu: "32", memory: "256Gi", pods: "110" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, type: "kwok" } },
    status: { allocatable: resources, capacity: resources },
  };
}

function workloadSpec(options: WorkloadOptions): object {
  return {
    replicas: options.replicas ?? 24,
    minReadySeconds: options.minReadySeconds ?? 0,
    selector: { matchLabels: { app: options.name } },
    template: podTemplate(options),
  };
}

function podTemplate(options: WorkloadOptions): { metadata: Readonly<Record<string, unknown>>; spec: object } {
  const annotations = {
    ...(options.readyDelaySeconds === undefined
      ? {}
      : { [POD_ANNOTATIONS.readyDelay]: `${options.readyDelaySeconds}s` }),
    ...(options.neverReady === true ? { [POD_ANNOTATIONS.notReady]: "true" } : {}),
    ...options.podAnnotations,
  };
  return {
    metadata: { labels: { app: options.name, ...options.labels }, annotations },
    spec: {
      terminationGracePeriodSeconds: options.gracePeriodSeconds ?? 1,
      containers: [
        {
          name: "consumer",
          image: options.image ?? "consumer:1",
          resources: { requests: { cpu: "10m", memory: "16Mi" } },
        },
      ],
    },
  };
}

function annotated(annotations: Readonly<Record<string, string>> | undefined): { annotations?: object } {
  return annotations === undefined ? {} : { annotations };
}
