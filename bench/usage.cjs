/**
 * Loaded into every measured process with `--require`: says at its end, on file descriptor 3, what the process has used. Plain
 * CommonJS, because an ES module or TypeScript would bring a loader along that `node -e 0` does not load.
 */

const { readFileSync, writeSync } = require("node:fs");

process.on("exit", () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  // Not `maxRSS`: to it Linux adds the peak of the process that forked this one.
  const peakKibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  writeSync(
    3,
    JSON.stringify({ cpuMillis: (userCPUTime + systemCPUTime) / 1_000, peakMebibytes: peakKibibytes / 1_024 }),
  );
});
