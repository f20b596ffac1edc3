/** The sentences that the steps of a run log, so that `jq -r .msg` reads as prose. */

import { readyPods } from "../decision/gates.ts";
import type { ConsumerGroup } from "../kafka/group.ts";
import type { Observation } from "../podstate/assess.ts";
import type { HeldLock, Lock, Narrator } from "../ports.ts";
import { REASONS } from "../reasons.ts";
import { roleWords, summarise } from "../sentences.ts";
import {
  type Decision,
  type Diagnosis,
  type RemovalResult,
  type RunReport,
  SIGNALS,
  type Signals,
  type Snapshot,
} from "../types.ts";

export function tellSnapshot({ pods, bare, workload, controllers }: Snapshot): string {
  const ignored = bare.length === 0 ? "" : ` Pods without a controller are ignored: ${bare.join(", ")}.`;
  const owner = workload ? ` of ${workload.kind}/${workload.name}` : controllers.map((name) => ` ${name}`).join(",");
  const idle = workload?.idleAutoscalers?.map((sentence) => ` ${sentence}.`).join("") ?? "";
  return `Found ${pods.length} pods${owner}, ${readyPods(pods).length} Ready.${ignored}${idle}`;
}

export function tellLock(lock: Lock | HeldLock): string {
  const last = lock.removals.at(-1);
  const holder =
    lock.heldBy === undefined ? "The workload's Lease is free for this run" : `${lock.heldBy} holds the Lease`;
  return last
    ? `${holder}; the last removal was ${last.pod} at ${last.at.toISOString()}.`
    : `${holder}; no removal is on record.`;
}

export function tellReadings({ signals, groups = [] }: Pick<Observation, "signals" | "groups">): string {
  return [tellSignals(signals), ...groups.map(tellGroup)].join(" ");
}

/** "Group orders has 8 members and 32 partitions (kafka: Stable, cooperative-sticky)." */
function tellGroup({ name, source, state, assignor, members, partitions }: ConsumerGroup): string {
  const known = [state, assignor].filter((fact) => fact !== undefined).join(", ");
  const origin = known === "" ? source : `${source}: ${known}`;
  return `The group${name === undefined ? "" : ` ${name}`} has ${members.length} members and ${partitions.length} partitions (${origin}).`;
}

function tellSignals(signals: Signals): string {
  const parts = SIGNALS.map((signal) => {
    const samples = signals[signal];
    if (samples === undefined) return `${signal} left out`;
    const rejected =
      samples.rejected.length === 0 ? "" : ` (not a number or negative for ${samples.rejected.join(", ")})`;
    return `${signal} of ${samples.values.size} pods${rejected}`;
  });
  return `Read ${parts.join(", ")}.`;
}

export function tellDiagnosis({ cause, evidence }: Diagnosis): string {
  return `Diagnosis (${cause}): ${evidence}.`;
}

export function tellDecision(decision: Decision): string {
  const passedOver = decision.passedOver.map(({ pod, why }) => ` ${pod} is passed over: ${why}.`).join("");
  if (decision.action === "hold") return `Hold (${decision.reason}): ${decision.detail}.${passedOver}`;
  const targets = decision.targets.map(({ pod, role }) => `${pod.name} (${roleWords(role)})`).join(", then ");
  return `Rotate ${targets}: ${decision.because.join("; ")}.${passedOver}`;
}

export function tellRemoval({ steps }: RemovalResult): string {
  const parts = steps.map(({ pod, why }) => `${pod}: ${why}`);
  return `The rotation has ended: ${parts.join("; ")}.`;
}

/** The run's last line: what came of it, and, unless all is well, what to do. */
export function tellEnd(report: RunReport, narrator: Narrator): void {
  const { reason, exitCode, durationMillis: ms, error, group } = report;
  const { workload } = group?.snapshot ?? {};
  const named = workload && { workload: `${workload.kind}/${workload.name}` };
  const fields = { step: "report", reason, exitCode, ms, ...named, ...(error && { error }) };
  const advice = error?.advice ?? REASONS[reason].advice;
  if (exitCode === 0) narrator.info(summarise(report), fields);
  else narrator.error(`${summarise(report)} ${advice}`, fields);
}
