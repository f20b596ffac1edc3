/** The group as a forecast plays with it: partitions by their place in one list, so that many outcomes are cheap to add up. */

import { nameOf } from "../kafka/assignors/assignor.ts";
import {
  type Group,
  type Order,
  type Protocol,
  type Replacement,
  replaceMembersInSlices,
} from "../kafka/assignors/orders.ts";
import { PROTOCOLS } from "../kafka/assignors/protocols.ts";
import type { ConsumerGroup, GroupMember } from "../kafka/group.ts";
import {
  BASE64,
  POD_SUFFIX_LENGTH,
  type Random,
  randomPodSuffix,
  randomText,
  randomUuid,
  UUID_LENGTH,
} from "../random.ts";
import type { Slices } from "../slices.ts";
import type { Owner, Ownership } from "./ownership.ts";

export interface Board {
  readonly protocol: Protocol;
  readonly group: Group;
  readonly owners: readonly Owner[];
  /** Messages/s of each partition, by its place. */
  readonly rates: readonly number[];
  /** Which owner has the partition, by its place; -1: nobody. */
  readonly today: Hands;
  readonly placeOf: ReadonlyMap<string, number>;
}

/** Number of an owner by the place of the partition; -1: nobody. */
export type Hands = readonly number[];

/** @returns undefined where the rate of a partition, or how the assignor answers, is not known. */
export function boardOf({ group, owners }: Ownership): Board | undefined {
  const { protocol } = group;
  const rates = group.partitions.map(({ rate }) => rate);
  if (protocol === undefined || !rates.every((rate) => rate !== undefined)) return undefined;
  const placeOf = new Map(group.partitions.map((partition, place) => [nameOf(partition), place]));
  const board = {
    protocol: PROTOCOLS[protocol],
    group: assignorGroupOf(group),
    owners,
    rates,
    placeOf,
  };
  return { ...board, today: handsOf(board.group, ownerNumbers(owners), board) };
}

/** The group, at rest, as its assignor is told of it. */
export function assignorGroupOf({ partitions, topicIds, members }: ConsumerGroup): Group {
  const counts = new Map<string, number>();
  for (const { topic } of partitions) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  return {
    partitions: counts,
    topicIds,
    members: members.map(({ id, instanceId, topics, owned }) => ({
      id,
      ...(instanceId !== undefined && { instanceId }),
      topics,
      owned,
      generation: 1,
    })),
  };
}

/** Numbers of owners: those that go at once, then those that go once these are replaced, and so on. */
export type Plan = readonly (readonly number[])[];

/**
 * Who has what once the members of these owners were replaced, and those that replace them count for the same owners.
 *
 * @throws UnpredictableAssignment, or Error where the assignor fails or the group does not settle.
 */
export function* replaceOwners(board: Board, plan: Plan, order: Order, random: Random): Slices<Hands> {
  const numbers = ownerNumbers(board.owners);
  let replaced = board.group;
  for (const together of plan) {
    const replacements = together.flatMap((number): Replacement[] =>
      (board.owners[number]?.members ?? []).map((member) => {
        const id = newcomerId(member, board.owners[number]?.pod, random);
        numbers.set(id, number);
        const { topics, instanceId } = member;
        return { leaves: member.id, joins: { id, topics, ...(instanceId !== undefined && { instanceId }) } };
      }),
    );
    replaced = yield* replaceMembersInSlices(board.protocol, replaced, replacements, order);
  }
  return handsOf(replaced, numbers, board);
}

function ownerNumbers(owners: readonly Owner[]): Map<string, number> {
  return new Map(owners.flatMap(({ members }, number) => members.map(({ id }) => [id, number] as const)));
}

function handsOf(
  group: Group,
  numbers: ReadonlyMap<string, number>,
  { rates, placeOf }: Pick<Board, "rates" | "placeOf">,
) {
  const hands = rates.map(() => -1);
  for (const { id, owned } of group.members) {
    for (const partition of owned) {
      const place = placeOf.get(nameOf(partition));
      if (place !== undefined) hands[place] = numbers.get(id) ?? -1;
    }
  }
  return hands;
}

/** Made as the old one's was: of a client id, which may be made of the pod's name, and a UUID; or of a UUID in Base64 (KIP-1082). */
function newcomerId({ id, clientId }: GroupMember, pod: string | undefined, random: Random): string {
  const before = id.slice(0, -UUID_LENGTH - 1);
  if (before === "" || before !== clientId) return randomText(22, BASE64, random);
  const named = pod !== undefined && before.includes(pod);
  const fresh = named ? before.replace(pod, newName(pod, random)) : before;
  return `${fresh}-${randomUuid(random)}`;
}

function newName(pod: string, random: Random): string {
  return pod.slice(0, -POD_SUFFIX_LENGTH) + randomPodSuffix(random);
}
