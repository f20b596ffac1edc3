import { afterEach, describe, expect, it } from "vitest";

import { type Answer, eventually, type Loopback, startLoopback } from "../../test/fakes/loopback.ts";
import { createHttpClient } from "../http.ts";
import { createPrometheus, type Prometheus } from "./client.ts";

const NOW = Date.parse("2026-03-08T12:00:00Z");
const NEVER = new AbortController().signal;
/** Relative to the present, in seconds. */
function evaluatedAt(seconds: number): Answer {
  const result = [{ metric: { pod: "a" }, value: [NOW / 1_000 + seconds, "3"] }];
  return { body: { status: "success", data: { resultType: "vector", result } } };
}

const EMPTY = { body: { status: "success", data: { resultType: "vector", result: [] } } } satisfies Answer;

const stack: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of stack.splice(0).toReversed()) await dispose();
});

async function serverWith(...answers: Answer[]): Promise<Loopback> {
  const server = await startLoopback((_, call) => answers[call] ?? answers.at(-1) ?? "reset");
  stack.push(() => server[Symbol.asyncDispose]());
  return server;
}

function clientOf(url: string, timeoutMillis = 10_000): Prometheus {
  const http = createHttpClient({ url: new URL(url) });
  stack.push(() => http.close());
  return createPrometheus(http, { timeoutMillis, now: () => new Date(NOW), toleranceSeconds: 60 });
}

describe("query", () => {
  it("that is forbidden is about the metrics server's account, not about Kubernetes", async () => {
    const server = await serverWith({ status: 403 });
    await expect(clientOf(server.url).query("cpu query", "up", NEVER)).rejects.toMatchObject({
      code: "FORBIDDEN",
      advice:
        "Give the account that PROMETHEUS_HTTP_CONFIG names the right to query, and check the tenant in its http_headers.",
    });
  });

  it("posts the query as a form, with nocache and without step, and keeps the endpoint's path and parameters", async () => {
    const server = await serverWith(EMPTY);
    const prometheus = clientOf(`${server.url}/select/0/prometheus?extra_label=tenant%3Da`);
    expect(await prometheus.query("cpu query", 'sum by (pod) (x{a="ü+&"})', NEVER)).toEqual([]);
    const [request] = server.received;
    expect(request?.method).toBe("POST");
    expect(request?.url.href).toBe("http://server/select/0/prometheus/api/v1/query?extra_label=tenant%3Da");
    expect(request?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect([...new URLSearchParams(request?.body)]).toEqual([
      ["query", 'sum by (pod) (x{a="ü+&"})'],
      ["nocache", "1"],
    ]);
  });

  it("posts a range query with its times in seconds, and yields the series", async () => {
    const result = [
      {
        metric: { pod: "a" },
        values: [
          [1, "3"],
          [31, "NaN"],
        ],
      },
    ];
    const server = await serverWith({ body: { status: "success", data: { resultType: "matrix", result } } });
    const range = { start: new Date(1_000), end: new Date(61_500), stepSeconds: 30 };
    const series = await clientOf(server.url).queryRange("history query", "max(x)", range, NEVER);
    expect(series).toEqual([{ labels: { pod: "a" }, values: [3, Number.NaN] }]);
    const [request] = server.received;
    expect(request?.url.pathname).toBe("/api/v1/query_range");
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      query: "max(x)",
      start: "1",
      end: "61.5",
      step: "30",
      nocache: "1",
    });
  });

  it("yields the samples", async () => {
    const result = [{ metric: { pod: "a" }, value: [NOW / 1_000, "3"] }];
    const server = await serverWith({ body: { status: "success", data: { resultType: "vector", result } } });
    expect(await clientOf(server.url).query("cpu query", "x", NEVER)).toEqual([{ labels: { pod: "a" }, value: 3 }]);
  });

  it("takes a reply of the time between question and answer, as far as clocks may differ", async () => {
    const times = [-60, 60, -61, 61];
    const server = await serverWith(...times.map(evaluatedAt));
    const prometheus = clientOf(server.url);
    const taken: boolean[] = [];
    for (const _ of times)
      taken.push(
        await prometheus.query("cpu query", "x", NEVER).then(
          () => true,
          () => false,
        ),
      );
    expect(taken).toEqual([true, true, false, false]);
  });

  it("asks again after a 503", async () => {
    const server = await serverWith({ status: 503 }, EMPTY);
    expect(await clientOf(server.url).query("cpu query", "x", NEVER)).toEqual([]);
    expect(server.received).toHaveLength(2);
  });

  it.each([400, 422])(
    "names the query, the server's words and the PromQL when the server refuses with %d",
    async (status) => {
      const server = await serverWith({
        status,
        body: { status: "error", errorType: "bad_data", error: "1:5: parse error" },
      });
      await expect(clientOf(server.url).query("lag query", "sum(", NEVER)).rejects.toMatchObject({
        code: "QUERY_FAILED",
        message: `lag query (POST ${server.url}/api/v1/query): HTTP ${status}: 1:5: parse error; the query: sum(`,
        reply: { status },
      });
      expect(server.received).toHaveLength(1);
    },
  );

  it("shows the PromQL of a query that yields something else than samples", async () => {
    const server = await serverWith({ body: { status: "success", data: { resultType: "scalar", result: [1, "2"] } } });
    await expect(clientOf(server.url).query("lag query", "time()", NEVER)).rejects.toMatchObject({
      code: "QUERY_FAILED",
      message: "lag query: it yields a scalar, expected one sample for each pod; the query: time()",
    });
  });

  it.each<[string, Answer, string]>([
    ["a proxy's 400", { status: 400, body: "<html>Bad Request</html>" }, "REQUEST_REJECTED"],
    ["a proxy's JSON 400", { status: 400, body: "null" }, "REQUEST_REJECTED"],
    ["a login page", { status: 302, headers: { location: "https://login.example/" } }, "REDIRECTED"],
    ["an HTML page", { body: "<html>Sign in</html>" }, "REPLY_INVALID"],
    ["a 401", { status: 401 }, "UNAUTHORIZED"],
    ["a 404", { status: 404 }, "NOT_FOUND"],
    ["a partial reply", { body: { status: "success", isPartial: true } }, "QUERY_INCOMPLETE"],
    ["a part", { ...EMPTY, status: 206 }, "REPLY_INVALID"],
    ["what a proxy made of a reply", { ...EMPTY, status: 203 }, "REPLY_INVALID"],
    ["nothing", { status: 204 }, "REPLY_INVALID"],
    ["a reply above the size cap", { headers: { "content-length": 5 * 2 ** 20 } }, "REPLY_TOO_LARGE"],
  ])("does not take %s for metrics", async (_, answer, code) => {
    const server = await serverWith(answer);
    await expect(clientOf(server.url).query("lag query", "x", NEVER)).rejects.toMatchObject({
      code,
      message: expect.stringContaining("lag query"),
    });
    expect(server.received).toHaveLength(1);
  });

  describe.each([403, 405, 501])("that is answered with %d to POST", (status) => {
    const refusal = { status, body: "only GET here" } as const;

    it("is asked once more by GET, and so is every later one", async () => {
      const server = await startLoopback(({ method }) => (method === "GET" ? evaluatedAt(0) : refusal));
      stack.push(() => server[Symbol.asyncDispose]());
      const prometheus = clientOf(`${server.url}/select/?token=a%21b`);
      expect(await prometheus.query("cpu query", 'x{a="ü+&"}', NEVER)).toEqual([{ labels: { pod: "a" }, value: 3 }]);
      await prometheus.query("lag query", "y", NEVER);
      expect(server.received.map(({ method }) => method)).toEqual(["POST", "GET", "GET"]);
      const [, first] = server.received;
      expect(first?.url.pathname).toBe("/select/api/v1/query");
      expect([...(first?.url.searchParams ?? [])]).toEqual([
        ["token", "a!b"],
        ["query", 'x{a="ü+&"}'],
        ["nocache", "1"],
      ]);
      expect(first?.body).toBe("");
    });

    it("tells of both where GET is refused, too", async () => {
      const server = await serverWith(refusal, { status: 403, body: "nor GET" });
      await expect(clientOf(server.url).query("cpu query", "x", NEVER)).rejects.toMatchObject({
        code: "FORBIDDEN",
        message: expect.stringMatching(
          new RegExp(`\\(GET .*: HTTP 403: nor GET; before that, cpu query \\(POST .*: HTTP ${status}: only GET here`),
        ),
      });
      expect(server.received).toHaveLength(2);
    });
  });

  it("tells the fault of a query that GET is told of, and nothing of POST", async () => {
    const server = await serverWith({ status: 405 }, { status: 400, body: { status: "error", error: "parse error" } });
    await expect(clientOf(server.url).query("cpu query", "x", NEVER)).rejects.toMatchObject({
      code: "QUERY_FAILED",
      message: `cpu query (GET ${server.url}/api/v1/query): HTTP 400: parse error; the query: x`,
    });
  });

  it.each([414, 431])("that is too long for an address (%d) says so", async (status) => {
    const server = await serverWith({ status: 405 }, { status });
    await expect(clientOf(server.url).query("cpu query", "x".repeat(9_000), NEVER)).rejects.toMatchObject({
      code: "REQUEST_REJECTED",
      message: expect.stringMatching(/the query makes the address 9016 characters longer, .*POST.*HTTP 405/s),
    });
  });

  it("gives up when the timeout is over, all attempts included", async () => {
    const server = await serverWith({ status: 503 }, "hang");
    await expect(clientOf(server.url, 600).query("lag query", "x", NEVER)).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringMatching(/^lag query .*within 0\.6 s; the last attempt: .*503/),
    });
  });

  it("closes its connection when it is cancelled", async () => {
    const server = await serverWith("hang");
    const stop = new AbortController();
    const query = clientOf(server.url).query("lag query", "x", stop.signal);
    await eventually(() => server.received.length === 1);
    stop.abort();
    await expect(query).rejects.toMatchObject({ code: "CANCELLED" });
    await eventually(() => server.connections.open === 0);
  });
});
