import type { Assignor, Member } from "./assignor.ts";
import { PartitionMap } from "./partition-map.ts";

/**
 * Makes a cooperative protocol (KIP-429) of an assignor that gives each partition to its new owner at once: what another
 * member still owns is withheld in this round. Whoever must give it up does so and joins again, and the next round deals it as
 * one that nobody has. Where several members wait for such partitions they do not always get those that the assignor meant
 * for them first.
 *
 * As librdkafka's group leader does it after the assignor (`rd_kafka_cooperative_protocol_adjust_assignment`): of several who
 * claim a partition the last is taken for its owner.
 */
export function withholding(assignor: Assignor): Assignor {
  return (partitions, members) => {
    const owners = ownersOf(members);
    return new Map(
      [...assignor(partitions, members)].map(([id, given]) => [
        id,
        given.filter((partition) => (owners.get(partition) ?? id) === id),
      ]),
    );
  };
}

function ownersOf(members: readonly Member[]): PartitionMap<string> {
  const owners = new PartitionMap<string>();
  for (const { id, owned } of members) for (const partition of owned) owners.set(partition, id);
  return owners;
}
