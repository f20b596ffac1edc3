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
  readonly directory: string;
  createTopic(name: string, partitions: number): Promise<void>;
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
  const jars = await ensureKafka();
  const source = join(FOLDER, "Consumer.java");
  const sources = [readFileSync(POM), readFileSync(source)];
  const classes = await ensureCached(cachedPath("kafka-consumer", sources), async (scratch) => {
    const target = join(scratch, "classes");
    await run("javac", ["-d", target, "-cp", join(jars, "*"), source]);
    return target;
  });
  return { program: "java", args: ["-Xmx64m", ...SMALL_JVM, "-cp", `${join(jars, "*")}:${classes}`, "Consumer"] };
}

/** Starts a broker with an empty log of its own. */
export async function startKafka(): Promise<Kafka> {
  const jars = join(await ensureKafka(), "*");
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder("kafka"));
  const [port = 0, controllerPort = 0] = await freePorts(2);
  const properties = join(directory, "server.properties");
  await writeFile(properties, serverProperties(directory, port, controllerPort));
  const java = ["-Xmx512m", ...SMALL_JVM, `-Djava.util.logging.SimpleFormatter.format=${LOG_FORMAT}`, "-cp", jars];
  const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties, "--standalone"];
  await run("java", [...java, ...format]);
  const args = [...java, "kafka.Kafka", properties];
  const broker: ServerProcess = started.use(await startProcess({ name: "kafka", program: "java", args, directory }));
  await waitUntilReady(broker, () => accepts(port), START_TIMEOUT_MILLIS);
  const bootstrap = `127.0.0.1:${port}`;
  const running = started.move();
  return {
    bootstrap,
    directory,
    async createTopic(name, partitions) {
      const { program, args: script, env } = await pythonCommand("topic.py");
      const options = { env: { ...process.env, ...env } };
      await run(program, [...script, bootstrap, name, String(partitions)], options);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Milliseconds since 1970, the level, the message: `%1$tQ`. */
const LOG_FORMAT = "%1$tQ %4$s %5$s%6$s%n";

function serverProperties(directory: string, port: number, controllerPort: number): string {
  const properties = {
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
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
