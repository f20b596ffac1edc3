import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";

/** A request as it arrived, whole. */
export interface Received {
  readonly method: string;
  readonly url: URL;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
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
  /** Connections that were opened so far, and those that are open now. */
  readonly connections: { opened: number; open: number };
}

/** A server on 127.0.0.1 that answers as told; `call` counts from 0. With `tls`, a server of https. */
export async function startLoopback(
  answer: (request: Received, call: number) => Answer | Promise<Answer>,
  tls?: https.ServerOptions,
): Promise<Loopback> {
  const received: Received[] = [];
  const connections = { opened: 0, open: 0 };

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const whole = { method, url: new URL(url, "http://server"), headers, body: Buffer.concat(chunks).toString() };
    give(response, await answer(whole, received.push(whole) - 1));
  }

  const listener: http.RequestListener = (request, response) => {
    serve(request, response).catch(() => response.destroy());
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  server.on("connection", (socket) => {
    connections.opened += 1;
    connections.open += 1;
    socket.on("close", () => (connections.open -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    received,
    connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
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

/** Resolves once `condition` holds; for what happens on its own time, a closing socket for example. */
export async function eventually(condition: () => boolean, millis = 5_000): Promise<void> {
  const end = Date.now() + millis;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`still not: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
