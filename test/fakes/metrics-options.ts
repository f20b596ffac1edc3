import type { MetricsOptions } from "../../src/metrics/queries.ts";

/** The defaults, as the README lists them, for namespace "shop". */
export const METRICS_OPTIONS: MetricsOptions = {
  namespace: "shop",
  profile: "seed",
  group: "orders",
  assignor: undefined,
  queries: {},
  matchers: "",
  replicaLabels: ["prometheus_replica", "replica"],
  windowSeconds: 300,
  stalenessSeconds: 120,
};
