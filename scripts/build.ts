/** Bundles the product into dist/: one file for a plain run, and chunks for what is loaded only when it is needed. */

import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { build, type BuildOptions, type Plugin } from "esbuild";

import { bundledPackages, licenceTexts } from "./licences.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/**
 * Asks for Node's own modules instead of importing them: an import reads all that a module exports, and with `WebSocket` of
 * `node:http` that loads the whole of Node's `fetch`, a tenth of what a small run costs.
 */
const builtinModules: Plugin = {
  name: "builtin-modules",
  setup(bundle) {
    bundle.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin", sideEffects: false }));
    bundle.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }));
  },
};

export const BUNDLE = {
  entryPoints: { "pod-rebalancer": "src/main.ts" },
  outdir: "dist",
  plugins: [builtinModules],
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node22",
  minify: true,
  keepNames: true,
  metafile: true,
  define: { "process.env.POD_REBALANCER_VERSION": JSON.stringify(version) },
  // Some dependencies are CommonJS and ask for `require` at run time.
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`,
  },
  // Besides the licences of the packages: what they have from others says so only in its comments.
  legalComments: "linked",
  logLevel: "warning",
} as const satisfies BuildOptions;

if (import.meta.main) {
  rmSync("dist", { recursive: true, force: true });
  const { metafile } = await build(BUNDLE);
  writeFileSync("dist/THIRD-PARTY-LICENSES.txt", licenceTexts(bundledPackages(metafile)));
  chmodSync("dist/pod-rebalancer.js", 0o755);
}
