import type { ErrorCode, RebalancerError } from "./errors.ts";

/** An error as logs and reports show it to machines; what a server replied in full is left out. */
export interface ErrorFields {
  readonly code: ErrorCode;
  readonly message: string;
  /** What an operator should do. */
  readonly advice: string;
  /** Messages of the errors behind it, the nearest first. */
  readonly causes: readonly string[];
}

/** Longer chains do not help anybody, and a chain may be a ring. */
const MOST_CAUSES = 5;

export function errorFields(error: RebalancerError): ErrorFields {
  const { code, message, advice } = error;
  const causes = causesOf(error).map((cause) => (cause instanceof Error ? cause.message : String(cause)));
  return { code, message, advice, causes };
}

/** Where the error and those behind it came from, for whoever repairs the product. */
export function stackOf(error: RebalancerError): string {
  const stacks = [error, ...causesOf(error)].map((thrown) => (thrown instanceof Error ? thrown.stack : String(thrown)));
  return stacks.join("\ncaused by ");
}

function causesOf(error: Error): unknown[] {
  const causes: unknown[] = [];
  let next = error.cause;
  while (next !== undefined && causes.length < MOST_CAUSES) {
    causes.push(next);
    next = next instanceof Error ? next.cause : undefined;
  }
  return causes;
}
