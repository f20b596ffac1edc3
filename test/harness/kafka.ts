/** A real Kafka broker on loopback (KRaft, one node), and what its clients run with. */

import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

import { cachedPath, ensureCached } from "./build.ts";
import { failInCi, freePorts, type ServerProcess, startProcess, temporaryFolder, waitUntilReady } from "./processes.ts";

const FOLDER = join(import.meta.dirname, "kafka");
const POM = join(FOLDER, "pom.xml");
const REQUIREMENTS = join(FOLDER, "requirements.txt");
const CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAA";
const START_TIMEOUT_MILLIS = 60_000;
/** A JVM that lives for minutes and shares two cores with ten others. */
const SMALL_JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] as const;

export interface Kafka extends AsyncDisposable {
  /** host:port. */
  readonly bootstrap: string;
  /** host:port of the listeners that a {@link Guard} opens. */
  readonly guarded: { readonly sasl: string; readonly mutualTls: string };
  readonly directory: string;
  createTopic(name: string, partitions: number): Promise<void>;
  deleteTopic(name: string): Promise<void>;
}

/** Adds a listener with SASL over TLS, one that wants a client certificate, and rights, which the users do not have. */
export interface Guard {
  /** In PEM: who may sign clients' certificates. */
  readonly ca: string;
  /** Of the broker. */
  readonly identity: { readonly cert: string; readonly key: string };
  /** Passwords by name, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly users: Readonly<Record<string, string>>;
  /** Principals that may do everything ("User:ann"); who needs no login is one of them. */
  readonly superUsers: readonly string[];
}

const run = promisify(execFile);

/**
 * Why no broker and no clients can be started here; undefined when they can. Fetches them from their registries where they are not
 * in the cache.
 *
 * @throws Error instead, where `CI` is set.
 */
export async function kafkaMissing(): Promise<string | undefined> {
  for (const [program, ...args] of [
    ["javac", "-version"],
    ["python3", "--version"],
  ]) {
    if (spawnSync(program!, args).status !== 0) return failInCi(`${program} is not installed (npm run tools)`);
  }
  return failInCi(
    await Promise.all([ensureKafka(), ensurePython()]).then(
      () => undefined,
      (error: unknown) => `Kafka is not there: ${String(error)}`,
    ),
  );
}

/** @returns the folder with Kafka's jars. */
export async function ensureKafka(): Promise<string> {
  return ensureCached(cachedPath("kafka", [readFileSync(POM)]), async (scratch) => {
    const jars = join(scratch, "jars");
    await run("mvn", ["-q", "-B", "-f", POM, "dependency:copy-dependencies", `-DoutputDirectory=${jars}`]);
    return jars;
  });
}

/** @returns the folder that is the PYTHONPATH of the clients with librdkafka. */
async function ensurePython(): Promise<string> {
  return ensureCached(cachedPath("confluent-kafka", [readFileSync(REQUIREMENTS)]), async (scratch) => {
    const packages = join(scratch, "packages");
    await run("python3", ["-m", "pip", "install", "-q", "--target", packages, "-r", REQUIREMENTS]);
    return packages;
  });
}

/** A program and what it is started with. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** How a script of this folder is started, with librdkafka at hand. */
export async function pythonCommand(script: "consumer.py" | "producer.py" | "topic.py"): Promise<Launch> {
  return { program: "python3", args: [join(FOLDER, script)], env: { PYTHONPATH: await ensurePython() } };
}

/** How the consumer with the Java client is started; compiled once, or each of eight processes would do it for itself. */
export async function javaConsumerCommand(): Promise<Launch> {
  return { program: "java", args: ["-Xmx64m", ...SMALL_JVM, "-cp", await classPathOf("Consumer"), "Consumer"] };
}

/** The class path of a program of this folder that consists of one file: Kafka's jars and its own classes. */
export async function classPathOf(program: "Consumer" | "GoldenVectors"): Promise<string> {
  const jars = await ensureKafka();
  const source = join(FOLDER, `${program}.java`);
  const sources = [readFileSync(POM), readFileSync(source)];
  const classes = await ensureCached(cachedPath(`kafka-${program.toLowerCase()}`, sources), async (scratch) => {
    const target = join(scratch, "classes");
    await run("javac", ["-d", target, "-cp", join(jars, "*"), source]);
    return target;
  });
  return `${join(jars, "*")}:${classes}`;
}

/** Starts a broker with an empty log of its own. */
export async function startKafka(guard?: Guard): Promise<Kafka> {
  const jars = join(await ensureKafka(), "*");
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder("kafka"));
  const [port = 0, controllerPort = 0, saslPort = 0, tlsPort = 0] = await freePorts(4);
  const properties = join(directory, "server.properties");
  const listeners = { PLAINTEXT: port, CONTROLLER: controllerPort, ...(guard && { SASL_SSL: saslPort, SSL: tlsPort }) };
  const guarding = guard && (await guardProperties(directory, guard));
  await writeFile(properties, propertiesText({ ...serverProperties(directory, listeners), ...guarding }));
  const java = ["-Xmx512m", ...SMALL_JVM, `-Djava.util.logging.SimpleFormatter.format=${LOG_FORMAT}`, "-cp", jars];
  const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties, "--standalone"];
  await run("java", [...java, ...format, ...scramArguments(guard)]);
  const args = [...java, "kafka.Kafka", properties];
  const broker: ServerProcess = started.use(await startProcess({ name: "kafka", program: "java", args, directory }));
  await waitUntilReady(broker, () => accepts(port), START_TIMEOUT_MILLIS);
  const bootstrap = `127.0.0.1:${port}`;
  const running = started.move();
  return {
    bootstrap,
    guarded: { sasl: `127.0.0.1:${saslPort}`, mutualTls: `127.0.0.1:${tlsPort}` },
    directory,
    createTopic: (name, partitions) => changeTopic(bootstrap, name, partitions),
    deleteTopic: (name) => changeTopic(bootstrap, name, 0),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function changeTopic(bootstrap: string, name: string, partitions: number): Promise<void> {
  const { program, args: script, env } = await pythonCommand("topic.py");
  const options = { env: { ...process.env, ...env } };
  await run(program, [...script, bootstrap, name, String(partitions)], options);
}

/** Milliseconds since 1970, the level, the message: `%1$tQ`. */
const LOG_FORMAT = "%1$tQ %4$s %5$s%6$s%n";

type Properties = Readonly<Record<string, string | number>>;

/** @param ports - by the name of the listener. */
function serverProperties(directory: string, ports: Readonly<Record<string, number>>): Properties {
  const listeners = Object.entries(ports).map(([name, port]) => `${name}://127.0.0.1:${port}`);
  return {
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: listeners.join(),
    "advertised.listeners": listeners.join(),
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${ports["CONTROLLER"]}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
    "log.dirs": join(directory, "data"),
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    // The heartbeat of a KIP-848 member is the broker's to say.
    "group.consumer.min.heartbeat.interval.ms": 500,
    "group.consumer.heartbeat.interval.ms": 1_000,
    "group.consumer.min.session.timeout.ms": 3_000,
    "group.consumer.session.timeout.ms": 10_000,
  };
}

const LOGIN = "org.apache.kafka.common.security";

async function guardProperties(directory: string, { ca, identity, users, superUsers }: Guard): Promise<Properties> {
  const [keystore, truststore] = [join(directory, "broker.pem"), join(directory, "ca.pem")];
  await Promise.all([writeFile(keystore, identity.key + identity.cert), writeFile(truststore, ca)]);
  const passwords = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`);
  return {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": keystore,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": truststore,
    "listener.name.ssl.ssl.client.auth": "required",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.sasl_ssl.plain.sasl.jaas.config": `${LOGIN}.plain.PlainLoginModule required${passwords.join("")};`,
    "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": `${LOGIN}.scram.ScramLoginModule required;`,
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": `${LOGIN}.scram.ScramLoginModule required;`,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": ["User:ANONYMOUS", ...superUsers].join(";"),
  };
}

/** These passwords are part of the metadata that the storage begins with. */
function scramArguments(guard: Guard | undefined): string[] {
  return Object.entries(guard?.users ?? {}).flatMap(([name, password]) =>
    ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  );
}

function propertiesText(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket.destroy() === socket));
    socket.once("error", () => resolve(false));
  });
}
