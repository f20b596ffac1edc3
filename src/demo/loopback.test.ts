import { describe, expect, it } from "vitest";

import { type Misbehaviour, sendAnswer, startLoopback } from "./loopback.ts";

function counting() {
  const deeds: string[] = [];
  const answer = ({ path }: { readonly path: string }) => {
    deeds.push(path);
    return { status: 200, body: { path } };
  };
  return { deeds, answer };
}

const PLANS: Readonly<Record<string, Misbehaviour>> = {
  "/before": (response) => sendAnswer(response, { status: 503, body: {} }),
  "/after": (response, honest) => {
    honest();
    response.destroy();
  },
};

describe("the loopback server", () => {
  it("answers with JSON and keeps every request", async () => {
    const { answer } = counting();
    await using server = await startLoopback(answer);
    const response = await fetch(new URL("/a?b=1", server.url), { method: "POST", body: "text" });
    expect([response.status, await response.json()]).toEqual([200, { path: "/a" }]);
    expect(server.requests).toMatchObject([{ method: "POST", path: "/a", body: "text" }]);
    expect(server.requests[0]?.query.get("b")).toBe("1");
  });

  it("lets a test answer instead, before the deed or after it", async () => {
    const { deeds, answer } = counting();
    await using server = await startLoopback(answer, { intercept: ({ path }) => PLANS[path] });
    expect((await fetch(new URL("/before", server.url))).status).toBe(503);
    await expect(fetch(new URL("/after", server.url))).rejects.toThrow("fetch failed");
    expect((await fetch(new URL("/honest", server.url))).status).toBe(200);
    expect(deeds).toEqual(["/after", "/honest"]);
    expect(server.requests).toHaveLength(3);
  });

  it("cuts the connection when its answer fails", async () => {
    await using server = await startLoopback(() => {
      throw new Error("a bug of the test");
    });
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
  });

  it("ends what hangs when it is closed", async () => {
    const server = await startLoopback(() => ({ status: 200, body: {} }), { intercept: () => () => {} });
    const hanging = fetch(server.url).catch((thrown: unknown) => thrown);
    while (server.requests.length === 0) await new Promise(setImmediate);
    await server.close();
    expect(await hanging).toBeInstanceOf(Error);
  });
});
