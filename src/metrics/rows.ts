/** What an error or a join says of a row. */

import { RebalancerError } from "../errors.ts";
import type { Sample } from "../prometheus/parse.ts";
import { printable } from "../text.ts";
import type { PodInfo } from "../types.ts";
import { CLIENT_ID_LABELS, INDISTINCT } from "./profiles.ts";

/** The labels of a row, as an error names it. */
export function labelsOf({ labels }: Sample): string {
  const shown = Object.entries(labels).filter(([name]) => name !== INDISTINCT);
  const pairs = shown.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return printable(`{${pairs.join(", ")}}`);
}

/**
 * Takes out the rows by which a default query shows clients that cannot be told apart.
 *
 * @param what - names the query in errors.
 * @throws RebalancerError `METRIC_AMBIGUOUS` on such rows of one of these pods.
 */
export function refuseIndistinct(rows: readonly Sample[], pods: readonly PodInfo[], what: string): readonly Sample[] {
  const names = new Set<string | undefined>(pods.map(({ name }) => name));
  const indistinct = rows.filter(({ labels }) => labels[INDISTINCT] !== undefined);
  const [one, ...others] = indistinct.filter(({ labels }) => names.has(labels["pod"]));
  const other = others.find(({ labels }) => labels["pod"] === one?.labels["pod"]);
  if (one && other) {
    const clients = `two clients of pod ${one.labels["pod"]} have none of the labels ${CLIENT_ID_LABELS.join(", ")} to be told apart by`;
    throw new RebalancerError("METRIC_AMBIGUOUS", `${what}: ${clients}: ${labelsOf(one)} and ${labelsOf(other)}`);
  }
  return indistinct.length === 0 ? rows : rows.filter((row) => !indistinct.includes(row));
}
