import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { canonicalAddress } from "./ip-address.ts";

describe("an IP address", () => {
  it.each([
    ["/10.0.0.7", "10.0.0.7"],
    ["10.0.0.7", "10.0.0.7"],
    ["/fd00:0:0:0:0:0:a:7", "fd00::a:7"],
    ["FD00::000A:0007", "fd00::a:7"],
    ["[fd00::a:7]", "fd00::a:7"],
    ["fe80:0:0:0:0:0:0:1%eth0", "fe80::1"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["0:0:0:0:0:ffff:a00:7", "10.0.0.7"],
    ["kafka-client.shop.svc", "kafka-client.shop.svc"],
    ["not:an:address", "not:an:address"],
    ["", undefined],
    ["/", undefined],
  ])("%s is %s", (written, canonical) => {
    expect(canonicalAddress(written)).toBe(canonical);
  });

  it("is the same however it is written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const once = canonicalAddress(address)!;
        expect(canonicalAddress(once)).toBe(once);
        expect(canonicalAddress(`/${address.toUpperCase()}`)).toBe(once);
      }),
    );
  });
});
