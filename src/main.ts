#!/usr/bin/env node
/** The process: what it was asked, when it is told to stop, and how it ends. */

import { commandLine } from "./command-line.ts";
import { endProcess } from "./end-process.ts";
import { RebalancerError } from "./errors.ts";
import { maskedText } from "./masking/exits.ts";
import { createMasker } from "./masking/masker.ts";
import { cleanText } from "./text.ts";

/** How long what a run has left behind may hold the process up. */
const LAST_WAIT_MILLIS = 2_000;

const masker = createMasker();

/**
 * Aborts at the first SIGTERM or SIGINT; the next one of the same kind ends the process at once (but not in a container). Aborts also at an
 * error that is thrown outside of any step, in the event handler of a library say: so it ends in a report like any other, with the
 * exit code that fits, and the Lease is free.
 */
function toldToStop(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => stop.abort(new RebalancerError("CANCELLED", `${name} was received`)));
  }
  // Rejections that are not handled come here, too.
  process.on("uncaughtException", (thrown: unknown) => {
    const message = `an error outside of any step: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    // Here too, for the run may be past the step in which it would hear of it.
    process.stderr.write(`pod-rebalancer: ${cleanText(maskedText(message, masker))}\n`);
    stop.abort(new RebalancerError("INTERNAL", message, { cause: thrown }));
  });
  return stop.signal;
}

// What cannot be said on stderr, because its disk is full or its reader gone, must not change the exit code.
process.stderr.on("error", () => undefined);

const { env, stdout, stderr } = process;
process.exitCode = await commandLine(process.argv.slice(2), { env, stdout, stderr, masker }, toldToStop);
// All is said and done: a plugin or a mount that hangs, or a reader that does not read, must not hold up the Job.
const { exitCode } = process;
setTimeout(() => endProcess(exitCode), LAST_WAIT_MILLIS).unref();
