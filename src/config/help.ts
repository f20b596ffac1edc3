import { cutTo, CUT_END, wrap } from "../output/lines.ts";
import { EXIT_CODES } from "../reasons.ts";
import { flagOf, isSwitch, type Option, type OptionName, OPTIONS } from "./options.ts";

const COMMANDS = {
  run: "One run: observe, assess, decide, rotate, report. For a CronJob, where it evicts pods unless told --dry-run; with a kubeconfig it must be told --dry-run or --no-dry-run.",
  plan: "The same as a dry run, with a table: what a run would do, and why. Changes nothing.",
  demo: "A run in a simulated cluster on 127.0.0.1. Needs nothing, takes no options.",
} as const;

const EXAMPLES = [
  "pod-rebalancer demo",
  "pod-rebalancer plan -n shop -l app=consumer --prometheus-endpoint http://127.0.0.1:9090",
  "pod-rebalancer run --no-dry-run -n shop -l app=consumer",
];

const LEAST_COLUMNS = 60;

/** The text of `--help`; each setting with its flag, variable, default and meaning. */
export function helpText(version: string, columns: number): string {
  const width = Math.max(LEAST_COLUMNS, columns);
  const exitCodes = Object.entries(EXIT_CODES)
    .map(([code, { meaning }]) => `${code} ${meaning}`)
    .join("; ");
  const lines = [
    `pod-rebalancer ${version}: keeps Kafka consumer groups on Kubernetes in balance`,
    "",
    "Usage: pod-rebalancer run|plan|demo [flags]",
    "",
    ...Object.entries(COMMANDS).flatMap(([name, help]) => wrap(`  ${name.padEnd(5)} `, help, width, 8)),
    "",
    ...wrap("", "Flags, and beside them the environment variables that hold the same. Flags win.", width, 0),
    "",
    ...(Object.keys(OPTIONS) as OptionName[]).flatMap((name) => optionLines(name, width)),
    "  -h, --help",
    "      --version",
    "",
    ...wrap("Exit codes: ", exitCodes, width, 2),
    "",
    "Examples:",
    ...EXAMPLES.map((example) => `  ${example}`),
  ];
  return `${lines.join("\n")}\n`;
}

function optionLines(name: OptionName, width: number): string[] {
  const option: Option<unknown> = OPTIONS[name];
  const { short, flagOnly, help, expected } = option;
  const flags = `  ${short ? `-${short}, ` : "    "}--${isSwitch(name) ? "[no-]" : ""}${flagOf(name)}`;
  const oneLine = `${flags.padEnd(33)} ${name}`;
  const head = flagOnly ? [flags] : oneLine.length <= width ? [oneLine] : [flags, `        ${name}`];
  const value = isSwitch(name) ? "" : ` Expected: ${expected}.`;
  const text = `${help}.${value} Default: ${option.default || "nothing"}.`;
  return [...head.map((line) => cutTo(line, width, CUT_END)), ...wrap("        ", text, width, 8)];
}
