/**
 * What the benchmark of decisions measures rests on what the assignors' models answer. Here every answer that a row rests on is
 * asked of the real assignor.
 */

import { describe, expect, it } from "vitest";

import { DEFAULT_FLAGS, type Flags, settingsOf } from "../../bench/decisions/flags.ts";
import { runRow } from "../../bench/decisions/row.ts";
import type { Assignor } from "../../src/kafka/assignors/assignor.ts";
import { answersTo, assignorsMissing } from "../harness/java-assignors.ts";
import { answered, lineOf } from "./java-golden.ts";

const missing = await assignorsMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: the outcomes of the benchmark: ${missing}\n`);

/** More by hand, to hold all that a published row rests on against the real assignor. */
const STATES = process.env["OUTCOME_STATES"] ?? "40";

const UNKNOWN = { order: "unknown", "rate-error": "0.2" } as const;

const ROWS: readonly Partial<Flags>[] = [
  { ...UNKNOWN, policy: "balanced", topics: "2" },
  { ...UNKNOWN, policy: "top-2-bottom-2", topics: "2" },
  { ...UNKNOWN, policy: "forecast" },
  // It also looks at pairs in turn.
  { policy: "forecast", learned: "3" },
];

describe.skipIf(missing !== undefined)("what a row rests on", () => {
  it.concurrent.each([
    ["range", "java-range"],
    ["round-robin", "java-roundrobin"],
    ["sticky", "java-sticky"],
    ["cooperative-sticky", "java-cooperative-sticky"],
  ] as const)("is what the Java client's %s assignor answers", async (real, assignor) => {
    const asked = new Map<string, string>();
    for (const row of ROWS) {
      const settings = settingsOf({ ...DEFAULT_FLAGS, gate: "off", ...row, assignor, states: STATES });
      const { protocol } = settings;
      const assign: Assignor = (partitions, members) => {
        const line = lineOf({ partitions, members });
        asked.set(line, answered(line, protocol.assign));
        return protocol.assign(partitions, members);
      };
      await runRow({ ...settings, protocol: { ...protocol, assign } });
    }
    expect(asked.size).toBeGreaterThan(200);
    expect(await answersTo(real, [...asked.keys()])).toEqual([...asked.values()]);
  });
});
