/** A row as one flat JSON object. */

import type { Flags } from "./flags.ts";
import type { Estimate } from "./intervals.ts";
import type { RowResult } from "./row.ts";

/** Every estimate by its value; `margins` has what to add and to take away for the 99 % interval. Shares lie in 0…1. */
export type RowObject = Omit<Flags, "states"> & { readonly states: number } & {
  readonly [Name in Exclude<keyof RowResult, "states">]: RowResult[Name] extends Estimate ? number : RowResult[Name];
} & { readonly margins: Readonly<Partial<Record<keyof RowResult, number>>> };

export function rowObject(flags: Flags, result: RowResult): RowObject {
  const entries = Object.entries(result) as [keyof RowResult, Estimate | number | undefined][];
  const values = entries.map(([name, value]) => [name, rounded(isEstimate(value) ? value.value : value)]);
  const margins = entries.flatMap(([name, value]) => (isEstimate(value) ? [[name, rounded(value.margin)]] : []));
  return { ...flags, ...Object.fromEntries(values), margins: Object.fromEntries(margins) } as RowObject;
}

function isEstimate(value: Estimate | number | undefined): value is Estimate {
  return typeof value === "object";
}

/** To six digits after the point: the rest is nothing but noise. */
function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toFixed(6)) + 0;
}
