import { RebalancerError } from "../../errors.ts";
import type { Clock, GroupSource } from "../../ports.ts";
import type { KafkaSecurity } from "./client-config.ts";

/** Where a group is, and how it is looked at. */
export interface KafkaGroupOptions {
  /** "host:port" each; those that do not answer are passed over. */
  readonly bootstrapServers: readonly string[];
  /** group.id. */
  readonly group: string;
  readonly security: KafkaSecurity;
  /** For everything but the pause between the two samples. */
  readonly timeoutMillis: number;
  /** Between the two samples from which the rates come. */
  readonly sampleMillis: number;
  readonly clock: Clock;
}

/**
 * Reads a group from Kafka itself, by whichever protocol it is a group, and closes its connections behind it.
 *
 * A group that is not there has the state "Dead", and one without members "Empty"; of share groups and Kafka Streams only type and
 * state are told. The group is described before and after the samples: where it changed meanwhile, what is told is the later one, with
 * a state that is not "Stable".
 */
export function createKafkaGroupSource(options: KafkaGroupOptions): GroupSource {
  return {
    name: "kafka",
    async read(_pods, signal) {
      // Loaded only now: it brings the client library.
      const [{ createConnections }, { readGroup }] = await Promise.all([
        import("./connections.ts"),
        import("./read-group.ts"),
      ]);
      const deadline = AbortSignal.timeout(options.timeoutMillis + options.sampleMillis);
      const either = AbortSignal.any([signal, deadline]);
      const connections = createConnections(options, either);
      try {
        return await readGroup(options, connections, either);
      } catch (thrown) {
        throw ended(thrown, options, { signal, deadline });
      } finally {
        await connections.close();
      }
    },
  };
}

/** Why it ended, where that was not a fault of Kafka's. */
function ended(
  thrown: unknown,
  { group, bootstrapServers, timeoutMillis }: KafkaGroupOptions,
  { signal, deadline }: { readonly signal: AbortSignal; readonly deadline: AbortSignal },
): unknown {
  const what = `read group ${JSON.stringify(group)} from Kafka at ${bootstrapServers.join(",")}`;
  if (signal.aborted) {
    const { reason } = signal as { reason: unknown };
    if (reason instanceof RebalancerError) return reason;
    return new RebalancerError("CANCELLED", `${what}: cancelled`, { cause: reason });
  }
  if (!deadline.aborted) return thrown;
  const seconds = timeoutMillis / 1_000;
  return new RebalancerError("DEADLINE_EXCEEDED", `${what}: not all answers came, expected them within ${seconds} s`);
}
