/** Certificates for loopback servers, made anew by openssl. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

interface Signing {
  /** As openssl writes a subjectAltName: "IP:127.0.0.1". */
  readonly names: string;
  /** As openssl writes a time: "20200101000000Z". */
  readonly from: string;
  readonly until: string;
}

export interface Authority {
  readonly cert: string;
  sign(signing?: Partial<Signing>): KeyPair;
  /** One whose own certificate this authority signed. */
  intermediate(): Authority;
}

const AUTHORITY_CONFIG = `
[ca]
default_ca = test
[test]
database = index
serial = serial
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`;

/** Of the system: it is everywhere, and no package of the product's. */
const OPENSSL = "openssl";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority that nobody trusts yet, with at most one intermediate. Its certificates are for 127.0.0.1, and good for long, unless told otherwise. */
export function createAuthority(): Authority & Disposable {
  const directory = mkdtempSync(join(tmpdir(), "certificates-"));
  const openssl = (...args: string[]) => execFileSync(OPENSSL, args, { cwd: directory, stdio: "pipe" });
  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  writeFileSync(join(directory, "ca.conf"), AUTHORITY_CONFIG);
  writeFileSync(join(directory, "index"), "");
  writeFileSync(join(directory, "serial"), "01");
  openssl(
    "req",
    "-x509",
    ...NEW_KEY,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "30",
    "-subj",
    "/CN=Test authority",
  );
  /** Signs what is asked for in `one.csr`. */
  const signRequest = (issuer: string, { from, until }: Signing) => {
    const by = ["-cert", `${issuer}.crt`, "-keyfile", `${issuer}.key`, "-startdate", from, "-enddate", until];
    openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-in", "one.csr", "-out", "one.crt", ...by);
  };
  const request = (key: string, subject: string, extension: string) => {
    openssl("req", ...NEW_KEY, "-keyout", key, "-out", "one.csr", "-subj", `/CN=${subject}`, "-addext", extension);
  };
  const authorityOf = (name: string): Authority => ({
    cert: read(`${name}.crt`),
    sign(signing = {}) {
      const { names, ...dates } = { ...USUAL, ...signing };
      request("one.key", "test", `subjectAltName=${names}`);
      signRequest(name, { names, ...dates });
      return { cert: read("one.crt"), key: read("one.key") };
    },
    intermediate() {
      request("intermediate.key", "Test intermediate", "basicConstraints=critical,CA:TRUE");
      signRequest(name, USUAL);
      writeFileSync(join(directory, "intermediate.crt"), read("one.crt"));
      return authorityOf("intermediate");
    },
  });
  return { ...authorityOf("ca"), [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

const USUAL: Signing = { names: "IP:127.0.0.1", from: "20200101000000Z", until: "20990101000000Z" };
