/** Consumer groups and what becomes of them, run by run: those that must wake somebody, and those that must not. */

import { livingPods } from "../../src/simulation/kubernetes-world.ts";
import { refuses, says } from "../faults/misbehaviour.ts";
import { DRY, LIVE, type Scene, startScene } from "../faults/scene.ts";

/** What a run meets: an even group, an uneven one, a metrics server that refuses, no pods; or there is no run. */
type Fate = "even" | "uneven" | "fails" | "no pods" | "none";

export interface AlertCase {
  readonly name: string;
  /** By the slot of the schedule. */
  readonly fates: readonly Fate[];
  /** The names of the alerts that fire at some time. */
  readonly alerts: readonly string[];
  readonly pods?: number;
  readonly live?: true;
  readonly settings?: Readonly<Record<string, string>>;
}

export const SLOTS = 7;

const all = (fate: Fate): Fate[] => Array.from({ length: SLOTS }, () => fate);

export const CASES: readonly AlertCase[] = [
  { name: "uneven twice", fates: ["uneven", "uneven", ...all("even")], alerts: [] },
  {
    name: "fails twice in a row",
    fates: ["even", "fails", "no pods", "even", "fails", "no pods", "even"],
    alerts: [],
  },
  {
    name: "fails five times and recovers",
    fates: ["even", "fails", "fails", "fails", "fails", "fails", "even"],
    alerts: ["PodRebalancerFailing"],
  },
  { name: "stops", fates: ["even", ...all("none")], alerts: ["PodRebalancerFailing"] },
  // Never a success, from the first run on.
  { name: "has no pods", fates: all("no pods"), alerts: ["PodRebalancerFailing", "PodRebalancerNoPods"] },
  {
    name: "loses three of five pods",
    fates: ["uneven", ...all("even")],
    pods: 5,
    live: true,
    settings: { MAX_PODS_TO_DELETE: "3", MIN_PODS_REQUIRED: "2", COOLDOWN: "1h" },
    alerts: ["PodRebalancerRemovingTooMuch"],
  },
  { name: "stays uneven", fates: all("uneven"), alerts: ["PodRebalancerImbalancePersists"] },
  { name: "is idle and uneven", fates: all("uneven"), settings: { CPU_FLOOR: "9", LAG_FLOOR: "1e9" }, alerts: [] },
];

/** The group of a case: a label selector of its own, for the same pods. */
export function selectorOf({ name }: AlertCase): string {
  return `app=orders,case!=${name.replaceAll(" ", "-")}`;
}

/** One case at one receiver. */
export interface AlertScene extends AsyncDisposable {
  /** The run of this slot, if there is one. @throws Error when the run does not end as its fate says. */
  run(slot: number): Promise<void>;
}

const NO_PODS = says(200, { kind: "PodList", apiVersion: "v1", metadata: {}, items: [] });

const EXIT_CODES: Readonly<Record<Exclude<Fate, "none">, number>> = { even: 0, uneven: 0, fails: 1, "no pods": 4 };

export async function startAlertScene(alertCase: AlertCase, pushUrl: string): Promise<AlertScene> {
  const { fates, pods, live, settings } = alertCase;
  let fate: Fate = "none";
  const scene = await startScene({
    ...(pods !== undefined && { pods }),
    kubernetes: (call) => (call === "list pods" && fate === "no pods" ? NO_PODS : undefined),
    prometheus: () => (fate === "fails" ? refuses(403) : undefined),
  });
  return {
    async run(slot) {
      fate = fates[slot] ?? "none";
      if (fate === "none") return;
      if (fate === "even") evenOut(scene);
      const group = { METRICS_PUSH_URL: pushUrl, KUBE_LABEL_SELECTOR: selectorOf(alertCase) };
      const env = { ...group, ...settings };
      // Its pods are replaced on the scene's time, which is ahead then; all else goes by the time that the receiver goes by.
      const ended = live ? await scene.run(LIVE, env) : await scene.start(DRY, env).ended;
      if (ended.exitCode !== EXIT_CODES[fate] || ended.stderr.includes("not pushed")) throw new Error(ended.stderr);
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** Every pod that is there now is as busy as the next. */
function evenOut({ world, clock, samples }: Scene): void {
  samples.clear();
  for (const { name } of livingPods(world, clock.now()))
    samples.set(name, { cpu: 1, lag: 1_000, rate: 300, memory: 5e8 });
}
