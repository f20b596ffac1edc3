/** The one HTTP transport: TLS, keep-alive, a deadline, a size cap, no redirects, and a bounded retry where it is safe. */

import * as http from "node:http";
import * as https from "node:https";
import type { SecureContextOptions } from "node:tls";

import { deadlineOn, systemClock } from "./clock.ts";
import { type ErrorCode, type ErrorReply, RebalancerError, tooManyFiles } from "./errors.ts";
import { createMasker, type Masker } from "./masking/masker.ts";
import { doubtfulOf, secretsOf } from "./masking/secrets.ts";
import { orAborted } from "./or-aborted.ts";
import type { Clock } from "./ports.ts";
import { printable, withoutSecrets } from "./text.ts";

export interface TlsOptions extends Pick<SecureContextOptions, "ca" | "cert" | "key" | "minVersion" | "maxVersion"> {
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where requests go, and how they prove who they are. */
export interface HttpEndpoint {
  /** Its path is a prefix of every request's path; its query parameters join every request's. */
  readonly url: URL;
  readonly tls?: TlsOptions;
  /** Asked before every attempt, so that a rotated token is picked up. One that hangs ends with the call. */
  headers?(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Values of its headers that whoever wrote the settings did not call secret. */
  readonly openValues?: readonly string[];
  /** The variable that names a proxy for it, which is not used. Where it cannot be reached that may be why. */
  readonly unusedProxy?: string | undefined;
}

export interface HttpCall {
  /** Names the call in every error: "list pods in namespace shop". */
  readonly what: string;
  readonly method: "GET" | "POST" | "PUT";
  /** Begins with "/", or is empty: the endpoint's own. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: { readonly type: string; readonly text: string };
  readonly signal: AbortSignal;
  /** For all attempts together. */
  readonly deadlineMillis: number;
  /** Whether a second attempt can do no harm; then connection errors, 429 and 5xx are tried again. */
  readonly retry: boolean;
  /** Largest reply body that is read. */
  readonly maxBytes: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpClient {
  /** @throws RebalancerError for anything but a whole 2xx reply. */
  request(call: HttpCall): Promise<HttpReply>;
  /** A server's words without the secrets of the run, to be asked before they are cut. */
  mask(words: string): string;
  /** Ends calls that are still under way and closes all connections, so that the process can end. */
  close(): void;
}

/**
 * A certificate is checked unless the endpoint's own settings say otherwise: without this NODE_TLS_REJECT_UNAUTHORIZED would decide. Each
 * certificate that is given to trust is one to trust, also an intermediate authority's or the server's own, as to Go and Java.
 */
const VERIFIED: https.AgentOptions = { rejectUnauthorized: true, allowPartialTrustChain: true };

const MAX_ATTEMPTS = 5;
const FIRST_DELAY_MILLIS = 200;

/**
 * A client of one server; whoever makes it closes it. At most eight requests at once; the others wait their turn.
 *
 * @param clock - by which calls have their deadlines, and by which it waits before it tries one again.
 * @param masker - learns each secret before it is sent, so that a server that repeats it, now or later, does not make us print it.
 */
export function createHttpClient(
  endpoint: HttpEndpoint,
  clock: Clock = systemClock,
  masker: Masker = createMasker(),
): HttpClient {
  const secure = endpoint.url.protocol === "https:";
  const agent = secure
    ? new https.Agent({ keepAlive: true, maxSockets: 8, ...VERIFIED, ...endpoint.tls })
    : new http.Agent({ keepAlive: true, maxSockets: 8 });

  async function attempt(call: HttpCall, signal: AbortSignal): Promise<HttpReply> {
    signal.throwIfAborted();
    const url = addressOf(endpoint.url, call);
    const credentials = endpoint.headers && (await orAborted(endpoint.headers(signal), signal));
    masker.learn(secretsOf(endpoint, credentials));
    masker.learnWhole(doubtfulOf(endpoint));
    const headers: Record<string, string> = { accept: "application/json", ...credentials };
    if (call.body) {
      headers["content-type"] = call.body.type;
      headers["content-length"] = String(Buffer.byteLength(call.body.text));
    }
    const send = secure ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const request = send(url, { method: call.method, agent, headers, signal });
      request.on("error", reject);
      // Without a word where the server changes the protocol (101): no response, and no error.
      request.once("close", () => reject(new Error("the connection was closed without an answer")));
      request.once("response", (response) => resolve(readReply(response, call)));
      request.end(call.body?.text);
    });
  }

  const closed = new AbortController();

  async function requestUntil(call: HttpCall, ended: AbortSignal): Promise<HttpReply> {
    const deadline = deadlineOn(clock, call.deadlineMillis, ended);
    const ends = clock.now().getTime() + call.deadlineMillis;
    const signal = AbortSignal.any([call.signal, deadline, closed.signal]);
    const where = `${call.what} (${call.method} ${endpoint.url.origin}${addressOf(endpoint.url, call).pathname})`;
    let last: RebalancerError | undefined;

    function explain(thrown: unknown): RebalancerError {
      if (call.signal.aborted) return cancelled(where, call.signal.reason);
      if (closed.signal.aborted) return cancelled(where, closed.signal.reason);
      if (deadline.aborted) return late(where, call.deadlineMillis, { last, endpoint });
      return failure(where, thrown, endpoint);
    }

    for (let attempts = 1; ; attempts += 1) {
      const outcome = await attempt(call, signal).then((reply) => judged(where, reply, masker), explain);
      if (!(outcome instanceof RebalancerError)) return outcome;
      last = outcome;
      if (!call.retry || !last.retryable || attempts === MAX_ATTEMPTS) throw last;
      const pause = pauseMillis(attempts, last.reply?.headers ?? {});
      if (clock.now().getTime() + pause >= ends) throw last;
      await clock.sleep(pause, signal).catch((thrown: unknown) => {
        throw explain(thrown);
      });
    }
  }

  return {
    async request(call) {
      const ended = new AbortController();
      try {
        return await requestUntil(call, ended.signal);
      } finally {
        ended.abort();
      }
    },
    mask: (words) => masker.mask(words),
    close() {
      closed.abort(new RebalancerError("CANCELLED", "the client was closed"));
      agent.destroy();
    },
  };
}

function addressOf(base: URL, call: Pick<HttpCall, "path" | "query">): URL {
  const url = new URL(base);
  url.pathname = base.pathname.replace(/\/+$/, "") + call.path;
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.append(name, value);
  url.hash = "";
  return url;
}

async function readReply(response: http.IncomingMessage, call: HttpCall): Promise<HttpReply> {
  const tooLarge = () =>
    new RebalancerError("REPLY_TOO_LARGE", `${call.what}: the reply has more than ${call.maxBytes} bytes`);
  if (Number(response.headers["content-length"] ?? 0) > call.maxBytes) {
    response.destroy();
    throw tooLarge();
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > call.maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof RebalancerError) throw cause;
    throw new RebalancerError("CONNECTION_FAILED", `${call.what}: the reply was cut off after ${bytes} bytes`, {
      cause,
    });
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

/** Exponential, half of it at random so that clients do not march in step; never less than `Retry-After` (RFC 9110). */
function pauseMillis(attempts: number, headers: ErrorReply["headers"]): number {
  const step = FIRST_DELAY_MILLIS * 2 ** (attempts - 1);
  const jittered = step / 2 + (Math.random() * step) / 2;
  return Math.max(jittered, retryAfterMillis(headers));
}

function retryAfterMillis({ "retry-after": header, date }: ErrorReply["headers"]): number {
  if (typeof header !== "string") return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  // By the server's own time, where it tells it.
  const until = Date.parse(header) - (Date.parse(String(date)) || Date.now());
  return Number.isNaN(until) ? 0 : Math.max(until, 0);
}

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  410: "EXPIRED",
  429: "THROTTLED",
  // Not a failure that passes: what is asked for is not there.
  501: "REQUEST_REJECTED",
};

function judged(where: string, reply: HttpReply, masker: Masker): HttpReply | RebalancerError {
  return reply.status >= 200 && reply.status < 300
    ? reply
    : refusal(where, { ...reply, body: masker.mask(reply.body) }, masker);
}

function refusal(where: string, reply: HttpReply, masker: Masker): RebalancerError {
  const { status, headers, body } = reply;
  const details: { reply: ErrorReply } = { reply: { status, headers, body } };
  if (status >= 300 && status < 400) {
    const location = (headers.location ?? "nowhere").replace(/[?#].*/, "");
    const target = printable(masker.mask(withoutSecrets(location)));
    return new RebalancerError("REDIRECTED", `${where}: HTTP ${status} redirects to ${target}`, details);
  }
  const code = STATUS_CODES[status] ?? (status >= 500 ? "SERVER_ERROR" : "REQUEST_REJECTED");
  const words = printable(serverWords(body));
  return new RebalancerError(code, `${where}: HTTP ${status}${words && `: ${words}`}`, details);
}

/** What the server said: `message` of a Kubernetes Status, `error` of a Prometheus reply, or the beginning of the text. */
function serverWords(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) {
      const { message, error } = parsed as { message?: unknown; error?: unknown };
      const words = message ?? error;
      if (typeof words === "string") return words;
    }
  } catch {
    // Not JSON: the beginning of the text says enough (a proxy's error page, say).
  }
  return body.trim();
}

/** Codes of errors that say what is wrong with a certificate or a handshake. */
export const TLS_PROBLEM =
  /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function failure(where: string, thrown: unknown, { unusedProxy }: HttpEndpoint): RebalancerError {
  if (thrown instanceof RebalancerError) {
    if (thrown.code !== "CREDENTIALS_INVALID") return thrown;
    return new RebalancerError(thrown.code, `${where}: ${thrown.message}`, { cause: thrown });
  }
  const { code = "", message } = thrown as NodeJS.ErrnoException;
  // A token with a line break, say: only credentials and configured headers come from outside.
  if (code === "ERR_INVALID_CHAR") return new RebalancerError("CREDENTIALS_INVALID", `${where}: ${printable(message)}`);
  const kind = tooManyFiles(thrown) ?? (TLS_PROBLEM.test(code) ? "TLS_FAILED" : "CONNECTION_FAILED");
  const proxy = kind === "CONNECTION_FAILED" ? aboutProxy(unusedProxy) : "";
  return new RebalancerError(kind, `${where}: ${printable(message || code)}${proxy}`, { cause: thrown });
}

function aboutProxy(variable: string | undefined): string {
  if (variable === undefined) return "";
  return `; ${variable} names a proxy, and pod-rebalancer uses none; expected an address that can be reached without one`;
}

function cancelled(where: string, reason: unknown): RebalancerError {
  if (reason instanceof RebalancerError) return reason;
  return new RebalancerError("CANCELLED", `${where}: cancelled`, { cause: reason });
}

interface Lateness {
  readonly last: RebalancerError | undefined;
  readonly endpoint: HttpEndpoint;
}

function late(where: string, millis: number, { last, endpoint }: Lateness): RebalancerError {
  // The last attempt tells of the proxy, where it should.
  const before = last ? `; the last attempt: ${last.message}` : aboutProxy(endpoint.unusedProxy);
  return new RebalancerError("DEADLINE_EXCEEDED", `${where}: no whole answer within ${millis / 1_000} s${before}`);
}
