/** What a server does instead of answering. */

import type * as http from "node:http";

import { type Answer, type Misbehaviour, sendAnswer } from "../../src/demo/loopback.ts";

/** Never answers, and keeps the connection open. */
export const hang: Misbehaviour = () => {};

/** Begins to answer, and then sends a byte now and again for ever. */
export const drip: Misbehaviour = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  const dripping = setInterval(() => response.write(" "), 100);
  response.once("close", () => clearInterval(dripping));
};

/** Cuts the connection without a word. */
export const reset: Misbehaviour = (response) => {
  response.socket?.resetAndDestroy();
};

/** Promises more than it sends, and closes the connection in an orderly way. */
export const truncated: Misbehaviour = (response) => {
  const body = '{"kind":"PodList","items":[{"meta';
  response.writeHead(200, { "content-type": "application/json", "content-length": 100 * body.length });
  response.write(body, () => response.socket?.end());
};

/** A page for people, as a proxy or a login service sends it. */
export const loginPage: Misbehaviour = says(200, "<html><title>Sign in</title></html>", {
  "content-type": "text/html",
});

/** Sends whoever asks to a login service. */
export const redirect: Misbehaviour = says(302, "", { location: "https://login.example/start?ticket=4711" });

/** Goes over to another protocol. */
export const switches: Misbehaviour = (response) => {
  response.socket?.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: spdy/3.1\r\n\r\n");
};

/** JSON, but of something else. */
export const wrongKind: Misbehaviour = says(200, { kind: "Secret", status: "pending", data: {} });

/** The right answer, without the time at which it was given. */
export const undated: Misbehaviour = (response, honest) => {
  const { status, body } = honest();
  response.sendDate = false;
  sendAnswer(response, { status, body });
};

/** Answers with this status, and these words as Kubernetes and Prometheus put them. */
export function refuses(status: number, message = `planted ${status}`, headers: http.OutgoingHttpHeaders = {}) {
  return says(status, { kind: "Status", status: "Failure", message, error: message, code: status }, headers);
}

/** Answers with this body, whatever was asked; an object is sent as JSON. */
export function says(status: number, body: string | object, headers: http.OutgoingHttpHeaders = {}): Misbehaviour {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

/** Answers as it should, but for what is changed in the body. */
export function altered(change: (body: object) => object): Misbehaviour {
  return (response, honest) => {
    const answer: Answer = honest();
    sendAnswer(response, { ...answer, body: change(answer.body) });
  };
}

/** Does what it was asked to do, and only then goes wrong. */
export function afterTheDeed(misbehave: Misbehaviour): Misbehaviour {
  return (response, honest) => {
    const answer = honest();
    return misbehave(response, () => answer);
  };
}

/** Tells when the client closes the connection, and otherwise hangs. */
export function hangUntilClosed(closed: () => void): Misbehaviour {
  return (response) => void response.once("close", closed);
}

/** A reply without an end, sent as fast as it is taken; `sent` is told of every byte. */
export function endless(sent: (bytes: number) => void): Misbehaviour {
  return (response) => {
    const chunk = Buffer.alloc(65_536, " ");
    response.writeHead(200, { "content-type": "application/json" });
    const more = () => {
      let room = true;
      while (room && !response.destroyed) {
        room = response.write(chunk);
        sent(chunk.length);
      }
    };
    response.on("drain", more);
    more();
  };
}
