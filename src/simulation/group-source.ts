/** The simulated group as Kafka's admin API tells of it. */

import type { Protocol } from "../kafka/assignors/orders.ts";
import { assignorOf, PROTOCOLS, type ProtocolName } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup } from "../kafka/group.ts";
import type { GroupSource } from "../ports.ts";
import { type Random, UUID_LENGTH } from "../random.ts";
import type { SimulatedGroup } from "./consumer-group.ts";
import { partitionsOf } from "./coordinator.ts";

export interface GroupSourceSettings {
  readonly protocol: Protocol;
  readonly protocolName?: ProtocolName;
  /** Each rate is off by up to this share, either way: 0…1. */
  readonly noise: number;
  readonly random: Random;
}

/** @param group - as of now. */
export function simulatedGroupSource(group: () => SimulatedGroup, settings: GroupSourceSettings): GroupSource {
  return {
    name: "kafka",
    async read(_pods, signal) {
      signal.throwIfAborted();
      return describe(group(), settings);
    },
  };
}

function describe(group: SimulatedGroup, settings: GroupSourceSettings): ConsumerGroup {
  const { protocol, noise, random, protocolName: name = nameOf(protocol) } = settings;
  const { partitions, topicIds = new Map<string, string>(), members } = group.members;
  return {
    source: "kafka",
    name: "simulated",
    type: protocol.rebalances === "incremental" ? "consumer" : "classic",
    state: group.stable ? "Stable" : "PreparingRebalance",
    assignor: name && assignorOf(name),
    protocol: name,
    members: members.map(({ id, instanceId, topics, owned }) => ({
      id,
      clientId: id.slice(0, -UUID_LENGTH - 1),
      host: undefined,
      instanceId,
      pod: undefined,
      topics,
      owned,
    })),
    partitions: partitionsOf(partitions).map((partition, place) => ({
      ...partition,
      rate: (group.rates[place] ?? 0) * (1 + noise * (2 * random() - 1)),
      lag: Math.round(group.backlog[place] ?? 0),
    })),
    topicIds,
  };
}

function nameOf(protocol: Protocol): ProtocolName | undefined {
  return (Object.keys(PROTOCOLS) as ProtocolName[]).find((name) => PROTOCOLS[name] === protocol);
}
