/**
 * What `examples/docker-compose.yml` starts, started by hand: that needs no container engine. Debian's servers, which are older, take the
 * place of the images.
 */

import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { endProducts } from "../faults/product.ts";
import { startScene } from "../faults/scene.ts";
import { type Receiver, startServer } from "../harness/alerting.ts";
import { waitFor } from "../harness/processes.ts";
import { findProgram } from "../harness/prometheus.ts";
import { RULES } from "./alert-rules.ts";
import { missing } from "./engines.ts";

const FOLDER = join(import.meta.dirname, "../../examples");
const PATIENCE_MILLIS = 30_000;

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  /** "./host:/container:ro" */
  readonly volumes?: readonly string[];
  /** "/container:options" */
  readonly tmpfs?: readonly string[];
  /** "127.0.0.1:host:container" */
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly build?: { readonly context: string };
  readonly environment?: Readonly<Record<string, string>>;
}

const COMPOSE = parse(readFileSync(join(FOLDER, "docker-compose.yml"), "utf8"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
};
const SERVICES = Object.entries(COMPOSE.services);

/** Those of the Compose specification that the file needs; a misspelt one would be refused. */
const KEYS =
  /^(build|cap_drop|command|environment|image|network_mode|ports|profiles|read_only|security_opt|tmpfs|user|volumes)$/;

/** By image: Debian's program, and where it says that it is ready. */
const PROGRAMS = {
  "prom/pushgateway": ["prometheus-pushgateway", "/-/ready"],
  "prom/alertmanager": ["prometheus-alertmanager", "/-/ready"],
  "prom/prometheus": ["prometheus", "/-/ready"],
} as const;

function partsOf(joined: string): [string, string] {
  const [first = "", second = ""] = joined.split(":");
  return [first, second];
}

/** Replaces the addresses of the file by those where the servers are. */
type Readdress = (text: string) => string;

/** Starts what the container of a service would, with its files and folders under a folder instead of under `/`. */
async function startByHand(name: string, service: Service, readdress: Readdress): Promise<Receiver> {
  const [image] = partsOf(service.image);
  const [program, readyPath] = PROGRAMS[image as keyof typeof PROGRAMS];
  return await startServer(name, readyPath, async (listen, root) => {
    for (const volume of service.volumes ?? []) {
      const [from, to] = partsOf(volume);
      await mkdir(dirname(join(root, to)), { recursive: true });
      await writeFile(join(root, to), readdress(await readFile(join(FOLDER, from), "utf8")));
    }
    for (const folder of service.tmpfs ?? []) await mkdir(join(root, partsOf(folder)[0]), { recursive: true });
    const args = (service.command ?? []).map((arg) => arg.replace("=/", `=${root}/`));
    return { program: findProgram(program), args: [...args, `--web.listen-address=${listen}`] };
  });
}

describe("examples/docker-compose.yml", () => {
  it.each(SERVICES)("says of %s only what Compose knows, and mounts only what is there, to be read", (_, service) => {
    for (const key of Object.keys(service)) expect(key).toMatch(KEYS);
    const mounted = [...(service.volumes ?? []).map((volume) => partsOf(volume)[0]), service.build?.context ?? "."];
    for (const path of mounted) expect(existsSync(join(FOLDER, path)), path).toBe(true);
    for (const volume of service.volumes ?? []) expect(volume).toMatch(/:ro$/);
  });

  it.each(SERVICES)("pins and confines %s, and shows it to this machine only", (_, service) => {
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/);
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it("starts everything but the product by itself", () => {
    const started = SERVICES.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    expect(started.toSorted()).toEqual(["alertmanager", "prometheus", "pushgateway"]);
  });
});

describe.skipIf(missing)(`what examples/docker-compose.yml starts${missing ? ` (${missing})` : ""}`, () => {
  const stack = new AsyncDisposableStack();
  /** By the addresses that the file has for them: from service to service, and from outside. */
  const addresses = new Map<string, string>();
  const readdress: Readdress = (text) =>
    [...addresses].reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
  const servers: Record<string, Receiver> = {};

  beforeAll(async () => {
    for (const name of ["pushgateway", "alertmanager", "prometheus"]) {
      const service = COMPOSE.services[name]!;
      const server = stack.use(await startByHand(name, service, readdress));
      const [, host, container] = service.ports![0]!.split(":");
      addresses.set(`${name}:${container}`, new URL(server.url).host);
      addresses.set(`127.0.0.1:${host}`, new URL(server.url).host);
      servers[name] = server;
    }
  });
  afterAll(async () => {
    endProducts();
    await stack.disposeAsync();
  });

  /** What Prometheus' API says, once it is what is asked for. */
  async function ask<Data>(path: string, good: (data: Data) => boolean): Promise<Data> {
    return await waitFor(
      path,
      async () => {
        const reply = await fetch(`${servers["prometheus"]!.url}/api/v1/${path}`);
        const { data } = (await reply.json()) as { data: Data };
        return good(data) && data;
      },
      PATIENCE_MILLIS,
    );
  }

  it("shows a dry run's metrics in Prometheus", async () => {
    await using scene = await startScene();
    const environment = Object.entries(COMPOSE.services["pod-rebalancer"]!.environment!);
    const settings = Object.fromEntries(environment.map(([name, value]) => [name, readdress(value)]));
    // These two are the cluster's, and here the scene's.
    const { KUBECONFIG, PROMETHEUS_ENDPOINT, ...others } = settings;
    expect([KUBECONFIG, PROMETHEUS_ENDPOINT]).toEqual(["/kubeconfig", "http://127.0.0.1:9090"]);
    const ended = await scene.run(["run"], others);
    expect(ended, ended.stderr).toMatchObject({ exitCode: 0, reason: "would_rotate" });
    expect(ended.lines.filter(({ level }) => level === "warn")).toEqual([]);
    const { result } = await ask<{ result: { metric: Record<string, string> }[] }>(
      "query?query=rebalancer_last_success_timestamp_seconds",
      (data) => data.result.length > 0,
    );
    expect(result.map(({ metric }) => metric)).toMatchObject([{ job: "pod-rebalancer", namespace: "shop" }]);
  });

  it("evaluates the shipped alerts", async () => {
    type Rules = { groups: { rules: { name: string; health: string }[] }[] };
    const rulesOf = ({ groups }: Rules) => groups.flatMap(({ rules }) => rules);
    const evaluated = await ask<Rules>("rules", (data) => rulesOf(data).every(({ health }) => health !== "unknown"));
    const shipped = parse(readFileSync(RULES, "utf8")) as {
      groups: { rules: { alert: string }[] }[];
    };
    const expected = shipped.groups.flatMap(({ rules }) => rules.map(({ alert }) => ({ name: alert, health: "ok" })));
    expect(rulesOf(evaluated)).toMatchObject(expected);
  });

  it("sends them to the Alertmanager", async () => {
    type Known = { activeAlertmanagers: { url: string }[] };
    const { activeAlertmanagers } = await ask<Known>("alertmanagers", (data) => data.activeAlertmanagers.length > 0);
    expect(activeAlertmanagers).toEqual([{ url: `${servers["alertmanager"]!.url}/api/v2/alerts` }]);
  });
});
