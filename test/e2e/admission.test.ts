/** What a real API server answers to an eviction that admission control does not let pass, whatever code a webhook chooses. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { type Loopback, startLoopback } from "../../src/demo/loopback.ts";
import { createHttpClient } from "../../src/http.ts";
import { createKubernetesClient } from "../../src/kubernetes/client.ts";
import { createKubernetesCluster, type KubernetesCluster } from "../../src/kubernetes/cluster.ts";
import { dryRun } from "../../src/kubernetes/dry-run.ts";
import type { PodInfo } from "../../src/types.ts";
import { createAuthority } from "../faults/certificates.ts";
import { type ControlPlane, controlPlaneMissing, startControlPlane } from "../harness/control-plane.ts";
import { isReady, type Manifest } from "../harness/kube-client.ts";
import { deployment } from "../harness/workloads.ts";

const NEVER = new AbortController().signal;
const NO_OBJECTION = () => undefined;
const PATIENCE_MILLIS = 60_000;
const API = "/apis/admissionregistration.k8s.io/v1";
const EVICTIONS = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods/eviction"] };

const missing = controlPlaneMissing();

/** What a webhook says to every eviction: the Status of its AdmissionReview. */
interface Verdict {
  readonly code?: number;
  readonly message?: string;
  readonly reason?: string;
}

function policyFor(namespace: string, reason: string | undefined): Manifest[] {
  const metadata = { name: namespace };
  const inNamespace = { matchLabels: { "kubernetes.io/metadata.name": namespace } };
  const validation = { expression: "false", message: "not on a Friday", ...(reason !== undefined && { reason }) };
  const api = "admissionregistration.k8s.io/v1";
  return [
    {
      apiVersion: api,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: { failurePolicy: "Fail", matchConstraints: { resourceRules: [EVICTIONS] }, validations: [validation] },
    },
    {
      apiVersion: api,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: {
        policyName: namespace,
        validationActions: ["Deny"],
        matchResources: { namespaceSelector: inNamespace },
      },
    },
  ];
}

function webhookFor(namespace: string, url: string, caBundle: string): Manifest {
  const clientConfig = { url, caBundle: Buffer.from(caBundle).toString("base64") };
  const webhook = {
    name: "guard.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    timeoutSeconds: 5,
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    rules: [EVICTIONS],
    clientConfig,
  };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: namespace },
    webhooks: [webhook],
  };
}

describe.skipIf(missing)(`admission control on a real API server${missing ? ` (${missing})` : ""},`, () => {
  let plane: ControlPlane;
  let namespace: string;
  let cluster: KubernetesCluster;
  let pods: readonly PodInfo[];
  const closing = new DisposableStack();
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(async () => {
    closing.dispose();
    await plane[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    namespace = await plane.createNamespace("admission");
    const url = new URL(plane.url);
    const headers = async () => ({ authorization: `Bearer ${plane.adminToken}` });
    const http = closing.adopt(createHttpClient({ url, tls: { ca: plane.ca }, headers }), (one) => one.close());
    const options = { clock: systemClock, namespace, labelSelector: "app=orders", holder: "run-1" };
    cluster = createKubernetesCluster({ client: createKubernetesClient(http, systemClock), ...options });
    await plane.apply([deployment({ name: "orders", replicas: 3 })], namespace);
    const ready = async () => (await plane.listPods(namespace)).filter(isReady).length === 3;
    await plane.waitFor("three Ready pods", ready, PATIENCE_MILLIS);
    ({ pods } = await cluster.observe(NEVER));
  });

  /** Once the API server knows of it: a dry run asks admission control, too, and evicts nothing meanwhile. */
  async function expectRefused(why: string | RegExp): Promise<void> {
    const [pod] = pods;
    const probe = () => cluster.probeEviction(pod!, NO_OBJECTION, NEVER);
    await plane.waitFor("a refusal", async () => (await probe()).outcome === "refused", PATIENCE_MILLIS);
    const refused = {
      outcome: "refused",
      reason: "blocked_by_admission",
      why: typeof why === "string" ? why : expect.stringMatching(why),
    };
    expect(await cluster.evict(pod!, NO_OBJECTION, NEVER)).toEqual(refused);
    expect(await dryRun(cluster, systemClock).evict(pod!, NO_OBJECTION, NEVER)).toEqual(refused);
    expect((await cluster.observe(NEVER)).pods.map(({ uid, terminating }) => [uid, terminating])).toEqual(
      pods.map(({ uid }) => [uid, false]),
    );
  }

  it.each([undefined, "Invalid", "Forbidden", "RequestEntityTooLarge"])(
    "as a policy that denies with the reason %s, is a sure no with the policy's words",
    async (reason) => {
      await plane.apply(policyFor(namespace, reason), namespace);
      try {
        await expectRefused(
          `ValidatingAdmissionPolicy '${namespace}' with binding '${namespace}' denied request: not on a Friday`,
        );
      } finally {
        await plane.request("DELETE", `${API}/validatingadmissionpolicybindings/${namespace}`);
        await plane.request("DELETE", `${API}/validatingadmissionpolicies/${namespace}`);
      }
    },
  );

  describe("as a webhook", () => {
    const authority = createAuthority();
    let server: Loopback;
    let verdict: Verdict | undefined;
    beforeAll(async () => {
      const { cert, key } = authority.sign();
      server = await startLoopback(
        ({ body }) => {
          const { request } = JSON.parse(body) as { request: { uid: string } };
          const response = { uid: request.uid, allowed: false, ...(verdict && { status: verdict }) };
          return { status: 200, body: { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response } };
        },
        { tls: { cert, key } },
      );
    });
    afterAll(async () => {
      await server.close();
      authority[Symbol.dispose]();
    });

    async function withWebhook(url: string, check: () => Promise<void>): Promise<void> {
      await plane.apply([webhookFor(namespace, url, authority.cert)], namespace);
      try {
        await check();
      } finally {
        await plane.request("DELETE", `${API}/validatingwebhookconfigurations/${namespace}`);
      }
    }

    const denied = 'admission webhook "guard.example.com" denied the request';

    it.each([
      ["without a word", undefined, `${denied} without explanation`],
      ["with a reason only", { reason: "Friday" }, `${denied}: Friday`],
      ["with a message only", { message: "not on a Friday" }, `${denied}: not on a Friday`],
      ...[200, 400, 401, 403, 404, 408, 409, 410, 418, 422, 429, 500, 503, 504].map((code) => {
        const said = { code, message: "not on a Friday." };
        return [`with ${code}`, said, `${denied}: not on a Friday`] as const;
      }),
    ] as const)("that denies %s, is a sure no with the webhook's words", async (_name, said, why) => {
      verdict = said;
      await withWebhook(server.url.href, () => expectRefused(why));
    });

    it("that cannot be called, is a sure no as well", async () => {
      const closed = await startLoopback(() => ({ status: 500, body: {} }));
      await closed.close();
      const { port } = closed.url;
      await withWebhook(`https://127.0.0.1:${port}/`, () =>
        expectRefused(
          /^failed calling webhook "guard\.example\.com": failed to call webhook: Post .*connection refused$/,
        ),
      );
    });
  });
});
