import { type Reason, REASONS } from "../../src/reasons.ts";
import { expectSafeRuns } from "../any-run.ts";

export const HALF_A_MILLION = 500_000;

/** The first two are those of a dry run; no time passes while a run plans on virtual time. */
const UNREACHED: ReadonlySet<Reason> = new Set<Reason>(["would_rotate", "not_allowed", "planning_timeout"]);

/** @returns the reasons for which none of the runs ended, though a live run can. */
export async function expectAllEndings(cases: number): Promise<readonly string[]> {
  const endings = await expectSafeRuns(cases);
  return (Object.keys(REASONS) as Reason[]).filter((reason) => !endings.has(reason) && !UNREACHED.has(reason));
}
