/** Whether an answer is one to what was asked: of names as sets, because numbers agree by accident. */

import { RebalancerError } from "../../errors.ts";
import { printable } from "../../text.ts";

/** Which answer it is. */
export interface Asked {
  /** The broker: "kafka:9092". */
  readonly where: string;
  /** Names the request: "list the groups". */
  readonly what: string;
}

/** @param expected - what would have been right: "expected groups by different names". */
export function invalidReply({ where, what }: Asked, why: string, expected: string): RebalancerError {
  return new RebalancerError("REPLY_INVALID", `${what} at ${where}: ${printable(why)}; ${expected}`);
}

/**
 * Sees to it that an answer speaks of all that was asked about, of each once, and of nothing else.
 *
 * @throws RebalancerError `REPLY_INVALID` that names the first that is too many or missing.
 */
export function insistOnExactly(names: readonly string[], told: readonly string[], asked: Asked): void {
  const wrong = surplus(names, told) ?? missing(names, told);
  if (wrong !== undefined) throw invalidReply(asked, `the answer ${wrong}`, "expected each that was asked for, once");
}

function surplus(names: readonly string[], told: readonly string[]): string | undefined {
  const left = new Set(names);
  const odd = told.find((one) => !left.delete(one));
  if (odd === undefined) return undefined;
  return names.includes(odd) ? `speaks of ${JSON.stringify(odd)} twice` : `speaks of ${JSON.stringify(odd)}`;
}

function missing(names: readonly string[], told: readonly string[]): string | undefined {
  const there = new Set(told);
  const absent = names.find((name) => !there.has(name));
  return absent === undefined ? undefined : `says nothing of ${JSON.stringify(absent)}`;
}
