/** Bundles the product into dist/: one file for a plain run, and chunks for what is loaded only when it is needed. */

import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

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

const KAFKA_CLIENT = /[\\/]node_modules[\\/]@platformatic[\\/]kafka[\\/]/;

/** What the Kafka client asks for at its start, and we never use: the schemas of its other clients, and a log. */
const STAND_INS: Readonly<Record<string, string>> = {
  "ajv/dist/2020.js": "export class Ajv2020 { addKeyword() {} compile() {} }",
  debug: "export default () => () => {}",
};

/**
 * Takes of the Kafka client only the modules that we use, those of its requests: it does not say of the others that they do nothing
 * by themselves. That leaves out its larger clients and compression, and with them a WebAssembly file and a native module.
 */
const kafkaClient: Plugin = {
  name: "kafka-client",
  setup(bundle) {
    bundle.onResolve({ filter: /^(\.|debug$|ajv\/)/ }, ({ path, importer, resolveDir }) => {
      if (!KAFKA_CLIENT.test(importer)) return undefined;
      if (path.startsWith(".")) return { path: join(resolveDir, path), sideEffects: false };
      return Object.hasOwn(STAND_INS, path) ? { path, namespace: "stand-in", sideEffects: false } : undefined;
    });
    bundle.onLoad({ filter: /.*/, namespace: "stand-in" }, ({ path }) => ({ contents: STAND_INS[path] ?? "" }));
  },
};

export const BUNDLE = {
  entryPoints: { "pod-rebalancer": "src/main.ts" },
  outdir: "dist",
  plugins: [builtinModules, kafkaClient],
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
