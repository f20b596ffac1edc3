import type { Assignment, Member } from "./assignor.ts";
import { assignableTopics, emptyHands, inMemberOrder } from "./java-group.ts";

/**
 * `org.apache.kafka.clients.consumer.RangeAssignor`: each topic for itself is cut into runs of consecutive partitions, one for
 * each subscriber; the first ones have one more where it does not divide. What members owned does not count, so that a
 * newcomer in the same place of the order gets exactly what the one before it had.
 *
 * `org.apache.kafka.coordinator.group.assignor.RangeAssignor`, the coordinator's own (KIP-848), gives the same.
 *
 * Without racks (KIP-881): it is what the client computes when `client.rack` is not set.
 *
 * @returns by topic name, then ascending.
 */
export function range(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Assignment {
  const assignment = emptyHands(members);
  for (const [topic, count] of assignableTopics(partitions, members)) {
    const subscribers = inMemberOrder(members.filter(({ topics }) => topics.includes(topic)));
    const least = Math.floor(count / subscribers.length);
    const larger = count % subscribers.length;
    let next = 0;
    for (const [place, { id }] of subscribers.entries()) {
      const end = next + least + (place < larger ? 1 : 0);
      for (; next < end; next += 1) assignment.get(id)?.push({ topic, partition: next });
    }
  }
  return assignment;
}
