/** Starts and asks the process that serves the measured runs. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import type { Signal } from "../src/types.ts";
import type { KeyPair } from "../test/faults/certificates.ts";

/** The consumers, as the servers show them. */
export const GROUP = { namespace: "shop", name: "orders", labels: { app: "orders" } } as const;

export interface Pace {
  /** Added to every request. */
  readonly latencyMillis: number;
  /** Added to the query of a signal. */
  readonly queryMillis?: Readonly<Record<Signal, number>>;
}

/** What came since the pace was set. */
export interface Counted {
  /** By name: "list pods", "cpu query". */
  readonly requests: Readonly<Record<string, number>>;
  /** From its arrival until its answer was handed to the system. */
  readonly slowestQueryMillis: number;
}

export type ToServers =
  | { readonly kind: "start"; readonly pods: number; readonly tls: KeyPair }
  | { readonly kind: "pace"; readonly pace: Pace }
  | { readonly kind: "count" };

export type FromServers =
  | { readonly kind: "started"; readonly kubernetes: string; readonly prometheus: string }
  | { readonly kind: "paced" }
  | ({ readonly kind: "counted" } & Counted);

export interface Servers extends Disposable {
  readonly kubernetes: URL;
  readonly prometheus: URL;
  pace(pace: Pace): Promise<void>;
  count(): Promise<Counted>;
}

/** Serves a group of this size over TLS, on 127.0.0.1. */
export async function startServers(pods: number, tls: KeyPair): Promise<Servers> {
  const child = fork(join(import.meta.dirname, "served.ts"));
  const ended = new AbortController();
  child.once("exit", () => ended.abort(new Error("the servers have ended")));

  async function ask<Kind extends FromServers["kind"]>(message: ToServers, expected: Kind) {
    child.send(message);
    const [reply] = (await once(child, "message", { signal: ended.signal })) as [FromServers];
    if (reply.kind !== expected) throw new Error(`the servers say ${reply.kind}, expected ${expected}`);
    return reply as Extract<FromServers, { kind: Kind }>;
  }

  const { kubernetes, prometheus } = await ask({ kind: "start", pods, tls }, "started");
  return {
    kubernetes: new URL(kubernetes),
    prometheus: new URL(prometheus),
    pace: async (pace) => void (await ask({ kind: "pace", pace }, "paced")),
    count: () => ask({ kind: "count" }, "counted"),
    [Symbol.dispose]: () => void child.kill(),
  };
}
