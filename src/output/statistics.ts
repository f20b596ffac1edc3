import { isUneven, judgeSignals, type SignalVerdict } from "../decision/thresholds.ts";
import type { Group, Policy, Signal } from "../types.ts";
import type { Cell, GridRow } from "./grid.ts";
import { formatHundredths, formatLimit, formatMultiple, formatReading } from "./numbers.ts";

type Name = Signal | "score";
type Row = GridRow<"pod" | Name>;

/**
 * What stands below the pods: mean, busiest / mean, relative variance and its limit, of the scored pods.
 *
 * The floor of a mean is shown only where the mean stays below it: the signal's limit does not count then.
 */
export function statisticsRows(group: Group, policy: Policy): Row[] {
  const { statistics, signalsInUse } = group;
  if (statistics.score.count === 0) return [];
  const names: readonly Name[] = [...signalsInUse, "score"];
  const verdicts = judgeSignals(group, policy);
  const uneven = new Set<Name>(verdicts.filter(isUneven).map(({ signal }) => signal));
  const floors: Readonly<Partial<Record<Signal, number>>> = { cpu: policy.cpuFloor, lag: policy.lagFloor };
  const low = verdicts.filter(({ loaded }) => !loaded);
  return [
    "",
    labelled({ text: "mean" }, names, (name) => ({ text: formatReading(name, statistics[name].mean) })),
    ...(low.length === 0
      ? []
      : [perVerdict({ text: "floor of the mean", short: "floor" }, low, ({ signal }) => String(floors[signal]))]),
    labelled({ text: "busiest / mean", short: "max / mean" }, names, (name) => ({
      text: formatMultiple(statistics[name].busiestToMean),
    })),
    labelled({ text: "relative variance", short: "rel. variance" }, names, (name) => ({
      text: formatHundredths(statistics[name].relativeVariance),
      style: uneven.has(name) ? "yellow" : undefined,
    })),
    perVerdict({ text: "limit" }, verdicts, ({ threshold }) => formatLimit(threshold)),
  ];
}

function labelled(label: Cell, names: readonly Name[], cellOf: (name: Name) => Cell): Row {
  return { ...Object.fromEntries(names.map((name) => [name, cellOf(name)])), pod: { ...label, style: "dim" } };
}

function perVerdict(label: Cell, verdicts: readonly SignalVerdict[], textOf: (of: SignalVerdict) => string): Row {
  const texts = new Map<Name, string>(verdicts.map((verdict) => [verdict.signal, textOf(verdict)]));
  return labelled(label, [...texts.keys()], (name) => ({ text: texts.get(name) ?? "" }));
}
