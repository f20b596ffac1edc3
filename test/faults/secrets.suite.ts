/** Secrets of every kind are planted, runs end in every way, at the most talkative level: no output shows a secret. */

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Misbehaviour, startLoopback } from "../../src/demo/loopback.ts";
import { decodings } from "../../src/masking/decodings.ts";
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
  special: `odd-5c<1>&7"e'0/b=4+d?9%2f;8 a-password`,
  bare: "bare-1b7e50c9d3-token",
  rotated: "old-9f3e61a7c5-bearer",
  argument: "client-d80b5e2f47-secret",
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

/** What of the secrets an output shows: any eight characters of one with a digit among them, in whatever way they are written. */
function leaks({ stdout, stderr }: Pick<Ended, "stdout" | "stderr">, key = ""): string[] {
  const basic = [SECRETS.password, SECRETS.kubePassword].map((password) => base64(`${USER}:${password}`));
  const plain = [...Object.values(SECRETS), ...basic];
  const ofKey = key.split("\n").filter((line) => line.length > 32 && !line.startsWith("-----"));
  const forms = [...plain, ...[...plain, key].map((secret) => base64(secret).slice(0, 64)), ...ofKey];
  const shown = decodings(stdout + stderr).map(({ bytes }) => bytes.toString("latin1"));
  return [...new Set(forms.flatMap(piecesOf))].filter((piece) => shown.some((text) => text.includes(piece)));
}

function piecesOf(secret: string): string[] {
  const [form] = decodings(secret).map(({ bytes }) => bytes.toString("latin1"));
  const starts = Array.from({ length: Math.max(0, secret.length - 7) }, (_, start) => start);
  return starts.map((start) => form?.slice(start, start + 8) ?? "").filter((piece) => /\d/.test(piece));
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

/** A process of its own shares the machine with others, and must get as far as the fault. */
const SHORT = process.env["FAULTS_BUILT"] ? "30s" : "6s";

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

describe.each(["kubernetes", "prometheus"] as const)("a run whose %s", { concurrent: true }, (server) => {
  it.each(FAULTS)("%s fails, and shows no secret", async (_name, script) => {
    await using scene = await plantedScene({ [server]: script });
    const ended = await scene.run([...LIVE, "--output", "json"], { RUN_DEADLINE: SHORT });
    expect(ended.exitCode).toBe(1);
    expect(leaks(ended, scene.key)).toEqual([]);
    // Or the fault was not met.
    expect(scene[server].requests).not.toEqual([]);
  });

  it("is not there fails, and shows no secret", async () => {
    await using scene = await plantedScene({ addresses: { [server]: "http://127.0.0.1:1" } });
    const ended = await scene.run([...LIVE, "--output", "json"], { RUN_DEADLINE: SHORT });
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

/** The address as it was sent, which no server need write as we do. */
const echoAddress: Script = () => (response) => {
  const { url = "" } = response.req;
  return refuses(400, `cannot serve ${url}`)(response, unasked);
};

const unasked = () => ({ status: 500, body: {} });

/** The password of basic authentication, or the token, as each of these writes it. */
const WRITINGS: readonly (readonly [string, (secret: string) => string])[] = [
  ["as it is", (secret) => secret],
  ["for HTML", (secret) => secret.replaceAll(/[<>&"']/g, (one) => `&#${one.charCodeAt(0)};`)],
  ["for HTML by name", (secret) => secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")],
  ["for a form", (secret) => new URLSearchParams({ "": secret }).toString()],
  [
    "for an address, in small letters",
    (secret) => encodeURIComponent(secret).replaceAll(/%../g, (one) => one.toLowerCase()),
  ],
  ["for an address, twice", (secret) => encodeURIComponent(encodeURIComponent(secret))],
  [
    "for JSON, in Go",
    (secret) => JSON.stringify(secret).replaceAll(/[<>&]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`),
  ],
  ["in Base64", base64],
  ["in Base64 for an address", (secret) => Buffer.from(secret).toString("base64url")],
  ["for HTML, and that for an address", (secret) => encodeURIComponent(secret.replaceAll("<", "&lt;"))],
];

/** Where a server can put words that are shown in some way. */
const CHANNELS: readonly (readonly [string, (words: string) => Misbehaviour])[] = [
  ["a refusal", (words) => refuses(400, words)],
  ["a failure", (words) => says(500, words, { "retry-after": "99" })],
  ["a page", (words) => says(200, `<p>${words}</p>`)],
  ["a redirect", (words) => says(302, "", { location: `https://login.example/${encodeURI(words)}` })],
  ["another kind", (words) => says(200, { kind: words, status: words, data: { resultType: words, result: words } })],
  ["a warning", (words) => says(200, { status: "success", warnings: [words], data: {} })],
  ["an error of 200", (words) => says(200, { status: "error", error: words })],
  ["a label", (words) => says(200, vectorOf([{ metric: { [words]: words }, value: [1, "1"] }]))],
  ["a value", (words) => says(200, vectorOf([{ metric: { pod: "x" }, value: [1, words] }]))],
];

function vectorOf(result: readonly object[]): object {
  return { status: "success", data: { resultType: "vector", result } };
}

/** Each writing goes into one channel, and each channel has one; with FAULTS_BUILT each goes into all. */
function channelsFor(write: (typeof WRITINGS)[number][1]): typeof CHANNELS {
  if (process.env["FAULTS_BUILT"]) return CHANNELS;
  const turn = WRITINGS.findIndex(([, one]) => one === write) % CHANNELS.length;
  return CHANNELS.slice(turn, turn + 1);
}

describe.each(WRITINGS)("a password that a server writes %s", { concurrent: true }, (_name, write) => {
  it.each(channelsFor(write))("into %s is not shown, be it whole or cut", async (_channel, misbehave) => {
    const { length } = write(SECRETS.special);
    for (const [from, to] of [
      [0, length],
      [0, Math.ceil(length / 2)],
      [Math.floor(length / 3), length],
    ] as const) {
      const script = () => misbehave(`no ${write(SECRETS.special).slice(from, to)} here`);
      const user = { username: USER, password: SECRETS.special };
      await using engine = await startScene({ httpConfig: { basic_auth: user }, prometheus: script });
      await using api = await startScene({ kubeconfig: { user }, kubernetes: script });
      for (const scene of [engine, api]) {
        const ended = await scene.compose([...LIVE, "--output", "json"], { LOG_LEVEL: "trace" });
        expect(ended.exitCode).not.toBe(0);
        expect(leaks(ended)).toEqual([]);
      }
    }
  });
});

describe("what was sent", { concurrent: true }, () => {
  const search = `token=${SECRETS.urlToken.replace("-", "%2d")}&k=${encodeURIComponent(SECRETS.special).replace("%2F", "%2f")}&${SECRETS.bare}`;

  it("in an address is not shown where a server repeats it as it came", async () => {
    await using scene = await startScene({ prometheus: echoAddress });
    const PROMETHEUS_ENDPOINT = `${scene.env["PROMETHEUS_ENDPOINT"]}/?${search}`;
    const ended = await scene.compose([...LIVE, "--output", "json"], { PROMETHEUS_ENDPOINT, LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(ended.stderr).toMatch(/cannot serve .*token=…/);
    expect(leaks(ended)).toEqual([]);
  });

  it("to the receiver of a push is not shown in the warning", async () => {
    await using scene = await startScene();
    await using receiver = await startLoopback(unasked, { intercept: (request) => echoAddress("push", 0, request) });
    const METRICS_PUSH_URL = `${receiver.url.origin}/?${search}`;
    const ended = await scene.run([...DRY, "--output", "json"], { METRICS_PUSH_URL, LOG_LEVEL: "trace" });
    expect(ended.stderr).toMatch(/The metrics were not pushed: .*token=…/);
    expect(leaks(ended)).toEqual([]);
  });

  it("before a token was rotated is not shown after it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "rotated-"));
    const path = join(directory, "token");
    writeFileSync(path, SECRETS.rotated);
    const rotateAndTell: Script = (_call, nth) => {
      writeFileSync(path, SECRETS.bearer);
      return nth === 0 ? refuses(503) : refuses(400, `${SECRETS.rotated} was here, and ${SECRETS.bearer}`);
    };
    await using scene = await startScene({ httpConfig: { bearer_token_file: path }, prometheus: rotateAndTell });
    const ended = await scene.compose([...LIVE, "--output", "json"], { LOG_LEVEL: "trace" });
    rmSync(directory, { recursive: true });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(ended.said).toMatch(/… was here, and …/);
    const sent = scene.prometheus.requests.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(expect.arrayContaining([`Bearer ${SECRETS.rotated}`, `Bearer ${SECRETS.bearer}`]));
    expect(leaks(ended)).toEqual([]);
  });

  it("as a header is not shown where it is a row's label", async () => {
    const metric = { tenant: SECRETS.tenant, token: SECRETS.bearer };
    await using scene = await startScene({
      httpConfig: { http_headers: { "X-Scope-OrgID": { values: [SECRETS.tenant], secrets: [SECRETS.bearer] } } },
      prometheus: (call) => (call === "cpu query" ? twoRows() : undefined),
    });
    const twoRows = () =>
      says(
        200,
        vectorOf(
          ["a", "b"].map((at) => ({
            metric: { ...metric, pod: scene.hot.name, at },
            value: [Date.now() / 1_000, "1"],
          })),
        ),
      );
    for (const output of ["table", "json", "metrics"]) {
      const ended = await scene.run([...DRY, "--output", output], { LOG_LEVEL: "trace" });
      expect(ended.exitCode).toBe(1);
      expect(leaks(ended)).toEqual([]);
    }
  });

  it.each(["table", "json", "metrics"])("is not shown where it is the name of a node or a pod: %s", async (output) => {
    await using scene = await startScene({
      kubeconfig: { user: { token: SECRETS.kubeToken } },
      httpConfig: { bearer_token: SECRETS.bearer },
    });
    Object.assign(scene.hot, { node: `node-${SECRETS.bearer}` });
    Object.assign(scene.pods[1] ?? {}, { node: SECRETS.kubeToken });
    const ended = await scene.run([...DRY, "--output", output], { LOG_LEVEL: "trace", COLUMNS: "60" });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(leaks(ended)).toEqual([]);
  });

  it("is not shown in the Event of a run whose eviction went wrong", async () => {
    const told: Script = (call, _nth, { headers }) =>
      call === "evict" ? says(500, `${headers.authorization} ${SECRETS.special}`) : undefined;
    await using scene = await startScene({
      kubeconfig: { user: { token: SECRETS.special } },
      kubernetes: told,
    });
    const ended = await scene.run([...LIVE, "--output", "json"], { LOG_LEVEL: "trace" });
    expect(ended.exitCode).not.toBe(0);
    const events = scene.calls("create event").map(({ body }) => body);
    expect(events).toHaveLength(1);
    expect(leaks({ stdout: ended.stdout + events.join("\n"), stderr: ended.stderr })).toEqual([]);
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

/** Takes PLAIN, and then refuses the login in these words. */
function refuseLogin(socket: Socket, words: string): void {
  socket.on("data", (request) => {
    const correlation = request.subarray(8, 12);
    const taken = [Buffer.of(0, 0, 0, 0, 0, 1, 0, 5), Buffer.from("PLAIN")];
    const told = Buffer.from(words);
    const refused = [Buffer.of(0, 0, SASL_AUTHENTICATION_FAILED, told.length + 1), told, Buffer.of(1), Buffer.alloc(9)];
    const isHandshake = request.readInt16BE(4) === SASL_HANDSHAKE;
    const answer = Buffer.concat([correlation, ...(isHandshake ? taken : refused)]);
    const length = Buffer.alloc(4);
    length.writeInt32BE(answer.length);
    socket.write(Buffer.concat([length, answer]));
  });
}

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATION_FAILED = 58;

/** What stands in for a broker; a connection to it is one socket. */
const BROKERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["repeats what it was asked", (socket) => socket.pipe(socket)],
  ["serves pages", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["resets", (socket) => socket.resetAndDestroy()],
  ["says nothing", () => {}],
  ["tells the password", (socket) => refuseLogin(socket, `no ${SECRETS.kafkaPassword}`)],
  ["tells it for HTML", (socket) => refuseLogin(socket, `no ${SECRETS.kafkaPassword.replaceAll("-", "&#45;")}`)],
  ["tells the half of it", (socket) => refuseLogin(socket, `no ${SECRETS.kafkaPassword.slice(0, 14)}`)],
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

async function runWith(
  scene: Scene,
  { bootstrap, clientConfig, timeout = "30s" }: { bootstrap: string; clientConfig: string; timeout?: string },
): Promise<Ended> {
  const config = join(scene.directory, "client.properties");
  writeFileSync(config, clientConfig);
  // A broker is no server of the scene's: the run takes its own time.
  const product = scene.start([...LIVE, "--output", "json"], {
    KAFKA_BOOTSTRAP_SERVERS: bootstrap,
    KAFKA_GROUP: "orders",
    KAFKA_CONFIG: config,
    KAFKA_TIMEOUT: timeout,
    LOG_LEVEL: "trace",
  });
  return await product.ended;
}

describe("the secrets for Kafka", { concurrent: true }, () => {
  it.each(BROKERS)("are not shown, and nothing is removed, where a broker %s", async (name, serve) => {
    await using scene = await startScene();
    await using broker = await startBroker(serve);
    const timeout = name === "says nothing" ? "3s" : "30s";
    const ended = await runWith(scene, { bootstrap: broker.address, clientConfig: LOGIN, timeout });
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain(broker.address);
    if (name.startsWith("tells")) expect(ended.said).toMatch(/the broker refuses the login; .*\(no …/);
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
    const ended = await runWith(scene, { bootstrap: "127.0.0.1:1", clientConfig: text });
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
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace", PROMETHEUS_TIMEOUT: "30s" });
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
    [
      "tells an argument of its own",
      `shift $#; printf 'no %%s' '${encodeURIComponent(SECRETS.argument)}' >&2; exit 5`,
      /it failed \(5\)/,
    ],
    ["fails and tells its header", `echo 'sent: Bearer ${SECRETS.pluginToken}' >&2; exit 1`, /it failed \(1\)/],
  ])("that %s ends the run, and its secret is not shown", async (_name, script, words) => {
    const exec = {
      ...plugin(script),
      args: ["-c", script, "plugin", "--oidc-client-secret", SECRETS.argument],
      env: [{ name: "PLANTED", value: SECRETS.pluginToken }],
    };
    await using scene = await startScene({ kubeconfig: { user: { exec } } });
    const ended = await scene.run(LIVE, { LOG_LEVEL: "trace" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CREDENTIALS_INVALID" });
    expect(ended.said).toMatch(words);
    expect(leaks(ended)).toEqual([]);
  });
});
