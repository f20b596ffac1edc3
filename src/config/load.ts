/** From environment and command line to one checked configuration. */

import { parseArgs, type ParseArgsConfig } from "node:util";

import { formatDuration } from "../durations.ts";
import { RebalancerError } from "../errors.ts";
import type { HttpEndpoint } from "../http.ts";
import type { KafkaSecurity } from "../kafka/admin/client-config.ts";
import type { KafkaGroupOptions } from "../kafka/admin/source.ts";
import { type CredentialsRequest, usesServiceAccount } from "../kubernetes/credentials.ts";
import type { LogLevel } from "../logging/logger.ts";
import { type MetricsOptions, usesGroup } from "../metrics/queries.ts";
import type { OutputKind } from "../output/report.ts";
import { namingProxy } from "../proxy.ts";
import { cleanText, quoted, withoutSecrets } from "../text.ts";
import type { Policy } from "../types.ts";
import { isNearMiss } from "./near-miss.ts";
import { flagOf, isSwitch, LONGEST_SECONDS, type Option, type OptionName, OPTIONS, type Settings } from "./options.ts";

/** run: as configured; plan: a dry run with a table. */
export type Command = "run" | "plan";

/** Everything that a run is told; checked, and with every default filled in. */
export interface Config {
  readonly dryRun: boolean;
  readonly logLevel: LogLevel;
  readonly output: OutputKind;
  /** What the command line said besides namespace, selector and output, to be said again for the same run without a dry run. */
  readonly otherFlags: readonly string[];
  readonly kubernetes: {
    readonly namespace: string;
    readonly labelSelector: string;
    /** undefined: the kubeconfig's current one. */
    readonly context: string | undefined;
  };
  readonly prometheus: { readonly endpoint: HttpEndpoint; readonly timeoutMillis: number };
  /** Where the run's own metrics go; undefined: nowhere. */
  readonly push: HttpEndpoint | undefined;
  /** Where the consumer group is read from Kafka itself; undefined: nowhere. */
  readonly kafka: Omit<KafkaGroupOptions, "sampleMillis" | "clock"> | undefined;
  readonly metrics: MetricsOptions;
  readonly policy: Policy;
}

export type Surroundings = Pick<CredentialsRequest, "env" | "serviceAccount">;

const NAMES = Object.keys(OPTIONS) as OptionName[];

/**
 * Reads and checks every setting.
 *
 * @param args - the command line behind the command.
 * @throws RebalancerError `CONFIG_INVALID` with all faults, one a line, each with the value and what is expected; no secret
 *   is quoted.
 */
export async function loadConfig(
  command: Command,
  args: readonly string[],
  { env, serviceAccount }: Surroundings,
): Promise<Config> {
  const faults = nearMisses(env);
  const flags = readFlags(args, faults);
  const said = new Map<OptionName, string>();
  for (const name of NAMES) {
    const text = flags.get(name) ?? (isFlagOnly(name) ? undefined : env[name]);
    if (text !== undefined) said.set(name, text);
  }
  const settings = readSettings(said, flags, faults);
  const inCluster = await usesServiceAccount({ context: said.get("KUBE_CONTEXT"), env, serviceAccount });
  const accident = { inCluster, saidDryRun: said.has("DRY_RUN") };
  faults.push(...contradictions(settings), ...commandFaults(command, flags, accident));
  const receiver = receiverOf(settings);
  const endpoints = {
    prometheus: namingProxy(
      await readEndpoint("PROMETHEUS_HTTP_CONFIG", settings.PROMETHEUS_ENDPOINT, settings, faults),
      env,
    ),
    push: receiver && namingProxy(await readEndpoint("METRICS_PUSH_HTTP_CONFIG", receiver, settings, faults), env),
    kafka: await readKafkaSecurity(settings, faults),
  };
  if (faults.length > 0) throw new RebalancerError("CONFIG_INVALID", faults.map(cleanText).join("\n"));
  // Without a fault every setting that must have a value has one.
  return { ...assemble(command, settings as Settings, endpoints), otherFlags: otherFlags(flags) };
}

function isFlagOnly(name: OptionName): boolean {
  return (OPTIONS[name] as Option<unknown>).flagOnly === true;
}

/** Variables that look like ours and are not: a misspelt DRY_RUN must not evict. */
function nearMisses(env: Surroundings["env"]): string[] {
  const variables = NAMES.filter((name) => !isFlagOnly(name));
  return Object.keys(env).flatMap((name) => {
    if (Object.hasOwn(OPTIONS, name)) return [];
    const meant = variables.find((known) => isNearMiss(name, known));
    return meant === undefined ? [] : [`${cleanText(name)} is not a setting; expected ${meant}, or unset it`];
  });
}

const PARSED: NonNullable<ParseArgsConfig["options"]> = Object.fromEntries(
  NAMES.map((name) => {
    const { short } = OPTIONS[name] as Option<unknown>;
    const type = isSwitch(name) ? "boolean" : "string";
    return [flagOf(name), { type, ...(short !== undefined && { short }) }];
  }),
);

function readFlags(args: readonly string[], faults: string[]): ReadonlyMap<OptionName, string> {
  const flags = new Map<OptionName, string>();
  // Not strict: of all the faults, none may hide the next.
  const { tokens } = parseArgs({ args: [...args], options: PARSED, strict: false, allowNegative: true, tokens: true });
  let unknownAt = -2;
  for (const token of tokens) {
    // Behind an unknown flag stands its value (`-psecret`, `--password secret`), which may be a secret: only the flag is named.
    const behind = token.index - unknownAt;
    if (behind === 0 || (behind === 1 && token.kind === "positional")) continue;
    if (token.kind === "positional") faults.push(`argument ${quoted(token.value)} is not expected here`);
    if (token.kind !== "option") continue;
    if (optionNamed(token.name) === undefined) unknownAt = token.index;
    readFlag(token, flags, faults);
  }
  return flags;
}

interface FlagToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function readFlag({ name, rawName, value, inlineValue }: FlagToken, flags: Map<OptionName, string>, faults: string[]) {
  const known = optionNamed(name);
  const fault = (why: string) => faults.push(`${cleanText(rawName)} ${why}`);
  if (known === undefined) {
    // kubectl says --namespace and --context.
    const meant = NAMES.find((one) => isNearMiss(name, flagOf(one)) || flagOf(one).endsWith(`-${name}`));
    fault(`is not a flag${meant ? `; expected --${flagOf(meant)}` : " (see --help)"}`);
  } else if (flags.has(known)) fault("is given twice");
  else if (isSwitch(known)) {
    if (inlineValue) fault(`takes no value; expected --${flagOf(known)} or --no-${flagOf(known)}`);
    else flags.set(known, String(!rawName.startsWith("--no-")));
  } else if (value === undefined || (!inlineValue && value.startsWith("-"))) {
    // Not the value of this one, but the next flag, which may be --dry-run.
    fault(`has no value; expected ${OPTIONS[known].expected}`);
  } else flags.set(known, value);
}

/** `--no-dry-run=true` comes as "no-dry-run". */
function optionNamed(name: string): OptionName | undefined {
  return NAMES.find((one) => flagOf(one) === name.replace(/^no-/, ""));
}

function readSettings(
  said: ReadonlyMap<OptionName, string>,
  flags: ReadonlyMap<OptionName, string>,
  faults: string[],
): Partial<Settings> {
  const settings: Partial<Record<OptionName, unknown>> = {};
  for (const name of NAMES) {
    const option: Option<unknown> = OPTIONS[name];
    const text = said.get(name) ?? (option.derived ? undefined : option.default);
    if (text === undefined) continue;
    const value = option.parse(text);
    if (value !== undefined) settings[name] = value;
    else faults.push(`${flags.has(name) ? `--${flagOf(name)}` : name} is ${quoted(text)}, expected ${option.expected}`);
  }
  return settings as Partial<Settings>;
}

/** undefined: nothing is pushed. */
function receiverOf({ METRICS_PUSH_URL: url }: Partial<Settings>): URL | undefined {
  return url === "none" ? undefined : url;
}

/** Settings that are valid each by itself and not together. */
function contradictions(settings: Partial<Settings>): string[] {
  const faults: string[] = [];
  const { COOLDOWN: cooldown, METRICS_WINDOW: window = 0, REPLACEMENT_TIMEOUT: timeout = 0 } = settings;
  const least = window + timeout;
  if (cooldown !== undefined && cooldown < least) {
    faults.push(
      `COOLDOWN is ${formatDuration(cooldown)}, expected at least METRICS_WINDOW + REPLACEMENT_TIMEOUT ` +
        `(${formatDuration(least)}): until then the metrics still show the last rotation`,
    );
  }
  if (settings.METRICS_PUSH_HTTP_CONFIG !== undefined && receiverOf(settings) === undefined) {
    faults.push(
      "METRICS_PUSH_HTTP_CONFIG is set, expected a valid METRICS_PUSH_URL with it: nothing is pushed without one",
    );
  }
  faults.push(...kafkaContradictions(settings));
  if (settings.CPU_QUERY === "none" && settings.LAG_QUERY === "none") {
    faults.push(
      "CPU_QUERY and LAG_QUERY are both none, expected one of them at least: no other signal has a threshold",
    );
  }
  return faults;
}

function kafkaContradictions(settings: Partial<Settings>): string[] {
  const {
    KAFKA_BOOTSTRAP_SERVERS: servers,
    KAFKA_GROUP: group,
    KAFKA_CONFIG: file,
    METRICS_PROFILE: profile,
  } = settings;
  const asked = profile !== undefined && usesGroup({ profile, queries: queriesOf(settings) });
  const faults: string[] = [];
  if (group === undefined && asked) {
    faults.push(
      `KAFKA_GROUP is not set, expected ${OPTIONS.KAFKA_GROUP.expected}: METRICS_PROFILE or a custom query asks for it ($group)`,
    );
  }
  if (servers !== undefined) {
    if (group !== undefined) return faults;
    const why = "which group is to be read is not known";
    return [...faults, `KAFKA_BOOTSTRAP_SERVERS is set, expected KAFKA_GROUP with it: ${why}`];
  }
  const lonely = [file && "KAFKA_CONFIG", group && !asked && "KAFKA_GROUP"].filter((name) => typeof name === "string");
  return [...faults, ...lonely.map((name) => `${name} is set, expected a valid KAFKA_BOOTSTRAP_SERVERS with it`)];
}

interface Accident {
  readonly inCluster: boolean;
  readonly saidDryRun: boolean;
}

function commandFaults(
  command: Command,
  flags: ReadonlyMap<OptionName, string>,
  { inCluster, saidDryRun }: Accident,
): string[] {
  if (command === "plan" && flags.get("DRY_RUN") === "false") {
    return [
      "--no-dry-run does not go with plan, which never changes anything; expected pod-rebalancer run --no-dry-run",
    ];
  }
  // Whether a person sits there cannot be told by the streams: scripts and cron redirect all of them.
  if (command === "run" && !inCluster && !saidDryRun) {
    return [
      "run with a kubeconfig must say whether it may evict pods: expected --dry-run or --no-dry-run (or DRY_RUN)",
    ];
  }
  return [];
}

interface Endpoints {
  readonly prometheus: HttpEndpoint;
  readonly push: HttpEndpoint | undefined;
  readonly kafka: KafkaSecurity;
}

async function readEndpoint(
  config: "PROMETHEUS_HTTP_CONFIG" | "METRICS_PUSH_HTTP_CONFIG",
  url: URL | undefined = new URL("http://invalid"),
  { [config]: path }: Partial<Settings>,
  faults: string[],
): Promise<HttpEndpoint> {
  if (path === undefined) return { url };
  // Loaded only now: most runs need neither the YAML parser nor the schema.
  const { readHttpConfig } = await import("./http-config.ts");
  const { faults: found, ...access } = await readHttpConfig(path);
  faults.push(...found.map((fault) => `${config}: ${fault}`));
  return { url, ...access };
}

async function readKafkaSecurity({ KAFKA_CONFIG: path }: Partial<Settings>, faults: string[]): Promise<KafkaSecurity> {
  const plain = { tls: undefined, sasl: undefined };
  if (path === undefined) return plain;
  const { readClientConfig } = await import("../kafka/admin/client-config.ts");
  const { security = plain, faults: found } = await readClientConfig(path);
  faults.push(...found.map((fault) => `KAFKA_CONFIG: ${fault}`));
  return security;
}

const SAID_ANYWAY: ReadonlySet<OptionName> = new Set<OptionName>([
  "KUBE_NAMESPACE",
  "KUBE_LABEL_SELECTOR",
  "DRY_RUN",
  "OUTPUT",
]);

function otherFlags(flags: ReadonlyMap<OptionName, string>): string[] {
  const others = [...flags].filter(([name]) => !SAID_ANYWAY.has(name));
  return others.flatMap(([name, value]) => {
    if (isSwitch(name)) return [value === "true" ? `--${flagOf(name)}` : `--no-${flagOf(name)}`];
    // What stands behind the path may hold a secret, which is not printed; what stands there instead is refused.
    const address = name === "PROMETHEUS_ENDPOINT" || name === "METRICS_PUSH_URL";
    const secret = address && withoutSecrets(value) !== value;
    return [`--${flagOf(name)}`, secret ? "<as given>" : value];
  });
}

function assemble(
  command: Command,
  settings: Settings,
  { prometheus, push, kafka }: Endpoints,
): Omit<Config, "otherFlags"> {
  const plan = command === "plan";
  return {
    dryRun: plan || settings.DRY_RUN,
    logLevel: settings.LOG_LEVEL ?? (plan ? "warn" : "info"),
    output: settings.OUTPUT ?? (plan ? "table" : "none"),
    kubernetes: {
      namespace: settings.KUBE_NAMESPACE,
      labelSelector: settings.KUBE_LABEL_SELECTOR,
      context: settings.KUBE_CONTEXT,
    },
    prometheus: { endpoint: prometheus, timeoutMillis: settings.PROMETHEUS_TIMEOUT * 1_000 },
    // A person who looks must not make a schedule seem alive that has stopped.
    push: plan ? undefined : push,
    kafka: kafkaOf(settings, kafka),
    metrics: metricsOf(settings),
    policy: policyOf(settings),
  };
}

function kafkaOf(settings: Settings, security: KafkaSecurity): Config["kafka"] {
  const { KAFKA_BOOTSTRAP_SERVERS: bootstrapServers, KAFKA_GROUP: group, KAFKA_TIMEOUT: seconds } = settings;
  if (bootstrapServers === undefined || group === undefined) return undefined;
  return { bootstrapServers, group, security, timeoutMillis: seconds * 1_000 };
}

function metricsOf(settings: Settings): MetricsOptions {
  return {
    namespace: settings.KUBE_NAMESPACE,
    assignor: settings.KAFKA_ASSIGNOR,
    profile: settings.METRICS_PROFILE,
    group: settings.KAFKA_GROUP,
    queries: queriesOf(settings),
    matchers: settings.PROMETHEUS_MATCHERS,
    replicaLabels: settings.PROMETHEUS_REPLICA_LABELS,
    windowSeconds: settings.METRICS_WINDOW,
    stalenessSeconds: settings.STALENESS_LIMIT,
  };
}

/** The custom queries. */
function queriesOf(settings: Partial<Settings>): MetricsOptions["queries"] {
  const queries = {
    cpu: settings.CPU_QUERY,
    lag: settings.LAG_QUERY,
    rate: settings.RATE_QUERY,
    memory: settings.MEMORY_QUERY,
    ownership: settings.OWNERSHIP_QUERY,
    partitionRate: settings.PARTITION_RATE_QUERY,
  };
  return Object.fromEntries(Object.entries(queries).filter(([, query]) => query !== undefined));
}

/** Whether it can be told who owns what, and what the assignor will answer. */
function isGroupKnown({ KAFKA_BOOTSTRAP_SERVERS, KAFKA_ASSIGNOR }: Settings): boolean {
  return KAFKA_BOOTSTRAP_SERVERS !== undefined || KAFKA_ASSIGNOR !== undefined;
}

function policyOf(settings: Settings): Policy {
  const removal = 30 + settings.REPLACEMENT_TIMEOUT;
  return {
    strategy: settings.STRATEGY ?? (isGroupKnown(settings) ? "forecast" : "balanced"),
    minimumImprovement: settings.MINIMUM_IMPROVEMENT_PERCENT / 100,
    cpuVarianceThreshold: settings.CPU_VARIANCE_THRESHOLD,
    lagVarianceThreshold: settings.LAG_VARIANCE_THRESHOLD,
    cpuFloor: settings.CPU_FLOOR,
    lagFloor: settings.LAG_FLOOR,
    maxPodsToDelete: settings.MAX_PODS_TO_DELETE,
    minPodsRequired: settings.MIN_PODS_REQUIRED,
    minMetricsCoverage: settings.MIN_METRICS_COVERAGE,
    metricsWindowSeconds: settings.METRICS_WINDOW,
    minPodAgeSeconds: settings.MIN_POD_AGE,
    cooldownSeconds: settings.COOLDOWN,
    replacementTimeoutSeconds: settings.REPLACEMENT_TIMEOUT,
    runDeadlineSeconds: settings.RUN_DEADLINE ?? Math.min(60 + settings.MAX_PODS_TO_DELETE * removal, LONGEST_SECONDS),
    suspend: settings.SUSPEND,
  };
}
