/** Bundles the product into dist/: one file for a plain run, and chunks for what is loaded only when it is needed. */

import { chmodSync, readFileSync, rmSync } from "node:fs";

import { build } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: { "pod-rebalancer": "src/main.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node22",
  minify: true,
  keepNames: true,
  define: { "process.env.POD_REBALANCER_VERSION": JSON.stringify(version) },
  // Some dependencies are CommonJS and ask for `require` at run time.
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`,
  },
  legalComments: "linked",
  logLevel: "warning",
});
chmodSync("dist/pod-rebalancer.js", 0o755);
