/** The assignors that can be modelled, by name; and those that cannot. */

import type { Assignor } from "./assignor.ts";
import { librdkafkaSticky } from "./librdkafka-sticky.ts";
import type { Protocol } from "./orders.ts";
import { range } from "./range.ts";
import { roundRobin } from "./round-robin.ts";
import { cooperativeSticky, sticky } from "./sticky.ts";
import { uniform } from "./uniform.ts";
import { UnpredictableAssignment } from "./unpredictable.ts";
import { withholding } from "./withholding.ts";

/** Client, then the name that it registers in the group; `kip848` for those that the coordinator has itself. */
export const PROTOCOLS = {
  "java-range": { assign: range, rebalances: "eager" },
  "java-roundrobin": { assign: roundRobin, rebalances: "eager" },
  "java-sticky": { assign: sticky, rebalances: "eager" },
  "java-cooperative-sticky": { assign: cooperativeSticky, rebalances: "cooperative" },
  "kip848-range": { assign: range, rebalances: "incremental" },
  "kip848-uniform": { assign: uniform, rebalances: "incremental" },
  "librdkafka-range": { assign: allOrNoneStatic(range), rebalances: "eager" },
  "librdkafka-roundrobin": { assign: allOrNoneStatic(roundRobin), rebalances: "eager" },
  "librdkafka-cooperative-sticky": { assign: withholding(librdkafkaSticky), rebalances: "cooperative" },
} as const satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof PROTOCOLS;

/** What the client registers in the group, or the coordinator calls it: "cooperative-sticky". */
export function assignorOf(name: ProtocolName): string {
  return name.slice(name.indexOf("-") + 1);
}

/**
 * Sarama's sticky strategy was seen to give the same group another assignment each time, most likely because it deals in the
 * order in which Go walks its maps. Its range and round-robin were not held against the real ones.
 */
const UNPREDICTABLE = /^sarama-/;

/**
 * @param name - one of {@link PROTOCOLS}.
 * @throws UnpredictableAssignment for an assignor whose answer is an accident.
 * @throws Error for a name that is not known.
 */
export function protocolOf(name: string): Protocol {
  if (UNPREDICTABLE.test(name)) {
    throw new UnpredictableAssignment(
      `${name} cannot be predicted: sarama gives the same group another assignment each time`,
    );
  }
  if (!Object.hasOwn(PROTOCOLS, name)) {
    throw new Error(`assignor ${JSON.stringify(name)} is not one of ${Object.keys(PROTOCOLS).join(", ")}`);
  }
  return PROTOCOLS[name as ProtocolName];
}

/**
 * librdkafka's range and round-robin give what Java's give, but for groups in which only some members are static: there it
 * compares one member's instance id with another's member id, which is no order, and what comes of it depends on its sort.
 */
function allOrNoneStatic(assign: Assignor): Assignor {
  return (partitions, members) => {
    if (new Set(members.map(({ instanceId }) => instanceId === undefined)).size > 1) {
      throw new UnpredictableAssignment("librdkafka has no order for a group in which only some members are static");
    }
    return assign(partitions, members);
  };
}
