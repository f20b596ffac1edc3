// Made once: to make one takes a hundred times as long as to use it.
const HUNDREDTHS = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** "5.24", "1,240": two decimals below ten, none above. */
export function short(value: number): string {
  return (value < 10 ? HUNDREDTHS : WHOLE).format(value);
}

/** "12 %", rounded down: a share that does not reach a limit must not look as if it did. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
