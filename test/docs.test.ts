/** Holds the documentation and the manifests to the code. */

import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";

import { partsOf, PLACES, prometheusRule, renderParts, rightsTable, RULE, withParts } from "../scripts/docs.ts";
import { GUARDS } from "../scripts/guards.ts";
import { loadConfig } from "../src/config/load.ts";
import { type Option, OPTIONS } from "../src/config/options.ts";
import { ERRORS } from "../src/errors.ts";
import { leaseRef } from "../src/kubernetes/lease.ts";
import { metricsText } from "../src/logging/metrics.ts";
import { REASONS } from "../src/reasons.ts";
import { POLICY } from "./fakes/policy.ts";
import { EVEN, groupOf, reportOf } from "./fakes/report.ts";

const ROOT = resolve(import.meta.dirname, "..");
const DOCUMENTS = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT })].toSorted();

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

const FENCE = /^```(?<language>\w*)\n(?<code>.*?)^```$/gms;
const CODE_SPAN = /`[^`]+`/g;

/** What renders as text: without code. */
function textOf(markdown: string): string {
  return markdown.replaceAll(FENCE, "").replaceAll(CODE_SPAN, "");
}

/** What stands between single backticks, less the generated queries and the like. */
function codeSpans(markdown: string): string[] {
  return [...markdown.replaceAll(FENCE, "").matchAll(CODE_SPAN)].map(([span]) => span.slice(1, -1));
}

function codeLines(markdown: string): string[] {
  return [...markdown.matchAll(FENCE)].flatMap(({ groups }) =>
    (groups?.["code"] ?? "").replaceAll("\\\n", " ").split("\n"),
  );
}

describe("the generated parts", async () => {
  const parts = await renderParts();
  const places = Object.entries(PLACES).flatMap(([file, names]) => names.map((name) => [file, name] as const));

  it.each(places)("of %s: %s is there and as the code has it (npm run docs)", (file, name) => {
    const found = partsOf(read(file));
    expect([...found.keys()], `${file} lacks the markers`).toContain(name);
    expect(found.get(name)).toBe(parts.get(name));
  });

  it("replace what stands between their markers, and nothing else", () => {
    const text = "a\n<!-- begin: one -->\nold\n<!-- end: one -->\nb\n<!-- begin: other -->\n<!-- end: other -->\n";
    const written = withParts(text, new Map([["one", "new $1"]]));
    expect(written).toBe(
      "a\n<!-- begin: one -->\n\nnew $1\n\n<!-- end: one -->\nb\n<!-- begin: other -->\n<!-- end: other -->\n",
    );
    expect(withParts(written, new Map([["one", "new $1"]]))).toBe(written);
    expect(withParts("no markers", new Map([["one", "new"]]))).toBe("no markers");
  });

  it("explain each right of the Role, or say which one they cannot", () => {
    const role = "kind: Role\nrules:\n  - { apiGroups: [''], resources: [nodes], verbs: [list] }\n";
    expect(() => rightsTable(role)).toThrow(/why the Role grants "list nodes"/);
  });
});

describe("the documentation", () => {
  it.each(Object.keys(ERRORS))("has the error %s, with an anchor", (code) => {
    expect(anchorsOf(read("docs/operations.md"))).toContain(`error-${code.toLowerCase()}`);
  });

  it("has every annotation that the product reads or writes", () => {
    const sources = globSync("src/**/*.ts", { cwd: ROOT }).filter((path) => !path.endsWith(".test.ts"));
    const found = new Set(sources.flatMap((path) => read(path).match(/pod-rebalancer\.io\/\w+/g) ?? []));
    expect(found.size).toBeGreaterThanOrEqual(3);
    for (const annotation of found) expect(read("docs/operations.md")).toContain(annotation);
  });

  it("has every metric that a run prints", async () => {
    const names = [...(await metricsText(reportOf(groupOf(EVEN)), POLICY)).matchAll(/^# TYPE (\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(read("docs/operations.md")).toContain(`\`${name}\``);
  });

  it("calls the image by the current version", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    const yaml = ["deploy/kubernetes/base/kustomization.yaml", "examples/docker-compose.yml"];
    const places = ["README.md", "docs/operations.md", ...yaml];
    for (const place of places) {
      const named = [...read(place).matchAll(/(?:pod-rebalancer[:-]|VERSION=|newTag: )(\d+(?:\.\d+)+)/g)].map(
        ([, tag]) => tag,
      );
      expect(new Set(named), place).toEqual(new Set([version]));
    }
  });

  it("tells what each npm script is for, and names no other", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Readonly<Record<string, string>> };
    for (const name of Object.keys(scripts)) {
      expect(read("docs/development.md")).toContain(name === "test" ? "| `npm test` " : `| \`npm run ${name}\` `);
    }
    for (const document of DOCUMENTS) {
      const named = [...read(document).matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name);
      for (const name of named) expect(Object.keys(scripts), document).toContain(name);
    }
  });
});

/** Where a link into a document may lead: its headings, as GitHub names them, and its own anchors. */
function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  const headings = [...markdown.replaceAll(FENCE, "").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
  return [...headings, ...[...markdown.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)];
}

/** A document by the anchors of its headings of levels 2 and 3, down to the next; without code blocks. */
function sectionsOf(markdown: string): ReadonlyMap<string, string> {
  const sections = markdown.replaceAll(FENCE, "").split(/^(?=###? )/m);
  return new Map(sections.map((section) => [anchorsOf(section)[0] ?? "", section]));
}

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly annotations: Readonly<Record<string, string>> }[];
  }[];
}

const ALERT_RULES = parse(read("deploy/alerts/rules.yaml")) as RuleFile;
const ALERTS = ALERT_RULES.groups.flatMap(({ rules }) => rules);

describe("the runbook", () => {
  const sections = sectionsOf(read("docs/runbook.md"));
  const whole = /\*\*Means\*\*:\s+\S.*\*\*Look at\*\*:\s+\S.*\*\*Do\*\*:\s+\S/s;

  it.each(Object.keys(REASONS))("says of the reason %s what it means, what to look at and what to do", (reason) => {
    expect(sections.get(`reason-${reason}`)).toMatch(whole);
  });

  it.each(ALERTS)("says of $alert what it means, what to look at and what to do", ({ alert, annotations }) => {
    const anchor = alert.toLowerCase();
    expect(annotations).toMatchObject({ runbook: `docs/runbook.md#${anchor}` });
    expect(sections.get(anchor)).toMatch(whole);
  });

  it.each(Object.keys(ERRORS))("says what to do about %s", (code) => {
    expect(sections.get("reason-failed")).toContain(`(operations.md#error-${code.toLowerCase()})`);
  });

  it("goes through the reasons in the order in which they are asked", () => {
    const told = [...sections.keys()].filter((anchor) => anchor.startsWith("reason-"));
    expect(told).toEqual(Object.keys(REASONS).map((reason) => `reason-${reason}`));
  });

  it("has no section of an alert that is no more", () => {
    const told = [...sections.keys()].filter((anchor) => anchor.startsWith("podrebalancer"));
    expect(told.toSorted()).toEqual(ALERTS.map(({ alert }) => alert.toLowerCase()).toSorted());
  });
});

describe("the alerts for the Prometheus operator", () => {
  it("are those of deploy/alerts/rules.yaml (npm run docs)", () => {
    expect(read(RULE)).toBe(prometheusRule());
    expect(parse(read(RULE)).spec).toEqual(ALERT_RULES);
  });
});

describe.each(DOCUMENTS)("%s", (document) => {
  const markdown = read(document);

  it("has only links that lead somewhere", () => {
    const targets = [...textOf(markdown).matchAll(/\[[^\]]*\]\((?<target>[^)\s]+)\)/g)].map(
      ({ groups }) => groups?.["target"] ?? "",
    );
    for (const target of targets.filter((one) => !/^https?:/.test(one))) {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? document : join(dirname(document), path);
      expect(existsSync(join(ROOT, file)), target).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(read(file)), target).toContain(anchor);
    }
  });

  it("names only files that are there", () => {
    const paths = codeSpans(markdown).filter((span) =>
      /^(src|test|scripts|deploy|docs|examples)\/[\w./-]+$/.test(span),
    );
    for (const path of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it("names only settings, errors and constants that the code has", () => {
    const named = new Set(markdown.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? []);
    for (const name of named) expect(NAMES.has(name), name).toBe(true);
  });

  it("shows only commands that are valid", async () => {
    for (const line of codeLines(markdown).filter((one) => one.startsWith("pod-rebalancer "))) {
      const [, command, ...args] = wordsOf(line);
      if (command === "demo") expect(args, line).toEqual([]);
      else {
        expect(["run", "plan"], line).toContain(command);
        await loadConfig(command as "run" | "plan", args, { env: {} });
      }
    }
  });
});

/** Every name in capitals that stands in the code. */
const NAMES: ReadonlySet<string> = new Set(
  globSync(["src/**/*.ts", "test/**/*.ts", "scripts/*", ".ci/run"], { cwd: ROOT })
    .filter((path) => !path.endsWith("docs.test.ts"))
    .flatMap((path) => read(path).match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? []),
);

/** A line of a shell without expansions, in words. */
function wordsOf(line: string): string[] {
  const words = line.replace(/ #.*/, "").match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/** Figures that the documentation gives: what the code says, and what operations.md says of it. */
const FIGURES: readonly [path: string, code: string, told: string][] = [
  ["src/wire.ts", "SAMPLE_MILLIS = 10_000", "and 10 s between its two samples"],
  ["src/aftermath.ts", "PATIENCE_MILLIS = 90_000", "Looking back at a rotation that was forecast | 90 s"],
  ["src/kubernetes/client.ts", "CALL_DEADLINE_MILLIS = 10_000", "10 s (each page of a list is a call)"],
  ["src/kubernetes/client.ts", "PAGE_SIZE = 250", "One page (250 items) of a list"],
  ["src/kubernetes/client.ts", "MAX_LIST_BYTES = 16 * 2 ** 20", "16 MiB"],
  ["src/prometheus/client.ts", "MAX_REPLY_BYTES = 4 * 2 ** 20", "4 MiB"],
  ["src/kubernetes/lease.ts", "LEASE_SECONDS = 60", "60 s, renewed every 15 s"],
  ["src/kubernetes/lease.ts", "RECORD_SECONDS = 3_600", "Removals older than an hour leave the record"],
  ["src/kubernetes/lock.ts", "RENEW_EVERY_MILLIS = 15_000", "60 s, renewed every 15 s"],
  ["src/kubernetes/lock.ts", "EVICTION_MILLIS = 2 * CALL_DEADLINE_MILLIS", "more than 20 s: two calls"],
  ["src/kubernetes/lock.ts", "RELEASE_MILLIS = 5_000", "| Releasing the Lease"],
  ["src/kubernetes/exec-plugin.ts", "PLUGIN_MILLIS = 30_000", "| A credential plugin of a kubeconfig"],
  ["src/text-file.ts", "FILE_MILLIS = 5_000", "names | 5 s, 4 MiB, a regular file"],
  ["src/text-file.ts", "MAX_FILE_BYTES = 4 * 2 ** 20", "names | 5 s, 4 MiB, a regular file"],
  ["src/kubernetes/agreed-time.ts", "CLOCK_SKEW_MILLIS = 5_000", "| 5 s apart"],
  ["src/kubernetes/manager.ts", "LOOK_MILLIS = 5_000", "| 5 s old, three looks"],
  ["src/kubernetes/manager.ts", "MOST_LOOKS = 3", "| 5 s old, three looks"],
  ["src/kubernetes/replacement.ts", "LEAST_READY_SECONDS = 10", "no sooner than after 10 s of being Ready"],
  ["src/rebalance.ts", "SINK_MILLIS = 15_000", "| Each output of the report"],
  ["src/http.ts", "MAX_ATTEMPTS = 5", "up to four times more, with pauses of 0.1 to 1.6 s"],
  ["src/http.ts", "FIRST_DELAY_MILLIS = 200", "up to four times more, with pauses of 0.1 to 1.6 s"],
];

describe("the figures in docs/operations.md", () => {
  const operations = read("docs/operations.md").replaceAll(/\s+/g, " ");

  it.each(FIGURES)("%s: %s", (path, code, told) => {
    expect(read(path), "the code has changed: correct docs/operations.md, then this line").toContain(code);
    expect(operations).toContain(told);
  });

  it("give the default deadline of a run", async () => {
    const { policy } = await loadConfig("plan", [], { env: {} });
    expect(operations).toContain(`${policy.runDeadlineSeconds / 60}m by default`);
    expect(operations).toContain(`\`activeDeadlineSeconds\`: ${policy.runDeadlineSeconds + 60} s`);
  });
});

interface Kustomization {
  readonly configMapGenerator: readonly { readonly literals: readonly string[] }[];
  readonly patches?: readonly { readonly patch: string }[];
}

function kustomization(folder: string): Kustomization {
  return parse(read(`deploy/kubernetes/${folder}/kustomization.yaml`)) as Kustomization;
}

function literalsOf({ configMapGenerator }: Kustomization): Record<string, string> {
  const literals = configMapGenerator.flatMap((generator) => generator.literals);
  return Object.fromEntries(literals.map((literal) => literal.split(/=(.*)/s).slice(0, 2)));
}

interface MountedPod {
  readonly containers: [
    {
      readonly env: readonly { readonly name: string; readonly value?: string }[];
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    },
  ];
  readonly volumes: readonly object[];
}

describe("the manifests", () => {
  const cronJob = parse(read("deploy/kubernetes/base/cronjob.yaml"));
  const job = cronJob.spec.jobTemplate.spec;
  const [container] = job.template.spec.containers as { args: string[]; env: { name: string }[] }[];
  const base = literalsOf(kustomization("base"));
  const live = { ...base, ...literalsOf(kustomization("live")) };

  it.each([
    ["base", base, true],
    ["live", live, false],
  ])("of %s set only known settings to valid values, and say whether it is a dry run", async (_, literals, dryRun) => {
    const env: Record<string, string> = { ...literals };
    for (const { name } of container!.env) env[name] = "shop";
    for (const name of Object.keys(env)) {
      expect(Object.keys(OPTIONS)).toContain(name);
      expect((OPTIONS[name as keyof typeof OPTIONS] as Option<unknown>).flagOnly).not.toBe(true);
    }
    const [command, ...args] = container!.args;
    expect(command).toBe("run");
    expect(await loadConfig("run", args, { env })).toMatchObject({ dryRun });
  });

  it("push what the alerts read to the server that is queried", async () => {
    const { prometheus, push } = await loadConfig("run", [], { env: base });
    expect(push?.url.origin).toBe(prometheus.endpoint.url.origin);
  });

  it("mount both files with credentials from Secrets, once their comment signs are off", () => {
    const commented = read("deploy/kubernetes/base/cronjob.yaml").split("\n");
    const lines = commented.map((line) =>
      line.replace(/^( *)# (- name:| {2}(?!kubectl)|volumes:|volumeMounts:)/, "$1$2"),
    );
    const { spec } = parse(lines.join("\n")).spec.jobTemplate.spec.template as { spec: MountedPod };
    const [{ env, volumeMounts }] = spec.containers;
    const files = env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
    expect(files.map(([name]) => name)).toEqual(["PROMETHEUS_HTTP_CONFIG", "KAFKA_CONFIG"]);
    for (const [, file] of files) {
      const { name } = volumeMounts.find(({ mountPath }) => file.startsWith(`${mountPath}/`)) ?? {};
      expect(spec.volumes).toContainEqual({ name, secret: { secretName: `pod-rebalancer-${name}` } });
      // As the comment says that the Secret is made.
      const command = `create secret generic -n NAMESPACE pod-rebalancer-${name} --from-file=${basename(file)}`;
      expect(commented.join("\n")).toContain(command);
    }
  });

  it("end a Job 60 s after the run should have ended by itself", async () => {
    const { policy } = await loadConfig("run", container!.args.slice(1), { env: live });
    expect(job.activeDeadlineSeconds).toBe(policy.runDeadlineSeconds + 60);
  });

  it("grant the Lease of a Deployment that is called like the selector's app", () => {
    const { name } = leaseRef({ kind: "Deployment", namespace: "shop", name: "consumer", uid: "" });
    const role = parseAllDocuments(read("deploy/kubernetes/base/role.yaml"))[0]?.toJS();
    expect(role.rules[0]).toMatchObject({ resources: ["leases"], resourceNames: [name] });
    const [{ patch } = { patch: "" }] = kustomization("base").patches ?? [];
    expect(parse(patch)).toMatchObject([{ path: "/rules/0/resourceNames/0", value: name }]);
  });
});

/** The lines of a document, without those of its code blocks. */
function linesOf(document: string): string[] {
  return read(document).replaceAll(FENCE, "").split("\n");
}

function isRow(line = ""): boolean {
  return line.startsWith("|");
}

function isDelimiter(line = ""): boolean {
  return /^\|(?: *:?-+:? *\|)+$/.test(line);
}

describe.each(DOCUMENTS)("%s", (document) => {
  it("has a delimiter row under the head of each table, and no other", () => {
    const lines = linesOf(document);
    for (const [at, line] of lines.entries()) {
      const second = isRow(line) && isRow(lines[at - 1]) && !isRow(lines[at - 2]);
      expect(isDelimiter(line), `${document}: ${line}`).toBe(second);
      if (isRow(line) && !isRow(lines[at - 1])) expect(isRow(lines[at + 1]), `a table of one row: ${line}`).toBe(true);
    }
  });
});

describe("the contents", () => {
  it.each(["docs/operations.md", "docs/runbook.md"])("of %s list every section", (document) => {
    const lines = linesOf(document);
    const first = lines.findIndex((line) => line.startsWith("## "));
    const contents = lines.slice(0, first).join("\n");
    const sections = lines.filter((line) => line.startsWith("## ") && line !== "## The alerts");
    expect(sections.length).toBeGreaterThan(2);
    for (const section of sections) expect(contents).toContain(`(#${anchorsOf(section)[0]})`);
  });
});

it("the architecture names every interface through which a run knows the outside", () => {
  const ports = [...read("src/ports.ts").matchAll(/^export interface (\w+)/gm)].map(([, name = ""]) => name);
  // What these give and take, not what is behind them.
  const values = new Set(["EvictRefusal", "HeldLock"]);
  expect(ports).toContain("HistorySource");
  for (const port of ports.filter((name) => !values.has(name))) {
    expect(read("docs/architecture.md")).toMatch(new RegExp(`^\\| \`${port}\` +\\|`, "m"));
  }
});

it("a decision that a later one replaces says so", () => {
  let replaced = 0;
  for (const path of globSync("docs/decisions/[0-9]*.md", { cwd: ROOT })) {
    for (const [, , earlier = ""] of read(path).matchAll(/^Replaces\b([^\n]*?)\((\d{4}-[\w-]+\.md)\)/gm)) {
      replaced += 1;
      expect(read(join("docs/decisions", earlier))).toMatch(new RegExp(`^Replaced\\b.*\\(${basename(path)}\\)`, "m"));
    }
  }
  expect(replaced).toBeGreaterThan(2);
});

describe("the faults of the field", () => {
  const section = read("docs/development.md")
    .split("\n## ")
    .find((one) => one.startsWith("Faults of the field"));
  const held = [...(section ?? "").matchAll(/`(?<file>test\/[^`]+|src\/[^`]+)` › “(?<title>[^”]+)”/g)].map(
    ({ groups }) => [groups?.["file"] ?? "", groups?.["title"] ?? ""] as const,
  );

  it("each have a test", () => {
    const rows = section?.split("\n").filter((line) => /^\| \d/.test(line)) ?? [];
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatch(/` › “/);
  });

  it.each(held)("are held by %s › %s, which is there", (file, title) => {
    expect(read(file)).toContain(title);
  });
});

describe("a guard", () => {
  it.each(GUARDS)("stands once in $file: without it, a run $prevents", ({ file, code }) => {
    expect(read(file).split(code)).toHaveLength(2);
  });
});
