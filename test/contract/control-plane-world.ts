import { randomUUID } from "node:crypto";

import { systemClock } from "../../src/clock.ts";
import { createHttpClient, type HttpClient } from "../../src/http.ts";
import { createKubernetesClient } from "../../src/kubernetes/client.ts";
import { createKubernetesCluster } from "../../src/kubernetes/cluster.ts";
import type { ControlPlane } from "../harness/control-plane.ts";
import { isReady } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { barePod, deployment, podDisruptionBudget } from "../harness/workloads.ts";
import type { LockWorld } from "./cluster-contract.ts";

const LABELS = { app: "orders" };
const LEASE = "pod-rebalancer-deployment-orders";
const PATIENCE_MILLIS = 60_000;

interface LeaseObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity?: string };
}

/** A namespace of a real control plane, with the product's own adapter in front of it. */
export async function controlPlaneWorld(plane: ControlPlane): Promise<LockWorld> {
  const namespace = await plane.createNamespace("contract");
  const under = (api: string, path: string) => `${api}/namespaces/${namespace}/${path}`;
  const lease = under("/apis/coordination.k8s.io/v1", `leases/${LEASE}`);
  const clients: HttpClient[] = [];

  async function change(path: string, patch: object): Promise<void> {
    const { status, body } = await plane.request("PATCH", path, patch);
    if (status !== 200) throw new Error(`PATCH ${path}: ${JSON.stringify(body)}`);
  }

  async function statusBecomes(
    path: string,
    met: (status: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<void> {
    await plane.waitFor(
      `the status of ${path}`,
      async () => {
        const { body } = await plane.request<{ status?: Readonly<Record<string, unknown>> }>("GET", path);
        return met(body.status ?? {});
      },
      PATIENCE_MILLIS,
    );
  }

  return {
    clock: systemClock,
    connect() {
      const headers = { authorization: `Bearer ${plane.adminToken}` };
      const http = createHttpClient({ url: new URL(plane.url), tls: { ca: plane.ca }, headers: async () => headers });
      clients.push(http);
      const client = createKubernetesClient(http, systemClock);
      const labelSelector = "app=orders";
      return createKubernetesCluster({ client, clock: systemClock, namespace, labelSelector, holder: randomUUID() });
    },
    async createGroup(replicas) {
      await plane.apply([deployment({ name: "orders", replicas })], namespace);
      await statusBecomes(
        under("/apis/apps/v1", "deployments/orders"),
        (status) => status["readyReplicas"] === replicas,
      );
    },
    markNotReady: (pod) =>
      change(under("/api/v1", `pods/${pod}`), { metadata: { annotations: { [POD_ANNOTATIONS.notReady]: "true" } } }),
    async deletePod(pod) {
      await plane.request("DELETE", under("/api/v1", `pods/${pod}`));
    },
    async createBarePod(name) {
      await plane.apply([barePod({ name, labels: LABELS })], namespace);
      const ready = async () =>
        (await plane.listPods(namespace)).some((pod) => pod.metadata.name === name && isReady(pod));
      await plane.waitFor(`Ready pod ${name}`, ready, PATIENCE_MILLIS);
    },
    async setBudget(maxUnavailable) {
      await plane.apply([podDisruptionBudget({ name: "orders", matchLabels: LABELS, maxUnavailable })], namespace);
      await statusBecomes(under("/apis/policy/v1", "poddisruptionbudgets/orders"), (status) => {
        return status["disruptionsAllowed"] === maxUnavailable && Number(status["expectedPods"]) > 0;
      });
    },
    async readLease() {
      const { status, body } = await plane.request<LeaseObject>("GET", lease);
      if (status === 404) return undefined;
      const record = body.metadata.annotations?.["pod-rebalancer.io/removals"] ?? "[]";
      return {
        holder: body.spec.holderIdentity ?? "",
        removed: (JSON.parse(record) as { uid: string }[]).map(({ uid }) => uid),
      };
    },
    usurpLease: (holder) => change(lease, { spec: { holderIdentity: holder } }),
    expireLease: () => change(lease, { spec: { renewTime: "2020-01-01T00:00:00.000000Z" } }),
    async [Symbol.asyncDispose]() {
      for (const http of clients) http.close();
      await plane.request("DELETE", `/api/v1/namespaces/${namespace}`);
    },
  };
}
