import { orAborted } from "../or-aborted.ts";
import type { Sink } from "../ports.ts";
import type { Policy, RunReport } from "../types.ts";
import { renderJson } from "./json.ts";
import { renderPlan, type TableStyle } from "./table.ts";

/** What `--output` may be. */
export type OutputKind = "none" | "table" | "json" | "metrics";

interface OutputOptions extends TableStyle {
  readonly stdout: NodeJS.WritableStream;
  readonly policy: Policy;
}

/**
 * Writes the result to stdout, and to nowhere else.
 *
 * `write` resolves once the stream has taken all of it, so that the process may exit. A reader that has gone away (`| head`) is
 * its own business; any other fault of the stream rejects.
 */
export function outputSink(kind: OutputKind, options: OutputOptions): Sink {
  const { stdout } = options;
  return {
    failure: "The result was not written to stdout",
    async write(report, signal) {
      const text = await RENDERERS[kind](report, options);
      if (text !== "") await writeAll(stdout, text, signal);
    },
  };
}

type Renderer = (report: RunReport, options: OutputOptions) => string | Promise<string>;

const RENDERERS: Readonly<Record<OutputKind, Renderer>> = {
  none: () => "",
  table: (report, { policy, ...style }) => renderPlan(report, policy, style),
  json: (report, { policy }) => renderJson(report, policy),
  metrics: async (report, { policy }) => {
    // Loaded only when asked for: a plain run starts without it.
    const { metricsText } = await import("../logging/metrics.ts");
    return metricsText(report, policy);
  },
};

async function writeAll(stream: NodeJS.WritableStream, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  // Without a listener the stream's `error` event would end the process, also when it comes late.
  stream.on("error", () => {});
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  stream.write(text, (error?: (Error & { code?: string }) | null) => {
    if (error && error.code !== "EPIPE") reject(error);
    else resolve(undefined);
  });
  await orAborted(promise, signal);
}
