/** One kubeconfig as it is written: parsed, checked, and with the place of each entry. */

import { dirname, resolve } from "node:path";

import { isMap, LineCounter, parseDocument } from "yaml";
import * as z from "zod";

import { RebalancerError } from "../errors.ts";
import { readTextFile } from "../text-file.ts";
import type { ExecSpec } from "./exec-plugin.ts";

const required = z.string({ error: ({ input }) => (input ? "is no text" : "is missing") }).min(1, "is missing");
/** Empty says nothing, as with kubectl. */
const text = z
  .string("is no text")
  .nullish()
  .transform((value) => value || undefined);
const yes = z
  .boolean("is neither true nor false")
  .nullish()
  .transform((value) => value === true);

const cluster = z.object({
  server: text,
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": yes,
  "tls-server-name": text,
  "proxy-url": text,
});

const exec = z.object({
  apiVersion: text,
  command: text,
  args: z.array(z.string("is no text"), "is no list").nullish(),
  env: z.array(z.object({ name: required, value: text }), "is no list").nullish(),
  installHint: text,
  provideClusterInfo: yes,
}) satisfies z.ZodType<ExecSpec>;

const user = z.object({
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  exec: exec.nullish(),
  "auth-provider": z.object({ name: text }).nullish(),
  as: text,
  "as-uid": z.unknown().optional(),
  "as-groups": z.unknown().optional(),
  "as-user-extra": z.unknown().optional(),
});

const context = z.object({ cluster: text, user: text });

/** What is unfinished in an entry matters only once it is chosen, as with kubectl. */
function orEmpty<Entry extends z.ZodObject>(entry: Entry) {
  return entry.nullish().transform((value) => value ?? entry.parse({}));
}

function entries<Key extends string, Value extends z.ZodType>(key: Key, value: Value) {
  const named = z.looseObject({ name: required, [key]: value } as { name: typeof required } & Record<Key, Value>);
  return z
    .array(named, "is no list")
    .nullish()
    .transform((list) => list ?? []);
}

const kubeconfig = z.object({
  "current-context": text,
  clusters: entries("cluster", orEmpty(cluster)),
  users: entries("user", orEmpty(user)),
  contexts: entries("context", orEmpty(context)),
});

export type ClusterEntry = z.infer<typeof cluster>;
export type UserEntry = z.infer<typeof user>;
export type ContextEntry = z.infer<typeof context>;

/** An entry with its name, and the directory that relative paths in it are meant from. */
export type Named<Entry> = Entry & { readonly name: string; readonly directory: string };

export interface KubeconfigFile {
  readonly path: string;
  readonly currentContext: string | undefined;
  readonly clusters: readonly Named<ClusterEntry>[];
  readonly users: readonly Named<UserEntry>[];
  readonly contexts: readonly Named<ContextEntry>[];
}

/**
 * @returns undefined where there is no such file.
 * @throws RebalancerError `CREDENTIALS_INVALID` naming file and place; no value is quoted but a name, since the file holds secrets.
 */
export async function readKubeconfig(path: string): Promise<KubeconfigFile | undefined> {
  const written = await readIfThere(path);
  if (written === undefined) return undefined;
  const { success, data, error } = kubeconfig.safeParse(parseYaml(path, written));
  if (!success) throw invalid(path, error.issues.map(explain).join("; "));
  const directory = dirname(resolve(path));
  const clusters = data.clusters.map(({ name, cluster: entry }) => ({ ...entry, name, directory }));
  const users = data.users.map(({ name, user: entry }) => ({ ...entry, name, directory }));
  const contexts = data.contexts.map(({ name, context: entry }) => ({ ...entry, name, directory }));
  for (const [what, list] of Object.entries({ clusters, users, contexts })) refuseTwins(path, what, list);
  return { path, currentContext: data["current-context"], clusters, users, contexts };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path);
  } catch (thrown) {
    const { code, cause, message } = thrown as RebalancerError;
    if (/^(ENOENT|ENOTDIR)$/.test((cause as NodeJS.ErrnoException | undefined)?.code ?? "")) return undefined;
    throw new RebalancerError(code, `kubeconfig ${message}`, { cause });
  }
}

/** Its own words, because a parser's message quotes the file. */
function parseYaml(path: string, written: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(written, { lineCounter: lines, merge: true });
  // Of several documents kubectl reads the first.
  const fault = document.errors.find(({ code }) => code !== "MULTIPLE_DOCS");
  if (fault) {
    const why = fault.code === "DUPLICATE_KEY" ? "a key is there twice" : `not YAML (${fault.code})`;
    throw invalid(`${path}, line ${lines.linePos(fault.pos[0]).line}`, why);
  }
  if (!isMap(document.contents)) throw invalid(path, "it is empty or no kubeconfig");
  try {
    return document.toJS();
  } catch {
    throw invalid(path, "an alias in it has no anchor, or there are too many");
  }
}

/** "clusters[0].cluster.server is missing". */
function explain({ path, message }: z.core.$ZodIssue): string {
  const place = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return `${place.slice(1)} ${message}`;
}

/**
 * Which of two entries with one name is meant cannot be told: one of them may be a cluster of the past. kubectl refuses such a file
 * as well. Names that only differ in white space look the same wherever they are shown.
 */
function refuseTwins(path: string, what: string, list: readonly { readonly name: string }[]): void {
  const seen = new Map<string, string>();
  for (const { name } of list) {
    const twin = seen.get(name.trim());
    seen.set(name.trim(), name);
    if (twin === undefined) continue;
    const why = twin === name ? `"${name}" is there twice` : `"${twin}" and "${name}" differ in white space only`;
    throw invalid(path, `${what}: ${why}; expected one entry of a name`);
  }
}

function invalid(place: string, why: string): RebalancerError {
  return new RebalancerError("CREDENTIALS_INVALID", `kubeconfig ${place}: ${why}`);
}
