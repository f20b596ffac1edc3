import { short } from "../figures.ts";
import type { Group, Policy, Signal } from "../types.ts";

/** The signals that have a floor and a threshold. */
export const JUDGED = ["cpu", "lag"] as const satisfies readonly Signal[];

/** One signal against its floor and its threshold. */
export interface SignalVerdict {
  readonly signal: Signal;
  /** Whether the mean reaches the floor: one message among zeros is no imbalance. */
  readonly loaded: boolean;
  readonly relativeVariance: number;
  readonly threshold: number;
  /** "lag mean 12 of 100". */
  readonly load: string;
  /** "relative variance of lag is 0.20, limit 0.5, busiest 1.9 times the mean". */
  readonly spread: string;
  /** "lag is uneven (5.24 > 0.5)". */
  readonly uneven: string;
}

/**
 * Compares the relative variance σ² / μ² of CPU and lag with their thresholds, for each that is in use.
 *
 * Of random deals of 32 partitions with rates by Zipf's law (skew 0.6) to 8 pods, fewer than 1 % pass 0.3, which is where a blind
 * rotation does help; how far that carries is in docs/algorithm.md.
 */
export function judgeSignals(group: Group, policy: Policy): readonly SignalVerdict[] {
  const limits = {
    cpu: { name: "CPU", floor: policy.cpuFloor, threshold: policy.cpuVarianceThreshold },
    lag: { name: "lag", floor: policy.lagFloor, threshold: policy.lagVarianceThreshold },
  };
  return JUDGED.filter((signal) => group.signalsInUse.includes(signal)).map((signal) => {
    const { name, floor, threshold } = limits[signal];
    const { mean, relativeVariance, busiestToMean } = group.statistics[signal];
    const busiest = `busiest ${short(busiestToMean)} times the mean`;
    const spreadOf = `relative variance of ${name} is ${short(relativeVariance)}, limit ${threshold}, ${busiest}`;
    const idle = `${name} does not count, its mean ${short(mean)} is below the floor of ${floor}`;
    return {
      signal,
      loaded: mean >= floor,
      relativeVariance,
      threshold,
      load: `${name} mean ${short(mean)} of ${floor}`,
      spread: mean >= floor ? spreadOf : idle,
      uneven: `${name} is uneven (${short(relativeVariance)} > ${threshold})`,
    };
  });
}

/** Whether the signal is loaded and its relative variance is over its threshold. */
export function isUneven(verdict: SignalVerdict): boolean {
  return verdict.loaded && verdict.relativeVariance > verdict.threshold;
}

/** Whether no signal is loaded. */
export function isIdle(verdicts: readonly SignalVerdict[]): boolean {
  return !verdicts.some((verdict) => verdict.loaded);
}
