/** The push of a run's own metrics: whatever the receiver does, the run ends as it would have ended. */

import { describe, expect, it } from "vitest";

import { startLoopback } from "../../src/demo/loopback.ts";
import type { Loopback, Misbehaviour } from "../../src/demo/loopback.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { hang, loginPage, redirect, refuses, reset, says } from "./misbehaviour.ts";
import { DRY, LIVE, on, type Scene, startScene } from "./scene.ts";

/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:1";

function startReceiver({ watched }: Scene, misbehave = says(200, "")): Promise<Loopback> {
  return startLoopback(() => ({ status: 200, body: {} }), { intercept: () => watched(misbehave) });
}

/** The value of a metric as it arrived, by its name and first label. */
function sampleOf({ requests }: Loopback, series: string): string | undefined {
  const line = requests
    .at(-1)
    ?.body.split("\n")
    .find((text) => text.startsWith(series));
  return line?.split(" ").at(-1);
}

describe("a push that fails", { concurrent: true }, () => {
  it.each<[string, Misbehaviour, ErrorCode]>([
    ["is never answered", hang, "DEADLINE_EXCEEDED"],
    ["is reset", reset, "CONNECTION_FAILED"],
    ["is refused with 400", refuses(400, "text format parsing error"), "REQUEST_REJECTED"],
    ["is refused with 401", refuses(401), "UNAUTHORIZED"],
    ["meets 500", refuses(500), "SERVER_ERROR"],
    ["is sent elsewhere", redirect, "REDIRECTED"],
    ["meets a login page", loginPage, "REPLY_INVALID"],
  ])("because it %s is a warning of its own, and the run is a success", async (_how, misbehave, code) => {
    await using scene = await startScene();
    await using receiver = await startReceiver(scene, misbehave);
    const ended = await scene.run([...DRY, "--output", "json"], { METRICS_PUSH_URL: receiver.url.href });
    expect(ended).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(JSON.parse(ended.stdout)).toMatchObject({ exitCode: 0 });
    const warning = ended.lines.at(-1);
    expect(warning).toMatchObject({ level: "warn", error: { code } });
    expect(warning?.msg).toMatch(/The metrics were not pushed: push the metrics/);
  });

  it("does not hide why the run failed", async () => {
    await using scene = await startScene({ prometheus: on("cpu query", refuses(403)) });
    const ended = await scene.run(LIVE, { METRICS_PUSH_URL: NOWHERE });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "FORBIDDEN" });
    expect(ended.lines.at(-1)?.msg).toMatch(/The metrics were not pushed/);
  });
});

describe("a push", { concurrent: true }, () => {
  it("tells of a live run what it removed", async () => {
    await using scene = await startScene();
    await using receiver = await startReceiver(scene);
    const ended = await scene.run(LIVE, { METRICS_PUSH_URL: receiver.url.href });
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(receiver.requests.map(({ method }) => method)).toEqual(["POST"]);
    expect(sampleOf(receiver, "rebalancer_removed_share_1h{")).toBe(String(2 / 6));
    expect(sampleOf(receiver, 'rebalancer_pods_deleted_total{type="most_busy"')).toBe("1");
  });

  it("tells of a run that never saw its cluster", async () => {
    await using scene = await startScene({ addresses: { kubernetes: NOWHERE } });
    await using receiver = await startReceiver(scene);
    const ended = await scene.run(LIVE, { METRICS_PUSH_URL: receiver.url.href });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(sampleOf(receiver, 'rebalancer_executions_total{status="error"')).toBe("1");
    expect(sampleOf(receiver, "rebalancer_last_success_timestamp_seconds{")).toBeUndefined();
    expect(sampleOf(receiver, "rebalancer_pods_analyzed{")).toBe("Nan");
  });

  it("tells of a run whose kubeconfig cannot be read", async () => {
    await using scene = await startScene();
    await using receiver = await startReceiver(scene);
    const broken = { KUBECONFIG: "/dev/null/none", METRICS_PUSH_URL: receiver.url.href };
    expect(await scene.run(LIVE, broken)).toMatchObject({ exitCode: 1, reason: "failed" });
    expect(sampleOf(receiver, 'rebalancer_executions_total{status="error"')).toBe("1");
  });

  it("does not know the share of a suspended workload, whose record nobody read", async () => {
    await using scene = await startScene();
    await using receiver = await startReceiver(scene);
    await scene.run(LIVE, { METRICS_PUSH_URL: receiver.url.href, SUSPEND: "true" });
    expect(sampleOf(receiver, "rebalancer_removed_share_1h{")).toBe("Nan");
    expect(sampleOf(receiver, "rebalancer_pods_analyzed{")).toBe("6");
  });

  it("is not made by plan", async () => {
    await using scene = await startScene();
    await using receiver = await startReceiver(scene);
    expect(await scene.run(["plan"], { METRICS_PUSH_URL: receiver.url.href })).toMatchObject({ exitCode: 0 });
    expect(receiver.requests).toEqual([]);
  });
});
