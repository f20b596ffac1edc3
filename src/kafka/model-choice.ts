/** Which model answers as a group's assignor does. A name alone does not say: clients of several makes register the same one. */

import type { ProtocolName } from "./assignors/protocols.ts";
import { isStickyUserData, type Subscription, type WrittenAssignment } from "./consumer-protocol.ts";

/** A member of a classic group, as far as it tells which client it runs with. */
export interface RegisteredMember {
  readonly instanceId: string | undefined;
  /** undefined where the coordinator did not say. */
  readonly subscription: Subscription | undefined;
  readonly assignment: WrittenAssignment | undefined;
}

/**
 * Of a classic group.
 *
 * Each client writes in a manner of its own. Java 2.4, 3.3, 3.9 and 4.4, librdkafka 2.0 and 2.16 were recorded; the others are from
 * their sources:
 *
 * | | subscription's version | its user data | assignment's version | its user data |
 * | --- | --- | --- | --- | --- |
 * | Java | 1 to 3 | null; cooperative: 4 bytes (2.4: null); sticky: its own, or null at first | like that | null |
 * | librdkafka | 1 to 3 | empty; cooperative: the sticky assignor's, or empty at first | 0 | not null |
 * | franz-go | 3 | null; both sticky ones: the sticky assignor's | 0 | null |
 * | sarama | 0 to 3 | null; cooperative: 4 bytes | 0 | null; sticky: its own |
 * | kafka-python | 0 | empty; sticky: its own | 0 | empty |
 *
 * @param assignor - as the members registered it.
 * @returns undefined unless every member is of one and the same make that has a model.
 */
export function classicModel(assignor: string, members: readonly RegisteredMember[]): ProtocolName | undefined {
  if (members.length === 0) return undefined;
  if (members.every((member) => isJava(assignor, member))) return JAVA.get(assignor);
  if (!members.every((member) => isLibrdkafka(assignor, member))) return undefined;
  const staticMembers = members.filter(({ instanceId }) => instanceId !== undefined).length;
  const partlyStatic = staticMembers > 0 && staticMembers < members.length;
  // There librdkafka compares instance ids with member ids, which is no order.
  return partlyStatic && assignor !== "cooperative-sticky" ? undefined : LIBRDKAFKA.get(assignor);
}

const JAVA: ReadonlyMap<string, ProtocolName> = new Map<string, ProtocolName>([
  ["range", "java-range"],
  ["roundrobin", "java-roundrobin"],
  ["sticky", "java-sticky"],
  ["cooperative-sticky", "java-cooperative-sticky"],
]);

const LIBRDKAFKA: ReadonlyMap<string, ProtocolName> = new Map<string, ProtocolName>([
  ["range", "librdkafka-range"],
  ["roundrobin", "librdkafka-roundrobin"],
  ["cooperative-sticky", "librdkafka-cooperative-sticky"],
]);

const KIP848: ReadonlyMap<string, ProtocolName> = new Map<string, ProtocolName>([
  ["range", "kip848-range"],
  ["uniform", "kip848-uniform"],
]);

/**
 * Of a group whose coordinator assigns (KIP-848).
 *
 * @param expressions - of each member: the regular expression that it subscribes by, or none.
 * @returns undefined also where members subscribe by different ones: the coordinator then deals otherwise than the model.
 */
export function kip848Model(assignor: string, expressions: readonly (string | undefined)[]): ProtocolName | undefined {
  return new Set(expressions).size > 1 ? undefined : KIP848.get(assignor);
}

function isJava(assignor: string, { subscription, assignment }: RegisteredMember): boolean {
  if (subscription === undefined || assignment === undefined) return false;
  if (subscription.version < 1 || assignment.version < 1 || assignment.userData !== undefined) return false;
  const { userData } = subscription;
  if (assignor === "cooperative-sticky") return userData?.length === 4;
  if (assignor === "sticky") return userData === undefined || isStickyUserData(userData);
  return userData === undefined;
}

function isLibrdkafka(assignor: string, { subscription, assignment }: RegisteredMember): boolean {
  if (subscription?.userData === undefined || assignment?.userData === undefined) return false;
  if (subscription.version < 1 || assignment.version !== 0) return false;
  const { userData } = subscription;
  return userData.length === 0 || (assignor === "cooperative-sticky" && isStickyUserData(userData));
}

/**
 * Whether an assignor that knows of racks (all but round-robin and those of KIP-848) goes by them (KIP-881), which no model does: a
 * member is in a rack that has replicas, and not every partition has one in every rack.
 *
 * @param memberRacks - of all members that say.
 * @param partitionRacks - of each partition, the racks of its replicas.
 */
export function racksDecide(memberRacks: readonly string[], partitionRacks: readonly (readonly string[])[]): boolean {
  const all = new Set(partitionRacks.flat());
  return memberRacks.some((rack) => all.has(rack)) && partitionRacks.some((racks) => new Set(racks).size < all.size);
}
