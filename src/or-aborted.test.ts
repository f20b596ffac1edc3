import { describe, expect, it } from "vitest";

import { orAborted } from "./or-aborted.ts";

describe("orAborted", () => {
  it("does not wait for work when the signal has aborted already", async () => {
    const reason = new Error("told to stop");
    const never = new Promise<never>(() => {});
    await expect(orAborted(never, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
