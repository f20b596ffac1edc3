import type { Writable } from "node:stream";

import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

import { errorFields, stackOf } from "../error-fields.ts";
import { asRebalancerError } from "../errors.ts";
import type { Narrator, NarratorFields } from "../ports.ts";
import { cleanText } from "../text.ts";
import type { RunIdentity } from "../types.ts";

/** LOG_LEVEL's values. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

interface NarratorOptions {
  readonly level: LogLevel;
  /** Stands in every line, so that one run's lines can be told from another's, and what it was about. */
  readonly run: RunIdentity;
  /** Takes one line a call, "\n" included. */
  readonly destination: DestinationStream;
}

/**
 * Tells the run as JSON lines: `level` as a word, `time` (ISO 8601), what run it is, the fields, and `msg`, a whole sentence, so
 * that `jq -r .msg` reads as prose. Every sentence of a dry run says that it is one: nobody must take it for a removal.
 *
 * An error in the fields becomes code, message, advice and causes; its stack is added for `INTERNAL`, which is a fault of ours,
 * and at debug and below. What a line says never holds control characters. Never throws, and a log that cannot be written
 * does not stop a run.
 */
export function createNarrator({ level, run, destination }: NarratorOptions): Narrator {
  const logger = pino(
    {
      level,
      base: { ...run },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const lead = run.dryRun ? "Dry run: " : "";
  const teller =
    (method: "debug" | "info" | "warn" | "error") =>
    (sentence: string, fields: NarratorFields = {}) => {
      if (logger.isLevelEnabled(method)) logger[method](readable(fields, logger), lead + cleanText(sentence));
    };
  return { debug: teller("debug"), info: teller("info"), warn: teller("warn"), error: teller("error") };
}

/** More than any run says below `debug`. */
const MOST_WAITING_BYTES = 2 ** 20;

/**
 * Stderr, as it takes lines from us: what it can take it takes at once, so that a run that is killed has logged all that it did. What
 * a full pipe cannot take waits for its reader, up to 1 MiB; lines beyond that are dropped, and counted in a line of their own. A
 * pipe that nobody reads and a disk that is full are no reason to stop in the middle of a rotation.
 */
export function linesTo(stream: Writable): DestinationStream {
  let dropped = 0;
  const tellDropped = () => {
    if (dropped === 0) return;
    const time = new Date().toISOString();
    const msg = `Lines of the log that are missing here: ${dropped}, because stderr was not read.`;
    dropped = 0;
    stream.write(`${JSON.stringify({ level: "warn", time, msg })}\n`);
  };
  stream.on("error", () => {});
  stream.on("drain", tellDropped);
  return {
    write(line) {
      if (stream.writableLength >= MOST_WAITING_BYTES) dropped += 1;
      else {
        tellDropped();
        stream.write(line);
      }
    },
  };
}

function readable(fields: NarratorFields, logger: Logger): NarratorFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, readableValue(value, logger)]));
}

function readableValue(value: unknown, logger: Logger): unknown {
  if (typeof value === "string") return cleanText(value);
  if (!(value instanceof Error)) return value;
  const error = asRebalancerError(value);
  const { code, message, advice, causes } = errorFields(error);
  const withStack = code === "INTERNAL" || logger.isLevelEnabled("debug");
  return {
    code,
    message: cleanText(message),
    advice,
    causes: causes.map(cleanText),
    ...(withStack && { stack: stackOf(error).split("\n").map(cleanText).join("\n") }),
  };
}
