/** Shows that the servers of the tests behave as real ones where the end-to-end suite relies on it. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type ControlPlane, controlPlaneMissing, startControlPlane } from "../harness/control-plane.ts";
import { startExporter } from "../harness/exporter.ts";
import { isReady } from "../harness/kube-client.ts";
import { POD_ANNOTATIONS } from "../harness/kwok-stages.ts";
import { enginesMissing, type MetricsServer, startPrometheus, startVictoriaMetrics } from "../harness/prometheus.ts";
import { deployment, job, podDisruptionBudget, statefulSet } from "../harness/workloads.ts";

const missing = controlPlaneMissing();
const engineless = enginesMissing();

interface Status {
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason: string }[] };
}

describe.skipIf(missing !== undefined)(
  `the harness's control plane${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let cluster: ControlPlane;
    beforeAll(async () => {
      cluster = await startControlPlane();
    }, 900_000);
    afterAll(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    async function readyPods(namespace: string, count: number, timeoutMillis = 90_000) {
      return await cluster.waitFor(
        `${count} Ready pods`,
        async () => {
          const pods = await cluster.listPods(namespace);
          return pods.length === count && pods.every(isReady) && pods;
        },
        timeoutMillis,
      );
    }

    function evict(namespace: string, name: string) {
      return cluster.request<Status>("POST", `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name, namespace },
      });
    }

    it("replaces an evicted pod after the set delay, and refuses the next eviction by the budget", async () => {
      const namespace = await cluster.createNamespace();
      await cluster.apply(
        [
          deployment({ name: "consumer", replicas: 12 }),
          podDisruptionBudget({ name: "consumer", matchLabels: { app: "consumer" }, maxUnavailable: 1 }),
        ],
        namespace,
      );
      const [first, second] = await readyPods(namespace, 12);
      await cluster.waitFor(
        "the budget's status",
        async () => {
          const path = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/consumer`;
          const budget = await cluster.request<{ status?: { disruptionsAllowed?: number } }>("GET", path);
          return budget.body.status?.disruptionsAllowed === 1;
        },
        20_000,
      );

      await cluster.setReadyDelay(3);
      try {
        await using recording = await cluster.watchPods(namespace, "app=consumer");
        const known = new Set(recording.events.map((event) => event.pod.metadata.uid));
        expect(known.size).toBe(12);
        expect((await evict(namespace, first!.metadata.name)).status).toBe(201);
        const refused = await evict(namespace, second!.metadata.name);
        expect(refused.status).toBe(429);
        expect(refused.body.details?.causes?.map((cause) => cause.reason)).toEqual(["DisruptionBudget"]);

        await readyPods(namespace, 12);
        const replacement = (await cluster.listPods(namespace)).find(({ metadata: { uid } }) => !known.has(uid))!;
        const ready = replacement.status.conditions!.find(({ type }) => type === "Ready")!;
        // By the server's time, in whole seconds: not when we saw it.
        const waited = Date.parse(ready.lastTransitionTime!) - Date.parse(replacement.metadata.creationTimestamp);
        expect(waited).toBeGreaterThanOrEqual(2_000);
      } finally {
        await cluster.setReadyDelay(0);
      }
    });

    it("turns a pod not Ready, and Ready again, by its annotation, and keeps a terminating pod as long as told", async () => {
      const namespace = await cluster.createNamespace();
      await cluster.apply(
        [statefulSet({ name: "consumer", replicas: 3, podAnnotations: { [POD_ANNOTATIONS.terminationDelay]: "2s" } })],
        namespace,
      );
      const [pod] = await readyPods(namespace, 3);
      const path = `/api/v1/namespaces/${namespace}/pods/${pod!.metadata.name}`;
      await cluster.request("PATCH", path, { metadata: { annotations: { [POD_ANNOTATIONS.notReady]: "true" } } });
      await cluster.waitFor(
        "a pod that is not Ready",
        async () => !(await cluster.listPods(namespace)).every(isReady),
        10_000,
      );
      await cluster.request("PATCH", path, { metadata: { annotations: { [POD_ANNOTATIONS.notReady]: null } } });
      await readyPods(namespace, 3);

      await using recording = await cluster.watchPods(namespace);
      expect((await evict(namespace, pod!.metadata.name)).status).toBe(201);
      await cluster.waitFor(
        "the end of the pod",
        () => recording.events.some((event) => event.type === "DELETED"),
        15_000,
      );
      const own = recording.events.filter((event) => event.pod.metadata.uid === pod!.metadata.uid);
      const terminating = own.findIndex((event) => event.pod.metadata.deletionTimestamp !== undefined);
      const gone = own.findIndex((event) => event.type === "DELETED");
      expect(terminating).toBeGreaterThanOrEqual(0);
      expect(terminating).toBeLessThan(gone);
      await readyPods(namespace, 3);
    });

    it("leaves a Job's pod alone, and lets the Job fail without a second pod when it is reported as failed", async () => {
      const namespace = await cluster.createNamespace();
      await cluster.apply([job({ name: "run" })], namespace);
      const pod = await cluster.waitFor(
        "the Job's pod on a node",
        async () => (await cluster.listPods(namespace)).find((each) => each.spec.nodeName !== undefined),
        20_000,
      );
      // A pod that came later is Ready: kwok has had its turn at the Job's.
      await cluster.apply([statefulSet({ name: "later", replicas: 1 })], namespace);
      await cluster.waitFor("a later pod", async () => (await cluster.listPods(namespace)).some(isReady), 20_000);
      const own = (await cluster.listPods(namespace)).find(({ metadata: { uid } }) => uid === pod.metadata.uid);
      expect(own?.status.phase).toBe("Pending");

      await cluster.finishPod(namespace, pod.metadata.name, 3);
      const conditions = await cluster.waitFor(
        "the Job's end",
        async () => {
          const path = `/apis/batch/v1/namespaces/${namespace}/jobs/run`;
          const { body } = await cluster.request<{ status?: { conditions?: { type: string; reason: string }[] } }>(
            "GET",
            path,
          );
          const found = body.status?.conditions ?? [];
          return found.some((condition) => condition.type === "Failed") && found;
        },
        30_000,
      );
      expect(conditions.find((condition) => condition.type === "Failed")?.reason).toBe("BackoffLimitExceeded");
      // The later one's, and no second of the Job's.
      expect(await cluster.listPods(namespace)).toHaveLength(2);
    });

    it("gives a ServiceAccount no more than its Role grants", async () => {
      const namespace = await cluster.createNamespace();
      const [, , binding] = await cluster.apply(
        [
          { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reader", namespace: "elsewhere" } },
          {
            apiVersion: "rbac.authorization.k8s.io/v1",
            kind: "Role",
            metadata: { name: "reader" },
            rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
          },
          {
            apiVersion: "rbac.authorization.k8s.io/v1",
            kind: "RoleBinding",
            metadata: { name: "reader" },
            roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
            subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "elsewhere" }],
          },
        ],
        namespace,
      );
      expect(binding?.["subjects"]).toEqual([{ kind: "ServiceAccount", name: "reader", namespace }]);
      const token = await cluster.serviceAccountToken(namespace, "reader");
      const status = async (path: string) => (await cluster.request("GET", path, undefined, { token })).status;
      expect(await status(`/api/v1/namespaces/${namespace}/pods`)).toBe(200);
      expect(await status(`/api/v1/namespaces/${namespace}/secrets`)).toBe(403);
      expect(await status("/api/v1/namespaces/default/pods")).toBe(403);
    });
  },
);

async function expectSeries(server: MetricsServer, past: number) {
  const cpu = 'rate(container_cpu_usage_seconds_total{namespace="shop",container="consumer"}[5s])';
  // The whole window is filled: where it begins there is a sample already.
  await server.waitForRows(`${cpu} and (container_cpu_usage_seconds_total offset 5s)`, 2);
  const rows = await server.query(cpu);
  const cores = new Map(rows.map((row) => [row.labels["pod"], row.value]));
  expect(cores.get("a")! / 0.5).toBeCloseTo(1, 1);
  expect(cores.get("b")! / 0.1).toBeCloseTo(1, 1);
  expect(rows[0]?.labels).toMatchObject({ job: "cadvisor", replica: "one", namespace: "shop" });

  const lag = await server.query("kafka_consumer_lag_sum");
  expect(lag.map((row) => [row.labels["pod"], row.value])).toEqual([["a", 700]]);
  const old = await server.query("rate(old_total[5m])", { time: past });
  expect(old.map((row) => row.labels)).toEqual([{ pod: "a" }]);
  expect(old[0]!.value).toBeCloseTo(2, 2);
}

describe.skipIf(engineless !== undefined)(
  `the harness's metrics engines${engineless === undefined ? "" : `: ${engineless}`}`,
  () => {
    const past = Math.floor(Date.now() / 1_000) - 7_200;
    const backfill = [
      {
        name: "old_total",
        labels: { pod: "a" },
        samples: Array.from({ length: 41 }, (_, index) => [past - 600 + index * 15, 1_000 + index * 30] as const),
      },
    ];
    const pods = [
      { namespace: "shop", pod: "a", cpuCores: 0.5, lag: 700, rate: 20, memoryBytes: 1e8 },
      { namespace: "shop", pod: "b", cpuCores: 0.1 },
    ];

    it.for([
      ["Prometheus", startPrometheus],
      ["VictoriaMetrics", startVictoriaMetrics],
    ] as const)("%s shows what is scraped and what was filled in", async ([, start]) => {
      await using exporter = await startExporter(pods);
      const scrape = [{ job: "cadvisor", url: exporter.url, labels: { replica: "one" } }];
      await using server = await start({ scrape, backfill });
      await expectSeries(server, past);
    });
  },
);
