import { describe, expect, it } from "vitest";

import { goldenText, readRounds, type Round } from "../../../test/kafka/librdkafka-golden.ts";
import type { TopicPartition } from "./assignor.ts";
import { librdkafkaSticky } from "./librdkafka-sticky.ts";
import { settle } from "./orders.ts";
import { withholding } from "./withholding.ts";

const protocol = { assign: withholding(librdkafkaSticky), rebalances: "cooperative" } as const;

function names(partitions: readonly TopicPartition[] | undefined): string[] {
  return (partitions ?? []).map(({ topic, partition }) => `${topic} ${partition}`).toSorted();
}

/** By member, in the order of their ids. */
function listed(round: Round, of: (place: number) => readonly TopicPartition[] | undefined): [string, string[]][] {
  const entries = round.members.map(({ id }, place): [string, string[]] => [id, names(of(place))]);
  return entries.toSorted(([one], [other]) => (one < other ? -1 : 1));
}

/** What each member has after the round, when it must wait for what another one still owns. */
function afterHoldingBack(round: Round): [string, string[]][] {
  return listed(round, (place) => {
    // Of several who claim a partition the last is taken for the owner.
    const owners = new Map(round.members.flatMap(({ owned }, at) => names(owned).map((name) => [name, at])));
    return round.assigned?.[place]?.filter((partition) =>
      names([partition]).every((name) => (owners.get(name) ?? place) === place),
    );
  });
}

/** The topics, and who wants which. */
function wishes({ partitions, members }: Round): string {
  const wanted = members.map(({ id, topics }) => `${id}: ${topics.join()}`);
  return JSON.stringify([...partitions, ...wanted.toSorted()]);
}

/** Pairs of golden rounds of which the second is nothing but the hand-over that the first one began. */
function handOvers(): [Round, Round][] {
  const rounds = readRounds(goldenText("librdkafka-cooperative-sticky"));
  return rounds.flatMap((round, at): [Round, Round][] => {
    const next = rounds[at + 1];
    if (next?.group !== round.group || next.assigned === undefined) return [];
    if (wishes(round) !== wishes(next)) return [];
    const after = JSON.stringify(afterHoldingBack(round));
    const begun = after !== JSON.stringify(listed(round, (place) => round.assigned?.[place]));
    const ends = JSON.stringify(afterHoldingBack(next)) === JSON.stringify(listed(next, (at2) => next.assigned?.[at2]));
    const followed = after === JSON.stringify(listed(next, (place) => next.members[place]?.owned));
    return begun && ends && followed ? [[round, next]] : [];
  });
}

describe("withholding", () => {
  it("ends where librdkafka's second rebalance ends", () => {
    const pairs = handOvers();
    expect(pairs.length).toBeGreaterThan(10);
    for (const [round, next] of pairs) {
      const rest = settle(protocol, round);
      const assignment = new Map(rest.members.map(({ id, owned }) => [id, owned]));
      const expected = listed(next, (place) => next.assigned?.[place]);
      expect(
        listed(next, (place) => assignment.get(next.members[place]?.id ?? "")),
        `group ${round.group}`,
      ).toEqual(expected);
    }
  });
});
