#!/usr/bin/env node
/** The process: what it was asked, when it is told to stop, and how it ends. */

import { commandLine } from "./command-line.ts";
import { endProcess } from "./end-process.ts";
import { RebalancerError } from "./errors.ts";

/** How long what a run has left behind may hold the process up. */
const LAST_WAIT_MILLIS = 2_000;

/** Aborts at the first SIGTERM or SIGINT. The next one of the same kind ends the process at once (but not in a container). */
function toldToStop(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => stop.abort(new RebalancerError("CANCELLED", `${name} was received`)));
  }
  return stop.signal;
}

process.exitCode = await commandLine(process.argv.slice(2), process, toldToStop);
// All is said and done: a plugin or a mount that hangs, or a reader that does not read, must not hold up the Job.
const { exitCode } = process;
setTimeout(() => endProcess(exitCode), LAST_WAIT_MILLIS).unref();
