import { RebalancerError } from "../errors.ts";
import { orAborted } from "../or-aborted.ts";

/**
 * Writes to stdout, and resolves once the stream has taken all of it, so that the process may exit. A reader that has gone away
 * (`| head`) is its own business.
 *
 * @throws RebalancerError `OUTPUT_FAILED` when it cannot be written, or is not read until the signal aborts.
 */
export async function writeAll(
  stdout: NodeJS.WritableStream,
  text: string,
  signal = new AbortController().signal,
): Promise<void> {
  // Without a listener the stream's `error` event would end the process, also when it comes late.
  if (!stdout.listeners("error").includes(ignore)) stdout.on("error", ignore);
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
    if (error && error.code !== "EPIPE") reject(error);
    else resolve(undefined);
  });
  try {
    await orAborted(promise, signal);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = signal.aborted ? "was not read in time" : `cannot be written (${code ?? message})`;
    throw new RebalancerError("OUTPUT_FAILED", `stdout ${why}`, { cause });
  }
}

function ignore(): void {}
