/** Servers that cannot be reached, or whose certificate does not hold: told by name, tried again only where that can help. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Authority, createAuthority, type KeyPair } from "./certificates.ts";
import { DRY, LIVE, type SceneOptions, startScene } from "./scene.ts";

let authority: Authority & Disposable;
let stranger: Authority & Disposable;
beforeAll(() => {
  authority = createAuthority();
  stranger = createAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});

/** A scene whose server of that name shows this certificate, and a product that trusts the authority, or what else it is given. */
function secured(server: "kubernetes" | "prometheus", shown: KeyPair, trusted = authority.cert): SceneOptions {
  return {
    tls: { [server]: shown },
    kubeconfig: { cluster: { "certificate-authority-data": Buffer.from(trusted).toString("base64") } },
    httpConfig: { tls_config: { ca: trusted } },
  };
}

const SERVERS = [
  ["kubernetes", "list pods in namespace shop"],
  ["prometheus", "query"],
] as const;

describe.each(SERVERS)("the certificate of %s", { concurrent: true }, (server, call) => {
  it("is trusted when the named authority signed it for this address", async () => {
    await using scene = await startScene(secured(server, authority.sign()));
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it.each<[string, () => KeyPair, RegExp]>([
    ["has expired", () => authority.sign({ until: "20200102000000Z" }), /certificate has expired/],
    ["is not valid yet", () => authority.sign({ from: "20980101000000Z" }), /certificate is not yet valid/],
    ["is by another authority", () => stranger.sign(), /unable to (get|verify)/],
    ["is for another host", () => authority.sign({ names: "DNS:metrics.example" }), /127\.0\.0\.1 is not in the cert/],
  ])("%s: the run fails at once, and says what to check", async (_name, sign, says) => {
    await using scene = await startScene(secured(server, sign()));
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TLS_FAILED" });
    expect(ended.said).toMatch(says);
    expect(ended.said).toContain(call);
    expect(ended.said).toMatch(/Check the server's certificate, its dates, and the CA this side trusts/);
    expect(scene[server].requests).toEqual([]);
    expect(scene.removed()).toEqual([]);
  });

  it("is trusted when an intermediate authority signed it, and only that one is named", async () => {
    const intermediate = authority.intermediate();
    await using scene = await startScene(secured(server, intermediate.sign(), intermediate.cert));
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it("is trusted when it is the one that is named", async () => {
    const shown = authority.sign();
    await using scene = await startScene(secured(server, shown, shown.cert));
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
  });

  it.each<[string, Parameters<Authority["sign"]>[0], RegExp]>([
    ["has expired", { until: "20200102000000Z" }, /certificate has expired/],
    ["is for another host", { names: "DNS:metrics.example" }, /127\.0\.0\.1 is not in the cert/],
  ])("is not trusted when it is the one that is named and %s", async (_name, signing, says) => {
    const shown = authority.sign(signing);
    await using scene = await startScene(secured(server, shown, shown.cert));
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TLS_FAILED" });
    expect(ended.said).toMatch(says);
    expect(scene[server].requests).toEqual([]);
  });

  it("is not trusted where nothing is said of it, whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
    await using scene = await startScene({ tls: { [server]: stranger.sign() } });
    const ended = await scene.run(LIVE, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TLS_FAILED" });
    expect(scene[server].requests).toEqual([]);
  });

  it.each([
    ["by another authority", () => stranger.sign()],
    ["for another host", () => authority.sign({ names: "DNS:metrics.example" })],
  ])("%s is not trusted whatever NODE_TLS_REJECT_UNAUTHORIZED says", async (_name, sign) => {
    await using scene = await startScene(secured(server, sign()));
    const ended = await scene.run(LIVE, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TLS_FAILED" });
    expect(scene[server].requests).toEqual([]);
  });

  it("is not to be had from a server that speaks plain http", async () => {
    await using plain = await startScene();
    const address = plain[server].url.origin.replace("http:", "https:");
    await using scene = await startScene({ addresses: { [server]: address } });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "TLS_FAILED" });
    expect(ended.said).toContain(address);
    expect(scene.removed()).toEqual([]);
  });
});

describe.each(SERVERS)("an address of %s", { concurrent: true }, (server, call) => {
  it.each<[string, string, RegExp]>([
    ["that does not resolve", `http://${server}.invalid`, /(ENOTFOUND|EAI_AGAIN) \w+\.invalid/],
    // Port 1 is reserved for a service that is long forgotten; a free port might be taken by another test.
    ["where nobody listens", "http://127.0.0.1:1", /connect ECONNREFUSED 127\.0\.0\.1:1/],
  ])("%s fails the run after some attempts, and is named", async (_name, address, says) => {
    await using scene = await startScene({ addresses: { [server]: address } });
    const ended = await scene.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CONNECTION_FAILED" });
    expect(ended.said).toMatch(says);
    expect(ended.said).toContain(address);
    expect(ended.said).toContain(call);
    expect(ended.said).toMatch(
      /Check that the address \(PROMETHEUS_ENDPOINT, .*\) is right, resolves, and can be reached from here/,
    );
    expect(scene.removed()).toEqual([]);
  });
});

describe.each(SERVERS)(
  "a proxy that the environment names, where %s cannot be reached",
  { concurrent: true },
  (server) => {
    const proxies = {
      HTTPS_PROXY: "http://user:pr0xy-4711@proxy.invalid:1",
      http_proxy: "http://user:pr0xy-4711@proxy.invalid:1",
    };

    it.each([
      [`https://${server}.invalid`, "HTTPS_PROXY"],
      [`http://${server}.invalid`, "http_proxy"],
    ])("(%s) is named by its variable (%s), without its password", async (address, variable) => {
      await using scene = await startScene({ addresses: { [server]: address } });
      const ended = await scene.run(LIVE, proxies);
      expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "CONNECTION_FAILED" });
      expect(ended.said).toContain(`${variable} names a proxy, and pod-rebalancer uses none`);
      expect(ended.stdout + ended.stderr).not.toContain("pr0xy-4711");
    });

    it("is not named where NO_PROXY exempts the host, or it is this machine", async () => {
      await using exempt = await startScene({ addresses: { [server]: `http://${server}.invalid` } });
      expect((await exempt.run(LIVE, { ...proxies, NO_PROXY: ".invalid" })).said).not.toContain("proxy");
      await using here = await startScene({ addresses: { [server]: "http://127.0.0.1:1" } });
      expect((await here.run(LIVE, proxies)).said).not.toContain("names a proxy");
    });
  },
);

describe("a client certificate of the kubeconfig", { concurrent: true }, () => {
  it("is shown to a server that asks for it", async () => {
    const server = { ...authority.sign(), ca: authority.cert, requestCert: true, rejectUnauthorized: true };
    const client = authority.sign();
    const user = {
      "client-certificate-data": Buffer.from(client.cert).toString("base64"),
      "client-key-data": Buffer.from(client.key).toString("base64"),
    };
    const { kubeconfig } = secured("kubernetes", server);
    await using scene = await startScene({ tls: { kubernetes: server }, kubeconfig: { ...kubeconfig, user } });
    expect(await scene.run(DRY)).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    await using without = await startScene({ tls: { kubernetes: server }, kubeconfig: { ...kubeconfig } });
    const ended = await without.run(LIVE);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: expect.stringMatching(/TLS|CONNECTION/) });
    expect(ended.lines[0]).toMatchObject({
      level: "warn",
      msg: 'Nothing proves to the Kubernetes API who we are: user "test" has no credentials.',
    });
    expect(without.removed()).toEqual([]);
  });
});
