/** Secrets of every kind are planted, runs end in every way, at the most talkative level: no output shows a secret. */

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Misbehaviour, startLoopback } from "../../src/demo/loopback.ts";
import { type Authority, createAuthority } from "./certificates.ts";
import { hang, loginPage, refuses, reset, says, wrongKind } from "./misbehaviour.ts";
import type { Ended } from "./product.ts";
import { DRY, LIVE, type Scene, type SceneOptions, type Script, startScene } from "./scene.ts";

/** Each is looked for in every output, in every form; what is planted anywhere belongs in here. */
const SECRETS = {
  kubePassword: "kube-a7d3309bb1-password",
  kubeToken: "kube-0d1f9a77c2-token",
  pluginToken: "plugin-55e0b8e14a-token",
  password: "prom-93ab7f0c1d-password",
  bearer: "prom-6e2c44f9b0-bearer",
  tenant: "tenant-81c6d2a05f-header",
  urlToken: "url-37f4e9bb60-token",
  pushBearer: "push-2d51c07a4e-bearer",
  pushToken: "push-b86f1e3390-token",
  kafkaPassword: "kafka-4c7e19d2b8-password",
  kafkaPassphrase: "kafka-e03d5f7a16-passphrase",
} as const;
const USER = "reader";

let authority: Authority & Disposable;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority[Symbol.dispose]());

/** A scene in which every secret is in use: those of the kubeconfig, of the HTTP configuration and of the address. */
async function plantedScene(options: SceneOptions = {}): Promise<Scene & { readonly key: string }> {
  const { cert, key } = authority.sign();
  const printToken = `printf '{"kind":"ExecCredential","status":{"token":"%s"}}' "$PLANTED"`;
  const exec = { ...plugin(printToken), env: [{ name: "PLANTED", value: SECRETS.pluginToken }] };
  const user = {
    "client-certificate-data": base64(cert),
    "client-key-data": base64(key),
    exec,
  };
  const httpConfig = {
    basic_auth: { username: USER, password: SECRETS.password },
    http_headers: { "X-Scope-OrgID": { secrets: [SECRETS.tenant] } },
  };
  const scene = await startScene({ kubeconfig: { user }, httpConfig, ...options });
  const { PROMETHEUS_ENDPOINT = "" } = scene.env;
  const env = { ...scene.env, PROMETHEUS_ENDPOINT: `${PROMETHEUS_ENDPOINT}/select/?token=${SECRETS.urlToken}` };
  const settings = { PROMETHEUS_ENDPOINT: env.PROMETHEUS_ENDPOINT, LOG_LEVEL: "trace", PROMETHEUS_TIMEOUT: "2s" };
  return { ...scene, key, env, run: (args, extra) => scene.run(args, { ...settings, ...extra }) };
}

/** A credential plugin that runs this shell script. */
function plugin(script: string): object {
  const apiVersion = "client.authentication.k8s.io/v1";
  return { apiVersion, interactiveMode: "Never", command: "/bin/sh", args: ["-c", script] };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** What of the secrets an output shows, in any of their forms. */
function leaks({ stdout, stderr }: Ended, key = ""): string[] {
  const basic = [SECRETS.password, SECRETS.kubePassword].map((password) => base64(`${USER}:${password}`));
  const plain = [...Object.values(SECRETS), ...basic];
  const ofKey = key.split("\n").filter((line) => line.length > 32 && !line.startsWith("-----"));
  const encoded = [...plain, key].map((secret) => base64(secret).slice(0, 64));
  const forms = new Set([...plain, ...plain.map(encodeURIComponent), ...encoded, ...ofKey]);
  return [...forms].filter((form) => form !== "" && `${stdout}${stderr}`.includes(form));
}

describe("a run that goes well", { concurrent: true }, () => {
  it.each(["table", "json", "metrics"])("uses every secret and shows none: %s", async (output) => {
    await using scene = await plantedScene();
    // The short timeout of the faulty runs is not for one that shall succeed on a busy machine.
    const ended = await scene.run([...DRY, "--output", output], { PROMETHEUS_TIMEOUT: "30s" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(leaks(ended, scene.key)).toEqual([]);
    // Or there was nothing to show.
    expect(scene.kubernetes.requests[0]?.headers.authorization).toBe(`Bearer ${SECRETS.pluginToken}`);
    const [query] = scene.prometheus.requests;
    expect(query?.headers.authorization).toBe(`Basic ${base64(`${USER}:${SECRETS.password}`)}`);
    expect(query?.headers["x-scope-orgid"]).toBe(SECRETS.tenant);
    expect(query?.query.get("token")).toBe(SECRETS.urlToken);
  });

  it("with a bearer token and a token of the kubeconfig uses and shows neither", async () => {
    await using scene = await startScene({
      kubeconfig: { user: { token: SECRETS.kubeToken } },
      httpConfig: { authorization: { credentials: SECRETS.bearer } },
    });
    const ended = await scene.run(DRY, { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(leaks(ended)).toEqual([]);
    expect(scene.kubernetes.requests[0]?.headers.authorization).toBe(`Bearer ${SECRETS.kubeToken}`);
    expect(scene.prometheus.requests[0]?.headers.authorization).toBe(`Bearer ${SECRETS.bearer}`);
  });
});

/** A server, or a proxy before it, that repeats what it was asked, as many do when they are asked for help. */
const echo: Script = (_call, _nth, { headers, query, path }) =>
  refuses(400, `cannot serve ${path}?${query.toString()} with ${JSON.stringify(headers)}`);

/** One that tells the password, as people typed it. */
const echoInClear: Script = (_call, _nth, { headers }) => {
  const [, sent = ""] = headers.authorization?.split(" ") ?? [];
  return refuses(401, `not known: ${Buffer.from(sent, "base64").toString("utf8")}`);
};

/** The same as a page for people, which says 200. */
const echoPage: Script = (_call, _nth, { headers, query }) =>
  says(200, `<p>${query.get("token") ?? headers.authorization}: please sign in`);

const always = (misbehave: Misbehaviour): Script => {
  return () => misbehave;
};

const FAULTS: readonly (readonly [string, Script])[] = [
  ["hangs", always(hang)],
  ["resets", always(reset)],
  ["sends a login page", always(loginPage)],
  ["sends JSON of something else", always(wrongKind)],
  ["redirects", (_call, _nth, { query }) => says(302, "", { location: `https://login.example/?${query.toString()}` })],
  ["refuses with 401", always(refuses(401, "no such token"))],
  ["refuses the query", always(says(400, { status: "error", error: "parse error" }))],
  ["fails", always(refuses(500))],
  ["repeats what it was asked", echo],
  ["repeats it on a page", echoPage],
  ["repeats it in clear", echoInClear],
  [
    "repeats it where words are cut",
    (_call, _nth, { headers }) => refuses(400, `${"x".repeat(285)} ${headers.authorization}`),
  ],
];

describe.each(["kubernetes", "prometheus"])("a run whose %s", { concurrent: true }, (server) => {
  it.each(FAULTS)("%s fails, and shows no secret", async (_name, script) => {
    await using scene = await plantedScene({ [server]: script });
    const ended = await scene.run([...LIVE, "--output", "json"], { RUN_DEADLINE: "6s" });
    expect(ended.exitCode).toBe(1);
    expect(leaks(ended, scene.key)).toEqual([]);
  });

  it("is not there fails, and shows no secret", async () => {
    await using scene = await plantedScene({ addresses: { [server]: "http://127.0.0.1:1" } });
    const ended = await scene.run([...LIVE, "--output", "json"], { RUN_DEADLINE: "6s" });
    expect(ended.exitCode).toBe(1);
    expect(leaks(ended, scene.key)).toEqual([]);
  });
});

/** Every other way in which a secret reaches a request. `file` writes one down and gives the path. */
const WAYS: readonly (readonly [string, (file: (secret: string) => string) => SceneOptions])[] = [
  ["the kubeconfig's token file", (file) => ({ kubeconfig: { user: { tokenFile: file(SECRETS.kubeToken) } } })],
  ["the kubeconfig's password", () => ({ kubeconfig: { user: { username: USER, password: SECRETS.kubePassword } } })],
  ["a bearer token", () => ({ httpConfig: { bearer_token: SECRETS.bearer } })],
  ["a bearer token in a file", (file) => ({ httpConfig: { bearer_token_file: file(SECRETS.bearer) } })],
  ["credentials in a file", (file) => ({ httpConfig: { authorization: { credentials_file: file(SECRETS.bearer) } } })],
  [
    "a password in a file",
    (file) => ({ httpConfig: { basic_auth: { username: USER, password_file: file(SECRETS.password) } } }),
  ],
  [
    "headers of every kind",
    (file) => ({
      httpConfig: {
        http_headers: { "X-Keys": { values: ["plain"], secrets: [SECRETS.tenant], files: [file(SECRETS.bearer)] } },
      },
    }),
  ],
];

describe("a secret from", { concurrent: true }, () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "secrets-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function write(secret: string): string {
    const path = join(directory, randomUUID());
    writeFileSync(path, secret);
    return path;
  }

  it.each(WAYS)("%s is used and not shown, whether the run goes well or not", async (name, optionsOf) => {
    const options = optionsOf(write);
    await using good = await startScene(options);
    const ended = await good.run([...DRY, "--output", "json"], { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(leaks(ended)).toEqual([]);
    // Or there was nothing to show.
    const sent = [...good.kubernetes.requests, ...good.prometheus.requests].map(({ headers }) =>
      JSON.stringify(headers),
    );
    expect(leaks({ ...ended, stdout: sent.join("\n") })).not.toEqual([]);
    for (const script of name.includes("password") ? [echo, echoInClear] : [echo]) {
      await using bad = await startScene({
        ...options,
        ...(options.kubeconfig ? { kubernetes: script } : { prometheus: script }),
      });
      const failed = await bad.run([...LIVE, "--output", "json"], { LOG_LEVEL: "trace" });
      expect(failed.exitCode).toBe(1);
      expect(leaks(failed)).toEqual([]);
    }
  });
});

describe("the secrets of the push", { concurrent: true }, () => {
  it.each([
    ["takes it", () => says(200, "")],
    ["repeats what it was asked", echo],
    ["repeats it on a page for people", echoPage],
    [
      "redirects",
      (_call, _nth, { query }) => says(302, "", { location: `https://login.example/?${query.toString()}` }),
    ],
  ] satisfies [string, Script][])("are used and not shown, when the receiver %s", async (_name, script) => {
    await using scene = await startScene({ httpConfig: { bearer_token: SECRETS.bearer } });
    await using receiver = await startLoopback(() => ({ status: 200, body: {} }), {
      intercept: (request) => script("push", 0, request),
    });
    const config = join(scene.directory, "push.yaml");
    writeFileSync(config, JSON.stringify({ bearer_token: SECRETS.pushBearer }));
    const ended = await scene.run([...DRY, "--output", "json"], {
      METRICS_PUSH_URL: `${receiver.url.origin}/?token=${SECRETS.pushToken}`,
      METRICS_PUSH_HTTP_CONFIG: config,
      LOG_LEVEL: "trace",
    });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(leaks(ended)).toEqual([]);
    const [push] = receiver.requests;
    expect(push?.headers.authorization).toBe(`Bearer ${SECRETS.pushBearer}`);
    expect(push?.query.get("token")).toBe(SECRETS.pushToken);
    // Each server gets its own, and no other's.
    expect(JSON.stringify(scene.prometheus.requests.map(({ headers }) => headers))).not.toContain(SECRETS.pushBearer);
    expect(JSON.stringify(receiver.requests)).not.toContain(SECRETS.bearer);
  });
});

/** What stands in for a broker; a connection to it is one socket. */
const BROKERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["repeats what it was asked", (socket) => socket.pipe(socket)],
  ["serves pages", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["resets", (socket) => socket.resetAndDestroy()],
  ["says nothing", () => {}],
];

/** Where it listens. */
async function startBroker(serve: (socket: Socket) => void): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

const JAAS = `org.apache.kafka.common.security.plain.PlainLoginModule required username="${USER}" password="${SECRETS.kafkaPassword}";`;
const LOGIN = `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=${JAAS}\n`;

async function runWith(scene: Scene, bootstrap: string, clientConfig: string): Promise<Ended> {
  const config = join(scene.directory, "client.properties");
  writeFileSync(config, clientConfig);
  // A broker is no server of the scene's: the run takes its own time.
  const product = scene.start([...LIVE, "--output", "json"], {
    KAFKA_BOOTSTRAP_SERVERS: bootstrap,
    KAFKA_GROUP: "orders",
    KAFKA_CONFIG: config,
    KAFKA_TIMEOUT: "3s",
    LOG_LEVEL: "trace",
  });
  return await product.ended;
}

describe("the secrets for Kafka", { concurrent: true }, () => {
  it.each(BROKERS)("are not shown, and nothing is removed, where a broker %s", async (_name, serve) => {
    await using scene = await startScene();
    await using broker = await startBroker(serve);
    const ended = await runWith(scene, broker.address, LOGIN);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain(broker.address);
    expect(leaks(ended)).toEqual([]);
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["of another protocol", LOGIN.replace("SASL_PLAINTEXT", SECRETS.kafkaPassword)],
    ["of another mechanism", LOGIN.replace("=PLAIN\n", `=${SECRETS.kafkaPassword}\n`)],
    ["whose login does not end", LOGIN.replace('";', "")],
    ["whose login is another module's", LOGIN.replace("plain.PlainLoginModule", `x.${SECRETS.kafkaPassword}`)],
    [
      "with a key that is none",
      `security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.key=${SECRETS.kafkaPassword}\nssl.keystore.certificate.chain=x\nssl.key.password=${SECRETS.kafkaPassphrase}\n`,
    ],
  ])("are not shown of a file %s", async (_name, text) => {
    await using scene = await startScene();
    const ended = await runWith(scene, "127.0.0.1:1", text);
    expect([1, 2]).toContain(ended.exitCode);
    expect(leaks(ended)).toEqual([]);
    expect(scene.removed()).toEqual([]);
  });
});

it("--help shows no setting, so no secret", async () => {
  await using scene = await plantedScene();
  const ended = await scene.run(["--help"], { LAG_QUERY: SECRETS.bearer });
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  expect(leaks(ended, scene.key)).toEqual([]);
});

describe("settings that do not hold", { concurrent: true }, () => {
  it.each([
    ["an address with a password", `http://${USER}:${SECRETS.password}@127.0.0.1:9090`],
    ["an address whose password has a slash", `http://${USER}:x/${SECRETS.password}@127.0.0.1:9090`],
    ["an address with a token, misspelt", `htp://127.0.0.1:9090/?token=${SECRETS.urlToken}`],
    ["an address without a protocol", `${USER}:${SECRETS.password}@127.0.0.1:9090`],
  ])("(%s) are refused without the secret", async (_name, address) => {
    await using scene = await startScene();
    const ended = await scene.run(DRY, { PROMETHEUS_ENDPOINT: address, LOG_LEVEL: "trace" });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(/PROMETHEUS_ENDPOINT is "/);
    const pushed = await scene.run(DRY, { METRICS_PUSH_URL: address, LOG_LEVEL: "trace" });
    expect(pushed.stderr).toMatch(/METRICS_PUSH_URL is "/);
    expect(leaks(pushed)).toEqual([]);
    expect(leaks(ended)).toEqual([]);
  });

  it("(a flag that we do not have) are refused without its value", async () => {
    await using scene = await startScene();
    const address = `http://${USER}:${SECRETS.password}@127.0.0.1:9090/?token=${SECRETS.urlToken}`;
    for (const args of [
      [...DRY, "--bearer-token", SECRETS.bearer],
      [...DRY, `--bearer-token=${SECRETS.bearer}`],
      [...DRY, address],
      ["run", `--dry-run=${SECRETS.bearer}`],
      ["demo", "--bearer-token", SECRETS.bearer],
      [address],
    ]) {
      const ended = await scene.run(args);
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toMatch(/not a flag|not expected|takes no value|no options|not a command/);
      expect(leaks(ended)).toEqual([]);
    }
  });

  it.each([
    ["an entry that is unknown", JSON.stringify({ bearer_tokens: SECRETS.bearer })],
    ["a value in an entry's name", JSON.stringify({ [`bearer_token=${SECRETS.bearer}`]: "" })],
    ["a value in a header's name", JSON.stringify({ http_headers: { [`X-Token: ${SECRETS.tenant}`]: {} } })],
    ["two ways at once", JSON.stringify({ bearer_token: SECRETS.bearer, basic_auth: { password: SECRETS.password } })],
    ["no YAML", `bearer_token: "${SECRETS.bearer}\nbasic_auth: [${SECRETS.password}`],
    ["a list in place of a text", JSON.stringify({ bearer_token: [SECRETS.bearer] })],
    ["a key that is none", JSON.stringify({ tls_config: { cert: SECRETS.bearer, key: SECRETS.password } })],
  ])("(an HTTP configuration with %s) are refused without the secret", async (_name, text) => {
    await using scene = await startScene({ httpConfig: {} });
    writeFileSync(scene.env["PROMETHEUS_HTTP_CONFIG"] ?? "", text);
    const env = { LOG_LEVEL: "trace", PROMETHEUS_ENDPOINT: "https://127.0.0.1:1", PROMETHEUS_TIMEOUT: "1s" };
    const ended = await scene.run(LIVE, env);
    expect([1, 2]).toContain(ended.exitCode);
    expect(leaks(ended)).toEqual([]);
    expect(scene.removed()).toEqual([]);
  });

  it.each([
    ["broken", `\nusers: [{name: test, user: {token: "${SECRETS.kubeToken}\n`],
    ["doubled", `\n{"users": [{"name": "test", "user": {"token": "${SECRETS.kubeToken}"}}]}\n`],
  ])("(a kubeconfig that is %s) end the run without the secret", async (_name, text) => {
    await using scene = await startScene();
    appendFileSync(join(scene.directory, "kubeconfig"), text);
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(leaks(ended)).toEqual([]);
  });

  it("(a client key that is none) end the run without it", async () => {
    const user = { "client-certificate-data": base64("no certificate"), "client-key-data": base64(SECRETS.kubeToken) };
    const address = "https://127.0.0.1:1";
    await using scene = await startScene({ kubeconfig: { user }, addresses: { kubernetes: address } });
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(leaks(ended)).toEqual([]);
  });

  it("(a token with a line break) end the run without it", async () => {
    await using scene = await startScene({
      httpConfig: { authorization: { credentials: `${SECRETS.bearer}\nx: ${SECRETS.password}` } },
    });
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace", PROMETHEUS_TIMEOUT: "2s" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(leaks(ended)).toEqual([]);
    expect(scene.removed()).toEqual([]);
  });
});

describe("a credential plugin", { concurrent: true }, () => {
  it.each([
    ["prints no JSON", `echo 'token: ${SECRETS.pluginToken}'`, /its output is not JSON/],
    ["prints another object", `echo '{"password":"${SECRETS.password}"}'`, /neither a token nor a certificate/],
    ["fails and tells its token", `echo 'token=${SECRETS.pluginToken}' >&2; exit 3`, /it failed \(3\)/],
    ["traces what it was given", `set -x; login --as "$PLANTED"; exit 4`, /it failed \(4\)/],
    ["fails and tells its header", `echo 'sent: Bearer ${SECRETS.pluginToken}' >&2; exit 1`, /it failed \(1\)/],
  ])("that %s ends the run, and its secret is not shown", async (_name, script, words) => {
    const exec = { ...plugin(script), env: [{ name: "PLANTED", value: SECRETS.pluginToken }] };
    await using scene = await startScene({ kubeconfig: { user: { exec } } });
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toMatch(words);
    expect(leaks(ended)).toEqual([]);
  });
});
