/** The demo's loopback server for tests of single clients: each request is answered as a function says. */

import type * as http from "node:http";
import type * as https from "node:https";

import { type Received as Arrived, startLoopback as startServer } from "../../src/demo/loopback.ts";

/** A request as it arrived, whole. */
export interface Received extends Pick<Arrived, "method" | "headers" | "body"> {
  readonly url: URL;
}

/** What the server does: answers, never answers, cuts the connection, or whatever a function does with the response. */
export type Answer =
  | {
      readonly status?: number;
      readonly headers?: http.OutgoingHttpHeaders;
      /** An object is sent as JSON. */
      readonly body?: string | object;
    }
  | "hang"
  | "reset"
  | ((response: http.ServerResponse) => void);

export interface Loopback extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Connections on which a request came: all so far, and those that are open now. */
  readonly connections: { opened: number; open: number };
}

/** A server on 127.0.0.1 that answers as told; `call` counts from 0. With `tls`, a server of https. */
export async function startLoopback(
  answer: (request: Received, call: number) => Answer | Promise<Answer>,
  tls?: Pick<https.ServerOptions, "key" | "cert" | "ca" | "requestCert">,
): Promise<Loopback> {
  const received: Received[] = [];
  const connections = { opened: 0, open: 0 };
  const counted = new WeakSet<object>();

  function count({ socket }: http.ServerResponse): void {
    if (socket === null || counted.has(socket)) return;
    counted.add(socket);
    connections.opened += 1;
    connections.open += 1;
    socket.on("close", () => (connections.open -= 1));
  }

  const server = await startServer(() => ({ status: 500, body: {} }), {
    intercept:
      ({ method, path, query, headers, body }) =>
      async (response) => {
        count(response);
        const search = query.size > 0 ? `?${query.toString()}` : "";
        const request = { method, url: new URL(path + search, "http://server"), headers, body };
        give(response, await answer(request, received.push(request) - 1));
      },
    ...(tls && { tls }),
  });
  return { url: server.url.origin, received, connections, [Symbol.asyncDispose]: () => server.close() };
}

function give(response: http.ServerResponse, answer: Answer): void {
  if (answer === "hang") return;
  if (answer === "reset") {
    response.socket?.resetAndDestroy();
    return;
  }
  if (typeof answer === "function") {
    answer(response);
    return;
  }
  const { status = 200, headers = {}, body = "" } = answer;
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** Only so that a test which has failed does not look for ever. */
const PATIENCE_MILLIS = 120_000;

/** Resolves once `condition` holds, however long that takes: a closing socket or a starting process has its own time. */
export async function eventually(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MILLIS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
