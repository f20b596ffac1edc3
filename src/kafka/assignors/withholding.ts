import { type Assignor, type Member, nameOf } from "./assignor.ts";

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
        given.filter((partition) => (owners.get(nameOf(partition)) ?? id) === id),
      ]),
    );
  };
}

function ownersOf(members: readonly Member[]): Map<string, string> {
  return new Map(members.flatMap(({ id, owned }) => owned.map((partition) => [nameOf(partition), id] as const)));
}
