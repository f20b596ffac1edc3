import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { failureOf } from "./status.ts";

const NO = { kind: "Status", apiVersion: "v1", status: "Failure", code: 403, reason: "Forbidden", message: "no" };

function told(status: number, body: unknown) {
  return failureOf({ status, body: typeof body === "string" ? body : JSON.stringify(body) });
}

describe("the API server's word of a failure", () => {
  it("is a Status of it, with what it is about and its causes", () => {
    const causes = [{ reason: "DisruptionBudget", message: "full" }];
    expect(told(403, { ...NO, details: { kind: "pods", name: "orders-1", causes: [...causes, null, "x"] } })).toEqual({
      code: 403,
      reason: "Forbidden",
      message: "no",
      kind: "pods",
      name: "orders-1",
      causes,
    });
  });

  it("may say as little as its code", () => {
    const { kind, status, code } = NO;
    const nothing = { reason: "", message: "", kind: undefined, name: undefined, causes: [] };
    expect(told(403, { kind, status, code })).toEqual({ code: 403, ...nothing });
    expect(told(403, { ...NO, reason: 1, message: {}, details: null })).toEqual({ code: 403, ...nothing });
    expect(told(403, { ...NO, reason: 1, message: {}, details: { name: 1, causes: {} } })).toMatchObject(nothing);
  });

  it.each<[string, unknown]>([
    ["nothing", ""],
    ["a page", "<html>403</html>"],
    ["half of one", JSON.stringify(NO).slice(0, -5)],
    ["null", null],
    ["a list of them", [NO]],
    ["another kind", { ...NO, kind: "Error" }],
    ["one of success", { ...NO, status: "Success" }],
    ["one of nothing", { ...NO, status: undefined }],
    ["one of another code", { ...NO, code: 429 }],
    ["one without a code", { ...NO, code: undefined }],
    ["one whose code is a text", { ...NO, code: "403" }],
  ])("is not %s", (_name, body) => {
    expect(told(403, body)).toBeUndefined();
  });

  it("is not there where there was no reply", () => {
    expect(failureOf(undefined)).toBeUndefined();
  });

  it("is read from any reply without a fault, and never from one of another code", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.json(), fc.string()), (status, body) => {
        expect([undefined, status]).toContain(failureOf({ status, body })?.code);
      }),
    );
  });
});
