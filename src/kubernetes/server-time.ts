import type { Clock, Cluster } from "../ports.ts";

/**
 * The API server's time between two looks at the cluster: the `Date` of the last one, and what has passed since by our own clock,
 * which may be wrong but is monotonic. Before the first look it is our own time.
 *
 * @returns the cluster, which must be looked at through this one; and the time, which never steps back.
 */
export function withServerTime(
  cluster: Cluster,
  clock: Pick<Clock, "now">,
): { readonly cluster: Cluster; readonly now: () => Date } {
  let aheadMillis: number | undefined;
  return {
    cluster: {
      ...cluster,
      async observe(signal) {
        const snapshot = await cluster.observe(signal);
        const ahead = snapshot.observedAt.getTime() - clock.now().getTime();
        // A look takes its time, and a dry run's later ones are at the list of the first: the largest is the truest.
        aheadMillis = Math.max(aheadMillis ?? ahead, ahead);
        return snapshot;
      },
    },
    now: () => new Date(clock.now().getTime() + (aheadMillis ?? 0)),
  };
}
