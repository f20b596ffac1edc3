import { afterEach, describe, expect, it } from "vitest";

import { type Answer, type Loopback, startLoopback } from "../../test/fakes/loopback.ts";
import { POLICY } from "../../test/fakes/policy.ts";
import { groupOf, reportOf, UNEVEN } from "../../test/fakes/report.ts";
import { createHttpClient } from "../http.ts";
import type { RunReport } from "../types.ts";
import { metricsText } from "./metrics.ts";
import { pushSink } from "./push.ts";

const NEVER = new AbortController().signal;
const report = reportOf(groupOf(UNEVEN));

const stack: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of stack.splice(0).toReversed()) await dispose();
});

async function receiver(...answers: readonly Answer[]): Promise<Loopback> {
  const server = await startLoopback((_, call) => answers[call] ?? answers.at(-1) ?? { status: 200 });
  stack.push(() => server[Symbol.asyncDispose]());
  return server;
}

function push(address: string, pushed: RunReport = report): Promise<void> {
  const url = new URL(address);
  const http = createHttpClient({ url });
  stack.push(() => http.close());
  return pushSink(http, url, POLICY).write(pushed, NEVER);
}

describe("a push", () => {
  it("goes to the group of namespace and selector at a Pushgateway, behind its prefix, as what `--output metrics` prints", async () => {
    const server = await receiver();
    await push(`${server.url}/gateway/?team=a`, { ...report, selector: "app in (a,b),tier/x=1" });
    const [request] = server.received;
    expect(request?.method).toBe("POST");
    const [, encoded = ""] =
      /^\/gateway\/metrics\/job\/pod-rebalancer\/namespace\/shop\/selector@base64\/(\S+)$/.exec(
        request?.url.pathname ?? "",
      ) ?? [];
    expect(Buffer.from(encoded, "base64url").toString()).toBe("app in (a,b),tier/x=1");
    expect(encoded).not.toMatch(/[/+=]/);
    expect(request?.url.search).toBe("?team=a");
    expect(request?.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(request?.body).toBe(await metricsText({ ...report, selector: "app in (a,b),tier/x=1" }, POLICY));
  });

  it.each(["/api/v1/import/prometheus", "/insert/0/prometheus/api/v1/import/prometheus/"])(
    "goes to %s of VictoriaMetrics as it is, with the job as a label",
    async (path) => {
      const server = await receiver({ status: 204 });
      await push(`${server.url}${path}?extra_label=cluster%3Deu`);
      const [request] = server.received;
      expect(request?.url.pathname).toBe(path.replace(/\/$/, ""));
      expect(request?.url.searchParams.getAll("extra_label")).toEqual(["cluster=eu", "job=pod-rebalancer"]);
    },
  );

  it("is tried again after a 503", async () => {
    const server = await receiver({ status: 503 }, { status: 202 });
    await push(server.url);
    expect(server.received).toHaveLength(2);
  });

  it("that is answered with a page for people is no push, and what it repeats of our secrets is not shown", async () => {
    const server = await receiver({ body: "<p>sign in, tok3n-of-the-address</p>" });
    await expect(push(`${server.url}?token=tok3n-of-the-address`)).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: 'push the metrics: the reply is "<p>sign in, …</p>", expected none',
    });
  });

  it("that is forbidden is about the receiver's account, not about Kubernetes", async () => {
    const server = await receiver({ status: 403 });
    await expect(push(server.url)).rejects.toMatchObject({
      code: "FORBIDDEN",
      advice: "Give the account that METRICS_PUSH_HTTP_CONFIG names the right to write at METRICS_PUSH_URL.",
    });
  });

  it("that is refused says so in the receiver's words", async () => {
    const server = await receiver({ status: 400, body: "pushed metrics are invalid" });
    await expect(push(server.url)).rejects.toMatchObject({
      code: "REQUEST_REJECTED",
      message: expect.stringMatching(/^push the metrics \(POST .*HTTP 400: pushed metrics are invalid$/) as string,
    });
    expect(server.received).toHaveLength(1);
  });
});
