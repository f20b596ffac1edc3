import { describe, expect, it } from "vitest";

import { doubtfulOf, kafkaSecrets, secretsOf } from "./secrets.ts";

describe("what is secret of a request", () => {
  it.each<[string, Record<string, string>, string[]]>([
    ["http://host/?token=a%21b", {}, ["a!b"]],
    ["http://host/?b4re-t0ken", {}, ["b4re-t0ken"]],
    ["http://ann:p%40ss@host/", {}, [`Basic ${btoa("ann:p@ss")}`, "p@ss"]],
    ["http://ann:%@host/", {}, ["%"]],
    ["http://host/", { authorization: "Bearer t0k" }, ["Bearer t0k", "t0k"]],
    ["http://host/", { authorization: `Basic ${btoa("ann:p:w")}` }, [btoa("ann:p:w"), "p:w"]],
    ["http://host/", { "x-key": "one, two" }, ["one", "two"]],
  ])("%s with %j", (url, headers, secrets) => {
    expect(secretsOf({ url: new URL(url) }, headers)).toEqual(expect.arrayContaining(secrets));
  });

  it("is no switch of the address", () => {
    const found = secretsOf({ url: new URL("http://host/?partial_response=false&token=t0k") });
    expect(found.filter(Boolean)).toEqual(["t0k"]);
  });

  it("is no header value or parameter that is not called secret", () => {
    const url = new URL("http://host/?extra_label=cluster%3Deu-west-1&token=t0k");
    const endpoint = { url, openValues: ["payments"] };
    const found = secretsOf(endpoint, { "x-scope-orgid": "payments", "x-keys": "payments, s3cret" });
    expect(new Set(found.filter(Boolean))).toEqual(new Set(["s3cret", "t0k"]));
    expect(doubtfulOf(endpoint)).toEqual(["payments", "cluster=eu-west-1"]);
  });

  it("is the key for TLS, and not whom we act as", () => {
    const found = secretsOf({ url: new URL("https://host/"), tls: { key: "KEY" } }, { "impersonate-user": "deployer" });
    expect(found.filter(Boolean)).toEqual(["KEY"]);
  });

  it("is of Kafka what proves who we are", () => {
    const tls = { key: "KEY", cert: "CERT", passphrase: "open", checkName: true };
    const sasl = { mechanism: "PLAIN", username: "ann", password: "s3cret" } as const;
    expect(kafkaSecrets({ tls, sasl })).toEqual(["s3cret", "KEY", "open"]);
    expect(kafkaSecrets({ tls: undefined, sasl: undefined })).toEqual([]);
  });
});
