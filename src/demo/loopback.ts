/** A small HTTP server on 127.0.0.1, and the place where a test makes it misbehave. */

import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";

/** A request as it arrived, whole. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** An honest reply: sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: http.OutgoingHttpHeaders;
}

/**
 * What is done with a request instead of answering it.
 *
 * @param honest - gives the server's own answer, and lets the request take effect: a reply can be lost after the deed.
 */
export type Misbehaviour = (response: http.ServerResponse, honest: () => Answer) => void | Promise<void>;

export interface LoopbackOptions {
  /** Asked before each request is answered; undefined: it is answered as it should be. */
  readonly intercept?: (request: Received) => Misbehaviour | undefined;
  /** With a key and a certificate the server speaks https. */
  readonly tls?: Pick<https.ServerOptions, "key" | "cert" | "ca" | "requestCert">;
}

export interface Loopback extends AsyncDisposable {
  readonly url: URL;
  /** Every request that arrived whole, in order, also those that were not answered. */
  readonly requests: readonly Received[];
  /** Cuts what is open and frees the port. */
  close(): Promise<void>;
}

/** Starts a server that answers each request with `answer`; what it throws cuts the connection. */
export async function startLoopback(
  answer: (request: Received) => Answer,
  { intercept, tls }: LoopbackOptions = {},
): Promise<Loopback> {
  const requests: Received[] = [];

  async function serve(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const request = await receive(incoming);
    requests.push(request);
    const honest = () => answer(request);
    const misbehave = intercept?.(request);
    if (misbehave) await misbehave(response, honest);
    else sendAnswer(response, honest());
  }

  const listener: http.RequestListener = (incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, "127.0.0.1", resolve);
  await listening;
  const { port } = server.address() as AddressInfo;

  async function close(): Promise<void> {
    const { promise: closed, resolve: done } = Promise.withResolvers<void>();
    server.close(() => done());
    server.closeAllConnections();
    await closed;
  }

  return {
    url: new URL(`${tls ? "https" : "http"}://127.0.0.1:${port}`),
    requests,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function receive(incoming: http.IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = "", headers } = incoming;
  const { pathname: path, searchParams: query } = new URL(incoming.url ?? "/", "http://server");
  return { method, path, query, headers, body: Buffer.concat(chunks).toString("utf8") };
}

/** Writes a whole reply, with its length. */
export function sendAnswer(response: http.ServerResponse, { status, body, headers }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
