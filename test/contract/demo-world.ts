import { randomUUID } from "node:crypto";

import { acceleratedClock } from "../../src/demo/clock.ts";
import { startKubernetesServer } from "../../src/demo/kubernetes-server.ts";
import { createHttpClient, type HttpClient } from "../../src/http.ts";
import type { WireLease } from "../../src/kubernetes/client.ts";
import { createKubernetesClient } from "../../src/kubernetes/client.ts";
import { createKubernetesCluster } from "../../src/kubernetes/cluster.ts";
import { addPod, addWorkload, createWorld, stopPod } from "../../src/simulation/kubernetes-world.ts";
import type { LockWorld } from "./cluster-contract.ts";

const NAMESPACE = "shop";
const LABELS = { app: "orders" };
const LEASE = "pod-rebalancer-deployment-orders";

/** The demo's API server, with the product's own adapter in front of it; a minute takes a second. */
export async function demoWorld(): Promise<LockWorld> {
  const clock = acceleratedClock(60);
  const world = createWorld({ namespace: NAMESPACE });
  const server = await startKubernetesServer(world, { clock });
  const clients: HttpClient[] = [];

  function podNamed(name: string) {
    const pod = world.pods.findLast((one) => one.name === name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  }

  function changeLease(spec: WireLease["spec"]): void {
    const lease = world.leases.get(LEASE);
    const resourceVersion = `${lease?.metadata?.resourceVersion}0`;
    world.leases.set(LEASE, {
      ...lease,
      metadata: { ...lease?.metadata, resourceVersion },
      spec: { ...lease?.spec, ...spec },
    });
  }

  return {
    clock,
    connect() {
      const http = createHttpClient({ url: server.url });
      clients.push(http);
      const client = createKubernetesClient(http, clock);
      return createKubernetesCluster({
        client,
        clock,
        namespace: NAMESPACE,
        labelSelector: "app=orders",
        holder: randomUUID(),
      });
    },
    async createGroup(replicas) {
      const created = new Date(clock.now().getTime() - 3_600_000);
      addWorkload(world, { name: "orders", replicas, labels: LABELS, created });
    },
    async markNotReady(pod) {
      podNamed(pod).readyAt = undefined;
    },
    async deletePod(pod) {
      stopPod(world, podNamed(pod), clock.now());
    },
    async createBarePod(name) {
      addPod(world, { name, labels: LABELS, created: new Date(clock.now().getTime() - 3_600_000) });
    },
    async setBudget(maxUnavailable) {
      world.budgets.push({ name: "orders", matchLabels: LABELS, maxUnavailable, charges: [] });
    },
    async readLease() {
      const lease = world.leases.get(LEASE);
      if (lease === undefined) return undefined;
      const record = lease.metadata?.annotations?.["pod-rebalancer.io/removals"] ?? "[]";
      return {
        holder: lease.spec?.holderIdentity ?? "",
        removed: (JSON.parse(record) as { uid: string }[]).map(({ uid }) => uid),
      };
    },
    async usurpLease(holder) {
      changeLease({ holderIdentity: holder });
    },
    async expireLease() {
      changeLease({ renewTime: "2020-01-01T00:00:00.000000Z" });
    },
    async [Symbol.asyncDispose]() {
      for (const http of clients) http.close();
      await server.close();
    },
  };
}
