/** What earlier rotations came to. */

import { short } from "../figures.ts";
import type { Group, Policy, Rotation } from "../types.ts";
import { imbalanceOf } from "./imbalance.ts";
import { MATTERS } from "./play.ts";

/** So many in a row without effect, and rotating is given up. */
const IN_VAIN = 3;

/**
 * Busiest / mean load, as of now: of the partitions that each owns, or else of what each pod consumes. undefined where neither is
 * known of any.
 */
export function imbalanceToday(group: Loaded): number | undefined {
  const loads = [...loadsToday(group).values()];
  return loads.length === 0 ? undefined : imbalanceOf(loads);
}

/** Messages/s by the pod's name; members without a pod count too, by their id. */
export function loadsToday({ ownership, pods }: Loaded): ReadonlyMap<string, number> {
  const owned = (ownership?.owners ?? []).map(({ pod, members, load }) => [pod ?? members[0]?.id ?? "", load] as const);
  const known = owned.flatMap(([name, load]) => (load === undefined ? [] : [[name, load] as const]));
  if (known.length > 0 && known.length === owned.length) return new Map(known);
  return new Map(pods.flatMap(({ pod, signals }) => (signals.rate === undefined ? [] : [[pod.name, signals.rate]])));
}

/** What the loads of a group follow from. */
type Loaded = Pick<Group, "ownership" | "pods">;

/** What would make this another group. */
export function groupMark({ snapshot, ownership }: Pick<Group, "snapshot" | "ownership">): string {
  const controllers = [...new Set(snapshot.pods.map(({ controller }) => controller.name))].toSorted().join(",");
  const { partitions, assignor } = ownership?.group ?? {};
  return [controllers, snapshot.pods.length, partitions?.length, assignor]
    .filter((part) => part !== undefined)
    .join(" ");
}

/** The last rotation with what came of it, where that was not seen in its own run: today's imbalance, once the cooldown is over. */
export function withOutcome(
  rotations: readonly Rotation[],
  group: Loaded & Pick<Group, "snapshot">,
  { cooldownSeconds }: Policy,
): readonly Rotation[] {
  const last = rotations.at(-1);
  const after = imbalanceToday(group);
  if (last === undefined || last.after !== undefined || after === undefined) return rotations;
  if (group.snapshot.observedAt.getTime() - last.at.getTime() < cooldownSeconds * 1_000) return rotations;
  return [...rotations.slice(0, -1), { ...last, after }];
}

/** The facts where the last rotations of this very group had no effect; undefined otherwise. */
export function ineffectiveRotations(group: Group): string | undefined {
  const last = (group.record?.rotations ?? []).slice(-IN_VAIN);
  const mark = groupMark(group);
  const inVain = last.filter(
    (rotation) =>
      rotation.group === mark && rotation.after !== undefined && rotation.after > rotation.before * (1 - MATTERS),
  );
  if (inVain.length < IN_VAIN) return undefined;
  const courses = inVain.map(({ before, after = before }) => `${short(before)} to ${short(after)}`);
  return `busiest / mean went from ${courses.join(", from ")}`;
}
