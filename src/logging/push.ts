import { advising, type ErrorCode, RebalancerError } from "../errors.ts";
import type { HttpClient } from "../http.ts";
import type { Sink } from "../ports.ts";
import { printable } from "../text.ts";
import type { Policy, RunReport } from "../types.ts";

const JOB = "pod-rebalancer";

/** VictoriaMetrics' import (also of vmagent, and behind `/insert/<tenant>/prometheus` of its cluster). */
const IMPORT = /\/api\/v1\/import\/prometheus\/?$/;

const PUSH_MILLIS = 10_000;
const MAX_REPLY_BYTES = 65_536;

/**
 * Pushes the run's own metrics, as series of `job`, `namespace` and `selector`.
 *
 * A Pushgateway keeps them as one group; POST replaces only the metrics that are sent, so that the last success stays while runs
 * fail (PUT would drop it). The path of the receiver's URL tells a Pushgateway from VictoriaMetrics.
 *
 * @param http - its endpoint is at `receiver`. The caller closes it.
 * @see https://github.com/prometheus/pushgateway#url
 * @see https://docs.victoriametrics.com/#how-to-import-data-in-prometheus-exposition-format
 */
export function pushSink(http: HttpClient, receiver: URL, policy: Policy): Sink {
  return {
    failure: "The metrics were not pushed",
    async write(report, signal) {
      // Loaded only when asked for: a plain run starts without it.
      const { metricsText } = await import("./metrics.ts");
      const text = await metricsText(report, policy);
      const pushed = http.request({
        what: "push the metrics",
        method: "POST",
        ...(IMPORT.test(receiver.pathname)
          ? { path: "", query: { extra_label: `job=${JOB}` } }
          : { path: groupPath(report) }),
        body: { type: "text/plain; version=0.0.4; charset=utf-8", text },
        signal,
        deadlineMillis: PUSH_MILLIS,
        // The same samples again do no harm.
        retry: true,
        maxBytes: MAX_REPLY_BYTES,
      });
      const { body } = await advising(pushed, ({ code }) => ADVICE[code]);
      // Neither receiver has anything to say; a login page says 200, too.
      if (body.trim() !== "") {
        throw new RebalancerError(
          "REPLY_INVALID",
          `push the metrics: the reply is "${printable(http.mask(body))}", expected none`,
        );
      }
    },
  };
}

const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  DEADLINE_EXCEEDED: "The receiver answered too slowly; check its load. The next run pushes again.",
  FORBIDDEN: "Give the account that METRICS_PUSH_HTTP_CONFIG names the right to write at METRICS_PUSH_URL.",
};

/** Base64 takes any selector, also one with a slash (RFC 4648 section 5, as the Pushgateway wants it). */
function groupPath({ namespace, selector }: RunReport): string {
  const encoded = Buffer.from(selector).toString("base64url");
  return `/metrics/job/${JOB}/namespace/${namespace}/selector@base64/${encoded}`;
}
