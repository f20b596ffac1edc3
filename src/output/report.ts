import type { Sink } from "../ports.ts";
import type { Policy, RunReport } from "../types.ts";
import { renderJson } from "./json.ts";
import { writeAll } from "./stream.ts";
import { renderPlan, type TableStyle } from "./table.ts";

/** What `--output` may be. */
export type OutputKind = "none" | "table" | "json" | "metrics";

interface OutputOptions extends TableStyle {
  readonly stdout: NodeJS.WritableStream;
  readonly policy: Policy;
}

/** Writes the result to stdout, and to nowhere else; see `writeAll`. */
export function outputSink(kind: OutputKind, options: OutputOptions): Sink {
  const { stdout } = options;
  return {
    failure: "The result was not written",
    wanted: true,
    concerns: () => kind !== "none",
    async write(report, signal) {
      const text = await RENDERERS[kind](report, options);
      await writeAll(stdout, text, signal);
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
