/** The golden vectors are what the real assignors say: a random hundredth of them is asked for again. */

import { randomInt } from "node:crypto";

import { describe, expect, it } from "vitest";

import { askAssignor, assignorsMissing } from "../harness/java-assignors.ts";
import { goldenLines } from "./java-golden.ts";

const missing = await assignorsMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: the golden vectors: ${missing}\n`);

describe.skipIf(missing !== undefined)("the golden vectors of the Java client and of the coordinator", () => {
  it.concurrent.each(["range", "round-robin", "sticky", "cooperative-sticky", "kip848-range", "kip848-uniform"])(
    "%s: is written again",
    async (assignor) => {
      const lines = goldenLines(assignor);
      const count = Math.ceil(lines.length / 100);
      const from = randomInt(lines.length - count + 1);
      expect(await askAssignor(assignor, from, count), `from ${from}`).toEqual(lines.slice(from, from + count));
    },
  );
});
