import { describe, expect, it } from "vitest";

import { podAddresses } from "./pod-addresses.ts";

describe("the pod that has an address", () => {
  const podAt = podAddresses([
    { name: "a", ip: "10.0.0.1", otherIps: ["fd00::1"] },
    { name: "b", ip: "fd00::2" },
    { name: "c", ip: undefined },
    { name: "d", ip: "10.0.0.9" },
    { name: "e", ip: "10.0.0.8", otherIps: ["::ffff:10.0.0.9", "10.0.0.8"] },
  ]);

  it.each([
    ["10.0.0.1", "a"],
    ["/fd00:0:0:0:0:0:0:1", "a"],
    ["FD00::0002", "b"],
    ["10.0.0.8", "e"],
    ["10.0.0.9", undefined],
    ["10.0.0.7", undefined],
    ["", undefined],
    ["/", undefined],
    [undefined, undefined],
  ])("%s is %s", (address, pod) => {
    expect(podAt(address)).toBe(pod);
  });
});
