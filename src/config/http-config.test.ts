import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { expectFaults } from "../../test/fakes/faults.ts";
import { readHttpConfig } from "./http-config.ts";

const NEVER = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), "http-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function write(text: string, name = `config-${(files += 1)}.yml`): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** The headers of one request. */
async function headersOf(text: string) {
  const { faults, headers } = await readHttpConfig(write(text));
  expect(faults).toEqual([]);
  return await headers?.(NEVER);
}

describe("the HTTP client file", () => {
  it.each<[string, string, Record<string, string>]>([
    ["nothing", "", {}],
    ["a password", "basic_auth: { username: ann, password: 'p:w' }", { authorization: "Basic YW5uOnA6dw==" }],
    ["a token", "authorization: { credentials: t0k }", { authorization: "Bearer t0k" }],
    ["another scheme", "authorization: { type: Token, credentials: t0k }", { authorization: "Token t0k" }],
    ["the older form of a token", "bearer_token: t0k", { authorization: "Bearer t0k" }],
    [
      "headers",
      "http_headers: { X-Scope-OrgID: { values: [tenant-a] }, X-Key: { secrets: [one, two] } }",
      { "x-scope-orgid": "tenant-a", "x-key": "one, two" },
    ],
    ["what has no effect", "follow_redirects: true\nenable_http2: false", {}],
  ])("adds %s to each request", async (_name, text, expected) => {
    expect(await headersOf(text)).toEqual(expected);
  });

  it("reads files with credentials again for each request, relative to itself", async () => {
    write("first\n", "token");
    const { headers } = await readHttpConfig(write("authorization: { credentials_file: token }"));
    expect(await headers?.(NEVER)).toEqual({ authorization: "Bearer first" });
    write("second", "token");
    expect(await headers?.(NEVER)).toEqual({ authorization: "Bearer second" });
    write("", "token");
    await expect(headers?.(NEVER)).rejects.toMatchObject({ code: "CREDENTIALS_INVALID", message: /token is empty$/ });
  });

  it.each([
    ["basic_auth: { username_file: u, password_file: p }", "Basic dTpw"],
    ["bearer_token_file: p", "Bearer p"],
  ])("takes secrets from files: %s", async (text, authorization) => {
    write("u\n", "u");
    write("p\n", "p");
    expect(await headersOf(text)).toEqual({ authorization });
  });

  it("sends a header's values, secrets and files", async () => {
    write("three", "h");
    expect(await headersOf("http_headers: { X-A: { values: [one], secrets: [two], files: [h] } }")).toEqual({
      "x-a": "one, two, three",
    });
  });

  it("sets TLS", async () => {
    write("CA", "ca.pem");
    const { tls, faults } = await readHttpConfig(
      write(
        "tls_config: { ca_file: ca.pem, cert: CERT, key: KEY, server_name: m, min_version: TLS12, max_version: TLS13 }",
      ),
    );
    expect(faults).toEqual([]);
    expect(tls).toEqual({
      ca: "CA",
      cert: "CERT",
      key: "KEY",
      servername: "m",
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.3",
      rejectUnauthorized: true,
    });
    const lax = await readHttpConfig(write("tls_config: { insecure_skip_verify: true }"));
    expect(lax.tls).toEqual({ rejectUnauthorized: false });
  });

  it.each([
    ["a misspelt key", "basic_auths: { username: s3cret }", [/: basic_auths is not supported; expected basic_auth, /]],
    [
      "what is not supported",
      "oauth2: { client_secret: s3cret }\nproxy_url: http://s3cret@p",
      [/oauth2 is not/, /proxy_url is not/],
    ],
    [
      "a misspelt key within",
      "basic_auth: { user: s3cret }",
      [/: basic_auth.user is not supported; expected username, /],
    ],
    [
      "a misspelt key of a header",
      "http_headers: { X-A: { value: s3cret } }",
      [/http_headers.X-A.value is not supported; expected values, secrets, files/],
    ],
    ["a wrong type", "basic_auth: s3cret", [/: basic_auth: Invalid input: expected object/]],
    ["no map", "[s3cret]", [/: the file: Invalid input/]],
    [
      "two ways to prove who we are",
      "bearer_token: s3cret\nbasic_auth: { username: a }",
      [/exclude each other; expected one$/],
    ],
    [
      "a secret said twice",
      "authorization: { credentials: s3cret, credentials_file: f }",
      [/authorization.credentials and credentials_file exclude/],
    ],
    ["no secret at all", "authorization: { type: Bearer }", [/authorization has no credentials/]],
    ["a certificate without its key", "tls_config: { cert: s3cret }", [/only one of certificate and key/]],
    ["a file that is missing", "tls_config: { ca_file: missing.pem }", [/missing\.pem cannot be read \(ENOENT\)$/]],
    [
      "a header that is the client's own",
      "http_headers: { Host: { values: [s3cret] } }",
      [/http_headers.Host is set by the client itself/],
    ],
    ["no header name", "http_headers: { 'a b': { values: [s3cret] } }", [/http_headers/]],
    ["what is not YAML", "basic_auth: { s3cret", [/line 1: not YAML \(/]],
  ])("is refused with %s, by name and without a value", async (_name, text, expected) => {
    const path = write(text);
    const { faults } = await readHttpConfig(path);
    expectFaults(faults, path, expected);
  });

  it("is refused when it is missing", async () => {
    const { faults } = await readHttpConfig(join(folder, "none.yml"));
    expect(faults).toEqual([`${join(folder, "none.yml")} cannot be read (ENOENT)`]);
  });
});
