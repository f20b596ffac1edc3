/** What the Kubernetes adapter takes for granted, shown on a real API server and its controllers. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createHttpClient } from "../../src/http.ts";
import { createKubernetesClient, type KubernetesClient } from "../../src/kubernetes/client.ts";
import { createKubernetesCluster, type KubernetesCluster } from "../../src/kubernetes/cluster.ts";
import { type CredentialsRequest, loadEndpoint } from "../../src/kubernetes/credentials.ts";
import { dryRun } from "../../src/kubernetes/dry-run.ts";
import { eventSink } from "../../src/kubernetes/events.ts";
import type { Group, RemovalResult, RunReport, Snapshot } from "../../src/types.ts";
import { type ControlPlane, controlPlaneMissing, startControlPlane } from "../harness/control-plane.ts";
import { isReady, type Manifest } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { deployment, podDisruptionBudget, statefulSet, type WorkloadOptions } from "../harness/workloads.ts";

const NEVER = new AbortController().signal;

/** Nothing speaks against an eviction. */
const NONE = () => undefined;
const missing = controlPlaneMissing();

function orders(options: Partial<WorkloadOptions> = {}): Manifest {
  return deployment({ name: "orders", replicas: 4, ...options });
}

function ordersSet(options: Partial<WorkloadOptions> = {}, updateStrategy: object = {}): Manifest {
  const manifest = statefulSet({ name: "orders", replicas: 3, ...options });
  return { ...manifest, spec: { ...(manifest["spec"] as object), updateStrategy } };
}

function budget(name: string): Manifest {
  return podDisruptionBudget({ name, matchLabels: { app: "orders" }, maxUnavailable: 1 });
}

describe.skipIf(missing)(`on a real control plane${missing ? ` (${missing})` : ""},`, () => {
  let plane: ControlPlane;
  let namespace: string;
  let client: KubernetesClient;
  let cluster: KubernetesCluster;
  const closing = new DisposableStack();
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(async () => {
    closing.dispose();
    await plane[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    namespace = await plane.createNamespace("adapter");
    client = clientWith(plane.adminToken);
    cluster = clusterFor("app=orders");
  });

  function clientWith(token: string): KubernetesClient {
    const headers = { authorization: `Bearer ${token}` };
    const http = createHttpClient({ url: new URL(plane.url), tls: { ca: plane.ca }, headers: async () => headers });
    closing.defer(() => http.close());
    return createKubernetesClient(http, systemClock);
  }

  function clusterFor(labelSelector: string): KubernetesCluster {
    return createKubernetesCluster({ client, clock: systemClock, namespace, labelSelector, holder: "run-1" });
  }

  function apply(...manifests: Manifest[]): Promise<Manifest[]> {
    return plane.apply(manifests, namespace);
  }

  function path(api: string, resource: string): string {
    return `${api}/namespaces/${namespace}/${resource}`;
  }

  /** Observes until it is so; `undefined` where it never gets so. */
  function seen(met: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    return plane.waitFor(
      met.toString(),
      async () => {
        const snapshot = await cluster.observe(NEVER);
        return met(snapshot) && snapshot;
      },
      60_000,
    );
  }

  async function budgetCounts(): Promise<void> {
    const budgets = path("/apis/policy/v1", "poddisruptionbudgets/orders");
    await plane.waitFor(
      "the budget's status",
      async () => {
        const { body } = await plane.request<{ status?: { disruptionsAllowed?: number } }>("GET", budgets);
        return body.status?.disruptionsAllowed === 1;
      },
      30_000,
    );
  }

  async function pause(paused: boolean): Promise<void> {
    await plane.request("PATCH", path("/apis/apps/v1", "deployments/orders"), { spec: { paused } });
  }

  function atRest(count: number): Promise<Snapshot> {
    return seen(({ pods, workload }) => {
      return workload?.rollout === undefined && pods.filter((pod) => pod.readySince).length === count;
    });
  }

  async function accessWith(request: CredentialsRequest): Promise<unknown> {
    const { endpoint } = await loadEndpoint(request, NEVER);
    const http = createHttpClient(endpoint);
    closing.defer(() => http.close());
    const query = { namespace, keep: () => undefined };
    return createKubernetesClient(http, systemClock)
      .listPods(query, NEVER)
      .then(
        () => "ok",
        (error: { code: string }) => error.code,
      );
  }

  function kubeconfig(user: object, cluster_: object = { "certificate-authority": plane.caFile }): CredentialsRequest {
    const file = join(plane.directory, "test.kubeconfig");
    const config = {
      clusters: [{ name: "c", cluster: { server: plane.url, ...cluster_ } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    writeFileSync(file, JSON.stringify(config));
    return { context: undefined, env: { ...process.env, KUBECONFIG: file } };
  }

  describe("a Deployment", () => {
    it("that rolls out says how far it is, and is at rest again when it is through", async () => {
      await apply(orders());
      await atRest(4);
      await apply(orders({ image: "consumer:2", neverReady: true }));
      const { workload } = await seen(
        (snapshot) => snapshot.workload?.rollout?.endsWith("run the newest template") ?? false,
      );
      expect(workload?.rollout).toMatch(/^\d of \d pods run the newest template$/);
      await apply(orders({ image: "consumer:2" }));
      await atRest(4);
    });

    it("that was paused in the middle still rolls out, and one paused at rest does not", async () => {
      await apply(orders());
      await atRest(4);
      await pause(true);
      await atRest(4);
      await apply(orders({ image: "consumer:2" }));
      await seen(({ workload }) => workload?.rollout === "0 of 4 pods run the newest template");
      await pause(false);
      await atRest(4);
    });

    it("is suspended and its pods exempt by annotation", async () => {
      const marks = {
        annotations: { "pod-rebalancer.io/suspend": "true" },
        podAnnotations: { "pod-rebalancer.io/exempt": "true" },
      };
      await apply(orders({ replicas: 1, ...marks }));
      const { workload, pods } = await atRest(1);
      expect(workload?.suspended).toBe(true);
      expect(pods[0]).toMatchObject({ exempt: true, graceSeconds: 1, node: expect.stringMatching(/^node-/) });
    });

    it("beside another one of the same selector makes the group ambiguous", async () => {
      const labels = { group: "shared" };
      await apply(orders({ replicas: 1, labels }), deployment({ name: "shipping", replicas: 1, labels }));
      cluster = clusterFor("group=shared");
      const { controllers, workload } = await seen(({ pods }) => pods.length === 2);
      expect(controllers).toEqual(["Deployment/orders", "Deployment/shipping"]);
      expect(workload).toBeUndefined();
    });

    it("whose autoscaler wants another number is scaling", async () => {
      await apply(orders(), {
        apiVersion: "autoscaling/v2",
        kind: "HorizontalPodAutoscaler",
        metadata: { name: "orders" },
        spec: { maxReplicas: 9, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "orders" } },
      });
      expect((await atRest(4)).workload?.scaling).toBeUndefined();
      const status = { currentReplicas: 4, desiredReplicas: 6 };
      const autoscaler = path("/apis/autoscaling/v2", "horizontalpodautoscalers/orders/status");
      expect((await plane.request("PATCH", autoscaler, { status })).status).toBe(200);
      const { workload } = await cluster.observe(NEVER);
      expect(workload?.scaling).toBe("HorizontalPodAutoscaler orders wants 6 pods, 4 are asked for");
    });
  });

  describe("a StatefulSet", () => {
    it("is a group whose pods' names end in ordinals", async () => {
      await apply(ordersSet());
      const { workload, pods, controllers } = await atRest(3);
      expect(controllers).toEqual(["StatefulSet/orders"]);
      expect(workload).toMatchObject({ kind: "StatefulSet", replicas: 3 });
      expect(pods.map(({ name, namePrefix }) => [name, namePrefix])).toEqual([
        ["orders-0", "orders-"],
        ["orders-1", "orders-"],
        ["orders-2", "orders-"],
      ]);
    });

    it("held by a partition rolls out until the partition is lifted", async () => {
      const held = { type: "RollingUpdate", rollingUpdate: { partition: 2 } };
      await apply(ordersSet({}, held));
      await atRest(3);
      await apply(ordersSet({ image: "consumer:2" }, held));
      await seen(({ workload }) => workload?.rollout === "1 of 3 pods run the newest template");
      await apply(ordersSet({ image: "consumer:2" }, { type: "RollingUpdate", rollingUpdate: { partition: 0 } }));
      await atRest(3);
    });

    it("updated by deletion rolls out until its pods were deleted, though its current revision never moves", async () => {
      await apply(ordersSet({}, { type: "OnDelete" }));
      await atRest(3);
      await apply(ordersSet({ image: "consumer:2" }, { type: "OnDelete" }));
      await seen(({ workload }) => workload?.rollout === "0 of 3 pods run the newest template");
      for (const { metadata } of await plane.listPods(namespace)) {
        await plane.request("DELETE", path("/api/v1", `pods/${metadata.name}`));
      }
      await atRest(3);
      const { body } = await plane.request<{ status: Record<string, string> }>(
        "GET",
        path("/apis/apps/v1", "statefulsets/orders"),
      );
      expect(body.status["updateRevision"]).not.toBe(body.status["currentRevision"]);
    });

    it("replaces an evicted pod by one of the same name and another UID, and the old UID is gone then", async () => {
      await apply(ordersSet());
      const before = (await atRest(3)).pods[1]!;
      expect(await cluster.evict(before, NONE, NEVER)).toEqual({ outcome: "accepted" });
      await seen(({ pods }) => pods.filter((pod) => pod.readySince && pod.uid !== before.uid).length === 3);
      expect(await cluster.evict(before, NONE, NEVER)).toEqual({ outcome: "gone" });
    });
  });

  describe("an eviction", () => {
    it("that several budgets match is refused by name", async () => {
      await apply(orders(), budget("one"), budget("two"));
      const { pods } = await atRest(4);
      const why = "several PodDisruptionBudgets match the pod, and the eviction API cannot judge more than one";
      const refused = { outcome: "refused", reason: "blocked_by_pdb", why };
      expect(await cluster.evict(pods[0]!, NONE, NEVER)).toEqual(refused);
      expect(await dryRun(cluster, systemClock).evict(pods[0]!, NONE, NEVER)).toEqual(refused);
    });

    it("in a dry run asks the budget, spends nothing of it, and changes nothing", async () => {
      // Slow enough that the budget still refuses when it is asked for the second pod.
      await apply(orders({ readyDelaySeconds: 5 }), budget("orders"));
      const { pods } = await atRest(4);
      await budgetCounts();
      const dry = dryRun(cluster, systemClock);
      for (const pod of pods) expect(await dry.evict(pod, NONE, NEVER)).toMatchObject({ outcome: "accepted" });
      expect((await atRest(4)).pods).toEqual(pods);
      expect((await dry.observe(NEVER)).pods.map(({ uid }) => uid)).toEqual(pods.map(({ uid }) => `dry-run:${uid}`));
      expect(await cluster.evict(pods[0]!, NONE, NEVER)).toEqual({ outcome: "accepted" });
      expect(await cluster.evict(pods[1]!, NONE, NEVER)).toMatchObject({
        outcome: "refused",
        why: expect.stringMatching(/^the disruption budget orders needs 3 healthy pods and has 3 currently$/),
      });
      expect(await dry.evict(pods[1]!, NONE, NEVER)).toMatchObject({ outcome: "refused" });
    });

    it("of a terminating pod asks for nothing", async () => {
      await apply(orders({ podAnnotations: { [POD_ANNOTATIONS.terminationDelay]: "20s" } }));
      const { pods } = await atRest(4);
      expect(await cluster.evict(pods[0]!, NONE, NEVER)).toEqual({ outcome: "accepted" });
      const after = await cluster.observe(NEVER);
      expect(after.pods.find(({ uid }) => uid === pods[0]!.uid)).toMatchObject({
        terminating: true,
        readySince: undefined,
      });
      expect(await cluster.evict(pods[0]!, NONE, NEVER)).toEqual({ outcome: "gone" });
    });
  });

  it("an Event is shown on the workload", async () => {
    await apply(orders({ replicas: 1 }));
    const snapshot = await atRest(1);
    const group = { snapshot } as Group;
    const removal = {
      steps: [{ pod: "orders-x", uid: "x", role: "most_busy", outcome: "evicted", why: "" }],
    } as unknown as RemovalResult;
    const report = {
      dryRun: false,
      group,
      removal,
      reason: "interrupted",
      detail: "told to stop",
      exitCode: 3,
    } as RunReport;
    await eventSink(client, () => new Date(), "run-1").write(report, NEVER);
    const { body } = await plane.request<{ items: object[] }>(
      "GET",
      `${path("/api/v1", "events")}?fieldSelector=involvedObject.kind=Deployment,reason=Interrupted`,
    );
    expect(body.items).toMatchObject([
      { type: "Warning", reportingComponent: "pod-rebalancer", message: expect.stringMatching(/orders-x/) },
    ]);
  });

  it("a list of several pages is whole", async () => {
    await apply(orders({ replicas: 620 }));
    await plane.waitFor("620 pods", async () => (await plane.listPods(namespace)).length === 620, 120_000);
    const { value } = await client.listPods(
      { namespace, labelSelector: "app=orders", keep: (pod) => pod.metadata?.uid },
      NEVER,
    );
    expect(new Set(value).size).toBe(620);
    await apply(orders({ replicas: 0 }));
  });

  it("a missing right is named", async () => {
    const token = await plane.serviceAccountToken(namespace, "default");
    client = clientWith(token);
    await expect(clusterFor("app=orders").observe(NEVER)).rejects.toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringMatching(/^list pods in namespace .*cannot list resource "pods"/),
    });
  });

  describe("credentials", () => {
    it.each<[string, () => CredentialsRequest, string]>([
      ["a token", () => kubeconfig({ token: plane.adminToken }), "ok"],
      ["a wrong token", () => kubeconfig({ token: "wrong" }), "UNAUTHORIZED"],
      ["nobody's name", () => kubeconfig({}), "FORBIDDEN"],
      [
        "a plugin",
        () =>
          kubeconfig({ exec: { command: "echo", args: [JSON.stringify({ status: { token: plane.adminToken } })] } }),
        "ok",
      ],
      ["somebody else to act as", () => kubeconfig({ token: plane.adminToken, as: "jane" }), "FORBIDDEN"],
      ["no CA", () => kubeconfig({ token: plane.adminToken }, {}), "TLS_FAILED"],
      ["no verification", () => kubeconfig({ token: plane.adminToken }, { "insecure-skip-tls-verify": true }), "ok"],
      [
        "a server name of the certificate",
        () =>
          kubeconfig(
            { token: plane.adminToken },
            { "certificate-authority": plane.caFile, "tls-server-name": "kubernetes.default.svc" },
          ),
        "ok",
      ],
      [
        "another server name",
        () =>
          kubeconfig(
            { token: plane.adminToken },
            { "certificate-authority": plane.caFile, "tls-server-name": "other" },
          ),
        "TLS_FAILED",
      ],
    ])("of a kubeconfig with %s", async (_name, request, expected) => {
      expect(await accessWith(request())).toBe(expected);
    });

    it("of a service account, read from its mounted files", async () => {
      const serviceAccount = join(plane.directory, "serviceaccount");
      mkdirSync(serviceAccount);
      writeFileSync(join(serviceAccount, "ca.crt"), plane.ca);
      writeFileSync(join(serviceAccount, "token"), `${await plane.serviceAccountToken(namespace, "default")}\n`);
      const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: new URL(plane.url).port };
      expect(await accessWith({ context: undefined, env, serviceAccount })).toBe("FORBIDDEN");
      writeFileSync(join(serviceAccount, "token"), plane.adminToken);
      expect(await accessWith({ context: undefined, env, serviceAccount })).toBe("ok");
    });
  });

  it("pods that the harness calls Ready are Ready for the adapter", async () => {
    await apply(orders());
    const { pods } = await atRest(4);
    const ready = (await plane.listPods(namespace)).filter(isReady).map(({ metadata }) => metadata.uid);
    expect(pods.map(({ uid }) => uid)).toEqual(ready);
  });
});
