import { type Reason, REASONS } from "../../src/reasons.ts";
import { expectSafeRuns } from "../any-run.ts";

export const HALF_A_MILLION = 500_000;

/** Only a dry run ends so. */
const DRY: ReadonlySet<Reason> = new Set<Reason>(["would_rotate", "not_allowed"]);

/** @returns the reasons for which none of the runs ended, though a live run can. */
export async function expectAllEndings(cases: number): Promise<readonly string[]> {
  const endings = await expectSafeRuns(cases);
  return (Object.keys(REASONS) as Reason[]).filter((reason) => !endings.has(reason) && !DRY.has(reason));
}
