#!/usr/bin/env node
/** The command line: which command, with which settings, and how the process ends. */

import { helpText } from "./config/help.ts";
import { loadConfig } from "./config/load.ts";
import { endProcess } from "./end-process.ts";
import { asRebalancerError, RebalancerError } from "./errors.ts";
import { writeAll } from "./output/stream.ts";
import { columnsOf, colourWanted } from "./output/terminal.ts";
import type { ExitCode } from "./reasons.ts";
import { cleanText, quoted } from "./text.ts";
import { runDemoOnce, runOnce } from "./wire.ts";

/** Set by the build. */
const VERSION = process.env["POD_REBALANCER_VERSION"] ?? "0.0.0-source";

/** How long what a run has left behind may hold the process up. */
const LAST_WAIT_MILLIS = 2_000;

async function main([command = "", ...args]: readonly string[]): Promise<ExitCode> {
  const { env, stdout } = process;
  if (!("withResolvers" in Promise)) {
    throw new RebalancerError("CONFIG_INVALID", `this is Node ${process.version}; expected 22.22 or newer`);
  }
  if ([command, ...args].some((arg) => arg === "--help" || arg === "-h") || command === "help") {
    await writeAll(stdout, helpText(VERSION, columnsOf(stdout, env)));
    return 0;
  }
  switch (command) {
    case "--version":
      await writeAll(stdout, `${VERSION}\n`);
      return 0;
    case "demo":
      return await demo(args);
    case "run":
    case "plan":
      return await run(command, args);
    default:
      throw usage(command === "" ? "no command" : `${quoted(command)} is not a command`);
  }
}

async function run(command: "run" | "plan", args: readonly string[]): Promise<ExitCode> {
  const config = await loadConfig(command, args, { env: process.env });
  const { exitCode } = await runOnce(config, process, toldToStop());
  return exitCode;
}

async function demo(args: readonly string[]): Promise<ExitCode> {
  if (args.length > 0)
    throw usage(`demo takes no options, and ${quoted(args.join(" ").replace(/[\s=].*/s, ""))} was given`);
  // Loaded only now: no other command needs a simulated cluster.
  const { runDemo } = await import("./demo/demo.ts");
  const { env, stdout } = process;
  let written = Promise.resolve();
  const write = (text: string) => {
    written = written.then(() => writeAll(stdout, text));
    // Said at the end.
    written.catch(() => undefined);
  };
  const io = { stdout: { write }, columns: columnsOf(stdout, env), colour: colourWanted(stdout, env) };
  const exitCode = await runDemo(io, runDemoOnce, toldToStop());
  await written;
  return exitCode;
}

/** Aborts at the first SIGTERM or SIGINT. The next one of the same kind ends the process at once (but not in a container). */
function toldToStop(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => stop.abort(new RebalancerError("CANCELLED", `${name} was received`)));
  }
  return stop.signal;
}

function usage(why: string): RebalancerError {
  return new RebalancerError("CONFIG_INVALID", `${why}; expected run, plan or demo (see pod-rebalancer --help)`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const { code, message, stack } = asRebalancerError(thrown);
  // Where we come from helps with a fault of ours only.
  const lines = (code === "INTERNAL" ? (stack ?? message) : message).split("\n");
  process.stderr.write(lines.map((line) => `pod-rebalancer: ${cleanText(line)}\n`).join(""));
  process.exitCode = code === "CONFIG_INVALID" ? 2 : 1;
}
// All is said and done: a plugin or a mount that hangs, or a reader that does not read, must not hold up the Job.
const { exitCode } = process;
setTimeout(() => endProcess(exitCode), LAST_WAIT_MILLIS).unref();
