/** Consumers of a real broker, as processes, and what they say of themselves. */

import { readFileSync } from "node:fs";

import { type Kafka, javaConsumerCommand, pythonCommand } from "../harness/kafka.ts";
import { type ServerProcess, startProcess } from "../harness/processes.ts";

interface ConsumerOptions {
  readonly client: "java" | "librdkafka";
  readonly group: string;
  /** client.id. */
  readonly pod: string;
  /** Several with commas between them. */
  readonly topic: string;
  /** Of the client itself. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface RunningConsumer extends ServerProcess {
  /** The member's id, once it is known. */
  memberId(): string | undefined;
  /** Numbers of partitions, ascending; undefined before it was assigned any. */
  owned(): readonly number[] | undefined;
}

interface Told {
  readonly event: string;
  readonly partitions?: readonly number[];
  readonly member?: string;
}

export async function startConsumer(kafka: Kafka, options: ConsumerOptions): Promise<RunningConsumer> {
  const { client, group, pod, topic, settings = {} } = options;
  const launch = await (client === "java" ? javaConsumerCommand() : pythonCommand("consumer.py"));
  const commits = { "auto.commit.interval.ms": "500" };
  const named = {
    bootstrap: kafka.bootstrap,
    group,
    pod,
    topic,
    namespace: "shop",
    cpuSecondsPerMessage: "0.001",
    messagesPerSecond: "1000",
    ...Object.fromEntries(
      Object.entries({ ...commits, ...settings }).map(([name, value]) => [`client.${name}`, value]),
    ),
  };
  const args = [...launch.args, ...Object.entries(named).map(([name, value]) => `${name}=${value}`)];
  const started = await startProcess({ ...launch, name: `${group}-${pod}`, args, directory: kafka.directory });
  const told = () =>
    readFileSync(started.logFile, "utf8")
      .split("\n")
      .filter((line) => line.startsWith('{"event"') && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Told);
  return {
    ...started,
    memberId: () => told().findLast(({ member }) => member)?.member,
    owned() {
      const changes = told().filter(({ event }) => /^(assigned|revoked|lost)$/.test(event));
      if (changes.length === 0) return undefined;
      const owned = new Set<number>();
      for (const { event, partitions = [] } of changes) {
        for (const partition of partitions) {
          if (event === "assigned") owned.add(partition);
          else owned.delete(partition);
        }
      }
      return [...owned].toSorted((one, other) => one - other);
    },
  };
}
