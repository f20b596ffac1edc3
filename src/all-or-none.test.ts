import { describe, expect, it } from "vitest";

import { allOrNone } from "./all-or-none.ts";

const NEVER = new AbortController().signal;

/** Ends only when it is told to. */
function patient(abort: AbortSignal, ended: string[], name: string): Promise<never> {
  return new Promise((_resolve, reject) => {
    abort.addEventListener("abort", () => {
      ended.push(name);
      reject(new Error(`${name} was told to end`));
    });
  });
}

describe("all or none", () => {
  it("gives what all come to, in their order", async () => {
    expect(await allOrNone(() => [Promise.resolve(1), Promise.resolve("two")] as const, NEVER)).toEqual([1, "two"]);
  });

  it("throws what failed first, once the others were told to end and have ended", async () => {
    const ended: string[] = [];
    const failing = allOrNone(
      (abort) => [patient(abort, ended, "a"), Promise.reject(new Error("b failed")), patient(abort, ended, "c")],
      NEVER,
    );
    await expect(failing).rejects.toThrow("b failed");
    expect(ended).toEqual(["a", "c"]);
  });

  it("ends with the caller's signal", async () => {
    const ended: string[] = [];
    const caller = new AbortController();
    const waiting = allOrNone((abort) => [patient(abort, ended, "a")], caller.signal);
    caller.abort();
    await expect(waiting).rejects.toThrow("a was told to end");
  });
});
