/**
 * A real Kubernetes control plane on loopback: etcd, kube-apiserver with RBAC, controller-manager and scheduler, and kwok in
 * the place of the kubelets.
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Command, componentCommand, ensureTool } from "./build.ts";
import { createKubeClient, type KubeClient } from "./kube-client.ts";
import { kwokConfiguration } from "./kwok-stages.ts";
import { freePorts, type ServerProcess, startProcess, temporaryFolder, waitFor, waitUntilReady } from "./processes.ts";
import { nodeManifest } from "./workloads.ts";

export { controlPlaneMissing } from "./build.ts";

export interface ControlPlaneOptions {
  /** Default 4. Each takes 110 pods. */
  readonly nodes?: number;
  /** How long a pod is Running before it is Ready; default 0. A pod's annotation `test/ready-delay` goes before it. */
  readonly readyDelaySeconds?: number;
}

export interface ControlPlane extends Omit<KubeClient, "close">, AsyncDisposable {
  readonly url: string;
  /** The API server's CA as a file and as PEM text. */
  readonly caFile: string;
  readonly ca: string;
  /** A member of `system:masters`. */
  readonly adminToken: string;
  /** Temporary; the logs of the components and the test's own files. */
  readonly directory: string;
  /** Creates a namespace with a name of its own that begins with `prefix`, ready for pods. */
  createNamespace(prefix?: string): Promise<string>;
  /** A fresh token of a ServiceAccount, from the TokenRequest API. */
  serviceAccountToken(namespace: string, name: string, expirationSeconds?: number): Promise<string>;
  /** Writes a kubeconfig. @returns its path. */
  kubeconfig(path: string, token: string, namespace?: string): Promise<string>;
  /** Restarts kwok, so that pods which are not Ready yet, and all later ones, wait that long. Ready pods stay Ready. */
  setReadyDelay(seconds: number): Promise<void>;
  /**
   * Reports a pod's end, as its kubelet would: `Succeeded` for exit code 0, otherwise `Failed`. For the pods of Jobs.
   *
   * @param log - what `kubectl logs` shows from then on: of every pod, for kwok has one file for all.
   */
  finishPod(namespace: string, name: string, exitCode: number, log?: string): Promise<void>;
  /** @see waitFor */
  waitFor: typeof waitFor;
}

const START_TIMEOUT_MILLIS = 90_000;

/**
 * Starts a control plane; the first call may have to build it, which takes minutes.
 *
 * @throws Error with the end of the log of the component that failed; everything started before is ended first.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder("cluster"));
  const [apiPort = 0, etcdPort = 0, etcdPeerPort = 0, kubeletPort = 0] = await freePorts(4);
  const file = (name: string): string => join(directory, name);
  const url = `https://127.0.0.1:${apiPort}`;
  const adminToken = randomBytes(16).toString("hex");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await writeFile(file("sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
  await writeFile(file("tokens.csv"), `${adminToken},admin,admin,"system:masters"\n`, { mode: 0o600 });

  async function start(name: string, [program, ...first]: Command, flags: readonly string[]): Promise<ServerProcess> {
    return started.use(await startProcess({ name, program, args: [...first, ...flags], directory }));
  }
  const etcd = await start("etcd", await componentCommand("etcd"), etcdFlags(etcdPort, etcdPeerPort));
  await waitUntilReady(etcd, () => answers(`http://127.0.0.1:${etcdPort}/health`), START_TIMEOUT_MILLIS);
  const apiserver = await start(
    "kube-apiserver",
    await componentCommand("kube-apiserver"),
    apiserverFlags(apiPort, etcdPort),
  );
  // The server writes its certificate, and the CA that signed it, when it starts.
  const caFile = file("certs/apiserver.crt");
  let client: KubeClient | undefined;
  await waitUntilReady(
    apiserver,
    async () => {
      client ??= createKubeClient({ url, ca: await readFile(caFile, "utf8"), token: adminToken });
      return (await client.request("GET", "/readyz")).status === 200;
    },
    START_TIMEOUT_MILLIS,
  );
  const kube = client!;
  started.defer(() => kube.close());
  const ca = await readFile(caFile, "utf8");
  const kubeconfig = async (path: string, token: string, namespace = "default"): Promise<string> => {
    await writeFile(path, JSON.stringify(kubeconfigObject({ url, ca, token, namespace }), undefined, 2), {
      mode: 0o600,
    });
    return path;
  };
  const admin = `--kubeconfig=${await kubeconfig(file("admin.kubeconfig"), adminToken)}`;
  const controllerManager = await start("kube-controller-manager", await componentCommand("kube-controller-manager"), [
    admin,
    ...CONTROLLER_MANAGER_FLAGS,
  ]);
  const scheduler = await start("kube-scheduler", await componentCommand("kube-scheduler"), [
    admin,
    ...SCHEDULER_FLAGS,
  ]);
  const kwokProgram = await ensureTool("kwok");
  const startKwok = async (readyDelaySeconds: number): Promise<ServerProcess> => {
    await writeFile(file("kwok.yaml"), kwokConfiguration(readyDelaySeconds, file(POD_LOG)));
    const args = [admin, ...kwokFlags(kubeletPort)];
    return await startProcess({ name: "kwok", program: kwokProgram, args, directory });
  };
  let kwok = await startKwok(options.readyDelaySeconds ?? 0);
  started.defer(() => kwok.stop());

  await kube.apply(Array.from({ length: options.nodes ?? 4 }, (_, index) => nodeManifest(`node-${index + 1}`)));
  await waitUntilReady(kwok, () => nodesReady(kube), START_TIMEOUT_MILLIS);
  await waitUntilReady(controllerManager, () => accountExists(kube, "default"), START_TIMEOUT_MILLIS);
  if (!scheduler.alive()) throw new Error(`kube-scheduler ended while it started:\n${scheduler.logTail()}`);

  const running = started.move();
  return {
    ...kube,
    url,
    caFile,
    ca,
    adminToken,
    directory,
    kubeconfig,
    waitFor,
    createNamespace: (prefix = "test") => createNamespace(kube, prefix),
    serviceAccountToken: (namespace, name, seconds = 3_600) => requestToken(kube, namespace, name, seconds),
    async finishPod(namespace, name, exitCode, log = "") {
      await writeFile(file(POD_LOG), containerLog(log));
      await finishPod(kube, namespace, name, exitCode);
    },
    async setReadyDelay(seconds) {
      await kwok.stop();
      // Or the next one would wait until they expire, before it looks after any pod.
      await kube.request("DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
      kwok = await startKwok(seconds);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function etcdFlags(port: number, peerPort: number): string[] {
  return [
    "--data-dir=etcd",
    `--listen-client-urls=http://127.0.0.1:${port}`,
    `--advertise-client-urls=http://127.0.0.1:${port}`,
    `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
    `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

function apiserverFlags(port: number, etcdPort: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    "--cert-dir=certs",
    `--secure-port=${port}`,
    "--bind-address=127.0.0.1",
    // Nothing reaches the API through its Service here, and a machine without a network has no other address to offer.
    "--advertise-address=127.0.0.1",
    "--endpoint-reconciler-type=none",
    "--service-account-key-file=sa.key",
    "--service-account-signing-key-file=sa.key",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=RBAC",
    // The names of the nodes lead nowhere.
    "--kubelet-preferred-address-types=InternalIP",
  ];
}

const CONTROLLER_MANAGER_FLAGS = [
  "--service-account-private-key-file=sa.key",
  // Without a metrics API the autoscaler only erases the status that a test has written.
  "--controllers=*,-horizontal-pod-autoscaler-controller",
  "--leader-elect=false",
  "--secure-port=0",
  // A busy machine may renew a node's lease late; the pods of a node that counts as lost would turn not Ready.
  "--node-monitor-grace-period=5m",
  "--kube-api-qps=200",
  "--kube-api-burst=400",
];
const SCHEDULER_FLAGS = ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400"];
const POD_LOG = "pod.log";

/** @param port - where kwok serves the logs of pods, as the kubelet of every node. */
function kwokFlags(port: number): string[] {
  return [
    "--config=kwok.yaml",
    "--manage-all-nodes=true",
    "--node-lease-duration-seconds=40",
    `--server-address=127.0.0.1:${port}`,
    "--node-ip=127.0.0.1",
    `--node-port=${port}`,
    // The API server speaks TLS with kubelets, and trusts any certificate unless it is told not to.
    "--tls-cert-file=certs/apiserver.crt",
    "--tls-private-key-file=certs/apiserver.key",
  ];
}

/** The lines as a container runtime keeps them. */
function containerLog(text: string): string {
  const now = new Date().toISOString();
  return text.replaceAll(/^.+$/gm, (line) => `${now} stderr F ${line}`);
}

function kubeconfigObject(access: { url: string; ca: string; token: string; namespace: string }): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: { server: access.url, "certificate-authority-data": Buffer.from(access.ca).toString("base64") },
      },
    ],
    users: [{ name: "test", user: { token: access.token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: access.namespace } }],
    "current-context": "test",
  };
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
}

interface NodeList {
  readonly items: readonly { readonly status: { readonly conditions?: readonly { type: string; status: string }[] } }[];
}

async function nodesReady(kube: KubeClient): Promise<boolean> {
  const { body } = await kube.request<NodeList>("GET", "/api/v1/nodes");
  return body.items.every((node) =>
    node.status.conditions?.some((each) => each.type === "Ready" && each.status === "True"),
  );
}

async function accountExists(kube: KubeClient, namespace: string): Promise<boolean> {
  return (await kube.request("GET", `/api/v1/namespaces/${namespace}/serviceaccounts/default`)).status === 200;
}

async function createNamespace(kube: KubeClient, prefix: string): Promise<string> {
  const name = `${prefix}-${randomBytes(3).toString("hex")}`;
  await kube.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name } }]);
  // Before this account exists the API server refuses every pod.
  await waitFor(`the default ServiceAccount of ${name}`, () => accountExists(kube, name), 30_000);
  return name;
}

async function requestToken(
  kube: KubeClient,
  namespace: string,
  name: string,
  expirationSeconds: number,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { status, body } = await kube.request<{ status?: { token: string } }>("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds },
  });
  if (body.status?.token === undefined)
    throw new Error(`no token for ${namespace}/${name}: ${status} ${JSON.stringify(body)}`);
  return body.status.token;
}

async function finishPod(kube: KubeClient, namespace: string, name: string, exitCode: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const pod = await kube.request<{ spec: { containers: readonly { name: string; image: string }[] } }>("GET", path);
  const now = new Date().toISOString();
  const reason = exitCode === 0 ? "Completed" : "Error";
  const containerStatuses = pod.body.spec.containers.map((container) => ({
    name: container.name,
    image: container.image,
    imageID: "",
    ready: false,
    restartCount: 0,
    state: { terminated: { exitCode, reason, startedAt: now, finishedAt: now } },
  }));
  const status = { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses };
  const reply = await kube.request("PATCH", `${path}/status`, { status });
  if (reply.status !== 200) throw new Error(`cannot finish ${namespace}/${name}: ${JSON.stringify(reply.body)}`);
}
