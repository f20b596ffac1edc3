import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectFaults } from "../../../test/fakes/faults.ts";
import { createAuthority, type KeyPair } from "../../../test/faults/certificates.ts";
import { readClientConfig } from "./client-config.ts";

const folder = mkdtempSync(join(tmpdir(), "client-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

let ca: string;
let identity: KeyPair;
beforeAll(() => {
  using authority = createAuthority();
  ca = authority.cert;
  identity = authority.sign();
  write(ca, "ca.pem");
  write(identity.key + identity.cert, "client.pem");
  write(authority.sign().key + identity.cert, "mismatch.pem");
  write("nothing", "empty.pem");
});

function write(text: string, name = "client.properties"): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const SASL = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=";

async function securityOf(text: string) {
  const { security, faults } = await readClientConfig(write(text));
  expect(faults).toEqual([]);
  return security;
}

/** On one line, as it stands in a properties file. */
function onOneLine(pem: string): string {
  return pem.trim().replaceAll("\n", " ");
}

describe("the file of a Kafka client", () => {
  it("may say that there is neither TLS nor a login, beside other things", async () => {
    const plain = { tls: undefined, sasl: undefined };
    expect(await securityOf("security.protocol=PLAINTEXT")).toEqual(plain);
    const more =
      "client.id=a\nbootstrap.servers=b:9092\nSSL=x\nsasl.kerberos.service.name=kafka\nconsumer.security.protocol=SSL";
    expect(await securityOf(`security.protocol=PLAINTEXT\n${more}`)).toEqual(plain);
  });

  it.each([
    [`${LOGIN} username="ann" password="p w;=";`, "ann", "p w;="],
    [`${LOGIN} \\\n  username="ann" \\\n  password="a\\\\"b\\\\\\\\c";`, "ann", 'a"b\\c'],
    ["org.apache.kafka.common.security.scram.ScramLoginModule required password='x' username=ann", "ann", "x"],
    ["x.Y REQUIRED username = ann password = p-1 ;", "ann", "p-1"],
  ])("has a login: %s", async (login, username, password) => {
    expect(await securityOf(SASL + login)).toEqual({
      tls: undefined,
      sasl: { mechanism: "PLAIN", username, password },
    });
  });

  it.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])("has the mechanism %s, with TLS", async (mechanism) => {
    const text = `security.protocol=sasl_ssl\nsasl.mechanism=${mechanism}\nsasl.jaas.config=${LOGIN} username=a password=b;`;
    expect(await securityOf(text)).toEqual({
      tls: { checkName: true },
      sasl: { mechanism, username: "a", password: "b" },
    });
  });

  it("has certificates in files beside it", async () => {
    const trust = "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=ca.pem";
    const own = "ssl.keystore.type=pem\nssl.keystore.location=client.pem\nssl.key.password=x";
    expect(await securityOf(`${trust}\n${own}\nssl.endpoint.identification.algorithm=`)).toEqual({
      sasl: undefined,
      tls: { ca, cert: identity.cert, key: identity.key, passphrase: "x", checkName: false },
    });
  });

  it("has certificates in itself, on one line each", async () => {
    const lines = [
      "security.protocol=SSL",
      "ssl.truststore.type=PEM",
      `ssl.truststore.certificates=${onOneLine(ca)} ${onOneLine(ca)}`,
      "ssl.keystore.type=PEM",
      `ssl.keystore.certificate.chain=${onOneLine(identity.cert)}`,
      `ssl.keystore.key=${onOneLine(identity.key)}`,
      "ssl.endpoint.identification.algorithm=https",
    ];
    expect(await securityOf(lines.join("\n"))).toEqual({
      sasl: undefined,
      tls: { ca: ca + ca, cert: identity.cert, key: identity.key, checkName: true },
    });
  });

  it("may hold settings of other clients", async () => {
    const others = [
      "schema.registry.ssl.truststore.location=/a.jks",
      "schema.registry.ssl.key.password=x",
      "confluent.monitoring.interceptor.ssl.keystore.location=/b.jks",
    ];
    const { faults } = await readClientConfig(write(["security.protocol=PLAINTEXT", ...others].join("\n")));
    expect(faults).toEqual([]);
  });

  const PEM = "security.protocol=SSL\nssl.keystore.type=PEM\nssl.truststore.type=PEM\n";

  it.each([
    ["nothing", "", [/nothing in it has an effect; expected at least one of security\.protocol, sasl\.mechanism, /]],
    ["comments only", "# security.protocol=SSL\n! x\n", [/nothing in it has an effect/]],
    ["other things only", "client.id=a\nbootstrap.servers=s3cret:9092\nssl.protocol=TLSv1.3", [/nothing in it has an/]],
    ["empty values only", "security.protocol=\nsasl.jaas.config= ", [/nothing in it has an effect/]],
    [
      "what belongs into a file of JAAS",
      'KafkaClient {\n  org.apache.kafka.common.security.plain.PlainLoginModule required username="ann" password="s3cret";\n};',
      [/nothing in it has an effect; expected at least one of .*sasl\.jaas\.config/],
    ],
    [
      "keys of Spring",
      "spring.kafka.security.protocol=SASL_SSL\nspring.kafka.properties.sasl.jaas.config=s3cret",
      [
        /spring\.kafka\.security\.protocol has no effect; expected security\.protocol, as/,
        /spring\.kafka\.properties\.sasl\.jaas\.config has no effect; expected sasl\.jaas\.config, as/,
      ],
    ],
    [
      "keys of a consumer in another file",
      "consumer.ssl.truststore.location=s3cret",
      [/expected ssl\.truststore\.loc/],
    ],
    [
      "keys of variables",
      "SECURITY_PROTOCOL=SSL\nSasl.Mechanism=PLAIN",
      [/expected security\.pro/, /expected sasl\.mech/],
    ],
    [
      "a login that no protocol asks for",
      `sasl.mechanism=PLAIN\nsasl.jaas.config=${LOGIN} username=a password=s3cret;`,
      [
        /sasl\.mechanism, sasl\.jaas\.config have no effect without security\.protocol, which is PLAINTEXT then; expected/,
      ],
    ],
    [
      "a trust store that no protocol asks for",
      "ssl.truststore.location=s3cret.pem",
      [/ssl\.truststore\.location has no effect without security\.protocol/],
    ],
    [
      "another protocol",
      "security.protocol=s3cret",
      [/security\.protocol is none that is supported; expected PLAINTEXT/],
    ],
    ["another mechanism", SASL.replace("=PLAIN\n", "=s3cret\n") + LOGIN, [/sasl\.mechanism is none/, /jaas/]],
    [
      "no mechanism",
      "security.protocol=SASL_SSL",
      [/sasl\.mechanism is missing; expected PLAIN, /, /jaas\.config is missing/],
    ],
    [
      "a login without a password",
      `${SASL}${LOGIN} username=s3cret;`,
      [/jaas\.config is not understood; expected one/],
    ],
    ["two logins", `${SASL}${LOGIN} username=a password=s3cret; ${LOGIN};`, [/jaas\.config is not understood/]],
    [
      "a token",
      `${SASL}${LOGIN} username=a password=s3cret tokenauth=true;`,
      [/jaas\.config: tokenauth is not supported/],
    ],
    [
      "names of another client",
      "sasl.username=s3cret\nssl.ca.location=s3cret",
      [/sasl\.username is not/, /ssl\.ca\.loc/],
    ],
    ["a value that slipped in", "sasl.password\\ s3cret=x", [/sasl\.password… is not supported; expected security\./]],
    [
      "classes",
      "sasl.client.callback.handler.class=s3cret",
      [/sasl\.client\.callback\.handler\.class is not supported/],
    ],
    ["values from elsewhere", "config.providers=s3cret", [/config\.providers is not supported/]],
    ["ciphers", "ssl.cipher.suites=s3cret", [/ssl\.cipher\.suites is not supported/]],
    [
      "Java's own stores",
      "security.protocol=SSL\nssl.truststore.location=s3cret.jks\nssl.keystore.location=s3cret.p12\nssl.keystore.type=PKCS12",
      [/ssl\.truststore\.type is missing or not supported; expected PEM/, /ssl\.keystore\.type is/],
    ],
    [
      "a file that is missing",
      `${PEM}ssl.truststore.location=missing.pem`,
      [/missing\.pem cannot be read \(ENOENT\)$/],
    ],
    ["a file without certificates", `${PEM}ssl.truststore.location=empty.pem`, [/no certificate is in it; expected/]],
    ["a key alone", `${PEM}ssl.keystore.location=ca.pem`, [/certificate or key is missing; expected both/]],
    [
      "a key of another",
      `${PEM}ssl.keystore.location=mismatch.pem`,
      [/cannot be used \(ERR_OSSL_X509_KEY_VALUES_MISMATCH\)/],
    ],
    [
      "a store said twice",
      `${PEM}ssl.truststore.location=ca.pem\nssl.truststore.certificates=s3cret`,
      [/exclude each other; expected one/],
    ],
  ])("is refused with %s, by name and without a value", async (_name, text, expected) => {
    const path = write(text);
    const { security, faults } = await readClientConfig(path);
    expect(security).toBeUndefined();
    expectFaults(faults, path, expected);
  });

  it("is refused when it is missing", async () => {
    const path = join(folder, "none.properties");
    expect((await readClientConfig(path)).faults).toEqual([`${path} cannot be read (ENOENT)`]);
  });
});
