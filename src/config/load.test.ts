import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { type Command, type Config, loadConfig, type Surroundings } from "./load.ts";
import { flagOf, type Option, type OptionName, OPTIONS } from "./options.ts";

const NAMES = Object.keys(OPTIONS) as OptionName[];
const VARIABLES = NAMES.filter((name) => !("flagOnly" in OPTIONS[name]));

/** With a token, as in every pod. */
const serviceAccount = mkdtempSync(join(tmpdir(), "service-account-"));
writeFileSync(join(serviceAccount, "token"), "t0k");
const EMPTY = join(serviceAccount, "empty");
writeFileSync(EMPTY, "");
const PLAINTEXT = join(serviceAccount, "client.properties");
writeFileSync(PLAINTEXT, "security.protocol=PLAINTEXT");
afterAll(() => rmSync(serviceAccount, { recursive: true }));

const IN_POD = { KUBERNETES_SERVICE_HOST: "10.0.0.1" };

/** As in a pod, where nothing need be said. */
function load(args: readonly string[] = [], env: Surroundings["env"] = {}, command: Command = "run") {
  return loadConfig(command, args, { env: { ...IN_POD, ...env }, serviceAccount });
}

/** All faults, one a line; empty when there are none. */
async function faultsOf(args: readonly string[], env: Surroundings["env"] = {}, command: Command = "run") {
  return await load(args, env, command).then(
    () => [],
    ({ code, message }: { code: string; message: string }) => {
      expect(code).toBe("CONFIG_INVALID");
      return message.split("\n");
    },
  );
}

async function strategyOf(env: Record<string, string>): Promise<string> {
  return (await load([], env)).policy.strategy;
}

describe("the defaults", () => {
  it("are what the README says", async () => {
    const config = await load();
    expect(config).toMatchObject({
      dryRun: false,
      logLevel: "info",
      output: "none",
      kubernetes: { namespace: "default", labelSelector: "app=consumer", context: undefined },
      prometheus: { timeoutMillis: 30_000 },
      metrics: {
        namespace: "default",
        profile: "seed",
        queries: {},
        matchers: "",
        replicaLabels: ["prometheus_replica", "replica"],
        windowSeconds: 300,
        stalenessSeconds: 120,
      },
    });
    expect(config.prometheus.endpoint.url.href).toBe("http://victoriametrics:8428/");
    expect(config.policy).toEqual(POLICY);
  });

  it("are valid by their own rules, where they are values", () => {
    for (const name of NAMES) {
      const option: Option<unknown> = OPTIONS[name];
      if (!option.derived) expect(option.parse(option.default), name).toBeDefined();
    }
  });

  it("ask no Kafka", async () => {
    expect((await load()).kafka).toBeUndefined();
  });

  it("look ahead where the group can be known, and only there: STRATEGY", async () => {
    const kafka = { KAFKA_BOOTSTRAP_SERVERS: "kafka:9092", KAFKA_GROUP: "orders" };
    expect(await strategyOf({})).toBe("balanced");
    expect(await strategyOf({ METRICS_PROFILE: "kafka-lag-exporter", KAFKA_GROUP: "orders" })).toBe("balanced");
    expect(await strategyOf(kafka)).toBe("forecast");
    expect(await strategyOf({ KAFKA_ASSIGNOR: "java-cooperative-sticky" })).toBe("forecast");
    expect(await strategyOf({ ...kafka, STRATEGY: "balanced" })).toBe("balanced");
  });

  it("push nothing", async () => {
    expect((await load()).push).toBeUndefined();
  });

  it("can be said where another place has said something else: METRICS_PUSH_URL is none", async () => {
    const env = { METRICS_PUSH_URL: "http://pushgateway:9091" };
    expect((await load(["--metrics-push-url", "none"], env)).push).toBeUndefined();
    const fault = /^METRICS_PUSH_HTTP_CONFIG is set, expected a valid METRICS_PUSH_URL/;
    const [said] = await faultsOf(["--metrics-push-http-config", EMPTY, "--metrics-push-url", "none"], env);
    expect(said).toMatch(fault);
  });

  it("make plan a dry run with a table and a quiet log, whatever DRY_RUN says", async () => {
    const plan = { dryRun: true, output: "table", logLevel: "warn" };
    expect(await load([], {}, "plan")).toMatchObject(plan);
    expect(await load([], { DRY_RUN: "false" }, "plan")).toMatchObject(plan);
    expect(await load(["--output", "json", "--log-level", "info"], {}, "plan")).toMatchObject({
      dryRun: true,
      output: "json",
      logLevel: "info",
    });
  });
});

/** A value other than the default, and where it arrives. */
const EXAMPLES: Readonly<
  Record<OptionName, readonly [text: string, arrived: (config: Config) => unknown, value: unknown]>
> = {
  KUBE_NAMESPACE: ["shop", ({ kubernetes, metrics }) => [kubernetes.namespace, metrics.namespace], ["shop", "shop"]],
  KUBE_LABEL_SELECTOR: ["app in (a,b),!old", ({ kubernetes }) => kubernetes.labelSelector, "app in (a,b),!old"],
  KUBE_CONTEXT: ["prod", ({ kubernetes }) => kubernetes.context, "prod"],
  DRY_RUN: ["true", ({ dryRun }) => dryRun, true],
  OUTPUT: ["json", ({ output }) => output, "json"],
  PROMETHEUS_ENDPOINT: [
    "https://m/p?extra_label=a%3Db",
    ({ prometheus }) => prometheus.endpoint.url.href,
    "https://m/p?extra_label=a%3Db",
  ],
  PROMETHEUS_TIMEOUT: ["1m30s", ({ prometheus }) => prometheus.timeoutMillis, 90_000],
  PROMETHEUS_HTTP_CONFIG: [EMPTY, ({ prometheus }) => prometheus.endpoint.headers !== undefined, true],
  PROMETHEUS_MATCHERS: ['cluster="eu",tier!="x"', ({ metrics }) => metrics.matchers, 'cluster="eu",tier!="x"'],
  PROMETHEUS_REPLICA_LABELS: ["a, b", ({ metrics }) => metrics.replicaLabels, ["a", "b"]],
  METRICS_PROFILE: ["java-client", ({ metrics }) => metrics.profile, "java-client"],
  CPU_QUERY: ["none", ({ metrics }) => metrics.queries.cpu, "none"],
  LAG_QUERY: ["sum by (pod) (lag)", ({ metrics }) => metrics.queries.lag, "sum by (pod) (lag)"],
  RATE_QUERY: ["rate", ({ metrics }) => metrics.queries.rate, "rate"],
  MEMORY_QUERY: ["mem", ({ metrics }) => metrics.queries.memory, "mem"],
  OWNERSHIP_QUERY: ["none", ({ metrics }) => metrics.queries.ownership, "none"],
  PARTITION_RATE_QUERY: ["written", ({ metrics }) => metrics.queries.partitionRate, "written"],
  KAFKA_GROUP: ["orders", ({ metrics }) => metrics.group, "orders"],
  METRICS_WINDOW: ["2m", ({ metrics, policy }) => [metrics.windowSeconds, policy.metricsWindowSeconds], [120, 120]],
  STALENESS_LIMIT: ["45s", ({ metrics }) => metrics.stalenessSeconds, 45],
  MIN_METRICS_COVERAGE: ["0.95", ({ policy }) => policy.minMetricsCoverage, 0.95],
  STRATEGY: ["forecast", ({ policy }) => policy.strategy, "forecast"],
  MINIMUM_IMPROVEMENT_PERCENT: ["25", ({ policy }) => policy.minimumImprovement, 0.25],
  KAFKA_BOOTSTRAP_SERVERS: [
    "a:9092, [::1]:9093",
    ({ kafka }) => kafka,
    {
      bootstrapServers: ["a:9092", "[::1]:9093"],
      group: "orders",
      security: { tls: undefined, sasl: undefined },
      timeoutMillis: 30_000,
    },
  ],
  KAFKA_ASSIGNOR: ["java-sticky", ({ metrics }) => metrics.assignor, "java-sticky"],
  KAFKA_CONFIG: [PLAINTEXT, ({ kafka }) => kafka?.security, { tls: undefined, sasl: undefined }],
  KAFKA_TIMEOUT: ["5s", ({ kafka }) => kafka?.timeoutMillis, 5_000],
  CPU_VARIANCE_THRESHOLD: ["0", ({ policy }) => policy.cpuVarianceThreshold, 0],
  LAG_VARIANCE_THRESHOLD: ["1.5", ({ policy }) => policy.lagVarianceThreshold, 1.5],
  CPU_FLOOR: ["1e-3", ({ policy }) => policy.cpuFloor, 0.001],
  LAG_FLOOR: ["5", ({ policy }) => policy.lagFloor, 5],
  MAX_PODS_TO_DELETE: ["4", ({ policy }) => [policy.maxPodsToDelete, policy.runDeadlineSeconds], [4, 60 + 4 * 330]],
  MIN_PODS_REQUIRED: ["1", ({ policy }) => policy.minPodsRequired, 1],
  MIN_POD_AGE: ["1h", ({ policy }) => policy.minPodAgeSeconds, 3_600],
  COOLDOWN: ["2h", ({ policy }) => policy.cooldownSeconds, 7_200],
  REPLACEMENT_TIMEOUT: [
    "10m",
    ({ policy }) => [policy.replacementTimeoutSeconds, policy.runDeadlineSeconds],
    [600, 60 + 2 * 630],
  ],
  RUN_DEADLINE: ["1h", ({ policy }) => policy.runDeadlineSeconds, 3_600],
  METRICS_PUSH_URL: ["http://pushgateway:9091", ({ push }) => push?.url.href, "http://pushgateway:9091/"],
  METRICS_PUSH_HTTP_CONFIG: [EMPTY, ({ push }) => push?.headers !== undefined, true],
  SUSPEND: ["true", ({ policy }) => policy.suspend, true],
  LOG_LEVEL: ["debug", ({ logLevel }) => logLevel, "debug"],
};

/** What must be said with it. */
function needed(name: OptionName): Surroundings["env"] {
  const kafka = { KAFKA_BOOTSTRAP_SERVERS: "kafka:9092", KAFKA_GROUP: "orders" };
  const { [name as keyof typeof kafka]: _itself, ...others } = kafka;
  if (name.startsWith("KAFKA_")) return others;
  if (name === "KUBE_CONTEXT") return { DRY_RUN: "true" };
  return name === "METRICS_PUSH_HTTP_CONFIG" ? { METRICS_PUSH_URL: "http://pushgateway:9091" } : {};
}

describe("every setting", () => {
  it.each(VARIABLES)("%s arrives from the environment", async (name) => {
    const [text, arrived, value] = EXAMPLES[name];
    expect(arrived(await load([], { ...needed(name), [name]: text }))).toEqual(value);
  });

  it.each(NAMES)("%s arrives from its flag", async (name) => {
    const [text, arrived, value] = EXAMPLES[name];
    const args = OPTIONS[name].parse("true") === true ? [`--${flagOf(name)}`] : [`--${flagOf(name)}`, text];
    expect(arrived(await load(args, needed(name)))).toEqual(value);
  });

  it("has a flag that wins over its variable", async () => {
    const env = { DRY_RUN: "true", KUBE_NAMESPACE: "a", KUBE_LABEL_SELECTOR: "app=a" };
    const config = await load(["--no-dry-run", "-n", "b", "-l", "app=b"], env);
    expect(config).toMatchObject({ dryRun: false, kubernetes: { namespace: "b", labelSelector: "app=b" } });
  });

  it("is not read from OUTPUT, which may mean something else", async () => {
    expect(await load([], { OUTPUT: "html" })).toMatchObject({ output: "none" });
  });

  it("has a run deadline that a timer can wait for", async () => {
    const { policy } = await load(["--max-pods-to-delete", "999999999"]);
    expect(policy.runDeadlineSeconds).toBeLessThan(2 ** 31 / 1_000);
  });
});

describe("plan", () => {
  it("cannot be made live", async () => {
    expect(await faultsOf(["--no-dry-run"], {}, "plan")).toEqual([
      expect.stringMatching(/^--no-dry-run does not go with plan/),
    ]);
  });

  it("pushes nothing, so that a person who looks does not make a schedule seem alive", async () => {
    expect((await load([], { METRICS_PUSH_URL: "http://pushgateway:9091" }, "plan")).push).toBeUndefined();
  });
});

describe("the flags besides namespace, selector and output", () => {
  it("are kept to be said again, without a query that may hold a secret", async () => {
    const args = ["-n", "shop", "--cpu-floor", "0.1", "--no-suspend", "--output", "table", "--prometheus-endpoint"];
    const addresses = ["http://m:8428/p?token=s3cret", "--metrics-push-url", "http://gw:9091/?token=s3cret"];
    const { otherFlags } = await load([...args, ...addresses], { LAG_FLOOR: "7" }, "plan");
    for (const flag of ["--prometheus-endpoint", "--metrics-push-url"]) {
      expect(await faultsOf([flag, "<as given>"])).toHaveLength(1);
    }
    expect(otherFlags.join(" ")).toBe(
      "--cpu-floor 0.1 --no-suspend --prometheus-endpoint <as given> --metrics-push-url <as given>",
    );
    const behind = await load(["--dry-run", "--prometheus-endpoint", "http://m:8428/#s3cret"]);
    expect(behind.otherFlags).toEqual(["--prometheus-endpoint", "<as given>"]);
  });
});

describe("a wrong value", () => {
  it.each<[OptionName, string[]]>([
    ["KUBE_NAMESPACE", ["", "Shop", "a b", "a".repeat(64), "-a", "a_b"]],
    [
      "KUBE_LABEL_SELECTOR",
      ["", " ", "app=", "app==a,", "app=a b", "app in a", "=a", "app in (a"].filter((text) => text !== "app="),
    ],
    ["DRY_RUN", ["", "yes", "on", "1", "TRUE", "True ", " true", "no", "False"]],
    ["SUSPEND", ["yes", "1"]],
    ["PROMETHEUS_ENDPOINT", ["", "prometheus:9090", "ftp://x", "//x", "http://", "http://user:pass@x"]],
    [
      "METRICS_PUSH_URL",
      ["", "pushgateway:9091", "http://user:pass@x", "http://x:9091/metrics/job/a", "http://x/metrics"],
    ],
    ["PROMETHEUS_TIMEOUT", ["", "0s", "30", "-5s", "5 m", "15d", "1.5h", "PT5M"]],
    ["PROMETHEUS_MATCHERS", ["cluster", 'cluster="eu', 'cluster="eu"} or x{', "{}"]],
    ["PROMETHEUS_REPLICA_LABELS", ["a-b", "a b", "a,(b"]],
    ["METRICS_PROFILE", ["", "Seed", "kminion"]],
    ["CPU_QUERY", ["", " "]],
    ["MIN_METRICS_COVERAGE", ["1.1", "-0.1", "80%", "NaN", ""]],
    ["KAFKA_GROUP", [""]],
    ["STRATEGY", ["forecasts", ""]],
    ["CPU_VARIANCE_THRESHOLD", ["-1", "NaN", "Infinity", "0x10", "1e999", "0,3", ""]],
    ["MAX_PODS_TO_DELETE", ["0", "-1", "1.5", "two", "1e3", " 2", "9999999999"]],
    ["MIN_PODS_REQUIRED", ["0", ""]],
    ["LOG_LEVEL", ["verbose", "INFO", ""]],
  ])("of %s is refused by name, with what was given and what is expected", async (name, texts) => {
    for (const text of texts) {
      const [fault, ...others] = await faultsOf([], { [name]: text });
      expect(others).toEqual([]);
      const value = text.replace("http://user:pass", "…").replace(/^(.{80}).+$/, "$1…");
      expect(fault).toBe(`${name} is "${value}", expected ${OPTIONS[name].expected}`);
    }
  });

  it.each([
    "",
    "kafka",
    "kafka:",
    ":9092",
    "kafka:0",
    "kafka:65536",
    "a:1,,b:2",
    "::1:9092",
    "kafka://a:9092",
    "a b:1",
  ])("of KAFKA_BOOTSTRAP_SERVERS is refused: %j", async (text) => {
    const [fault] = await faultsOf([], { KAFKA_BOOTSTRAP_SERVERS: text });
    expect(fault).toBe(`KAFKA_BOOTSTRAP_SERVERS is "${text}", expected ${OPTIONS.KAFKA_BOOTSTRAP_SERVERS.expected}`);
  });

  it("is refused together with all the others, and with the flag's name where it was a flag", async () => {
    const args = ["--cooldown", "1m", "--max-pods-to-delete", "0", "--kube-namspace", "x", "--dry-run=yes", "extra"];
    const faults = await faultsOf(args, { DRYRUN: "yes", LOG_LEVEL: "loud", kube_namespace: "y" });
    expect(faults).toEqual([
      "DRYRUN is not a setting; expected DRY_RUN, or unset it",
      "kube_namespace is not a setting; expected KUBE_NAMESPACE, or unset it",
      "--kube-namspace is not a flag; expected --kube-namespace",
      "--dry-run takes no value; expected --dry-run or --no-dry-run",
      'argument "extra" is not expected here',
      '--max-pods-to-delete is "0", expected an integer >= 1',
      `LOG_LEVEL is "loud", expected ${OPTIONS.LOG_LEVEL.expected}`,
      "COOLDOWN is 1m, expected at least METRICS_WINDOW + REPLACEMENT_TIMEOUT (10m): until then the metrics still show the last rotation",
    ]);
  });

  it.each<[string[], string]>([
    [["-ps3cret", "x"], "-p is not a flag (see --help)"],
    [["--password", "s3cret"], "--password is not a flag (see --help)"],
    [["http://user:s3cret@m:9090/?s3cret"], 'argument "…@m:9090/?…" is not expected here'],
  ])("names %j without what may be a secret", async (args, fault) => {
    expect(await faultsOf(args)).toEqual([fault]);
  });

  it.each<[string[], RegExp]>([
    [["--dry-rn"], /^--dry-rn is not a flag; expected --dry-run$/],
    [["--dryrun"], /^--dryrun is not a flag; expected --dry-run$/],
    [["--namespace", "shop"], /^--namespace is not a flag; expected --kube-namespace$/],
    [["--force"], /^--force is not a flag \(see --help\)$/],
    [["-x"], /^-x is not a flag/],
    [["--no-force"], /is not a flag/],
    [["--no-dry-run=true"], /^--no-dry-run takes no value; expected --dry-run or --no-dry-run$/],
    [["--no-kube-namespace"], /has no value/],
    [["-n"], /^-n has no value; expected a namespace name/],
    [["--lag-query", "--dry-run"], /^--lag-query has no value; expected PromQL/],
    [["--dry-run", "--no-dry-run"], /is given twice$/],
    [["-n", "a", "--kube-namespace", "b"], /is given twice$/],
    [["--bearer-token", "s3cret"], /^--bearer-token is not a flag \(see --help\)$/],
    [["--prometheus-endpoint", "admin:s3cret@prom:9090"], /^--prometheus-endpoint is "…@prom:9090", expected/],
    [["--prometheus-endpoint", "http://user:s3/cret@host:9090"], /^--prometheus-endpoint is "…@host:9090", expected/],
    [["--prometheus-endpoint", "ftp://vm/?token=s3cret"], /^--prometheus-endpoint is "ftp:\/\/vm\/\?…", expected/],
    [["--metrics-push-http-config", EMPTY], /^METRICS_PUSH_HTTP_CONFIG is set, expected a valid METRICS_PUSH_URL/],
    [["--kafka-bootstrap-servers", "kafka:9092"], /^KAFKA_BOOTSTRAP_SERVERS is set, expected KAFKA_GROUP with it/],
    [["--kafka-group", "orders"], /^KAFKA_GROUP is set, expected a valid KAFKA_BOOTSTRAP_SERVERS with it$/],
    [["--kafka-config", PLAINTEXT], /^KAFKA_CONFIG is set, expected a valid KAFKA_BOOTSTRAP_SERVERS with it$/],
    [["--kafka-config", "/none"], /^KAFKA_CONFIG: \/none cannot be read \(ENOENT\)$/m],
    [["--cpu-query", "none", "--lag-query", "none"], /^CPU_QUERY and LAG_QUERY are both none/],
    [["--metrics-profile", "kafka-lag-exporter"], /^KAFKA_GROUP is not set, expected the consumers' group.id/],
    [["--ownership-query", "lag{group='$group'}"], /^KAFKA_GROUP is not set, expected the consumers' group.id/],
    [["-n", "a\u001B[31m\nb"], /^--kube-namespace is "a b", expected/],
  ])("on the command line is refused: %j", async (args, message) => {
    expect((await faultsOf(args)).join("\n")).toMatch(message);
  });

  it("never runs live: whatever DRY_RUN holds, only true and false start", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        fc.pre(text !== "true" && text !== "false");
        expect(await faultsOf([], { DRY_RUN: text })).toHaveLength(1);
      }),
    );
  });

  it("is found in any text without an exception of another kind", async () => {
    const environment = fc.dictionary(
      fc.constantFrom(...VARIABLES.filter((name) => !name.endsWith("_CONFIG"))),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(environment, fc.array(fc.string()), async (env, args) => {
        const faults = await faultsOf(args, env);
        for (const fault of faults) expect(fault).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe("a variable that looks like a setting", () => {
  it.each(["DRYRUN", "DRY_RUNS", "dry_run", "DRY-RUN", "DYR_RUN", "MAX_POD_TO_DELETE", "COOLDOWNS", "SUSPENDED"])(
    "stops the run: %s",
    async (name) => {
      expect(await faultsOf([], { [name]: "true" })).toEqual([expect.stringContaining(`${name} is not a setting`)]);
    },
  );

  it("is none where it is merely similar, as those that Kubernetes sets", async () => {
    const env = {
      PROMETHEUS_SERVICE_HOST: "10.0.0.1",
      PROMETHEUS_PORT: "tcp://x",
      KUBERNETES_PORT: "x",
      LOG: "x",
      QUERY: "x",
      PATH: "x",
    };
    expect(await faultsOf([], env)).toEqual([]);
  });
});

/** Whether it would be a dry run, or the refusal. */
function started(command: Command, args: readonly string[], env: Surroundings["env"]): Promise<boolean | string> {
  return loadConfig(command, args, { env, serviceAccount }).then(
    ({ dryRun }) => dryRun,
    ({ message }: Error) => message,
  );
}

const REFUSAL =
  "run with a kubeconfig must say whether it may evict pods: expected --dry-run or --no-dry-run (or DRY_RUN)";

describe("a run that would use a kubeconfig", () => {
  it.each<[string, string[], Surroundings["env"]]>([
    ["outside a cluster", [], {}],
    ["in a pod, because KUBECONFIG names another cluster", [], { ...IN_POD, KUBECONFIG: "/other" }],
    ["in a pod, because a flag names another cluster", ["--kube-context", "other"], IN_POD],
    ["in a pod, because KUBE_CONTEXT names another cluster", [], { ...IN_POD, KUBE_CONTEXT: "other" }],
  ])("%s must be told whether it may evict", async (_where, args, env) => {
    expect(await started("run", args, env)).toBe(REFUSAL);
    expect(await started("run", [...args, "--no-dry-run"], env)).toBe(false);
    expect(await started("run", [...args, "--dry-run"], env)).toBe(true);
    expect(await started("run", args, { ...env, DRY_RUN: "false" })).toBe(false);
    expect(await started("run", args, { ...env, DRY_RUN: "true" })).toBe(true);
    expect(await started("plan", args, env)).toBe(true);
  });

  it("must be told in a pod without a service account, too", async () => {
    const loaded = loadConfig("run", [], { env: IN_POD, serviceAccount: join(serviceAccount, "none") });
    await expect(loaded).rejects.toThrow(REFUSAL);
  });
});

describe("a run with the service account of its pod", () => {
  it("is live unless it is told otherwise, as the plan has it", async () => {
    expect(await started("run", [], IN_POD)).toBe(false);
    expect(await started("run", [], { ...IN_POD, DRY_RUN: "true" })).toBe(true);
  });
});
