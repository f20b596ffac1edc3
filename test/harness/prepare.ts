/**
 * Builds and fetches whatever the suites need and no package manager of the system brings (`npm run build:harness`), so that no test
 * waits for a compiler or a registry. What is in the cache already stays as it is.
 */

import { nodeImage } from "../image/base.ts";
import { ensureTool, TOOLS } from "./build.ts";
import { goldenVectorsCommand } from "./java-assignors.ts";
import { ensureKafka, javaConsumerCommand, pythonCommand } from "./kafka.ts";
import { ensureLibrdkafkaVectors } from "./librdkafka.ts";

/** One at a time: two Go builds at once need more memory than a small machine has. */
const STEPS: readonly (readonly [what: string, make: () => Promise<unknown>])[] = [
  ...TOOLS.map((tool) => [tool, () => ensureTool(tool)] as const),
  ["Kafka's class path", ensureKafka],
  ["the Java consumer", javaConsumerCommand],
  ["the program that asks Java's assignors", goldenVectorsCommand],
  ["the program that asks librdkafka's assignors", ensureLibrdkafkaVectors],
  ["the Python clients", () => pythonCommand("consumer.py")],
  ["the base of the image", nodeImage],
];

for (const [what, make] of STEPS) {
  const begun = performance.now();
  try {
    await make();
    process.stdout.write(`${what}: ${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
  } catch (thrown) {
    process.stderr.write(`${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exitCode = 1;
  }
}
