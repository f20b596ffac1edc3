/**
 * The run in this process, put together by src/wire.ts: for cases that need another clock, or that are too many for a process
 * each.
 */

import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Clock, Narrator } from "../../src/ports.ts";
import { rebalanceAt } from "../../src/wire.ts";
import { type Ended, endedWith, type Environment, type LogLine } from "./product.ts";

export interface Composition {
  /** Of the run; the servers have their own. */
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** @param flags - behind `run`. */
export async function runComposed(
  kubernetes: URL,
  flags: readonly string[],
  env: Environment,
  { clock = systemClock, signal = new AbortController().signal }: Composition,
): Promise<Ended> {
  const config = await loadConfig("run", flags, { env });
  const { namespace, labelSelector: selector } = config.kubernetes;
  const lines: LogLine[] = [];
  const run = { runId: "composed", dryRun: config.dryRun, namespace, selector };
  const parts = { config, run, clock, narrator: narratorInto(lines), sinks: [] };
  const { exitCode } = await rebalanceAt({ url: kubernetes }, parts, signal);
  return endedWith(exitCode, { lines, stdout: "", stderr: lines.map(({ msg }) => msg).join("\n") });
}

function narratorInto(lines: LogLine[]): Narrator {
  const teller =
    (level: string): Narrator["info"] =>
    (msg, fields = {}) =>
      void lines.push({ ...fields, level, msg });
  return { debug() {}, info: teller("info"), warn: teller("warn"), error: teller("error") };
}
