/** How far the rates of partitions may be off, told by how well they agree with what the pods consume. */

import type { PodState } from "../types.ts";
import type { Owner } from "./ownership.ts";

/** Rates change while they are measured. */
const LEAST_ERROR = 0.01;

/** To assume more forgoes more than it saves, also where rates are off by 20 % (docs/decision-quality.md). */
const MOST_ERROR = 0.05;

/**
 * Twice the median deviation of what a pod's partitions bring from what it consumes, less what all have in common (lag that grows or
 * drains).
 *
 * @returns the share by which each rate may be off, either way: 0.01…0.05; the most where no pod shows both.
 */
export function rateErrorOf(owners: readonly Owner[], pods: readonly PodState[]): number {
  const consumed = new Map(pods.map(({ pod, signals }) => [pod.name, signals.rate]));
  const ratios = owners.flatMap(({ pod = "", load = 0 }) => {
    const rate = consumed.get(pod) ?? 0;
    return load > 0 && rate > 0 ? [load / rate] : [];
  });
  if (ratios.length === 0) return MOST_ERROR;
  const common = medianOf(ratios);
  const deviation = medianOf(ratios.map((ratio) => Math.abs(ratio / common - 1)));
  return Math.min(MOST_ERROR, Math.max(LEAST_ERROR, 2 * deviation));
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
