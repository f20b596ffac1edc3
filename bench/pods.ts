/** Makes the demo's pods as large as real ones: what a run does not keep, it must still receive. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { WirePod } from "../src/kubernetes/client.ts";

/** A pod with all its sections. */
export type Whole = { readonly [Section in "metadata" | "spec" | "status"]-?: NonNullable<WirePod[Section]> };

/** Of a Deployment, as an API server sends it (6.5 KB as JSON): managed fields, settings, volumes, probe, status. */
const MODEL = JSON.parse(readFileSync(join(import.meta.dirname, "pod.json"), "utf8")) as Whole;

const OTHER_CONDITIONS = MODEL.status.conditions?.filter(({ type }) => type !== "Ready") ?? [];

/** The same pod with all that belongs to a real one. */
export function realistic(pod: Whole): Whole {
  const { annotations = {}, labels } = MODEL.metadata;
  const { conditions = [] } = pod.status;
  return {
    ...MODEL,
    metadata: { ...MODEL.metadata, ...pod.metadata, labels: { ...labels, ...pod.metadata.labels }, annotations },
    spec: { ...MODEL.spec, nodeName: pod.spec.nodeName ?? "" },
    status: { ...MODEL.status, ...pod.status, conditions: [...OTHER_CONDITIONS, ...conditions] },
  };
}
