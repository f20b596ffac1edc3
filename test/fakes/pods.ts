import type { PodInfo } from "../../src/types.ts";

const CREATED = new Date("2026-02-28T12:00:00Z");

/** Ready pods of one Deployment, the n-th with the address 10.0.0.n. */
export function podsNamed(names: readonly string[], bootSeconds = 8): PodInfo[] {
  return names.map((name, at) => ({
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    controller: { kind: "ReplicaSet", name: "orders-5d8f7c9b", uid: "rs-1" },
    namePrefix: "orders-5d8f7c9b-",
    node: "node-1",
    ip: `10.0.0.${at}`,
    created: CREATED,
    terminating: false,
    readySince: new Date(CREATED.getTime() + bootSeconds * 1_000),
    exempt: false,
    graceSeconds: 30,
  }));
}
