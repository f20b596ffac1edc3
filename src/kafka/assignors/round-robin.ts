import type { Assignment, Member } from "./assignor.ts";
import { assignableTopics, emptyHands, inMemberOrder } from "./java-group.ts";

/**
 * `org.apache.kafka.clients.consumer.RoundRobinAssignor`: deals all partitions, by topic name and number, to the members in
 * turn; whoever does not subscribe to the topic is passed over, and has lost its turn. What members owned does not count.
 */
export function roundRobin(partitions: ReadonlyMap<string, number>, members: readonly Member[]): Assignment {
  const assignment = emptyHands(members);
  let circle = inMemberOrder(members);
  for (const [topic, count] of assignableTopics(partitions, members)) {
    for (let partition = 0; partition < count; partition += 1) {
      const place = circle.findIndex(({ topics }) => topics.includes(topic));
      assignment.get(circle[place]?.id ?? "")?.push({ topic, partition });
      circle = [...circle.slice(place + 1), ...circle.slice(0, place + 1)];
    }
  }
  return assignment;
}
