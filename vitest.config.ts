import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const seconds = 1_000;

/** Where to write the results for a machine to count; only to the terminal when it is not set. */
const results = process.env["TEST_RESULTS"];

/** The fault suites take the longest by far: last, they would keep one core busy while the others have nothing to do. */
class FaultsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const [faults, others] = [true, false].map((wanted) =>
      sorted.filter(({ moduleId }) => moduleId.includes("/test/faults/") === wanted),
    );
    return [...(faults ?? []), ...(others ?? [])];
  }
}

/**
 * The suites, as docs/development.md describes them; `npm test` runs `unit` and `faults`.
 *
 * No time-out says how long anything may take: each is far longer than its tests take on a machine with ten times as much to do.
 */
export default defineConfig({
  test: {
    reporters: ["default", ...(results ? [["json", { outputFile: results }] as ["json", object]] : [])],
    sequence: { sequencer: FaultsFirst },
    // Much of it waits: three files at once also where there are but two cores.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts", "test/contract/**/*.test.ts"],
          testTimeout: 120 * seconds,
          // No test replaces modules or changes globals: what is imported once serves all files of a worker.
          isolate: false,
        },
      },
      { extends: true, test: { name: "faults", include: ["test/faults/**/*.test.ts"], testTimeout: 240 * seconds } },
      {
        extends: true,
        test: {
          name: "engines",
          include: ["test/engines/**/*.test.ts"],
          testTimeout: 180 * seconds,
          hookTimeout: 180 * seconds,
        },
      },
      {
        extends: true,
        // The client may have to be fetched first.
        test: { name: "kafka", include: ["test/kafka/**/*.test.ts"], testTimeout: 60 * seconds },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180 * seconds,
          hookTimeout: 900 * seconds,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "image",
          include: ["test/image/**/*.test.ts"],
          testTimeout: 60 * seconds,
          // A base image that is not there yet is made, and the control plane compiled.
          hookTimeout: 900 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "loop",
          include: ["test/loop/**/*.test.ts"],
          testTimeout: 300 * seconds,
          // What is not in the cache yet is fetched, and the control plane compiled.
          hookTimeout: 900 * seconds,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "fuzz",
          include: ["test/fuzz/**/*.test.ts"],
          testTimeout: 900 * seconds,
          // So that memory that grows is what is kept, and not room that V8 makes for itself.
          execArgv: ["--max-semi-space-size=4"],
        },
      },
      { extends: true, test: { name: "slow", include: ["test/slow/**/*.test.ts"], testTimeout: 3_600 * seconds } },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts"],
      reporter: ["text", "html"],
      thresholds: { statements: 90, lines: 90, functions: 90, branches: 85 },
    },
  },
});
