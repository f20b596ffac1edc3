/** Connections to brokers: one each, all closed together. */

import { once } from "node:events";
import { isIP } from "node:net";
import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";

import { type ConnectionOptions, Connection, ResponseError } from "@platformatic/kafka";

import { RebalancerError } from "../../errors.ts";
import { orAborted } from "../../or-aborted.ts";
import type { KafkaTls } from "./client-config.ts";
import { connectionFailure } from "./failures.ts";
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
  readonly connection: Connection;
  /** What went wrong with the connection first; what a request then says is only that it is closed. */
  fault: Error | undefined;
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
   * What the broker answers, also where the answer holds error codes.
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

/** Whoever makes them closes them. */
export function createConnections(
  {
    bootstrapServers,
    security,
    timeoutMillis,
  }: Pick<KafkaGroupOptions, "bootstrapServers" | "security" | "timeoutMillis">,
  signal: AbortSignal,
): Connections {
  const brokers = new Map<string, Promise<Broker>>();
  const opened: Connection[] = [];
  const common: ConnectionOptions = {
    connectTimeout: Math.min(CONNECT_TIMEOUT_MILLIS, timeoutMillis),
    requestTimeout: timeoutMillis,
    ...(security.sasl && { sasl: { ...security.sasl } }),
  };

  async function connect({ host, port }: Address, what: string): Promise<Broker> {
    signal.throwIfAborted();
    const connection = new Connection("pod-rebalancer", { ...common, ...tlsOptions(security.tls, host) });
    const broker: Broker = { where: `${host}:${port}`, connection, fault: undefined };
    opened.push(connection);
    // Without a listener an error would end the process.
    connection.on("error", (error: Error) => {
      broker.fault ??= error;
    });
    try {
      const connected = Promise.resolve(connection.connect(host, port));
      connection.socket.on("error", () => undefined);
      await orAborted(connected, signal);
      return broker;
    } catch (thrown) {
      signal.throwIfAborted();
      throw connectionFailure(what, thrown, security);
    }
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
        // What its codes mean is for whoever asked to say.
        if (thrown instanceof ResponseError) return thrown["response" as keyof ResponseError] as never;
        signal.throwIfAborted();
        throw connectionFailure(`${what} at ${broker.where}`, broker.fault ?? thrown, security);
      }
    },
    async close() {
      await Promise.all(opened.map(closed));
    },
  };
}

/** A host name goes along (SNI), because proxies pick the broker by it; an address must not. */
function tlsOptions(tls: KafkaTls | undefined, host: string): ConnectionOptions {
  if (tls === undefined) return {};
  const { checkName, ...pem } = tls;
  const options: TlsConnectionOptions = { ...pem, ...(!checkName && { checkServerIdentity: () => undefined }) };
  return { tls: options, ...(isIP(host) === 0 && { tlsServerName: host }) };
}

/** "[::1]:9092" → "::1", 9092. */
function addressOf(server: string): Address {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(server) ?? [];
  return { host, port: Number(port) };
}

async function closed(connection: Connection): Promise<void> {
  const socket = connection.socket as Connection["socket"] | undefined;
  // The library's own waits for what is still to be written, which a broker that hangs never takes.
  void connection.close();
  if (socket === undefined || socket.closed) return;
  const gone = once(socket, "close");
  socket.destroy();
  await gone;
}
