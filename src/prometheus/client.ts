import { advising, type ErrorCode, RebalancerError } from "../errors.ts";
import type { HttpClient } from "../http.ts";
import type { Narrator } from "../ports.ts";
import { createFormRequest } from "./form-request.ts";
import { parseSamples, parseSeries, type Sample, type Series, type TimeSpan } from "./parse.ts";

/** Prometheus, VictoriaMetrics, or whatever speaks their query API. */
export interface Prometheus {
  /**
   * Evaluates a query now.
   *
   * @param what - names the query in errors: "cpu query".
   * @throws RebalancerError `QUERY_FAILED` with the server's words when it refuses the query; see `parseSamples` and
   *   `HttpClient` for the rest.
   */
  query(what: string, promql: string, signal: AbortSignal): Promise<Sample[]>;
  /** Evaluates a query at each step of a time range, with the same errors; see `parseSeries`. */
  queryRange(what: string, promql: string, range: TimeRange, signal: AbortSignal): Promise<Series[]>;
}

/** Both ends belong to it. */
export interface TimeRange {
  readonly start: Date;
  readonly end: Date;
  readonly stepSeconds: number;
}

export interface PrometheusOptions {
  /** For one query, all its attempts included. */
  readonly timeoutMillis: number;
  /** The time by which replies are judged. */
  readonly now: () => Date;
  /** By how much the time of a reply may differ from that, > 0: so much the server's clock may be off. */
  readonly toleranceSeconds: number;
  /** Told each query, as it is sent. */
  readonly narrator?: Pick<Narrator, "debug">;
}

/**
 * A row of the default queries has some 100 bytes: enough for 40,000 pods, or for 1,000 whose custom query returns 150 points
 * each. Four such replies at once take the process to some 200 MiB, which a container of 256 MiB bears.
 */
const MAX_REPLY_BYTES = 4 * 2 ** 20;

/** @param http - its endpoint is the server; path prefix and query parameters of its URL are kept. The caller closes it. */
export function createPrometheus(http: HttpClient, options: PrometheusOptions): Prometheus {
  const { timeoutMillis, now, toleranceSeconds, narrator } = options;
  const send = createFormRequest(http);

  /** From when it was sent until it was answered, and as much as the clocks may differ. */
  function timesSince(sent: Date): TimeSpan {
    const tolerance = toleranceSeconds * 1_000;
    return { from: new Date(sent.getTime() - tolerance), to: new Date(now().getTime() + tolerance) };
  }

  async function ask<Answer>(question: Question<Answer>, signal: AbortSignal): Promise<Answer> {
    const { what, promql, path, times = {}, parse } = question;
    const sent = now();
    narrator?.debug(`The metrics server is asked the ${what}: ${promql}`);
    // `nocache` keeps VictoriaMetrics from hiding the newest 30 seconds.
    const form = { query: promql, ...times, nocache: "1" };
    try {
      const answered = send({
        what,
        path,
        form,
        signal,
        deadlineMillis: timeoutMillis,
        retry: true,
        maxBytes: MAX_REPLY_BYTES,
      });
      const { status, body } = await advising(answered, ({ code }) => ADVICE[code]);
      // 206 is a part, 203 what a proxy made of it.
      if (status !== 200) throw new RebalancerError("REPLY_INVALID", `${what}: HTTP ${status}, expected 200`);
      return parse(body, { sent, mask: (words) => http.mask(words) });
    } catch (thrown) {
      throw explained(thrown, promql, http);
    }
  }

  return {
    // No `step`: VictoriaMetrics shrinks its look-back with it.
    // Nor a `time`: were the server's clock ahead of ours, its newest samples would be hidden.
    query(what, promql, signal) {
      const parse: Parse<Sample[]> = (body, { sent, mask }) => parseSamples(body, what, timesSince(sent), mask);
      return ask({ what, promql, path: "/api/v1/query", parse }, signal);
    },
    queryRange(what, promql, { start, end, stepSeconds }, signal) {
      const times = { start: unixSeconds(start), end: unixSeconds(end), step: String(stepSeconds) };
      // VictoriaMetrics may move both ends to a multiple of the step.
      const span = {
        from: new Date(start.getTime() - stepSeconds * 1_000),
        to: new Date(end.getTime() + stepSeconds * 1_000),
      };
      const parse: Parse<Series[]> = (body, { mask }) => parseSeries(body, what, span, mask);
      return ask({ what, promql, path: "/api/v1/query_range", times, parse }, signal);
    },
  };
}

interface Question<Answer> {
  readonly what: string;
  readonly promql: string;
  readonly path: string;
  readonly times?: Readonly<Record<"start" | "end" | "step", string>>;
  readonly parse: Parse<Answer>;
}

type Parse<Answer> = (body: string, reply: Reply) => Answer;

interface Reply {
  /** When it was asked for. */
  readonly sent: Date;
  readonly mask: (words: string) => string;
}

function unixSeconds(date: Date): string {
  return String(date.getTime() / 1_000);
}

const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  DEADLINE_EXCEEDED: "The metrics server answered too slowly; check its load, or raise PROMETHEUS_TIMEOUT.",
  FORBIDDEN:
    "Give the account that PROMETHEUS_HTTP_CONFIG names the right to query, and check the tenant in its http_headers.",
};

/** A refused query is the query's fault: it says so, and shows the query so that it can be tried elsewhere. */
function explained(thrown: unknown, promql: string, http: HttpClient): unknown {
  if (!(thrown instanceof RebalancerError)) return thrown;
  const { code, reply, advice } = thrown;
  const message = http.mask(thrown.message);
  const refused = (reply?.status === 400 || reply?.status === 422) && isApiError(reply.body);
  const details = reply && { reply };
  if (refused || code === "QUERY_FAILED") {
    return new RebalancerError("QUERY_FAILED", `${message}; the query: ${promql}`, { ...details });
  }
  return message === thrown.message ? thrown : new RebalancerError(code, message, { ...details, advice });
}

/** Whether the server itself refused, and not a proxy in front of it. */
function isApiError(body: string): boolean {
  try {
    const parsed: unknown = JSON.parse(body);
    return (parsed as { status?: unknown } | null)?.status === "error";
  } catch {
    return false;
  }
}
