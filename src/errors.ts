/** Every error the product knows: one table of code, whether trying again can help, and what an operator should do. */

interface ErrorFacts {
  /** The same request may be sent again and may then succeed. */
  readonly retryable: boolean;
  /** One sentence for the person who reads the log. */
  readonly advice: string;
  /** Of an error that an eviction ended with: the pod may be gone, or yet go. */
  readonly mayHaveEvicted?: true;
}

export const ERRORS = {
  CONFIG_INVALID: { retryable: false, advice: "Correct the named settings; nothing was read or changed." },
  CREDENTIALS_INVALID: {
    retryable: false,
    advice: "Check the named file, plugin, context or header; what proves who we are is missing or broken.",
  },
  CONNECTION_FAILED: {
    retryable: true,
    advice:
      "Check that the address (PROMETHEUS_ENDPOINT, KAFKA_BOOTSTRAP_SERVERS, or the kubeconfig's server) is right, resolves, and can be reached from here.",
  },
  TLS_FAILED: { retryable: false, advice: "Check the server's certificate, its dates, and the CA this side trusts." },
  DEADLINE_EXCEEDED: {
    retryable: false,
    advice: "The server answered too slowly; check its load, or raise its timeout (PROMETHEUS_TIMEOUT, KAFKA_TIMEOUT).",
  },
  CANCELLED: {
    retryable: false,
    advice: "The next run looks again. If this one removed a pod, see that its replacement becomes Ready.",
  },
  REPLY_TOO_LARGE: {
    retryable: false,
    advice: "Narrow the query or the selector; the reply is larger than any this tool expects.",
  },
  REPLY_INVALID: {
    retryable: false,
    advice:
      "Check that the address is that of the API itself, and not of a proxy or a login page; if the message names a field, look at that object.",
  },
  REDIRECTED: {
    retryable: false,
    advice: "Use the address behind the redirect, or give the credentials that the login page asks for.",
  },
  UNAUTHORIZED: { retryable: false, advice: "Check the token, password or client certificate; it may have expired." },
  FORBIDDEN: {
    retryable: false,
    advice: "Grant the named right to the account that asks.",
  },
  NOT_FOUND: { retryable: false, advice: "Check the address, the namespace and the name." },
  CONFLICT: { retryable: false, advice: "Somebody else changed the object in the meantime; the next run looks again." },
  EXPIRED: { retryable: false, advice: "The list changed while it was read; the next run looks again." },
  REQUEST_REJECTED: {
    retryable: false,
    advice: "Read the server's words in the message; the request itself is wrong for it.",
  },
  THROTTLED: { retryable: true, advice: "The server asks for fewer requests; check its load and its limits." },
  SERVER_ERROR: { retryable: true, advice: "The server failed; read its own log." },
  QUERY_FAILED: { retryable: false, advice: "Correct the named query; try it in the server's own user interface." },
  QUERY_INCOMPLETE: { retryable: false, advice: "The metrics server could not see all of its data; repair it first." },
  QUERY_MISTIMED: {
    retryable: false,
    advice:
      "Compare the clocks of the metrics server and of the Kubernetes API server (STALENESS_LIMIT is how far they may differ); look for a cache in front of the metrics server, and for `time` among the parameters of PROMETHEUS_ENDPOINT.",
  },
  METRIC_INVALID: {
    retryable: false,
    advice: "Check the query and its exporter: each pod needs one finite sample >= 0.",
  },
  METRIC_AMBIGUOUS: {
    retryable: false,
    advice:
      'Set PROMETHEUS_MATCHERS (for example cluster="eu") so that each pod and each partition has one row; two owners of a partition in one cluster are a rebalance that ends by itself, or an exporter that shows members of the past.',
  },
  CLOCKS_DIFFER: {
    retryable: false,
    advice:
      "Set the clocks of the API servers (NTP); until they agree, nobody can tell how old a pod or the last removal is.",
  },
  RECORD_INVALID: {
    retryable: false,
    advice: "Repair or delete the named Lease; it holds the record of the last removals.",
  },
  LOCK_LOST: {
    retryable: false,
    advice: "Another run took over, or the API server did not answer for long; check for clashing schedules.",
  },
  EVICTION_FAILED: {
    retryable: false,
    mayHaveEvicted: true,
    advice:
      "The pod still ran when it was looked at, but the eviction may yet take effect, and the record counts it as removed; look at it, at proxies on the way to the API server, and at its log.",
  },
  EVICTION_UNCLEAR: {
    retryable: false,
    mayHaveEvicted: true,
    advice: "Look whether the pod still runs; the record counts it as removed.",
  },
  RUN_DEADLINE: {
    retryable: false,
    advice: "The slow step is the one after the last that the log tells of; raise RUN_DEADLINE if it is only slow.",
  },
  REPLACEMENT_LATE: { retryable: false, advice: "Look at the new pod: image, scheduling, readiness probe." },
  TOO_MANY_FILES: {
    retryable: false,
    advice:
      "Raise the limit of open files of this process or container (ulimit -n) to 64 or more, or that of the machine.",
  },
  OUTPUT_FAILED: {
    retryable: false,
    advice: "Look at what stdout leads to: a disk that is full, or a program that does not read.",
  },
  INTERNAL: {
    retryable: false,
    mayHaveEvicted: true,
    advice: "This is a fault of pod-rebalancer; please report it with the log.",
  },
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An error with a stable code. The message names the thing, the value and what was expected, and never a secret.
 */
export class RebalancerError extends Error {
  override readonly name = "RebalancerError";
  readonly code: ErrorCode;
  /** HTTP status and the server's own reason or cause, where the error came as a reply. */
  readonly reply: ErrorReply | undefined;
  /** What an operator should do: the code's advice, or a closer one. */
  readonly advice: string;

  constructor(code: ErrorCode, message: string, options: ErrorDetails = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.reply = options.reply;
    this.advice = options.advice ?? ERRORS[code].advice;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** Whether an eviction that ended with this error may have happened, or may yet happen. */
  get mayHaveEvicted(): boolean {
    return (ERRORS[this.code] as ErrorFacts).mayHaveEvicted === true;
  }
}

interface ErrorDetails {
  readonly cause?: unknown;
  readonly reply?: ErrorReply | undefined;
  /** In the place of the code's advice, where it is known who answered. */
  readonly advice?: string | undefined;
}

/** What `work` comes to; an error gets the advice that fits who was asked, where there is one. */
export async function advising<Value>(
  work: Promise<Value>,
  advice: (error: RebalancerError) => string | undefined,
): Promise<Value> {
  try {
    return await work;
  } catch (thrown) {
    const closer = thrown instanceof RebalancerError ? advice(thrown) : undefined;
    if (closer === undefined) throw thrown;
    const { code, message, cause, reply } = thrown as RebalancerError;
    throw new RebalancerError(code, message, { cause, reply, advice: closer });
  }
}

export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The reply's body, as far as it was read. */
  readonly body: string;
}

/** Any thrown value as a RebalancerError; what is unknown becomes `INTERNAL` with its cause. */
export function asRebalancerError(thrown: unknown): RebalancerError {
  if (thrown instanceof RebalancerError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RebalancerError(tooManyFiles(thrown) ?? "INTERNAL", message, { cause: thrown });
}

/** The code for what the system refused because no descriptor is left, whatever was to be opened. */
export function tooManyFiles(thrown: unknown): "TOO_MANY_FILES" | undefined {
  const { code } = (thrown ?? {}) as { readonly code?: unknown };
  return code === "EMFILE" || code === "ENFILE" ? "TOO_MANY_FILES" : undefined;
}
