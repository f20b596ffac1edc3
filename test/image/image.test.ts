/** The container image: what is in it, and that it runs as the shipped CronJob runs it. */

import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { holdMetrics } from "../e2e/held-metrics.ts";
import { expectEnd } from "../e2e/product.ts";
import { missing as stageMissing, type Scene, type Stage, startStage } from "../e2e/scene.ts";
import { containerEnvironment, podSpecOf } from "../e2e/shipped.ts";
import { MOUNT_POINT, writeAccount } from "../harness/mounted-account.ts";
import { containersMissing } from "./base.ts";
import { buildImage, dockerArguments, type Image } from "./image.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const BASE = join(ROOT, "deploy/kubernetes/base");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const { spec: pod } = parse(readFileSync(join(BASE, "cronjob.yaml"), "utf8")).spec.jobTemplate.spec.template;
const missing = containersMissing();

const NODE = "/usr/local/bin/node";

/** Known to the container alone, so that it must be able to look a name up. */
const METRICS_HOST = "metrics.test";

/** As the image says, and as OpenShift runs it: a user that the image has never heard of, in the group of root. */
const USERS: readonly [who: string, user: string | undefined][] = [
  ["its own user", undefined],
  ["any user", "1000660000:0"],
];

describe.skipIf(missing)(`the container image${missing ? ` (${missing})` : ""}`, () => {
  let image: Image;
  beforeAll(async () => {
    image = await buildImage();
  });
  afterAll(() => image[Symbol.asyncDispose]());

  it("holds the runtime, its libraries, the bundle and the licence, and nothing else", () => {
    const libraries = image.files.filter((path) => /^(usr\/)?lib(64)?\/([\w-]+\/)?[\w.+-]+\.so(\.\d+)*$/.test(path));
    expect(libraries.length).toBeGreaterThan(0);
    const bundle = globSync("dist/**/*.{js,txt}", { cwd: ROOT }).map((path) => `opt/pod-rebalancer/${path}`);
    const rest = ["LICENSE", "package.json"].map((path) => `opt/pod-rebalancer/${path}`);
    const expected = [...libraries, ...bundle, ...rest, "etc/group", "etc/passwd", NODE.slice(1)];
    expect(image.files).toEqual(expected.toSorted());
  });

  it("has the bundle that the build makes here", async () => {
    const bundle = "dist/pod-rebalancer.js";
    expect(await image.read(`opt/pod-rebalancer/${bundle}`)).toBe(readFileSync(join(ROOT, bundle), "utf8"));
  });

  it("is small", () => {
    const [unpacked, compressed] = [image.unpackedBytes, image.compressedBytes].map((bytes) =>
      (bytes / 1e6).toFixed(1),
    );
    const sizes = `${unpacked} MB, ${compressed} MB compressed`;
    process.stdout.write(`the image: ${sizes}\n`);
    expect(image.unpackedBytes, sizes).toBeLessThan(145e6);
    expect(image.compressedBytes, sizes).toBeLessThan(60e6);
  });

  it("is what the manifests ask for: name, version, user", async () => {
    const { images } = parse(readFileSync(join(BASE, "kustomization.yaml"), "utf8"));
    expect(await dockerArguments()).toContain(`${images[0].name}:${images[0].newTag}`);
    const { runAsUser, runAsGroup } = pod.securityContext;
    expect(image.config).toMatchObject({
      User: `${runAsUser}:${runAsGroup}`,
      Labels: { "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0" },
    });
  });

  it.each(USERS)("gives %s no right to write, and no capability", async (_, user) => {
    const script = `
      const fs = require("node:fs");
      let written = "written";
      try { fs.writeFileSync("/written", ""); } catch ({ code }) { written = code; }
      const status = fs.readFileSync("/proc/self/status", "utf8");
      const [, capabilities, noNewPrivileges] = status.match(/CapBnd:\\s(\\w+)[^]*NoNewPrivs:\\s(\\d)/);
      const who = process.getuid() + ":" + process.getgid();
      console.log(JSON.stringify({ who, written, capabilities: Number(capabilities), noNewPrivileges }));`;
    const { stdout, stderr } = await image.start(["-e", script], { entrypoint: NODE, user }).ended;
    const seen = { who: user ?? "65532:65532", written: "EROFS", capabilities: 0, noNewPrivileges: "1" };
    expect(JSON.parse(stdout || "{}"), stderr).toEqual(seen);
  });

  it.each([
    ["--version", new RegExp(`^${version}\n$`)],
    ["--help", /Usage: pod-rebalancer run\|plan\|demo/],
  ])("answers %s", async (flag, expected) => {
    const { exitCode, stdout, stderr } = await image.start([flag]).ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(expected);
  });

  it.each(USERS)("shows the demo without a network, as %s", async (_, user) => {
    const { exitCode, stdout, stderr } = await image.start(["demo"], { user }).ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/is replaced: 8 pods are Ready/);
  });

  it("refuses wrong settings with exit code 2", async () => {
    const { exitCode, stderr } = await image.start(["run"], { env: { DRY_RUN: "yes" } }).ended;
    expect([exitCode, stderr]).toEqual([2, 'pod-rebalancer: DRY_RUN is "yes", expected exactly true or false\n']);
  });

  describe.skipIf(stageMissing)(`on a real control plane${stageMissing ? ` (${stageMissing})` : ""}`, () => {
    let stage: Stage;
    let scene: Scene;
    beforeAll(async () => {
      stage = await startStage();
      scene = await stage.scene({ folder: "base" });
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    /** As a kubelet would start the CronJob's container, on the network of this machine. */
    async function startJob(options: { user?: string | undefined; env?: Readonly<Record<string, string>> } = {}) {
      const spec = podSpecOf(scene.manifests);
      const account = await writeAccount(stage.plane, scene.namespace, spec.serviceAccountName);
      const environment = await containerEnvironment(stage.plane, spec, scene.namespace);
      const mebibytes = parseInt(pod.containers[0].resources.limits.memory, 10);
      return image.start([...spec.containers[0]!.args, "--output", "json"], {
        ...options,
        env: { ...environment, ...account.env, ...options.env },
        flags: [
          "--network=host",
          `--volume=${account.directory}:${MOUNT_POINT}:ro`,
          `--memory=${mebibytes}m`,
          `--add-host=${METRICS_HOST}:127.0.0.1`,
        ],
      });
    }

    it.each(USERS)("makes the CronJob's dry run as %s", async (_, user) => {
      const { port } = new URL(stage.prometheus.url);
      const env = { PROMETHEUS_ENDPOINT: `http://${METRICS_HOST}:${port}` };
      const run = await startJob({ env, user });
      const { decision } = expectEnd(await run.ended, 0, "would_rotate");
      expect(decision).toMatchObject({ action: "rotate" });
    });

    it("makes a plan with a kubeconfig that is mounted, as the user whose file it is", async () => {
      const env = await containerEnvironment(stage.plane, podSpecOf(scene.manifests), scene.namespace);
      const { exitCode, stdout, stderr } = await image.start(["plan"], {
        // Podman's root is whoever runs the test.
        user: "0:0",
        env: { ...env, KUBECONFIG: "/kubeconfig" },
        flags: ["--network=host", `--volume=${scene.kubeconfig}:/kubeconfig:ro`],
      }).ended;
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toMatch(/^ROTATE /m);
    });

    it("ends when it is told to, although it is the container's first process", async () => {
      await using metrics = await holdMetrics(stage.prometheus.url);
      const run = await startJob({ env: { PROMETHEUS_ENDPOINT: metrics.url } });
      await metrics.asked;
      run.signal("SIGTERM");
      expectEnd(await run.ended, 1, "interrupted");
    });
  });
});
