/** "5.24", "1,240": two decimals below ten, none above. */
export function short(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });
}

/** "12 %", rounded down: a share that does not reach a limit must not look as if it did. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
