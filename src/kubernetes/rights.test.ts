import { describe, expect, it } from "vitest";

import { fakeClient } from "../../test/fakes/kubernetes-client.ts";
import { RebalancerError } from "../errors.ts";
import type { Right } from "./client.ts";
import { liveRights } from "./rights.ts";

const NEVER = new AbortController().signal;
const WORKLOAD = { kind: "Deployment", namespace: "shop", name: "orders", uid: "w" } as const;
const AT = new Date("2026-03-01T12:00:00Z");
const LEASE = "pod-rebalancer-deployment-orders";

/** An account that lacks these. */
function without(lacked: readonly string[], leased = true) {
  const asked: string[] = [];
  const client = fakeClient({
    getLease: async () => ({ value: leased ? { kind: "Lease" } : undefined, at: AT }),
    async mayI({ verb, resource, group, name = "" }: Right) {
      asked.push(`${verb} ${resource}.${group} ${name}`);
      return !lacked.includes(`${verb} ${resource}`);
    },
  });
  return { client, asked };
}

async function forbidden(): Promise<never> {
  throw new RebalancerError("FORBIDDEN", "no");
}

describe("what a live run would need", () => {
  it.each<[string, readonly string[], boolean, string | undefined, string | undefined]>([
    ["nothing is missing", [], true, undefined, undefined],
    [
      "the Lease cannot be changed",
      ["update leases"],
      true,
      `not allowed to take the Lease (no right to update leases/${LEASE} in namespace shop)`,
      undefined,
    ],
    [
      "the Lease cannot be made",
      ["create leases"],
      false,
      "not allowed to take the Lease (no right to create leases in namespace shop)",
      undefined,
    ],
    ["the Lease cannot be made, and need not be", ["create leases"], true, undefined, undefined],
    [
      "no Event can be written",
      ["create events"],
      true,
      undefined,
      "it would write no Event (no right to create events in namespace shop)",
    ],
  ])("%s", async (_name, lacked, leased, missing, note) => {
    expect(await liveRights(WORKLOAD, without(lacked, leased).client, NEVER)).toEqual({ missing, note });
  });

  it("is asked of exactly the Role's rights", async () => {
    const { client, asked } = without([], false);
    await liveRights(WORKLOAD, client, NEVER);
    expect(asked).toEqual([
      "create events. ",
      `update leases.coordination.k8s.io ${LEASE}`,
      "create leases.coordination.k8s.io ",
    ]);
  });

  it("is not known where nobody may ask", async () => {
    const { client } = without([]);
    const note = "the rights to the Lease and to Events were not checked";
    expect(await liveRights(WORKLOAD, { ...client, mayI: forbidden }, NEVER)).toEqual({ missing: undefined, note });
  });

  it("is not asked on where the run was told to stop", async () => {
    const reason = new RebalancerError("CANCELLED", "stop");
    const { client } = without([]);
    const getLease = () => Promise.reject(reason);
    await expect(liveRights(WORKLOAD, { ...client, getLease }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
