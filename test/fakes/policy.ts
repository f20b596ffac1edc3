import type { Policy } from "../../src/types.ts";

/** The defaults, as the README lists them. */
export const POLICY: Policy = {
  strategy: "balanced",
  minimumImprovement: 0.1,
  cpuVarianceThreshold: 0.3,
  lagVarianceThreshold: 0.5,
  cpuFloor: 0.05,
  lagFloor: 100,
  maxPodsToDelete: 2,
  minPodsRequired: 3,
  minMetricsCoverage: 0.8,
  metricsWindowSeconds: 300,
  minPodAgeSeconds: 600,
  cooldownSeconds: 900,
  replacementTimeoutSeconds: 300,
  runDeadlineSeconds: 720,
  suspend: false,
};
