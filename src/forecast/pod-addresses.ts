import { canonicalAddress } from "../kafka/ip-address.ts";
import type { PodInfo } from "../types.ts";

/**
 * Says whose an address is, however it is written: the pod's that has it, of a dual-stack pod either; nobody's where several pods
 * have it (`hostNetwork`).
 *
 * @param pods - that have not finished: a finished one keeps the address that another has got.
 */
export function podAddresses(
  pods: readonly Pick<PodInfo, "name" | "ip" | "otherIps">[],
): (address: string | undefined) => string | undefined {
  const owners = new Map<string, Set<string>>();
  for (const { name, ip = "", otherIps = [] } of pods) {
    for (const address of [ip, ...otherIps].flatMap((one) => canonicalAddress(one) ?? [])) {
      owners.set(address, (owners.get(address) ?? new Set()).add(name));
    }
  }
  return (address) => {
    const [pod, another] = owners.get(canonicalAddress(address ?? "") ?? "") ?? [];
    return another === undefined ? pod : undefined;
  };
}
