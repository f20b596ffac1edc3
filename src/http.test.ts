import type { ServerResponse } from "node:http";

import { afterEach, describe, expect, it } from "vitest";

import { type Answer, eventually, type Loopback, startLoopback } from "../test/fakes/loopback.ts";
import { createManualClock, type ManualClock } from "../test/fakes/manual-clock.ts";
import { RebalancerError } from "./errors.ts";
import { createHttpClient, type HttpCall, type HttpClient, type HttpEndpoint } from "./http.ts";
import type { Clock } from "./ports.ts";

const CALL: HttpCall = {
  what: "list things",
  method: "GET",
  path: "/things",
  signal: new AbortController().signal,
  deadlineMillis: 10_000,
  retry: true,
  maxBytes: 10_000,
};

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

async function serverWith(answer: Parameters<typeof startLoopback>[0]): Promise<Loopback> {
  const server = await startLoopback(answer);
  disposals.push(() => server[Symbol.asyncDispose]());
  return server;
}

function clientOf(url: string, rest: Omit<HttpEndpoint, "url"> = {}, clock?: Clock): HttpClient {
  const client = createHttpClient({ url: new URL(url), ...rest }, clock);
  disposals.push(() => client.close());
  return client;
}

/** Resolves once a call waits for its next attempt: that and its deadline are all it waits for. */
function pausing(clock: ManualClock): Promise<void> {
  return eventually(() => clock.sleeping() === 2);
}

async function failureOf(work: Promise<unknown>): Promise<RebalancerError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(RebalancerError);
  return thrown as RebalancerError;
}

describe("a request", () => {
  it("joins the endpoint's path and query with its own, and sends the body with its type and length", async () => {
    const server = await serverWith(() => ({ body: { ok: true } }));
    const client = clientOf(`${server.url}/prefix/?extra_label=a%3Db`);
    const body = { type: "application/json", text: '{"ü":1}' };
    const reply = await client.request({ ...CALL, method: "POST", query: { q: "x y" }, body });
    expect(reply.body).toBe('{"ok":true}');

    const [request] = server.received;
    expect(request?.url.href).toBe("http://server/prefix/things?extra_label=a%3Db&q=x+y");
    expect(request?.headers).toMatchObject({ "content-type": "application/json", "content-length": "8" });
    expect(request?.body).toBe('{"ü":1}');
  });

  it("ends, and is not tried again, when the client is closed", async () => {
    const server = await serverWith(() => "hang");
    const client = clientOf(server.url);
    const failed = failureOf(client.request(CALL));
    await eventually(() => server.received.length === 1);
    client.close();
    expect((await failed).code).toBe("CANCELLED");
    expect(server.received).toHaveLength(1);
  });

  it("says which call lacks its credentials, and does not try a broken one again", async () => {
    const server = await serverWith(() => ({ body: "{}" }));
    const missing = new RebalancerError("CREDENTIALS_INVALID", "/token cannot be read (ENOENT)");
    const without = clientOf(server.url, { headers: () => Promise.reject(missing) });
    expect(await failureOf(without.request(CALL))).toMatchObject({
      code: "CREDENTIALS_INVALID",
      message: expect.stringMatching(/^list things \(GET .*\/things\): \/token cannot be read \(ENOENT\)$/),
    });
    const broken = clientOf(server.url, { headers: async () => ({ authorization: "Bearer s3\ncret" }) });
    const { code, message } = await failureOf(broken.request(CALL));
    expect(code).toBe("CREDENTIALS_INVALID");
    expect(message).not.toContain("s3");
    expect(server.received).toHaveLength(0);
  });

  it("uses one connection for calls one after the other", async () => {
    const server = await serverWith(() => ({ body: "{}" }));
    const client = clientOf(server.url);
    for (let n = 0; n < 5; n += 1) await client.request(CALL);
    expect(server.connections.opened).toBe(1);
  });

  it("asks for headers before every attempt", async () => {
    const server = await serverWith((_request, call) => ({ status: call === 0 ? 503 : 200, body: "{}" }));
    let token = 0;
    await clientOf(server.url, { headers: async () => ({ authorization: `Bearer ${(token += 1)}` }) }).request(CALL);
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual(["Bearer 1", "Bearer 2"]);
  });
});

describe("a retry", () => {
  it.each<[string, Answer]>([
    ["429", { status: 429 }],
    ["500", { status: 500 }],
    ["503", { status: 503 }],
    ["a reset connection", "reset"],
  ])("follows %s", async (_name, first) => {
    const server = await serverWith((_request, call) => (call === 0 ? first : { body: "{}" }));
    await clientOf(server.url).request(CALL);
    expect(server.received).toHaveLength(2);
  });

  it.each([
    [400, "REQUEST_REJECTED"],
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
    [404, "NOT_FOUND"],
    [409, "CONFLICT"],
    [410, "EXPIRED"],
    [422, "REQUEST_REJECTED"],
  ])("never follows %d, which is %s", async (status, code) => {
    const server = await serverWith(() => ({ status, body: { message: "no, thank you" } }));
    const error = await failureOf(clientOf(server.url).request(CALL));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(new RegExp(`^list things \\(GET .*/things\\): HTTP ${status}: no, thank you$`));
    expect(error.reply?.status).toBe(status);
    expect(server.received).toHaveLength(1);
  });

  it("never follows anything when a second attempt could do harm", async () => {
    const server = await serverWith((_request, call) => (call === 0 ? "reset" : { body: "{}" }));
    const error = await failureOf(clientOf(server.url).request({ ...CALL, retry: false }));
    expect(error.code).toBe("CONNECTION_FAILED");
    expect(server.received).toHaveLength(1);
  });

  it("gives up after five attempts, with the last error", async () => {
    const server = await serverWith(() => ({ status: 503, headers: { "retry-after": "0" }, body: "overloaded" }));
    const clock = createManualClock();
    const failed = failureOf(clientOf(server.url, {}, clock).request(CALL));
    while (server.received.length < 5) {
      await eventually(() => server.received.length === 5 || clock.sleeping() === 2);
      await clock.advance(100);
    }
    const error = await failed;
    expect(error).toMatchObject({ code: "SERVER_ERROR", message: expect.stringContaining("overloaded") });
    expect(server.received).toHaveLength(5);
  });

  it("waits as long as Retry-After says", async () => {
    const server = await serverWith((_request, call) =>
      call === 0 ? { status: 429, headers: { "retry-after": "1" } } : { body: "{}" },
    );
    const clock = createManualClock();
    const work = clientOf(server.url, {}, clock).request(CALL);
    await pausing(clock);
    await clock.advance(999);
    expect(clock.sleeping()).toBe(2);
    expect(server.received).toHaveLength(1);
    await clock.advance(1);
    expect((await work).body).toBe("{}");
    expect(server.received).toHaveLength(2);
  });

  it("does not begin when Retry-After lies beyond the deadline", async () => {
    const server = await serverWith(() => ({ status: 429, headers: { "retry-after": "3600" } }));
    const error = await failureOf(clientOf(server.url).request(CALL));
    expect(error.code).toBe("THROTTLED");
    expect(server.received).toHaveLength(1);
  });
});

describe("a deadline", () => {
  it("ends a call that is never answered, and closes its socket", async () => {
    const server = await serverWith(() => "hang");
    const error = await failureOf(clientOf(server.url).request({ ...CALL, deadlineMillis: 50 }));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", message: expect.stringContaining("within 0.05 s") });
    await eventually(() => server.connections.open === 0);
  });

  it("ends a reply that drips", async () => {
    const server = await serverWith(() => (response) => {
      const drip = setInterval(() => response.write("x"), 5);
      response.on("close", () => clearInterval(drip));
    });
    const error = await failureOf(clientOf(server.url).request({ ...CALL, deadlineMillis: 60, maxBytes: 1e9 }));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    await eventually(() => server.connections.open === 0);
  });

  it("covers all attempts together, and tells of the last", async () => {
    const server = await serverWith((_request, call) => (call === 0 ? { status: 503, body: "overloaded" } : "hang"));
    const clock = createManualClock();
    const failed = failureOf(clientOf(server.url, {}, clock).request({ ...CALL, deadlineMillis: 400 }));
    await pausing(clock);
    await clock.advance(200);
    await eventually(() => server.received.length === 2);
    await clock.advance(200);
    const error = await failed;
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(error.message).toMatch(/the last attempt: .*HTTP 503: overloaded/);
  });

  it("bounds a header provider that hangs", async () => {
    const server = await serverWith(() => ({ body: "{}" }));
    const client = clientOf(server.url, { headers: () => new Promise<never>(() => undefined) });
    const error = await failureOf(client.request({ ...CALL, deadlineMillis: 50 }));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(server.received).toHaveLength(0);
  });
});

describe("a cancelled call", () => {
  it("closes its socket and says so", async () => {
    const server = await serverWith(() => "hang");
    const stop = new AbortController();
    const work = failureOf(clientOf(server.url).request({ ...CALL, signal: stop.signal }));
    await eventually(() => server.received.length === 1);
    stop.abort();
    expect((await work).code).toBe("CANCELLED");
    await eventually(() => server.connections.open === 0);
  });

  it("keeps the reason that the signal names", async () => {
    const server = await serverWith(() => "hang");
    const reason = new RebalancerError("RUN_DEADLINE", "too long");
    const error = await failureOf(clientOf(server.url).request({ ...CALL, signal: AbortSignal.abort(reason) }));
    expect(error).toBe(reason);
    expect(server.received).toHaveLength(0);
  });

  it("does not wait for the pause before the next attempt", async () => {
    const server = await serverWith(() => ({ status: 503, headers: { "retry-after": "9" } }));
    const stop = new AbortController();
    const clock = createManualClock();
    const work = failureOf(clientOf(server.url, {}, clock).request({ ...CALL, signal: stop.signal }));
    await pausing(clock);
    stop.abort();
    expect((await work).code).toBe("CANCELLED");
  });
});

describe("a reply", () => {
  it.each<[string, (size: number) => Answer]>([
    ["announced", (size) => ({ headers: { "content-length": size }, body: "x".repeat(size) })],
    [
      "streamed",
      (size) => (response) => {
        response.write("x".repeat(size));
        response.end();
      },
    ],
  ])("that is %s larger than the cap is refused", async (_name, answer) => {
    const server = await serverWith(({ url }) => answer(Number(url.searchParams.get("size"))));
    const client = clientOf(server.url);
    const error = await failureOf(client.request({ ...CALL, query: { size: "10001" } }));
    expect(error.code).toBe("REPLY_TOO_LARGE");
    expect((await client.request({ ...CALL, query: { size: "10000" } })).body).toHaveLength(10_000);
  });

  it("that is cut off is no reply", async () => {
    const server = await serverWith(() => (response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    const error = await failureOf(clientOf(server.url).request({ ...CALL, retry: false }));
    expect(error.code).toBe("CONNECTION_FAILED");
  });

  it("that redirects is not followed, and its query is not told", async () => {
    const location = "https://login.example/start?secret=1";
    const server = await serverWith(() => ({ status: 302, headers: { location } }));
    const error = await failureOf(clientOf(server.url).request(CALL));
    expect(error.code).toBe("REDIRECTED");
    expect(error.message).toContain("redirects to https://login.example/start");
    expect(error.message).not.toContain("secret");
    expect(server.received).toHaveLength(1);
  });

  it("cannot write control characters into a message, or fill the log", async () => {
    const message = `\u001B[31mred\u0007\r\nsecond line\u202E ${"x".repeat(5_000)}`;
    const server = await serverWith(() => ({ status: 400, body: { message } }));
    const error = await failureOf(clientOf(server.url).request(CALL));
    expect(error.message).toMatch(/HTTP 400: red second line x+…$/);
    expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(error.message.length).toBeLessThan(500);
  });

  it("that repeats what it was asked shows no secret of it", async () => {
    const server = await serverWith(({ headers, url }) => ({
      status: 400,
      body: `cannot serve ${url.search} for ${headers.authorization}, ${String(headers["x-tenant"])}`,
    }));
    const credentials = { authorization: "Bearer t0ken+secret", "x-tenant": "payments" };
    const client = clientOf(`${server.url}?token=a%2Bb-secret`, { headers: async () => credentials });
    const { message, reply } = await failureOf(client.request(CALL));
    expect(message).toMatch(/: cannot serve \?token=… for …, …$/);
    expect(reply?.body).not.toMatch(/secret|payments/);
    expect(client.mask("you sent t0ken+secret and a+b-secret")).toBe("you sent … and …");
  });

  it.each<[string, string, (sent: string) => Answer]>([
    ["the password in clear words", "", (sent) => ({ status: 401, body: `wrong password ${sent}` })],
    ["one value of a header", "", () => ({ status: 400, body: "no tenant tenant-two" })],
    ["the password of the address", "", () => ({ status: 400, body: "reader has not addr-pass-1" })],
    [
      "a token behind JSON's escapes",
      "?token=a%22%3Cquoted%22",
      () => ({ status: 400, body: '{"error":"a\\"\\u003cquoted\\""}' }),
    ],
    ["a token where the words are cut", "", (sent) => ({ status: 400, body: `${"x".repeat(290)} ${sent}` })],
    ["a token in a redirect's path", "", (sent) => ({ status: 302, headers: { location: `/login/${sent}?x` } })],
    [
      "a token in a redirect's fragment",
      "",
      () => ({ status: 302, headers: { location: "//u:new-secret@host/x#new-secret-token" } }),
    ],
  ])("that repeats %s shows none of it", async (_name, search, answer) => {
    const password = "pass-w0rd-planted";
    const server = await serverWith(() => answer(password));
    const authorization = `Basic ${Buffer.from(`reader:${password}`).toString("base64")}`;
    const headers = async () => ({ authorization, "x-tenant": "tenant-one, tenant-two, tenant-three" });
    const address = server.url.replace("//", "//user:addr-pass-1@") + search;
    const { message } = await failureOf(clientOf(address, { headers }).request(CALL));
    expect(message).toContain("…");
    expect(message).not.toMatch(/pass-w|tenant-two|addr-pass|quoted|new-secret/);
  });

  it("that has the longer of two secrets shows no rest of it", async () => {
    const server = await serverWith(() => ({ status: 400, body: "you sent tenant-and-more" }));
    const client = clientOf(server.url, { headers: async () => ({ a: "tenant", b: "tenant-and-more" }) });
    expect((await failureOf(client.request(CALL))).message).toMatch(/you sent …$/);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ["compressed, though nobody asked for that", (response) => response.setHeader("content-encoding", "gzip")],
    ["of no known encoding", (response) => response.setHeader("content-encoding", "br")],
  ])("that says it is %s is given as it came", async (_name, head) => {
    const server = await serverWith(() => (response) => {
      head(response);
      response.end("not what it says");
    });
    expect((await clientOf(server.url).request(CALL)).body).toBe("not what it says");
  });

  it.each([
    ["promises less than it sends", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{"],
    ["has two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}{"],
    ["has a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"],
    ["has a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"],
    ["changes the protocol", "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n{}"],
    ["has headers without an end", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}`],
    ["gives hints without end", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20_000)],
    ["is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
  ])("that %s is no reply, or no more than it promised", async (_name, raw) => {
    const server = await serverWith(() => (response) => void response.socket?.end(raw));
    const work = clientOf(server.url).request({ ...CALL, retry: false });
    const said = await work.then(
      ({ body }) => body,
      (error: unknown) => (error as RebalancerError).code,
    );
    expect(["{}", "CONNECTION_FAILED"]).toContain(said);
  });

  it("that is no JSON is told by its beginning", async () => {
    const server = await serverWith(() => ({ status: 400, body: "<h1>Bad gateway</h1>" }));
    expect((await failureOf(clientOf(server.url).request(CALL))).message).toMatch(/: <h1>Bad gateway<\/h1>$/);
  });
});

describe("a connection", () => {
  it("that is refused is told with its address", async () => {
    const server = await startLoopback(() => "hang");
    await server[Symbol.asyncDispose]();
    const error = await failureOf(clientOf(server.url).request({ ...CALL, retry: false }));
    expect(error).toMatchObject({ code: "CONNECTION_FAILED", message: expect.stringContaining(server.url) });
  });

  it("to a server that does not speak TLS is a fault of TLS", async () => {
    const server = await serverWith(() => ({ body: "{}" }));
    const error = await failureOf(clientOf(server.url.replace("http:", "https:")).request(CALL));
    expect(error.code).toBe("TLS_FAILED");
  });
});
