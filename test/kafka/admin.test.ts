/** The adapter that reads a consumer group from Kafka, on a real broker with real clients. */

import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { BUNDLE } from "../../scripts/build.ts";
import { systemClock } from "../../src/clock.ts";
import { RebalancerError } from "../../src/errors.ts";
import { contradictionWithin, unsettledPartitions } from "../../src/forecast/consistency.ts";
import { readClientConfig } from "../../src/kafka/admin/client-config.ts";
import { createKafkaGroupSource, type KafkaGroupOptions } from "../../src/kafka/admin/source.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import type { Clock } from "../../src/ports.ts";
import { type Authority, createAuthority } from "../faults/certificates.ts";
import { type Kafka, kafkaMissing, pythonCommand, startKafka } from "../harness/kafka.ts";
import { startProcess, waitFor } from "../harness/processes.ts";
import { type RunningConsumer, startConsumer } from "./consumers.ts";

const PATIENCE_MILLIS = 60_000;
const NEVER = new AbortController().signal;
const PASSWORD = "s3cret;with:signs";
const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

const COOPERATIVE = { "partition.assignment.strategy": "cooperative-sticky" };
const JAVA = "org.apache.kafka.clients.consumer";

/** Messages/s of each partition of "orders". */
const RATES = [40, 4, 0, 0];

const TRUST = ["ssl.truststore.type=PEM", "ssl.truststore.location=ca.pem"];
const IDENTITY = ["ssl.keystore.type=PEM", "ssl.keystore.location=client.pem"];

function login(mechanism: string, username: string, password: string): string[] {
  const module = mechanism === "PLAIN" ? "plain.Plain" : "scram.Scram";
  const options = `username="${username}" password="${password}"`;
  return [
    "security.protocol=SASL_SSL",
    `sasl.mechanism=${mechanism}`,
    `sasl.jaas.config=org.apache.kafka.common.security.${module}LoginModule required ${options};`,
    ...TRUST,
  ];
}

/** Why nothing may be decided on what is known of the group, or what is owned in it. */
function verdictOn(group: ConsumerGroup): string {
  const why = contradictionWithin(group) ?? unsettledPartitions(group);
  if (group.state !== "Stable" || why !== undefined) return "unknown";
  const owned = group.members.flatMap((member) => member.owned);
  return owned
    .map(({ topic, partition }) => `${topic}-${partition}`)
    .toSorted()
    .join();
}

const missing = await kafkaMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: the Kafka adapter: ${missing}\n`);

describe.skipIf(missing !== undefined)("a group on a real broker", { timeout: PATIENCE_MILLIS }, () => {
  const running = new AsyncDisposableStack();
  const consumers = new Map<string, readonly RunningConsumer[]>();
  let authority: Authority;
  let kafka: Kafka;

  beforeAll(async () => {
    authority = running.use(createAuthority());
    const users = { ann: PASSWORD, nobody: PASSWORD };
    const superUsers = ["User:ann", "User:CN=test"];
    const identity = authority.sign();
    kafka = running.use(await startKafka({ ca: authority.cert, identity, users, superUsers }));
    await kafka.createTopic("orders", RATES.length);
    await kafka.createTopic("refunds", 3);
    const producer = await pythonCommand("producer.py");
    const args = [...producer.args, kafka.bootstrap, "orders", RATES.join()];
    running.use(await startProcess({ ...producer, name: "producer", args, directory: kafka.directory }));
    const rd = { client: "librdkafka", topic: "orders" } as const;
    const java = { client: "java", topic: "orders" } as const;
    const cooperative = { "partition.assignment.strategy": `${JAVA}.CooperativeStickyAssignor` };
    const range = { "partition.assignment.strategy": `${JAVA}.RangeAssignor,${JAVA}.CooperativeStickyAssignor` };
    await Promise.all([
      start("rd-cooperative", ["a", "b"], () => ({ ...rd, settings: COOPERATIVE })),
      start("rd-range", ["a", "b"], (pod) => ({ ...rd, settings: { "group.instance.id": `static-${pod}` } })),
      start("rd-mixed", ["a", "b"], (pod) => ({
        ...rd,
        settings: pod === "a" ? { "group.instance.id": "static-a" } : {},
      })),
      start("kip848", ["a", "b"], () => ({
        ...rd,
        topic: "orders,refunds,none",
        settings: { "group.protocol": "consumer" },
      })),
      start("kip848-regex", ["a"], () => ({ ...rd, topic: "^ord.*", settings: { "group.protocol": "consumer" } })),
      start("java-cooperative", ["a", "b"], () => ({ ...java, settings: cooperative })),
      start("java-range", ["a"], () => ({ ...java, settings: range })),
      start("left", ["a"], () => rd),
    ]);
  }, PATIENCE_MILLIS);
  afterAll(() => running.disposeAsync(), PATIENCE_MILLIS);

  /** The whole process has no other sockets. */
  afterEach(async () => {
    // What was closed counts until the event loop has come round.
    for (let turns = 0; turns < 3; turns += 1) await turn();
    expect(process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Connect/.test(name))).toEqual([]);
  });

  async function start(
    group: string,
    pods: readonly string[],
    options: (pod: string) => Omit<Parameters<typeof startConsumer>[1], "group" | "pod">,
  ): Promise<void> {
    const started = await Promise.all(pods.map((pod) => startConsumer(kafka, { group, pod, ...options(pod) })));
    for (const consumer of started) running.use(consumer);
    consumers.set(group, started);
    await waitFor(
      `${group} to be assigned`,
      () => started.every((consumer) => (consumer.owned() ?? []).length > 0),
      PATIENCE_MILLIS,
    );
  }

  function optionsFor(group: string, options: Partial<KafkaGroupOptions> = {}): KafkaGroupOptions {
    return {
      bootstrapServers: [kafka.bootstrap],
      group,
      security: { tls: undefined, sasl: undefined },
      timeoutMillis: 10_000,
      sampleMillis: 100,
      clock: systemClock,
      ...options,
    };
  }

  async function read(group: string, options: Partial<KafkaGroupOptions> = {}): Promise<ConsumerGroup> {
    const found = await createKafkaGroupSource(optionsFor(group, options)).read([], NEVER);
    return found!;
  }

  /** Rebalances of a group that has just begun may go on for a while. */
  async function readSettled(group: string): Promise<ConsumerGroup> {
    return waitFor(
      `${group} to be stable`,
      async () => {
        const found = await read(group);
        const complete = found.members.every(({ owned }) => owned.length > 0);
        return found.state === "Stable" && complete && found;
      },
      PATIENCE_MILLIS,
    );
  }

  /** Of each member, by its id, what it has: as the group has it, and as the clients themselves have it. */
  function ownership(group: ConsumerGroup): [Record<string, unknown>, Record<string, unknown>] {
    const known = group.members.map(({ id, clientId, owned }) => [
      clientId,
      [id, owned.map(({ partition }) => partition).toSorted((one, other) => one - other)],
    ]);
    const told = (consumers.get(group.name ?? "") ?? []).map((consumer) => [
      consumer.name.slice(-1),
      [consumer.memberId(), consumer.owned()],
    ]);
    return [Object.fromEntries(known), Object.fromEntries(told)];
  }

  it.each([
    ["rd-cooperative", "classic", "cooperative-sticky", "librdkafka-cooperative-sticky"],
    ["rd-range", "classic", "range", "librdkafka-range"],
    ["rd-mixed", "classic", "range", undefined],
    ["java-cooperative", "classic", "cooperative-sticky", "java-cooperative-sticky"],
    ["java-range", "classic", "range", "java-range"],
  ])("is %s: %s, %s, modelled by %s", async (name, type, assignor, protocol) => {
    const group = await readSettled(name);
    expect(group).toMatchObject({ source: "kafka", name, type, state: "Stable", assignor, protocol });
    for (const member of group.members) {
      expect(member).toMatchObject({ host: "127.0.0.1", topics: ["orders"], pod: undefined });
    }
    const [known, told] = ownership(group);
    expect(known).toEqual(told);
  });

  it("is one of KIP-848 with two topics, one of them not there", async () => {
    const group = await readSettled("kip848");
    expect(group).toMatchObject({ type: "consumer", state: "Stable", assignor: "uniform", protocol: "kip848-uniform" });
    const names = group.partitions.map(({ topic, partition }) => `${topic} ${partition}`);
    expect(names).toEqual(["orders 0", "orders 1", "orders 2", "orders 3", "refunds 0", "refunds 1", "refunds 2"]);
    const owned = group.members.flatMap((member) => member.owned);
    expect(owned.map(({ topic, partition }) => `${topic} ${partition}`).toSorted()).toEqual(names);
    expect(new Set(group.members.map(({ clientId }) => clientId))).toEqual(new Set(["a", "b"]));
    for (const { topics } of group.members) expect(topics.toSorted()).toEqual(["none", "orders", "refunds"]);
    const written = ["orders", "refunds"].map((topic) => {
      const metadata = readFileSync(join(kafka.directory, "data", `${topic}-0`, "partition.metadata"), "utf8");
      return [topic, /^topic_id: (\S+)$/m.exec(metadata)?.[1]];
    });
    expect([...group.topicIds]).toEqual(written);
    // Asked for twice, it still is not there.
    expect((await read("kip848")).partitions).toHaveLength(names.length);
    expect(existsSync(join(kafka.directory, "data", "none-0"))).toBe(false);
  });

  it("is one of KIP-848 that subscribes by a regular expression", async () => {
    const group = await readSettled("kip848-regex");
    expect(group).toMatchObject({ protocol: "kip848-uniform", members: [{ topics: ["orders"] }] });
    expect(group.partitions.map(({ topic }) => topic)).toEqual(RATES.map(() => "orders"));
  });

  it("has static members", async () => {
    const { members } = await readSettled("rd-range");
    expect(new Set(members.map(({ instanceId }) => instanceId))).toEqual(new Set(["static-a", "static-b"]));
    const others = await readSettled("rd-cooperative");
    expect(others.members.map(({ instanceId }) => instanceId)).toEqual([undefined, undefined]);
  });

  it("has what comes in to each partition, and what waits", async () => {
    await waitFor(
      "the first commit",
      async () => {
        const { partitions } = await read("rd-cooperative");
        return partitions[0]?.lag !== undefined && partitions[1]?.lag !== undefined;
      },
      PATIENCE_MILLIS,
    );
    const { partitions } = await read("rd-cooperative", { sampleMillis: 2_000 });
    const [first, second, third] = partitions.map(({ rate = -1 }) => rate);
    expect(first).toBeGreaterThan(second!);
    expect(second).toBeGreaterThan(0);
    expect(third).toBe(0);
    for (const { lag } of partitions.slice(0, 2)) expect(lag).toBeGreaterThanOrEqual(0);
    // Nothing was ever read from it, so nothing was committed.
    expect(partitions[2]?.lag).toBeUndefined();
  });

  it("is Dead where there is none, and Empty where everybody has left", async () => {
    expect(await read("none")).toMatchObject({ name: "none", type: undefined, state: "Dead", members: [] });
    await consumers.get("left")?.[0]?.stop();
    const left = await waitFor(
      "the last to have left",
      async () => {
        const group = await read("left");
        return group.state !== "Stable" && group;
      },
      PATIENCE_MILLIS,
    );
    expect(left).toMatchObject({ type: "classic", state: "Empty", members: [], partitions: [], protocol: undefined });
  });

  it("is not called stable where it changes between the samples", async () => {
    await readSettled("rd-cooperative");
    const late = { client: "librdkafka", group: "rd-cooperative", pod: "c", topic: "orders" } as const;
    let joined: RunningConsumer | undefined;
    const clock: Clock = {
      now: () => systemClock.now(),
      async sleep() {
        joined = await startConsumer(kafka, { ...late, settings: COOPERATIVE });
        const consumer = joined;
        await waitFor("the newcomer to have something", () => (consumer.owned() ?? []).length > 0, PATIENCE_MILLIS);
        await sleep(100);
      },
    };
    try {
      const group = await read("rd-cooperative", { clock, timeoutMillis: PATIENCE_MILLIS });
      expect(group.state).not.toBe("Stable");
      expect(group.members).toHaveLength(3);
    } finally {
      await joined?.stop();
    }
  });

  it("is not taken for known where its topic is deleted, or made anew with fewer partitions", async () => {
    await kafka.createTopic("fleeting", 4);
    await start("rd-fleeting", ["a", "b"], () => ({
      client: "librdkafka",
      topic: "fleeting",
      settings: COOPERATIVE,
    }));
    expect(verdictOn(await readSettled("rd-fleeting"))).toBe("fleeting-0,fleeting-1,fleeting-2,fleeting-3");
    await kafka.deleteTopic("fleeting");
    expect(verdictOn(await read("rd-fleeting"))).toBe("unknown");
    await kafka.createTopic("fleeting", 2);
    // Until its members have seen it they own four partitions of a topic that has two.
    for (let look = 0; look < 5; look += 1) {
      expect(verdictOn(await read("rd-fleeting"))).toMatch(/^(unknown|fleeting-0,fleeting-1)$/);
    }
  });

  it("is read from the first bootstrap server that answers", async () => {
    const bootstrapServers = ["127.0.0.1:1", "nowhere.invalid:9092", kafka.bootstrap];
    expect(await read("rd-range", { bootstrapServers })).toMatchObject({ name: "rd-range" });
    const faulty = read("rd-range", { bootstrapServers: bootstrapServers.slice(0, 2) });
    await expect(faulty).rejects.toMatchObject({
      code: "CONNECTION_FAILED",
      message: expect.stringMatching(/127\.0\.0\.1:1.*ECONNREFUSED.*nowhere\.invalid:9092.*nowhere/),
    });
  });

  it("is left at once when the run is told to stop during the pause", async () => {
    const stop = new AbortController();
    const reason = new RebalancerError("CANCELLED", "told to stop by SIGTERM");
    const clock: Clock = {
      now: () => systemClock.now(),
      async sleep(_millis, signal) {
        stop.abort(reason);
        signal.throwIfAborted();
      },
    };
    const source = createKafkaGroupSource(optionsFor("rd-range", { clock }));
    await expect(source.read([], stop.signal)).rejects.toBe(reason);
  });

  /** The settings of a file, as a pod would have it. */
  async function secured(lines: readonly string[]): Promise<Pick<KafkaGroupOptions, "security">> {
    const folder = join(kafka.directory, "client");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "ca.pem"), authority.cert);
    const identity = authority.sign();
    await writeFile(join(folder, "client.pem"), identity.key + identity.cert);
    const path = join(folder, "client.properties");
    await writeFile(path, lines.join("\n"));
    const { security, faults } = await readClientConfig(path);
    expect(faults).toEqual([]);
    return { security: security! };
  }

  /** How it fails: its code and message. */
  async function failure(lines: readonly string[], server: string, group = "rd-range"): Promise<[string, string]> {
    const access = await secured(lines);
    const { code, message } = await read(group, { bootstrapServers: [server], ...access }).then(
      () => ({ code: "", message: "it did not fail" }),
      (thrown: RebalancerError) => thrown,
    );
    expect(message).toContain(server);
    expect(message).not.toContain(PASSWORD);
    return [code, message];
  }

  describe("behind a guard", () => {
    it.each(MECHANISMS)("is read with %s, and not with a wrong password", async (mechanism) => {
      const server = kafka.guarded.sasl;
      const access = await secured(login(mechanism, "ann", PASSWORD));
      expect(await read("rd-range", { bootstrapServers: [server], ...access })).toMatchObject({ state: "Stable" });
      const [code, message] = await failure(login(mechanism, "ann", "wr0ng-password"), server);
      expect([code, message]).toEqual(["UNAUTHORIZED", expect.stringContaining(`that it knows for ${mechanism}`)]);
      expect(message).not.toContain("wr0ng");
    });

    it.each(["rd-range", "kip848", "none"])("is forbidden to whoever has no right to it: %s", async (group) => {
      const [code, message] = await failure(login("PLAIN", "nobody", PASSWORD), kafka.guarded.sasl, group);
      expect([code, message]).toEqual(["FORBIDDEN", expect.stringMatching(/expected the right DESCRIBE on group/)]);
    });

    it("is read with a client certificate, and not without", async () => {
      const server = kafka.guarded.mutualTls;
      const access = await secured(["security.protocol=SSL", ...TRUST, ...IDENTITY]);
      expect(await read("rd-range", { bootstrapServers: [server], ...access })).toMatchObject({ state: "Stable" });
      expect(await failure(["security.protocol=SSL", ...TRUST], server)).toEqual([
        "TLS_FAILED",
        expect.stringMatching(/certificate/i),
      ]);
    });

    it("is not read from whoever cannot prove who it is", async () => {
      const server = kafka.guarded.mutualTls;
      const [code, message] = await failure(["security.protocol=SSL", ...IDENTITY], server);
      expect([code, message]).toEqual([
        "TLS_FAILED",
        expect.stringMatching(/unable to (verify the first|get local issuer) certificate|self-signed/),
      ]);
      const named = server.replace("127.0.0.1", "localhost");
      const [other, why] = await failure(["security.protocol=SSL", ...TRUST, ...IDENTITY], named);
      expect([other, why]).toEqual(["TLS_FAILED", expect.stringMatching(/localhost.*cert/)]);
      const unchecked = ["security.protocol=SSL", ...TRUST, ...IDENTITY, "ssl.endpoint.identification.algorithm="];
      const access = await secured(unchecked);
      expect(await read("rd-range", { bootstrapServers: [named], ...access })).toMatchObject({ state: "Stable" });
    });

    it("is not read by another protocol than the listener's", async () => {
      const { sasl, mutualTls } = kafka.guarded;
      const expected = expect.stringContaining("expected security.protocol");
      expect(await failure(["security.protocol=PLAINTEXT"], mutualTls)).toEqual(["TLS_FAILED", expected]);
      expect(await failure(["security.protocol=SSL", ...TRUST], kafka.bootstrap)).toEqual(["TLS_FAILED", expected]);
      expect(await failure(["security.protocol=SSL", ...TRUST], sasl)).toEqual(["CONNECTION_FAILED", expected]);
      const [code, message] = await failure([...login("PLAIN", "ann", PASSWORD), ...IDENTITY], mutualTls);
      expect([code, message]).toEqual(["CONNECTION_FAILED", expect.stringContaining("asks for no SASL")]);
    });

    it("is read by what is built, too", async () => {
      const outdir = join(kafka.directory, "built");
      const entryPoints = { source: "src/kafka/admin/source.ts" };
      await build({ ...BUNDLE, entryPoints, outdir, absWorkingDir: resolve(import.meta.dirname, "../..") });
      await writeFile(join(outdir, "package.json"), '{"type":"module"}');
      const built = (await import(pathToFileURL(join(outdir, "source.js")).href)) as {
        createKafkaGroupSource: typeof createKafkaGroupSource;
      };
      const access = await secured(login("SCRAM-SHA-512", "ann", PASSWORD));
      const options = optionsFor("kip848", { bootstrapServers: [kafka.guarded.sasl], ...access });
      const group = await built.createKafkaGroupSource(options).read([], NEVER);
      expect(group).toMatchObject({ type: "consumer", protocol: "kip848-uniform" });
    });
  });
});
