/** The command line: which command, with which settings, and what is said where no run reports. */

import { helpText } from "./config/help.ts";
import { loadConfig } from "./config/load.ts";
import { asRebalancerError, RebalancerError } from "./errors.ts";
import { maskedText } from "./masking/exits.ts";
import { writeAll } from "./output/stream.ts";
import { columnsOf, colourWanted } from "./output/terminal.ts";
import type { ExitCode } from "./reasons.ts";
import { cleanText, quoted } from "./text.ts";
import { type Outside, runDemoOnce, runOnce, type Surroundings } from "./wire.ts";

/** Set by the build. */
const VERSION = process.env["POD_REBALANCER_VERSION"] ?? "0.0.0-source";

/**
 * Does what the command line asks for.
 *
 * @param surroundings - environment and streams of the process.
 * @param toldToStop - asked once a command begins that can be stopped.
 * @param outside - see `runOnce`.
 * @returns the exit code of the process. Never throws: a command that cannot begin is told on stderr.
 */
export async function commandLine(
  args: readonly string[],
  surroundings: Surroundings,
  toldToStop: () => AbortSignal,
  outside?: Outside,
): Promise<ExitCode> {
  try {
    return await perform(args, surroundings, toldToStop, outside);
  } catch (thrown) {
    const { code, message, stack } = asRebalancerError(thrown);
    // Where we come from helps with a fault of ours only.
    const lines = (code === "INTERNAL" ? (stack ?? message) : message).split("\n");
    const shown = lines.map((line) => cleanText(maskedText(line, surroundings.masker)));
    surroundings.stderr.write(shown.map((line) => `pod-rebalancer: ${line}\n`).join(""));
    return code === "CONFIG_INVALID" ? 2 : 1;
  }
}

async function perform(
  [command = "", ...args]: readonly string[],
  surroundings: Surroundings,
  toldToStop: () => AbortSignal,
  outside: Outside | undefined,
): Promise<ExitCode> {
  const { env, stdout } = surroundings;
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
      return await demo(args, surroundings, toldToStop);
    case "run":
    case "plan": {
      const config = await loadConfig(command, args, { env });
      const { exitCode } = await runOnce(config, surroundings, toldToStop(), outside);
      return exitCode;
    }
    default:
      throw usage(command === "" ? "no command" : `${quoted(command)} is not a command`);
  }
}

async function demo(
  args: readonly string[],
  { env, stdout }: Surroundings,
  toldToStop: () => AbortSignal,
): Promise<ExitCode> {
  if (args.length > 0)
    throw usage(`demo takes no options, and ${quoted(args.join(" ").replace(/[\s=].*/s, ""))} was given`);
  // Loaded only now: no other command needs a simulated cluster.
  const { runDemo } = await import("./demo/demo.ts");
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

function usage(why: string): RebalancerError {
  return new RebalancerError("CONFIG_INVALID", `${why}; expected run, plan or demo (see pod-rebalancer --help)`);
}
