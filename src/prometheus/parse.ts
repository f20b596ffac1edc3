import { RebalancerError } from "../errors.ts";
import { jsonOf, printable } from "../text.ts";

/** One row of a reply. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  /** As the server gave it: may be NaN, infinite or negative, so that the caller can name what it rejects. */
  readonly value: number;
}

/** One series over time. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** The oldest first, each as a `Sample`'s. */
  readonly values: readonly number[];
}

/** The envelope of /api/v1/query and /api/v1/query_range, as far as it is read; what a server leaves out is undefined. */
interface Envelope {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly warnings?: unknown;
  /** VictoriaMetrics' cluster version: some storage nodes did not answer. */
  readonly isPartial?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: unknown } | null;
}

/** The times that the samples of a reply may be of; both ends belong to it. */
export interface TimeSpan {
  readonly from: Date;
  readonly to: Date;
}

/** Which query a reply belongs to, of when it must be, and how its words are shown. */
interface Asked {
  readonly what: string;
  readonly times: TimeSpan;
  readonly mask: (words: string) => string;
}

/** A point as it travels: Unix seconds and the value as text. */
type Point = readonly [number, unknown];

/** One entry of a vector (`value`) or of a matrix (`values`). */
interface Entry {
  readonly metric?: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
  readonly histogram?: unknown;
  readonly histograms?: unknown;
}

/**
 * Reads the reply to an instant query. A matrix yields the last sample of each series that has one young enough; one NaN at its
 * end is VictoriaMetrics' staleness marker and no sample.
 *
 * @param what - names the query in errors: "cpu query".
 * @param times - when a vector must have been evaluated, and how old a series' last sample in a matrix may be.
 * @param mask - takes secrets out of the server's words before they are cut short.
 * @throws RebalancerError `QUERY_INCOMPLETE` on warnings or a partial reply, `QUERY_FAILED` when the server refused the
 *   query or it yields something else than a vector or a matrix of numbers, `QUERY_MISTIMED` on a sample of another time,
 *   `REPLY_INVALID` on anything malformed.
 * @see https://prometheus.io/docs/prometheus/latest/querying/api/
 */
export function parseSamples(body: string, what: string, times: TimeSpan, mask = (words: string) => words): Sample[] {
  const asked = { what, times, mask };
  const { resultType, result } = parseResult(body, ["vector", "matrix"], asked);
  return result.flatMap((entry) => parseEntry(entry, resultType, asked) ?? []);
}

/**
 * Reads the reply to a range query.
 *
 * @param times - that every sample must be of.
 * @throws RebalancerError as `parseSamples` does.
 */
export function parseSeries(body: string, what: string, times: TimeSpan, mask = (words: string) => words): Series[] {
  const asked = { what, times, mask };
  const { result } = parseResult(body, ["matrix"], asked);
  return result.map((entry) => {
    const { metric, values } = labelled(entry, asked);
    if (!Array.isArray(values)) {
      throw invalid(asked, `the samples of ${shown(metric, asked)} are ${shown(values, asked)}, expected a list`);
    }
    return {
      labels: metric,
      values: (values as unknown[]).map((entryPoint) => {
        const { at, value } = parsePoint(entryPoint, metric, asked);
        if (isBefore(at, times) || isAfter(at, times)) throw mistimed(asked, "a sample is of", at);
        return value;
      }),
    };
  });
}

type ResultType = "vector" | "matrix";

interface Result {
  readonly resultType: ResultType;
  readonly result: readonly unknown[];
}

function parseResult(body: string, expected: readonly ResultType[], asked: Asked): Result {
  const envelope = parseEnvelope(body, asked);
  if (envelope.status === "error") throw failed(asked, `the server says: ${said(envelope.error, asked)}`);
  if (envelope.status !== "success")
    throw invalid(asked, `its status is ${shown(envelope.status, asked)}, expected "success"`);
  assertWhole(envelope, asked);
  const { resultType, result } = envelope.data ?? {};
  if (resultType === "scalar" || resultType === "string") {
    throw failed(asked, `it yields a ${resultType}, expected one sample for each pod`);
  }
  const known = expected.find((type) => type === resultType);
  if (known === undefined) {
    const types = expected.map((type) => `"${type}"`).join(" or ");
    throw invalid(asked, `its resultType is ${shown(resultType, asked)}, expected ${types}`);
  }
  if (!Array.isArray(result)) throw invalid(asked, `its result is ${shown(result, asked)}, expected a list`);
  return { resultType: known, result: result as unknown[] };
}

function parseEnvelope(body: string, asked: Asked): Envelope {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch {
    // Not JSON: said below, as for any other reply that is no object.
  }
  throw invalid(asked, `the reply is no JSON object but begins ${shown(asked.mask(body).slice(0, 60), asked)}`);
}

/** Data that the server itself calls incomplete must not be acted on. */
function assertWhole({ warnings, isPartial }: Envelope, asked: Asked): void {
  // A proxy may have made a text or a number of it.
  if (isPartial !== undefined && isPartial !== null && isPartial !== false)
    throw incomplete(asked, "the server marks its reply as partial (isPartial)");
  if (warnings === undefined || warnings === null) return;
  if (!Array.isArray(warnings)) throw invalid(asked, `its warnings are ${shown(warnings, asked)}, expected a list`);
  // Prometheus 2.48 to 2.55 sent its hints about the query as warnings; later versions have `infos` for them.
  const serious = (warnings as unknown[]).filter((warning) => !jsonOf(warning).startsWith('"PromQL info: '));
  if (serious.length > 0) {
    const words = serious.map((warning) => said(warning, asked));
    throw incomplete(asked, `the server warns: ${printable(words.join("; "))}`);
  }
}

/** undefined: a series that ended too long ago. */
function parseEntry(entry: unknown, resultType: ResultType, asked: Asked): Sample | undefined {
  const { metric, value: instant, values } = labelled(entry, asked);
  const ofVector = resultType === "vector";
  const { at, value } = parsePoint(ofVector ? instant : lastPoint(values), metric, asked);
  const early = isBefore(at, asked.times);
  // Each sample of a vector carries the time of the evaluation, each of a matrix its own.
  if (early && !ofVector) return undefined;
  if (early || isAfter(at, asked.times)) throw mistimed(asked, ofVector ? "it was evaluated at" : "a sample is of", at);
  return { labels: metric, value };
}

/** @param at - Unix seconds. */
function isBefore(at: number, { from }: TimeSpan): boolean {
  return at * 1_000 < from.getTime();
}

function isAfter(at: number, { to }: TimeSpan): boolean {
  return at * 1_000 > to.getTime();
}

function labelled(entry: unknown, asked: Asked): Entry & { readonly metric: Record<string, string> } {
  const { metric, histogram, histograms, ...rest } = (entry ?? {}) as Entry;
  if (histogram !== undefined || histograms !== undefined) {
    throw failed(asked, `it yields a native histogram (${shown(metric, asked)}), expected numbers`);
  }
  if (!isLabelSet(metric))
    throw invalid(asked, `the labels of an entry are ${shown(metric, asked)}, expected an object of texts`);
  return { ...rest, metric };
}

interface ParsedPoint {
  /** Unix seconds. */
  readonly at: number;
  readonly value: number;
}

function parsePoint(point: unknown, metric: Record<string, string>, asked: Asked): ParsedPoint {
  const value = isPoint(point) ? parseNumber(point[1]) : undefined;
  if (isPoint(point) && value !== undefined) return { at: point[0], value };
  throw invalid(asked, `the sample of ${shown(metric, asked)} is ${shown(point, asked)}, expected [time, "number"]`);
}

function isLabelSet(metric: unknown): metric is Record<string, string> {
  if (typeof metric !== "object" || metric === null || Array.isArray(metric)) return false;
  return Object.values(metric).every((value) => typeof value === "string");
}

function isPoint(point: unknown): point is Point {
  return Array.isArray(point) && point.length === 2 && typeof point[0] === "number";
}

function lastPoint(values: unknown): unknown {
  if (!Array.isArray(values)) return undefined;
  const points: unknown[] = values;
  const last = points.at(-1);
  return isPoint(last) && last[1] === "NaN" && points.length > 1 ? points.at(-2) : last;
}

/** As Go's `strconv.FormatFloat` writes numbers. */
const NUMBER = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/;
const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["+Inf", Number.POSITIVE_INFINITY],
  ["Inf", Number.POSITIVE_INFINITY],
  ["-Inf", Number.NEGATIVE_INFINITY],
]);

/** undefined: no number. `Number` alone would read "" as 0 and "+Inf" as NaN. */
function parseNumber(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  return NUMBER.test(text) ? Number(text) : NOT_FINITE.get(text);
}

/** A value of the reply, short and on one line. */
function shown(value: unknown, { mask }: Asked): string {
  return printable(mask(jsonOf(value))).slice(0, 120);
}

/** What the server put into words, which should be a text. */
function said(words: unknown, asked: Asked): string {
  return typeof words === "string" ? printable(asked.mask(words)) : shown(words, asked);
}

function invalid({ what }: Asked, why: string): RebalancerError {
  return new RebalancerError("REPLY_INVALID", `${what}: ${why}`);
}

function failed({ what }: Asked, why: string): RebalancerError {
  return new RebalancerError("QUERY_FAILED", `${what}: ${why}`);
}

function mistimed(asked: Asked, why: string, at: number): RebalancerError {
  const { from, to } = asked.times;
  const expected = `expected from ${from.toISOString()} to ${to.toISOString()}`;
  return new RebalancerError("QUERY_MISTIMED", `${asked.what}: ${why} ${timeShown(at)}, ${expected}`);
}

/** Unix seconds as a date, where they are one. */
function timeShown(at: number): string {
  const date = new Date(at * 1_000);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

function incomplete({ what }: Asked, why: string): RebalancerError {
  return new RebalancerError("QUERY_INCOMPLETE", `${what}: ${why}`);
}
