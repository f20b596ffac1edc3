/** Calls that are not answered, or never to their end: each has a deadline, and so has the run. */

import { type AddressInfo, createServer, type Socket } from "node:net";

import { describe, expect, it } from "vitest";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { afterTheDeed, drip, hang } from "./misbehaviour.ts";
import { LIVE, on, type Script, startScene } from "./scene.ts";

const UNANSWERED: readonly (readonly [string, Misbehaviour])[] = [
  ["never comes", hang],
  ["drips without end", drip],
];

const ONE = { MAX_PODS_TO_DELETE: "1" };

describe.each([
  ["list pods", "list pods in namespace shop"],
  ["get replicaset", "get replicaset shop/orders-"],
  ["get deployment", "get deployment shop/orders"],
  ["list horizontalpodautoscalers", "list horizontalpodautoscalers in namespace shop"],
  ["get lease", "get lease shop/pod-rebalancer-deployment-orders"],
  ["update lease", "update lease shop/pod-rebalancer-deployment-orders"],
  ["get pod", "get pod shop/orders-"],
])("an answer of the Kubernetes API to `%s`", { concurrent: true }, (call, shown) => {
  it.each(UNANSWERED)("that %s ends the run after ten seconds, and removes nothing", async (_name, misbehave) => {
    // Only the first: giving the Lease back is a look at it, too, and has a deadline of its own.
    await using scene = await startScene({ kubernetes: on(call, misbehave, 0) });
    scene.setLease({ holderIdentity: "" });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "DEADLINE_EXCEEDED" });
    expect(ended.said).toContain(shown);
    expect(ended.said).toMatch(
      /no whole answer within 10 ?s.*The API server answered too slowly; check its load, its admission webhooks/,
    );
    expect(scene.calls("evict")).toEqual([]);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});

describe("an answer to an eviction", { concurrent: true }, () => {
  it.each(UNANSWERED)("that %s is not missed when the pod goes", async (_name, misbehave) => {
    await using scene = await startScene({ kubernetes: on("evict", afterTheDeed(misbehave)) });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toContain("evicted, though the answer was lost (DEADLINE_EXCEEDED)");
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([scene.hot.name]);
  });

  it.each(UNANSWERED)("that %s is an error when the pod stays, and the eviction is on record", async (...row) => {
    const [, misbehave] = row;
    await using scene = await startScene({ kubernetes: on("evict", misbehave) });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 3, reason: "failed", code: "EVICTION_FAILED" });
    expect(ended.said).toMatch(/still runs after evict pod .*no whole answer within 10 ?s/);
    expect(scene.calls("evict")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.recorded()).toEqual([scene.hot.name]);
  });
});

describe("an answer to an Event", { concurrent: true }, () => {
  it.each(UNANSWERED)("that %s holds nobody up for ever", async (_name, misbehave) => {
    await using scene = await startScene({ kubernetes: on("create event", misbehave) });
    const ended = await scene.run(LIVE, ONE);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.lines.at(-1)?.msg).toMatch(/not written: create event in namespace shop .*within 10 ?s/);
  });
});

describe("an answer of the metrics server", { concurrent: true }, () => {
  it.each(UNANSWERED)("that %s ends the run after PROMETHEUS_TIMEOUT", async (_name, misbehave) => {
    await using scene = await startScene({ prometheus: on("lag query", misbehave) });
    const ended = await scene.run(LIVE, { PROMETHEUS_TIMEOUT: "30s" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "DEADLINE_EXCEEDED" });
    expect(ended.said).toMatch(
      /lag query .*no whole answer within 30 ?s.*The metrics server answered too slowly; check its load, or raise PROMETHEUS_TIMEOUT/,
    );
    expect(scene.calls("lag query")).toHaveLength(1);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});

describe("a TLS handshake", { concurrent: true }, () => {
  it.each(["kubernetes", "prometheus"])("with %s that never ends has the deadline of its call", async (server) => {
    await using silent = await startSilentServer();
    await using scene = await startScene({ addresses: { [server]: `https://127.0.0.1:${silent.port}` } });
    const ended = await scene.start(LIVE, { PROMETHEUS_TIMEOUT: "2s" }).ended;
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "DEADLINE_EXCEEDED" });
    expect(ended.said).toMatch(/no whole answer within (2|10) ?s/);
    expect(scene.removed()).toEqual([]);
  });
});

/** Takes connections, and never says a word. */
async function startSilentServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

describe("a run that takes too long", { concurrent: true }, () => {
  it.each<[string, { kubernetes?: Script; prometheus?: Script }]>([
    ["the Kubernetes API hangs", { kubernetes: on("list pods", hang) }],
    ["the metrics server hangs", { prometheus: on("cpu query", hang) }],
    ["the metrics server drips", { prometheus: on("memory query", drip) }],
  ])("because %s ends at its deadline", async (_name, scripts) => {
    await using scene = await startScene(scripts);
    const ended = await scene.run(LIVE, { RUN_DEADLINE: "2s" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "run_deadline", code: "RUN_DEADLINE" });
    expect(ended.said).toMatch(
      /longer than 2 ?s.*The slow step is the one after the last .*; raise RUN_DEADLINE if it is only slow/,
    );
    expect(scene.removed()).toEqual([]);
  });
});
