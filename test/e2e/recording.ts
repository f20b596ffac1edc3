/** What a recorded watch tells about a group's pods. */

import { isReady, type Pod, type PodEvent, type PodRecording } from "../harness/kube-client.ts";

/** One pod that was told to go. */
interface Removed {
  readonly name: string;
  readonly uid: string;
  /** Milliseconds since 1970, when the watch showed it. */
  readonly at: number;
}

/** Which pods were told to go, in their order; those that were on their way when the recording began do not count. */
export function removedIn({ events }: PodRecording): Removed[] {
  const live = new Set<string>();
  const removed: Removed[] = [];
  for (const { type, at, pod } of events) {
    const { name, uid } = pod.metadata;
    if (!isLeaving({ type, pod })) live.add(uid);
    else if (live.delete(uid)) removed.push({ name, uid, at });
  }
  return removed;
}

/** The UIDs of the pods that came after `before`, in their order. */
export function newIn({ events }: PodRecording, before: readonly Pod[]): string[] {
  const known = new Set(before.map((pod) => pod.metadata.uid));
  return [...new Set(events.map(({ pod }) => pod.metadata.uid))].filter((uid) => !known.has(uid));
}

/** The smallest number of Ready pods that there was at any time since `before`. */
export function fewestReadyIn({ events }: PodRecording, before: readonly Pod[]): number {
  const ready = new Set(before.filter(isReady).map((pod) => pod.metadata.uid));
  let fewest = ready.size;
  for (const { type, pod } of events) {
    if (!isLeaving({ type, pod }) && isReady(pod)) ready.add(pod.metadata.uid);
    else ready.delete(pod.metadata.uid);
    fewest = Math.min(fewest, ready.size);
  }
  return fewest;
}

function isLeaving({ type, pod }: Pick<PodEvent, "type" | "pod">): boolean {
  return type === "DELETED" || pod.metadata.deletionTimestamp !== undefined;
}
