/** Whether this account has the rights that a live run needs and a dry run does not use. */

import type { WorkloadRef } from "../types.ts";
import type { KubernetesClient, Right } from "./client.ts";
import { leaseRef } from "./lease.ts";

export interface LiveRights {
  /** Without which a live run fails, as a clause; undefined where none is known to be missing. */
  readonly missing: string | undefined;
  /** What a live run would do without, or what could not be found out, as a clause; undefined where there is nothing to say. */
  readonly note: string | undefined;
}

/**
 * Asks the API server, which changes nothing, whether the workload's Lease could be taken, and an Event be written.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
 */
export async function liveRights(
  workload: WorkloadRef,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<LiveRights> {
  const { namespace, name } = leaseRef(workload);
  const lease = { group: "coordination.k8s.io", resource: "leases", namespace };
  const event: Right = { group: "", resource: "events", namespace, verb: "create" };
  try {
    const { value: found } = await client.getLease({ namespace, name }, signal);
    const needed: readonly Right[] = [
      { ...lease, verb: "update", name },
      ...(found === undefined ? [{ ...lease, verb: "create" }] : []),
    ];
    const [mayTell, ...mayTake] = await Promise.all([event, ...needed].map((right) => client.mayI(right, signal)));
    const lacked = needed.find((_right, at) => mayTake[at] === false);
    return {
      missing: lacked && `not allowed to take the Lease (${noRight(lacked)})`,
      note: mayTell === false ? `it would write no Event (${noRight(event)})` : undefined,
    };
  } catch {
    // A cluster may keep its accounts from asking; then only a live run finds out.
    signal.throwIfAborted();
    return { missing: undefined, note: "the rights to the Lease and to Events were not checked" };
  }
}

/** "no right to create pods/eviction in namespace shop" */
export function noRight({ verb, resource, name, namespace }: Omit<Right, "group">): string {
  return `no right to ${verb} ${[resource, ...(name === undefined ? [] : [name])].join("/")} in namespace ${namespace}`;
}
