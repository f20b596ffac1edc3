import { jsonOf, printable } from "../text.ts";

export interface Mark {
  readonly set: boolean;
  /** Its value in quotes, where it is neither "true" nor "false"; undefined where it is one of them. */
  readonly odd: string | undefined;
}

/**
 * Reads an annotation or a label by which a person keeps the product off. Any value but exactly `false` counts: who writes `yes`, or
 * nothing, means it.
 *
 * @param values - of the places where it may stand; undefined: it does not stand there.
 */
export function markOf(...values: readonly (string | undefined)[]): Mark {
  const counted = values.filter((value) => value !== undefined && value !== "false");
  const odd = counted.includes("true") ? undefined : counted[0];
  return { set: counted.length > 0, odd: odd === undefined ? undefined : printable(jsonOf(odd)) };
}
