import { describe, expect, it } from "vitest";

import { groupOf, reportOf, UNEVEN } from "../../test/fakes/report.ts";
import { errorFields } from "../error-fields.ts";
import { RebalancerError } from "../errors.ts";
import type { Narrator } from "../ports.ts";
import type { RunReport } from "../types.ts";
import { maskedError, maskedNarrator, maskedSinks } from "./exits.ts";
import { createMasker, type Masker } from "./masker.ts";

const TOKEN = "t0ken-4711-0815";

function maskerOf(...secrets: string[]): Masker {
  const masker = createMasker();
  masker.learn(secrets);
  return masker;
}

/** What a sink is given of a report. */
async function shown(report: RunReport, masker = maskerOf(TOKEN)): Promise<RunReport> {
  const given: RunReport[] = [];
  const sink = { failure: "", write: async (one: RunReport) => void given.push(one) };
  for (const one of maskedSinks([sink, sink], masker)) await one.write(report, new AbortController().signal);
  expect(given[0]).toBe(given[1]);
  return given[0] as RunReport;
}

describe("a report on its way out", () => {
  it("has no secret in any text, however deep", async () => {
    const report = reportOf(groupOf(UNEVEN));
    const planted = {
      ...report,
      detail: `it said ${TOKEN}`,
      planted: new Map([[TOKEN, { of: new Set([[`%74${TOKEN.slice(1)}`]]) }]]),
    };
    const { detail, planted: deep } = (await shown(planted)) as typeof planted;
    expect(detail).toBe("it said …");
    expect(deep).toEqual(new Map([["…", { of: new Set([["…"]]) }]]));
  });

  it("is the same where there is none", async () => {
    const report = { ...reportOf(groupOf(UNEVEN)), detail: "\u001b[31mred" };
    expect(await shown(report)).toEqual(report);
  });

  it("keeps the words by which it is looked up, be they secrets of somebody or not", async () => {
    const report = reportOf(groupOf(UNEVEN));
    expect((await shown(report, maskerOf(report.reason))).reason).toBe(report.reason);
  });

  it("keeps the address of the workload, and shows no secret in the kind of anything else", async () => {
    const workload = { kind: "Deployment", namespace: "shop", name: TOKEN, uid: "1" };
    const planted = { ...reportOf(groupOf(UNEVEN)), planted: { workload, kind: TOKEN } };
    expect(((await shown(planted)) as typeof planted).planted).toEqual({ workload, kind: "…" });
  });

  it("has an error with its code, advice and causes, and no secret in them", async () => {
    const cause = new Error(`cause ${TOKEN}`);
    const error = new RebalancerError("FORBIDDEN", `got \u001b[0m${TOKEN}`, { cause, advice: "Ask." });
    const { error: told } = await shown({ ...reportOf(groupOf(UNEVEN)), error });
    expect(told).toMatchObject({ code: "FORBIDDEN", advice: "Ask.", message: "got …" });
    expect(`${String(told?.stack)} ${String(told?.cause)}`).not.toContain(TOKEN);
    expect(told?.stack).toContain("exits.test.ts");
  });
});

it("an error keeps each of its causes once", () => {
  const error = new Error("one", { cause: new Error("two", { cause: new Error(`three ${TOKEN}`) }) });
  expect(errorFields(maskedError(error, maskerOf(TOKEN)))).toMatchObject({
    message: "one",
    causes: ["two", "three …"],
  });
});

it("an error whose causes go round in a ring ends all the same", () => {
  const error = new Error(TOKEN);
  error.cause = error;
  expect(maskedError(error, maskerOf(TOKEN))).toMatchObject({ code: "INTERNAL", message: "…" });
});

it("the log is told no secret, in a sentence or a field", () => {
  const told: unknown[] = [];
  const tell = (...line: unknown[]) => void told.push(line);
  const narrator: Narrator = { debug: tell, info: tell, warn: tell, error: tell };
  const masked = maskedNarrator(narrator, maskerOf(TOKEN));
  masked.info(`with t0k\u001b[1men-4711-0815`, { step: "fetch", ms: 5, who: [TOKEN], error: new Error(TOKEN) });
  masked.info("without");
  expect(told).toEqual([
    ["with …", { step: "fetch", ms: 5, who: ["…"], error: expect.objectContaining({ message: "…" }) }],
    ["without", undefined],
  ]);
});
