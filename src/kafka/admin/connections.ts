/** Connections to brokers: one each, all closed together. */

import { once } from "node:events";
import { connect as connectTcp, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";

import type { Connection } from "@platformatic/kafka";

import { RebalancerError } from "../../errors.ts";
import { orAborted } from "../../or-aborted.ts";
import type { KafkaTls } from "./client-config.ts";
import { connectionFailure } from "./failures.ts";
import { createSender } from "./frames.ts";
import { logIn } from "./login.ts";
import { invalidReply } from "./replies.ts";
import type { KafkaGroupOptions } from "./source.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A connection to one broker. */
export interface Broker {
  /** "host:port". */
  readonly where: string;
  /** As the client library's requests take it. */
  readonly connection: Connection;
}

export interface Connections {
  /** @returns the first of the bootstrap servers that answers. @throws RebalancerError with what is wrong with it, or with each. */
  first(): Promise<Broker>;
  /**
   * @param role - of that broker, for the message: it is the cluster, not a setting, that gave its address.
   * @throws RebalancerError
   */
  to(address: Address, role: string): Promise<Broker>;
  /**
   * What the broker answers, which may be error codes.
   *
   * @param what - names the request: "list groups".
   * @throws RebalancerError where no answer comes; the signal's reason as soon as it aborts.
   */
  ask<Reply>(broker: Broker, what: string, send: (connection: Connection) => Promise<Reply>): Promise<Reply>;
  /** Resolves when no socket is open any more. */
  close(): Promise<void>;
}

/** A server that is not there must not use up the time for those that are. */
const CONNECT_TIMEOUT_MILLIS = 5_000;

/** A socket, and what comes once it is connected, TLS included. */
export interface Dialled {
  readonly socket: Duplex;
  readonly connected: Promise<unknown>;
}
export type Dial = (address: Address, tls: KafkaTls | undefined) => Dialled;

/** Whoever makes them closes them. */
export function createConnections(
  {
    bootstrapServers,
    security,
    timeoutMillis,
  }: Pick<KafkaGroupOptions, "bootstrapServers" | "security" | "timeoutMillis">,
  signal: AbortSignal,
  dial: Dial = dialTcp,
): Connections {
  const brokers = new Map<string, Promise<Broker>>();
  const opened: Duplex[] = [];
  const patience = Math.min(CONNECT_TIMEOUT_MILLIS, timeoutMillis);

  async function connect(address: Address, what: string): Promise<Broker> {
    signal.throwIfAborted();
    const late = new AbortController();
    const why = `no answer in time, expected one within ${patience / 1_000} s`;
    const timer = setTimeout(() => late.abort(new RebalancerError("CONNECTION_FAILED", why)), patience);
    try {
      const { socket, connected } = dial(address, security.tls);
      opened.push(socket);
      // Without a listener an error would end the process.
      socket.on("error", () => undefined);
      const connection = await orAborted(orAborted(ready(socket, connected), signal), late.signal);
      return { where: `${address.host}:${address.port}`, connection };
    } catch (thrown) {
      signal.throwIfAborted();
      throw connectionFailure(what, thrown, security);
    } finally {
      clearTimeout(timer);
    }
  }

  async function ready(socket: Duplex, connected: Promise<unknown>): Promise<Connection> {
    await connected;
    // All that a request asks of a connection.
    const connection = { send: createSender(socket, "pod-rebalancer") } as unknown as Connection;
    if (security.sasl !== undefined) await logIn(connection, security.sasl);
    return connection;
  }

  async function to(address: Address, role: string): Promise<Broker> {
    const where = `${address.host}:${address.port}`;
    if (address.host === "" || address.port < 1 || address.port > 65_535) {
      throw invalidReply({ where, what: `connect to ${role}` }, "this is no address", "expected a host and a port");
    }
    const known = brokers.get(where) ?? connect(address, `connect to ${where}, ${role}`);
    brokers.set(where, known);
    return known;
  }

  return {
    to,
    async first() {
      const failures: RebalancerError[] = [];
      for (const server of bootstrapServers) {
        try {
          return await to(addressOf(server), "of the bootstrap servers");
        } catch (thrown) {
          // One that refuses us has answered: no other of this cluster would take the same login or certificate.
          if (!(thrown instanceof RebalancerError) || thrown.code !== "CONNECTION_FAILED") throw thrown;
          failures.push(thrown);
        }
      }
      const message = failures.map((failure) => failure.message).join("; ");
      throw new RebalancerError("CONNECTION_FAILED", message, { cause: failures[0] });
    },
    async ask(broker, what, send) {
      try {
        return await orAborted(send(broker.connection), signal);
      } catch (thrown) {
        signal.throwIfAborted();
        throw connectionFailure(`${what} at ${broker.where}`, thrown, security);
      }
    },
    async close() {
      await Promise.all(opened.map(closed));
    },
  };
}

/** A host name goes along (SNI), because proxies pick the broker by it; an address must not. */
function dialTcp({ host, port }: Address, tls: KafkaTls | undefined): Dialled {
  const socket = tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tlsOptions(tls, host) });
  socket.setNoDelay(true);
  return { socket, connected: once(socket, tls === undefined ? "connect" : "secureConnect") };
}

function tlsOptions({ checkName, ...pem }: KafkaTls, host: string) {
  return {
    ...pem,
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    // As to Java, each certificate in the trust store is one to trust, also an intermediate one or the broker's own.
    allowPartialTrustChain: true,
    ...(isIP(host) === 0 && { servername: host }),
    ...(!checkName && { checkServerIdentity: () => undefined }),
  };
}

/** "[::1]:9092" → "::1", 9092. */
function addressOf(server: string): Address {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(server) ?? [];
  return { host, port: Number(port) };
}

async function closed(socket: Duplex): Promise<void> {
  if (socket.closed) return;
  const gone = once(socket, "close");
  socket.destroy();
  await gone;
}
