/**
 * Requests and answers over one socket. In the place of the client library's own connection, which takes a length for true: one below 4
 * ends the process, and one of 2 GiB is waited for in memory.
 *
 * @see https://kafka.apache.org/protocol#protocol_common
 */

import type { Duplex } from "node:stream";

import { type Connection, type Reader, Writer } from "@platformatic/kafka";

import { RebalancerError } from "../../errors.ts";
import { BoundedReader } from "./bounded-reader.ts";
import { CLOSED, EXPECTED_PROTOCOL } from "./failures.ts";

/** As every request of the client library takes it. */
export type Send = Connection["send"];

/** The largest answers, to ask for large groups, have a few MiB. */
const MAX_FRAME_BYTES = 16 * 2 ** 20;

const LENGTH_BYTES = 4;
const CORRELATION_BYTES = 4;

interface Pending {
  readonly correlationId: number;
  readonly headerIsTagged: boolean;
  readonly read: (reader: Reader) => unknown;
  readonly done: (error: Error | null, answer?: unknown) => void;
}

/**
 * Sends requests, and hands each answer to whoever asked: a broker answers in the order of the requests.
 *
 * What is no answer (a length that cannot be, a number that was not given, bytes left over) ends the connection with `REPLY_INVALID`, one
 * that is too large with `REPLY_TOO_LARGE`, and every request that waits or is yet to come fails with the first fault. Nothing throws.
 *
 * @param socket - connected, and nobody else's.
 */
export function createSender(socket: Duplex, clientId: string): Send {
  const pending: Pending[] = [];
  const incoming = createFrames();
  let lastCorrelationId = 0;
  let fault: Error | undefined;

  function fail(thrown: unknown): void {
    fault ??= thrown instanceof Error ? thrown : new Error(String(thrown));
    socket.destroy();
    for (const { done } of pending.splice(0)) done(fault);
  }

  socket.on("data", (chunk: Buffer) => {
    try {
      for (const frame of incoming.add(chunk)) if (fault === undefined) answer(frame, pending.shift());
    } catch (thrown) {
      fail(thrown);
    }
  });
  socket.on("error", fail);
  // Also where the broker ends the connection in an orderly way.
  socket.on("end", () => fail(new Error(CLOSED)));
  socket.on("close", () => fail(new Error(CLOSED)));

  return (...[apiKey, apiVersion, createPayload, parse, requestIsTagged, headerIsTagged, callback]) => {
    if (fault !== undefined) {
      callback(fault);
      return;
    }
    lastCorrelationId = (lastCorrelationId + 1) & 0x7f_ff_ff_ff;
    const correlationId = lastCorrelationId;
    const header = { apiKey, apiVersion, correlationId, clientId, isTagged: requestIsTagged };
    const read = (reader: Reader) => parse(correlationId, apiKey, apiVersion, reader);
    const bytes = framed(header, createPayload() as Writer);
    pending.push({ correlationId, headerIsTagged, read, done: callback as Pending["done"] });
    socket.write(bytes);
  };
}

function answer(frame: Buffer, asked: Pending | undefined): void {
  const reader = new BoundedReader(frame);
  const correlationId = reader.readInt32();
  if (correlationId !== asked?.correlationId) {
    const expected = asked === undefined ? "no request waits" : `expected ${asked.correlationId}`;
    asked?.done(notUnderstood(`it is one to request ${correlationId}, ${expected}`));
    throw notUnderstood(`it is one to request ${correlationId}, ${expected}`);
  }
  let read: unknown;
  try {
    if (asked.headerIsTagged) reader.readTaggedFields();
    read = asked.read(reader);
    if (reader.remaining > 0) throw new RangeError(`${reader.remaining} bytes are left over`);
  } catch (thrown) {
    asked.done(notUnderstood((thrown as Error).message));
    return;
  }
  asked.done(null, read);
}

function notUnderstood(why: string): RebalancerError {
  return new RebalancerError("REPLY_INVALID", `the answer is not understood (${why}); expected a Kafka broker there`);
}

interface Header {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string;
  readonly isTagged: boolean;
}

function framed({ apiKey, apiVersion, correlationId, clientId, isTagged }: Header, payload: Writer): Buffer {
  const writer = Writer.create()
    .appendInt16(apiKey)
    .appendInt16(apiVersion)
    .appendInt32(correlationId)
    .appendString(clientId, false);
  if (isTagged) writer.appendTaggedFields();
  return writer.appendFrom(payload).prependLength().buffer;
}

/** Puts the chunks of a stream together into frames, without their lengths. */
function createFrames(): { add(chunk: Buffer): Generator<Buffer> } {
  const head = Buffer.alloc(LENGTH_BYTES);
  let frame: Buffer | undefined;
  let filled = 0;
  return {
    *add(chunk) {
      for (let from = 0; from < chunk.length;) {
        const part = frame ?? head;
        const copied = chunk.copy(part, filled, from);
        from += copied;
        filled += copied;
        if (filled < part.length) return;
        filled = 0;
        if (frame !== undefined) yield frame;
        frame = frame === undefined ? Buffer.allocUnsafe(lengthIn(head)) : undefined;
      }
    },
  };
}

/** @throws RebalancerError where no answer has that length. */
function lengthIn(bytes: Buffer): number {
  const length = bytes.readInt32BE();
  if (isTlsRecord(bytes)) {
    throw new RebalancerError("TLS_FAILED", `the broker asks for TLS; ${EXPECTED_PROTOCOL}`);
  }
  if (length < CORRELATION_BYTES) {
    throw notUnderstood(`it has ${length} bytes, expected ${CORRELATION_BYTES} at least`);
  }
  if (length > MAX_FRAME_BYTES) {
    const most = `expected at most ${MAX_FRAME_BYTES} and a Kafka broker there`;
    throw new RebalancerError("REPLY_TOO_LARGE", `the answer has ${length} bytes, ${most}`);
  }
  return length;
}

/** Of the types alert, handshake or their kin, and any version from SSL 3.0 (RFC 8446, section 5.1); as a length over 300 MB. */
function isTlsRecord([type = 0, major = 0]: Buffer): boolean {
  return type >= 0x14 && type <= 0x17 && major === 3;
}
