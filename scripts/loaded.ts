/**
 * Runs the tests on a machine that has more to do: `npm test`, five times in a row, with every core kept busy by stress-ng
 * (`npm run test:loaded`; `-- --runs 2`, `-- --load 3` for three busy processes a core). No test may depend on how long
 * anything takes, so each run must be as green as on a quiet machine.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

/** No run takes longer, whatever it waits for; in seconds. */
const LONGEST = 1_200;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "5" }, load: { type: "string", default: "1" } },
});
const [runs, load] = [Number(values.runs), Number(values.load)];
if (!(runs >= 1 && load >= 1)) throw new Error("--runs and --load are numbers of 1 or more");

const busy = String(Math.round(load * availableParallelism()));
// It ends by itself, should we be killed.
const stress = spawn("stress-ng", ["--quiet", "--cpu", busy, "--timeout", String(runs * LONGEST)], {
  stdio: ["ignore", "inherit", "inherit"],
});
await once(stress, "spawn").catch((error: unknown) => {
  throw new Error("stress-ng cannot be started (npm run tools)", { cause: error });
});

let failed = 0;
try {
  for (let run = 1; run <= runs; run += 1) {
    const begun = performance.now();
    const tests = spawn("npm", ["test"], { stdio: "inherit", timeout: LONGEST * 1_000 });
    const [code] = (await once(tests, "close")) as [number | null];
    if (code !== 0) failed += 1;
    const seconds = Math.round((performance.now() - begun) / 1_000);
    process.stdout.write(
      `run ${run} of ${runs}, ${busy} busy processes: ${code === 0 ? "green" : "FAILED"}, ${seconds} s\n`,
    );
  }
} finally {
  stress.kill();
}
process.stdout.write(`${runs - failed} of ${runs} runs were green\n`);
process.exitCode = failed > 0 ? 1 : 0;
