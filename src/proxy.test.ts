import { describe, expect, it } from "vitest";

import { proxyVariableFor } from "./proxy.ts";

const PROXY = "http://user:password@proxy:3128";
const BOTH = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY };

describe("a proxy that the environment names", () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ["https://metrics.example/", BOTH, "HTTPS_PROXY"],
    ["http://metrics.example/", BOTH, "HTTP_PROXY"],
    ["https://metrics.example/", { https_proxy: PROXY }, "https_proxy"],
    ["http://metrics.example/", { http_proxy: PROXY }, "http_proxy"],
    ["https://metrics.example/", { HTTP_PROXY: PROXY }, undefined],
    ["http://metrics.example/", { HTTPS_PROXY: PROXY }, undefined],
    ["https://metrics.example/", { HTTPS_PROXY: "" }, undefined],
    ["https://metrics.example/", {}, undefined],
  ])("for %s of %j is %s", (url, env, variable) => {
    expect(proxyVariableFor(new URL(url), env)).toBe(variable);
  });

  it.each([
    ["localhost:9090", ""],
    ["127.0.0.5", ""],
    ["[::1]:9090", ""],
    ["metrics.example", "*"],
    ["metrics.example", "other, metrics.example"],
    ["metrics.example.", "Example other"],
    ["metrics.example", ".example"],
    ["metrics.example", "*.example"],
    ["metrics.example:9090", "metrics.example:9090"],
    ["10.1.2.3", "10.0.0.0/8"],
    ["10.1.2.3", "10.1.2.3"],
    ["[fd00::7]", "fd00::/16"],
    ["[fd00::7]:9090", "[fd00::7]:9090"],
    ["[fd00::7]", "fd00::7"],
  ])("is not for %s where NO_PROXY is %j", (host, exempt) => {
    const url = new URL(`http://${host}/`);
    expect(proxyVariableFor(url, { ...BOTH, NO_PROXY: exempt })).toBeUndefined();
    expect(proxyVariableFor(url, { ...BOTH, no_proxy: exempt })).toBeUndefined();
  });

  it.each([
    ["metrics.example", ""],
    ["metrics.example", "metrics"],
    ["metrics.example", "trics.example"],
    ["example", ".example"],
    ["metrics.example:9090", "metrics.example:9091"],
    ["10.1.2.3", "11.0.0.0/8, 10.0.0.0/99, 1.2.3, fd00::/8"],
    ["[fd00::7]", "fe80::/10"],
    ["127.example", "0.0.0.0/0"],
  ])("is for %s where NO_PROXY is %j", (host, exempt) => {
    expect(proxyVariableFor(new URL(`http://${host}/`), { ...BOTH, NO_PROXY: exempt })).toBe("HTTP_PROXY");
  });
});
