import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type Loopback, startLoopback } from "../../test/fakes/loopback.ts";
import { createAuthority } from "../../test/faults/certificates.ts";
import { createHttpClient, type HttpEndpoint } from "../http.ts";
import { type CredentialsRequest, loadEndpoint } from "./credentials.ts";

const NEVER = new AbortController().signal;

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "credentials-"))));
afterEach(() => rmSync(directory, { recursive: true }));
afterEach(() => void vi.unstubAllEnvs());

function file(name: string, content: string | object): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function serviceAccount(): string {
  file("token", "in-cluster-token\n");
  file("ca.crt", "CA");
  return directory;
}

/** One cluster, one user, one context, all named the same. */
function configOf(name: string, { cluster = {}, user = {} }: { cluster?: object; user?: object } = {}): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: { server: `https://${name}.example:6443`, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
}

function load(request: Partial<CredentialsRequest>) {
  return loadEndpoint({ context: undefined, env: {}, serviceAccount: join(directory, "none"), ...request }, NEVER);
}

/** Loads one kubeconfig. */
function loadConfig(config: string | object, env: Record<string, string> = {}) {
  return load({ env: { PATH: process.env["PATH"], KUBECONFIG: file("config", config), ...env } });
}

function headersOf(endpoint: HttpEndpoint) {
  return endpoint.headers?.(NEVER);
}

describe("inside a cluster", () => {
  const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" };

  it("the service account is used, and its token read again after ten seconds", async () => {
    let now = 0;
    const { endpoint, source, context } = await load({ env, serviceAccount: serviceAccount(), now: () => now });
    expect([source, context, endpoint.url.href]).toEqual(["in-cluster", undefined, "https://10.0.0.1:6443/"]);
    expect(endpoint.tls).toEqual({ ca: "CA" });
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer in-cluster-token" });
    file("token", "rotated");
    now = 9_999;
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer in-cluster-token" });
    now = 10_000;
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer rotated" });
  });

  it("a token that could not be read is looked for again at once", async () => {
    const { endpoint } = await load({ env, serviceAccount: serviceAccount(), now: () => 0 });
    file("token", "");
    await expect(headersOf(endpoint)).rejects.toThrow("is empty");
    file("token", "late");
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer late" });
  });

  it("an IPv6 address gets its brackets, and the port its default", async () => {
    const { endpoint } = await load({ env: { KUBERNETES_SERVICE_HOST: "fd00::1" }, serviceAccount: serviceAccount() });
    expect(endpoint.url.href).toBe("https://[fd00::1]/");
  });

  it.each(["0", "1"])(
    "nobody but the API server sees the token, with NODE_TLS_REJECT_UNAUTHORIZED=%s",
    async (value) => {
      using authority = createAuthority();
      using stranger = createAuthority();
      vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", value);
      await using honest = await startLoopback(() => ({ body: "{}" }), authority.sign());
      await using other = await startLoopback(() => ({ body: "{}" }), stranger.sign());
      const path = serviceAccount();
      file("ca.crt", authority.cert);
      const ask = async ({ url }: Loopback) => {
        const at = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: new URL(url).port };
        const { endpoint } = await load({ env: at, serviceAccount: path });
        const http = createHttpClient(endpoint);
        const call = {
          what: "x",
          method: "GET",
          path: "/api",
          deadlineMillis: 30_000,
          retry: false,
          maxBytes: 9,
        } as const;
        return await http.request({ ...call, signal: NEVER }).finally(() => http.close());
      };
      await expect(ask(other)).rejects.toMatchObject({ code: "TLS_FAILED" });
      expect(other.received).toEqual([]);
      await ask(honest);
      expect(honest.received[0]?.headers.authorization).toBe("Bearer in-cluster-token");
    },
  );

  it("a KUBECONFIG or a context that was asked for wins", async () => {
    const byFile = { ...env, KUBECONFIG: file("config", configOf("dev")) };
    expect(await load({ env: byFile, serviceAccount: serviceAccount() })).toMatchObject({ context: "dev" });
    await expect(load({ env: { ...env, HOME: directory }, context: "x", serviceAccount: directory })).rejects.toThrow(
      /no kubeconfig/,
    );
  });

  it("a file that lies in the pod's home does not win", async () => {
    mkdirSync(join(directory, ".kube"));
    file(".kube/config", configOf("home"));
    const request = { env: { ...env, HOME: directory }, serviceAccount: serviceAccount() };
    expect(await load(request)).toMatchObject({ source: "in-cluster" });
  });

  it("a pod without a token and without a kubeconfig is told so", async () => {
    await expect(load({ env: { ...env, HOME: directory } })).rejects.toMatchObject({
      code: "CREDENTIALS_INVALID",
      message: expect.stringMatching(
        /^no kubeconfig: .*\.kube\/config not found \(and this pod has no service account/,
      ),
    });
  });

  it("an empty token is a fault", async () => {
    const { endpoint } = await load({ env, serviceAccount: serviceAccount() });
    file("token", "\n");
    await expect(headersOf(endpoint)).rejects.toMatchObject({ code: "CREDENTIALS_INVALID" });
    rmSync(join(directory, "token"));
    await expect(headersOf(endpoint)).rejects.toThrow(/token cannot be read \(ENOENT\)$/);
  });
});

describe("the kubeconfig's files", () => {
  it("are searched in order: the first current context, the first entry of a name", async () => {
    const first = file("a", configOf("dev", { cluster: { server: "https://first:1" } }));
    const second = file("b", configOf("dev", { cluster: { server: "https://second:2" } }));
    const third = file("c", configOf("prod"));
    const env = { KUBECONFIG: [first, second, third].join(":") };
    const { endpoint, context } = await load({ env });
    expect([context, endpoint.url.href]).toEqual(["dev", "https://first:1/"]);
    expect((await load({ env, context: "prod" })).endpoint.url.href).toBe("https://prod.example:6443/");
  });

  it("may be spread: a context in one, its cluster and user in another", async () => {
    const contexts = file("contexts", {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "dev", user: "dev" } }],
    });
    const rest = file("rest", configOf("dev", { user: { token: "t" } }));
    const { endpoint } = await load({ env: { KUBECONFIG: `${contexts}:${rest}` } });
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer t" });
  });

  it("that do not exist are passed over while one does", async () => {
    const env = { KUBECONFIG: `${directory}/missing:${file("a", configOf("dev"))}:` };
    expect(await load({ env })).toMatchObject({ source: "kubeconfig", context: "dev" });
    await expect(load({ env: { KUBECONFIG: `${directory}/missing` } })).rejects.toThrow(
      /no kubeconfig: .*missing not found$/,
    );
  });

  it("are ~/.kube/config when KUBECONFIG is not set", async () => {
    mkdirSync(join(directory, ".kube"));
    file(".kube/config", configOf("home"));
    expect(await load({ env: { HOME: directory, KUBECONFIG: "" } })).toMatchObject({ context: "home" });
  });

  it.each<[string, string | object, RegExp]>([
    [
      "broken YAML, without quoting it",
      'users:\n- name: x\n  user: {token: "s3cr3t',
      /config, line \d+: not YAML \([A-Z_]+\)$/,
    ],
    ["an empty file", "", /is empty or no kubeconfig$/],
    ["a list", "[1, 2]", /is empty or no kubeconfig$/],
    [
      "a cluster without a server",
      { ...configOf("dev"), clusters: [{ name: "dev", cluster: { server: "" } }] },
      /^cluster "dev": server is missing$/,
    ],
    [
      "a cluster that is null",
      { ...configOf("dev"), clusters: [{ name: "dev", cluster: null }] },
      /^cluster "dev": server is missing$/,
    ],
    [
      "a context without a cluster",
      { ...configOf("dev"), contexts: [{ name: "dev", context: {} }] },
      /^context "dev": cluster is missing$/,
    ],
    ["a list that is none", { users: 5 }, /^kubeconfig .*config: /],
    ["a key that is there twice", "users: []\nclusters: []\nusers: []", /config, line 3: a key is there twice$/],
    ["an alias to nowhere, without quoting it", "users: *s3cr3t", /config: an alias in it has no anchor/],
    ["a name that is a number", { clusters: [{ name: 5, cluster: {} }] }, /config: clusters\[0\].name is no text$/],
    [
      "a token that is a number, without quoting it",
      configOf("dev", { user: { token: 31337 } }),
      /config: users\[0\]\.user\.token is no text$/,
    ],
    [
      "arguments of a plugin that are no text",
      configOf("dev", { user: { exec: { command: "true", args: [{}] } } }),
      /config: users\[0\]\.user\.exec\.args\[0\] is no text$/,
    ],
    [
      "no current context",
      { ...configOf("dev"), "current-context": "" },
      /names no current context; name one \(KUBE_CONTEXT\)$/,
    ],
    [
      "an unknown context",
      { ...configOf("dev"), "current-context": "prod" },
      /^context "prod" is not in .*config; there is: dev$/,
    ],
    ["an unknown cluster", { ...configOf("dev"), clusters: [] }, /^cluster "dev" is not in .*config; there is: none$/],
    ["an unknown user", { ...configOf("dev"), users: [] }, /^user "dev" is not in .*config; there is: none$/],
    [
      "a server that is no URL",
      configOf("dev", { cluster: { server: "api.example" } }),
      /^cluster "dev": server is "api\.example"/,
    ],
    [
      "a server that is no URL, and holds a password",
      configOf("dev", { cluster: { server: "htp://user:s3cr3t@api.example?token=s3cr3t" } }),
      /^cluster "dev": server is "…@api\.example\?…"/,
    ],
    [
      "a proxy",
      configOf("dev", { cluster: { "proxy-url": "http://proxy" } }),
      /^cluster "dev": proxy-url is not supported$/,
    ],
    [
      "a token and a name",
      configOf("dev", { user: { token: "s3cr3t", username: "u" } }),
      /^user "dev": token and username exclude each other; expected one$/,
    ],
    [
      "groups to act as",
      configOf("dev", { user: { as: "a", "as-groups": ["g"] } }),
      /^user "dev": as-groups is not supported$/,
    ],
    [
      "a missing CA file",
      configOf("dev", { cluster: { "certificate-authority": "no.crt" } }),
      /^cluster "dev": .*no\.crt cannot be read \(ENOENT\)$/,
    ],
    [
      "a missing key file",
      configOf("dev", { user: { "client-key": "no.key" } }),
      /^user "dev": .*no\.key cannot be read \(ENOENT\)$/,
    ],
    [
      "a missing token file",
      configOf("dev", { user: { tokenFile: "no.token" } }),
      /^user "dev": .*no\.token cannot be read \(ENOENT\)$/,
    ],
    [
      "a plugin that fails",
      configOf("dev", { user: { exec: { command: "false" } } }),
      /^credential plugin false: it failed \(1\)$/,
    ],
  ])("with %s are refused", async (_name, config, message) => {
    const error = await loadConfig(config).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "CREDENTIALS_INVALID", message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain("s3cr3t");
  });
});

it.each([
  ["contexts", { name: "foo", context: { cluster: "", namespace: "bar" } }],
  ["contexts", { name: "foo", context: {} }],
  ["clusters", { name: "foo", cluster: { server: "" } }],
  ["clusters", { name: "foo", cluster: null }],
])("an unfinished entry of %s that is not chosen does no harm: %j", async (list, entry) => {
  const config = configOf("dev") as Record<string, object[]>;
  await expect(loadConfig({ ...config, [list]: [...(config[list] ?? []), entry] })).resolves.toMatchObject({
    context: "dev",
  });
});

it("a kubeconfig may have merge keys, and documents behind the first", async () => {
  const config = `
x: &a { token: merged-token }
current-context: dev
contexts: [{ name: dev, context: { cluster: dev, user: dev } }]
clusters: [{ name: dev, cluster: { server: "https://api.example" } }]
users: [{ name: dev, user: { <<: *a } }]
---
`;
  const { endpoint } = await loadConfig(config);
  expect(await headersOf(endpoint)).toMatchObject({ authorization: "Bearer merged-token" });
});

it("empty impersonation is none, as with kubectl", async () => {
  const user = { token: "t", "as-uid": "", "as-groups": [], "as-user-extra": {} };
  await expect(loadConfig(configOf("dev", { user }))).resolves.toMatchObject({ context: "dev" });
});

const TWINS = [
  ["clusters", { cluster: { server: "https://old:1" } }],
  ["users", { user: { token: "old" } }],
  ["contexts", { context: { cluster: "dev", user: "dev" } }],
] as const;

describe.each(TWINS)("two %s of one name", (list, entry) => {
  const config = configOf("dev") as Record<string, object[]>;
  const withTwin = (name: string) => ({ ...config, [list]: [{ name, ...entry }, ...config[list]!] });

  it("in one file are refused by name: either may be the cluster of the past", async () => {
    await expect(loadConfig(withTwin("dev"))).rejects.toMatchObject({
      code: "CREDENTIALS_INVALID",
      message: expect.stringMatching(
        new RegExp(`^kubeconfig .*config: ${list}: "dev" is there twice; expected one entry of a name$`),
      ),
    });
  });

  it("in one file are refused also where the current context uses neither", async () => {
    const others = { ...withTwin("x"), [list]: [...withTwin("x")[list]!, { name: "x", ...entry }] };
    await expect(loadConfig(others)).rejects.toThrow(`${list}: "x" is there twice`);
  });

  it("in one file are refused where they differ in white space only", async () => {
    await expect(loadConfig(withTwin("dev "))).rejects.toThrow(
      `${list}: "dev " and "dev" differ in white space only; expected one entry of a name`,
    );
  });

  it("in two files are one, and the first file has it", async () => {
    const first = file("first", { "current-context": "dev", [list]: [{ name: "dev", ...entry }] });
    const env = { KUBECONFIG: `${first}:${file("second", config)}` };
    const { endpoint } = await load({ env });
    expect([endpoint.url.href, await headersOf(endpoint)]).toEqual([
      list === "clusters" ? "https://old:1/" : "https://dev.example:6443/",
      list === "users" ? { authorization: "Bearer old" } : {},
    ]);
  });
});

function text(data: unknown): string {
  return Buffer.from(data as Buffer).toString();
}

function base64(data: string): string {
  return Buffer.from(data).toString("base64");
}

describe("TLS", () => {
  it("takes CA and client certificate from files beside the kubeconfig", async () => {
    file("ca", "CA");
    file("cert", "CERT");
    file("key", "KEY");
    const { endpoint } = await loadConfig(
      configOf("dev", {
        cluster: { "certificate-authority": "ca", "tls-server-name": "kubernetes" },
        user: { "client-certificate": "cert", "client-key": "key" },
      }),
    );
    const { ca, cert, key, ...rest } = endpoint.tls!;
    expect([ca, cert, key].map(text)).toEqual(["CA", "CERT", "KEY"]);
    expect(rest).toEqual({ servername: "kubernetes", rejectUnauthorized: true });
  });

  it("takes data before files, as kubectl does", async () => {
    const { endpoint } = await loadConfig(
      configOf("dev", {
        cluster: { "certificate-authority": "/missing", "certificate-authority-data": base64("CA") },
        user: {
          "client-certificate": "/missing",
          "client-certificate-data": base64("CERT"),
          "client-key": "/missing",
          "client-key-data": base64("KEY"),
        },
      }),
    );
    expect([endpoint.tls?.ca, endpoint.tls?.cert, endpoint.tls?.key].map(text)).toEqual(["CA", "CERT", "KEY"]);
  });

  it("is not verified only where the kubeconfig says so", async () => {
    const insecure = await loadConfig(configOf("dev", { cluster: { "insecure-skip-tls-verify": true } }));
    expect(insecure.endpoint.tls).toEqual({ rejectUnauthorized: false });
    expect((await loadConfig(configOf("dev"))).endpoint.tls).toEqual({ rejectUnauthorized: true });
  });

  it("keeps the CA of a context without a user", async () => {
    const config = configOf("dev", { cluster: { "certificate-authority-data": "Q0E=" } });
    const { endpoint } = await loadConfig({ ...config, contexts: [{ name: "dev", context: { cluster: "dev" } }] });
    expect(text(endpoint.tls?.ca)).toBe("CA");
    expect(await headersOf(endpoint)).toEqual({});
  });
});

describe("a user", () => {
  it.each<[string, object, object]>([
    ["a token", { token: "t" }, { authorization: "Bearer t" }],
    ["a name and a password", { username: "u", password: "p" }, { authorization: "Basic dTpw" }],
    ["nothing", {}, {}],
    ["another user to act as", { token: "t", as: "jane" }, { authorization: "Bearer t", "impersonate-user": "jane" }],
    [
      "a plugin",
      { as: "jane", exec: { command: "echo", args: ['{"status":{"token":"from-plugin"}}'] } },
      { authorization: "Bearer from-plugin", "impersonate-user": "jane" },
    ],
  ])("with %s shows it", async (_name, user, headers) => {
    const { endpoint } = await loadConfig(configOf("dev", { user }));
    expect(await headersOf(endpoint)).toEqual(headers);
  });

  it.each<[string, object]>([
    [
      "oidc",
      {
        "id-token": "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.",
        "refresh-token": "r",
        "idp-issuer-url": "https://127.0.0.1:1",
      },
    ],
    ["gcp", { "cmd-path": "sleep", "cmd-args": "60", "access-token": "t", expiry: "2020-01-01T00:00:00Z" }],
    ["azure", { "access-token": "t" }],
    ["unheard-of", {}],
  ])("with the auth-provider %s is refused, and told what to use", async (name, config) => {
    const user = { token: "t", "auth-provider": { name, config } };
    await expect(loadConfig(configOf("dev", { user }))).rejects.toMatchObject({
      code: "CREDENTIALS_INVALID",
      message: expect.stringMatching(
        new RegExp(`^user "dev": auth-provider "${name}" is not supported; expected a credential plugin in its place`),
      ),
    });
  });

  it.each<[string, object, string, boolean]>([
    ["a token", { token: "t" }, 'user "dev"', false],
    ["a client certificate", { "client-certificate-data": base64("CERT") }, 'user "dev"', false],
    ["another user to act as", { token: "t", as: "jane" }, 'user "dev", acting as "jane"', false],
    ["a misspelt token", { tokn: "t" }, 'user "dev"', true],
    ["nothing but another user to act as", { as: "jane" }, 'user "dev", acting as "jane"', true],
  ])("with %s is told apart from nobody", async (_name, user, identity, anonymous) => {
    expect(await loadConfig(configOf("dev", { user }))).toMatchObject({ identity, anonymous });
    // There is a proxy in between that knows who we are.
    const proxy = configOf("dev", { user, cluster: { server: "http://127.0.0.1:8001" } });
    expect(await loadConfig(proxy)).toMatchObject({ identity, anonymous: false });
  });

  it("with a token and a plugin shows the token, as with kubectl", async () => {
    const { endpoint } = await loadConfig(configOf("dev", { user: { token: "t", exec: { command: "false" } } }));
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer t" });
  });

  it("with a name and no password shows it", async () => {
    const { endpoint } = await loadConfig(configOf("dev", { user: { username: "u" } }));
    expect(await headersOf(endpoint)).toEqual({ authorization: "Basic dTo=" });
  });

  it("with a token file shows what is in it now, before any token", async () => {
    file("user-token", "one\n");
    const { endpoint } = await loadConfig(configOf("dev", { user: { token: "stale", tokenFile: "user-token" } }));
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer one" });
    file("user-token", "two\n");
    expect(await headersOf(endpoint)).toEqual({ authorization: "Bearer two" });
  });

  it("with a plugin may get a client certificate from it", async () => {
    const status = { clientCertificateData: "CERT", clientKeyData: "KEY" };
    const exec = { command: "echo", args: [JSON.stringify({ status })] };
    const { endpoint } = await loadConfig(configOf("dev", { user: { exec } }));
    expect(endpoint.tls).toMatchObject({ cert: "CERT", key: "KEY" });
    expect(await headersOf(endpoint)).toEqual({});
  });

  it("whose plugin hangs does not hold up one who stops waiting", async () => {
    const exec = { command: "sleep", args: ["2"] };
    const env = { PATH: process.env["PATH"], KUBECONFIG: file("config", configOf("dev", { user: { exec } })) };
    const work = loadEndpoint({ context: undefined, env }, AbortSignal.timeout(100));
    await expect(work).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

it("a plain http:// cluster (kubectl proxy) is used as it is, path and all", async () => {
  await using server = await startLoopback(() => ({ body: "{}" }));
  const { endpoint } = await loadConfig(configOf("dev", { cluster: { server: `${server.url}/k8s/clusters/c-1/` } }));
  const http = createHttpClient(endpoint);
  const call = { what: "x", method: "GET", path: "/api", deadlineMillis: 5_000, retry: false, maxBytes: 100 } as const;
  await http.request({ ...call, signal: NEVER });
  http.close();
  expect(server.received[0]?.url.pathname).toBe("/k8s/clusters/c-1/api");
});
