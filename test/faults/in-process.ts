/** The command line in this process: all of the product but the process itself. */

import { Writable } from "node:stream";

import { commandLine } from "../../src/command-line.ts";
import { createMasker } from "../../src/masking/masker.ts";
import type { Outside } from "../../src/wire.ts";
import { type Ended, endedWith, type Environment, linesOf } from "./product.ts";
// What the product loads late is loaded first: to wait for the test runner's loader is not a part of any run.
import "../../src/config/http-config.ts";
import "../../src/kafka/admin/client-config.ts";
import "../../src/kubernetes/kubeconfig.ts";
import "../../src/logging/metrics.ts";

export interface Invocation {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  readonly outside: Outside;
}

export async function runHere({ args, env, outside, signal = NEVER }: Invocation): Promise<Ended> {
  const [stdout, stderr] = [collector(), collector()];
  const exitCode = await commandLine(args, { env, stdout, stderr, masker: createMasker() }, () => signal, outside);
  const texts = { stdout: stdout.text(), stderr: stderr.text() };
  return endedWith(exitCode, { ...texts, lines: linesOf(texts.stderr) });
}

const NEVER = new AbortController().signal;

/** Not a terminal. */
function collector(): NodeJS.WriteStream & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString("utf8") }) as unknown as ReturnType<
    typeof collector
  >;
}
