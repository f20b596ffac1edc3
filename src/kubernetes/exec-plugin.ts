/** Credential plugins of a kubeconfig (`exec`), as client-go runs them, with a deadline. */

import { execFile } from "node:child_process";
import { resolve } from "node:path";

import { RebalancerError } from "../errors.ts";
import { masked } from "../masking/masker.ts";
import { printable } from "../text.ts";

/** `users[].user.exec` of a kubeconfig (client.authentication.k8s.io). */
export interface ExecSpec {
  readonly apiVersion?: string | undefined;
  readonly command?: string | undefined;
  readonly args?: readonly string[] | null | undefined;
  readonly env?: readonly { readonly name: string; readonly value?: string | null | undefined }[] | null | undefined;
  readonly installHint?: string | undefined;
  readonly provideClusterInfo?: boolean | undefined;
}

/** What a plugin with `provideClusterInfo` is told. */
export interface ExecCluster {
  readonly server: string;
  readonly "certificate-authority-data": string | undefined;
  readonly "insecure-skip-tls-verify": boolean | undefined;
  readonly "tls-server-name": string | undefined;
}

export interface ExecSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cluster: ExecCluster;
  /** A command with a slash that is not absolute is meant from here. */
  readonly directory: string;
}

/** At least a token, or a certificate with its key. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Signing in to a cloud takes a few seconds; one that asks at the terminal would wait for ever. */
const PLUGIN_MILLIS = 30_000;
const MAX_OUTPUT_BYTES = 2 ** 20;

/** A credential is renewed this long before it expires, so that it outlasts the request it is for. */
const EXPIRY_MARGIN_MILLIS = 10_000;

/**
 * @returns a function that runs the plugin when there is no credential or it has expired; runs are shared. A signal ends the plugin that
 *   it began, and with it whoever shares that run.
 * @throws RebalancerError `CREDENTIALS_INVALID` (from that function) with the gist of what the plugin said on stderr.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
export function createExecPlugin(
  spec: ExecSpec,
  surroundings: ExecSurroundings,
  patienceMillis = PLUGIN_MILLIS,
): (signal?: AbortSignal) => Promise<ExecCredential> {
  let current: Promise<TimedCredential> | undefined;
  let expires = Number.POSITIVE_INFINITY;
  return (signal) => {
    if (current === undefined || Date.now() >= expires - EXPIRY_MARGIN_MILLIS) {
      expires = Number.POSITIVE_INFINITY;
      current = run(spec, { ...surroundings, patienceMillis, signal });
      current.then(
        (credential) => (expires = credential.expires),
        () => (current = undefined),
      );
    }
    return current;
  };
}

interface TimedCredential extends ExecCredential {
  /** Epoch milliseconds; Infinity when it does not say. */
  readonly expires: number;
}

interface Running extends ExecSurroundings {
  readonly patienceMillis: number;
  readonly signal: AbortSignal | undefined;
}

async function run(spec: ExecSpec, running: Running): Promise<TimedCredential> {
  return readCredential(spec, await outputOf(spec, running));
}

function outputOf(spec: ExecSpec, { patienceMillis: timeout, signal, ...surroundings }: Running): Promise<string> {
  const { command } = spec;
  if (!command) throw failed(spec, "the kubeconfig names no command");
  const path = command.includes("/") ? resolve(surroundings.directory, command) : command;
  const env = environmentOf(spec, surroundings);
  const { promise, resolve: done, reject } = Promise.withResolvers<string>();
  const options = { env, timeout, signal, killSignal: "SIGKILL", maxBuffer: MAX_OUTPUT_BYTES } as const;
  try {
    const child = execFile(path, [...(spec.args ?? [])], options, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else reject(failed(spec, whyOf(error, withoutSecretsOf(spec, stderr), timeout)));
    });
    // Nobody will answer a question. What cannot be started has no input either.
    child.stdin?.on("error", () => undefined).end();
  } catch (thrown) {
    // Text that no program can be given (a NUL in it), or no descriptor is left.
    reject(failed(spec, `it cannot be started (${(thrown as NodeJS.ErrnoException).code})`));
  }
  return promise;
}

function environmentOf(spec: ExecSpec, { env, cluster }: ExecSurroundings): NodeJS.ProcessEnv {
  const info = {
    apiVersion: spec.apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(spec.provideClusterInfo && { cluster }) },
  };
  const own = Object.fromEntries((spec.env ?? []).map(({ name, value }) => [name, value ?? ""]));
  return { ...env, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

function whyOf(error: Error & { code?: unknown; killed?: boolean }, stderr: string, timeout: number): string {
  if (error.code === "ENOENT") return "the command was not found";
  if (error.killed) return `no answer within ${timeout / 1_000} s`;
  const said = gist(stderr);
  return `it failed (${String(error.code)})${said && `: ${said}`}`;
}

/**
 * What the kubeconfig gives a plugin in its environment may be a password, and so may an argument by its name
 * (`--oidc-client-secret`); a plugin that traces itself shows them.
 */
function withoutSecretsOf({ env, args }: ExecSpec, said: string): string {
  const values = (env ?? []).map(({ value }) => value ?? "");
  return masked([...values, ...secretArguments(args ?? [])], said);
}

/** Those of flags whose name says so, behind "=" or as the next argument. */
function secretArguments(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    const [, name = "", value = args[index + 1] ?? ""] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    return /password|passwd|secret|token|key/i.test(name) ? [value] : [];
  });
}

function readCredential(spec: ExecSpec, stdout: string): TimedCredential {
  const status = statusOf(spec, stdout);
  const [token, cert, key] = [status.token, status.clientCertificateData, status.clientKeyData].map(textOf);
  if (!token && !(cert && key)) throw failed(spec, "its output holds neither a token nor a certificate with a key");
  const expiry = textOf(status.expirationTimestamp);
  const expires = expiry ? Date.parse(expiry) : Number.POSITIVE_INFINITY;
  if (Number.isNaN(expires)) throw failed(spec, "its output has an expirationTimestamp that is no time");
  return { token: token?.trim(), cert, key, expires };
}

type Status = Readonly<
  Partial<Record<"token" | "clientCertificateData" | "clientKeyData" | "expirationTimestamp", unknown>>
>;

function statusOf(spec: ExecSpec, stdout: string): Status {
  try {
    const written = JSON.parse(stdout) as { readonly status?: Status | null } | null;
    return written?.status ?? {};
  } catch {
    // Not quoted: it may hold the token.
    throw failed(spec, "its output is not JSON");
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function failed({ command, installHint }: ExecSpec, why: string): RebalancerError {
  const hint = installHint ? `; its hint: ${printable(installHint)}` : "";
  return new RebalancerError("CREDENTIALS_INVALID", `credential plugin ${command ?? "(none)"}: ${why}${hint}`);
}

/** The end of what a program said, without what looks like a secret. */
export function gist(said: unknown): string {
  const { code, path } = (said ?? {}) as NodeJS.ErrnoException;
  if (code && path) return `${path} cannot be read (${code})`;
  const text = said instanceof Error ? said.message : String(said);
  return printable(
    text
      .slice(-600)
      .replaceAll(/\b(password|passwd|secret|token|key)(["']?\s*[:=]\s*)\S+/gi, "$1$2…")
      .replaceAll(/\b(bearer|basic)\s+\S+/gi, "$1 …")
      .replaceAll(/[\w+/=-]{32,}/g, "…"),
  );
}
