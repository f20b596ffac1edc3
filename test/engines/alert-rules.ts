/** The shipped rules: faster, for servers that run them now, and as they are, for promtool. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { stringify } from "yaml";

import { numberText, seriesText } from "../harness/prometheus.ts";

export const RULES = join(import.meta.dirname, "../../deploy/alerts/rules.yaml");

/** A minute of the rules is a second here. */
const FASTER = 60;

/** The shipped rules with every time divided by `FASTER`: windows, `for`, and the seconds that ages are compared with. */
export function fasterRules(): string {
  const seconds = { m: 60, h: 3_600, d: 86_400 } as const;
  const faster = (count: string, unit: string) =>
    `${(Number(count) * seconds[unit as keyof typeof seconds]) / FASTER}s`;
  return readFileSync(RULES, "utf8")
    .replaceAll(/\[(\d+)([mhd])\]/g, (_, count: string, unit: string) => `[${faster(count, unit)}]`)
    .replaceAll(/for: (\d+)([mhd])/g, (_, count: string, unit: string) => `for: ${faster(count, unit)}`)
    .replaceAll(/([<>]) (\d{3,})$/gm, (_, than: string, age: string) => `${than} ${Number(age) / FASTER}`);
}

/** One series as it was recorded: Unix seconds and value. */
export interface Recorded {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [unixSeconds: number, value: number])[];
}

/** An alert that fired for a group; the one that nobody pushes has no selector. */
export interface Fired {
  readonly alertname: string;
  readonly selector: string;
}

/**
 * A test for `promtool test rules`: what was recorded, stretched to the pace of the shipped rules, must make the same alerts fire.
 *
 * @param from - when the recording begins, Unix seconds; that is promtool's time 0.
 */
export function promtoolTest(
  recorded: readonly Recorded[],
  from: number,
  until: number,
  fired: readonly Fired[],
): string {
  const minutes = Math.ceil(until - from);
  return stringify({
    rule_files: [RULES],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: recorded.map(({ labels: { __name__: name = "", ...labels }, samples }) => ({
          series: seriesText(name, labels),
          values: valuesOf(name, samples, from, minutes),
        })),
        promql_expr_test: [
          {
            expr: `max by (alertname, selector) (max_over_time(ALERTS{alertstate="firing"}[${minutes}m]))`,
            eval_time: `${minutes}m`,
            exp_samples: fired.map(({ alertname, selector }) => ({
              labels: seriesText("", { alertname, ...(selector && { selector }) }),
              value: 1,
            })),
          },
        ],
      },
    ],
  });
}

/** One value for each minute, `_` where there was no sample. Times are themselves on the recording's clock. */
function valuesOf(name: string, samples: Recorded["samples"], from: number, minutes: number): string {
  const isTime = name.endsWith("_timestamp_seconds");
  const values = Array.from({ length: minutes }, () => "_");
  for (const [at, value] of samples) {
    const shown = isTime ? (value - from) * FASTER : value;
    values[Math.floor(at - from)] = numberText(shown);
  }
  return values.slice(0, minutes).join(" ");
}
