/** The rebalances of a classic group, as the leader's assignor saw them: what a model of that assignor takes, and what it must give. */

import { readFileSync } from "node:fs";

import type { Member } from "../../src/kafka/assignors/assignor.ts";
import type { Container, ToldRound } from "./kubelet.ts";
import { changesOf, ownershipOf } from "./ownership.ts";

/** One call of the assignor. */
export interface Round {
  readonly at: number;
  readonly assignor: string;
  /** In the leader's order. */
  readonly members: readonly Member[];
  /**
   * Numbers of partitions by member id, in the assignor's order. Of the Java client after KIP-429 has withheld what others still
   * own, of librdkafka before that.
   */
  readonly assigned: Readonly<Record<string, readonly number[]>>;
}

interface LoggedRound {
  readonly at: number;
  readonly assignor: string;
  /** How many partitions each member says that it owns. */
  readonly owned: ReadonlyMap<string, number>;
  readonly assigned: ReadonlyMap<string, readonly number[]>;
  /** Takes up a line of the log that may belong to it. */
  readonly read: (text: string) => void;
}

const LINE = /^%7\|(?<seconds>[\d.]+)\|ASSIGN\|[^|]*\| \[thrd:[^\]]*\]: (?<text>.*)$/;
const BEGINS = /^Group ".*" running (?<assignor>\S+) assignor for \d+ member/;
const OWNS = /^ Member "(?<id>[^"]+)"(?: \(me\))? with (?<count>\d+) owned partition/;
const GETS = /^ Member "(?<id>[^"]+)"(?: \(me\))? assigned \d+ partition/;
const PARTITION = /^ {2}\S+ \[(?<partition>\d+)\]$/;

/** From the consumers' own words, in the order of time. */
export function roundsOf(containers: readonly Container[], topic: string): Round[] {
  const told = containers.flatMap(({ events }) => events().filter(({ event }) => event === "round") as ToldRound[]);
  const rounds = told.map((round): Round => {
    const members = round.members.map(({ instanceId, owned, ...member }) => ({
      ...member,
      ...(instanceId === null ? {} : { instanceId }),
      topics: [topic],
      owned: owned.map((partition) => ({ topic, partition })),
    }));
    return { at: round.at, assignor: round.assignor, members, assigned: round.assigned };
  });
  return [...rounds.toSorted((a, b) => a.at - b.at), ...librdkafkaRounds(containers, topic)];
}

/**
 * From the logs of librdkafka (`debug=assignor`), which has only the number of what a member owns. The generation of a member is the place in the list of the
 * round that gave it what it owns.
 *
 * @throws Error where what the consumers told does not fit to what the leader saw.
 */
function librdkafkaRounds(containers: readonly Container[], topic: string): Round[] {
  const logged = containers.flatMap(({ process }) => loggedRounds(readFileSync(process.logFile, "utf8")));
  const uids = uidsByMember(containers);
  const changes = changesOf(containers);
  const latest = new Map<string, number>();
  return logged
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, assignor, owned, assigned }, index) => {
      const ownership = ownershipOf(changes.filter((change) => change.at < at));
      const members = [...owned].map(([id, count]): Member => {
        const mine = count === 0 ? [] : (ownership.get(uids.get(id) ?? "") ?? []);
        if (mine.length !== count)
          throw new Error(`round ${index}: ${id} owns ${count} partitions, not ${mine.join()}`);
        const generation = latest.get(id) ?? -1;
        latest.set(id, index);
        return { id, topics: [topic], owned: mine.map((partition) => ({ topic, partition })), generation };
      });
      return { at, assignor, members, assigned: Object.fromEntries(assigned) };
    });
}

function loggedRounds(log: string): LoggedRound[] {
  const rounds: LoggedRound[] = [];
  for (const line of log.split("\n")) {
    const { seconds, text = "" } = LINE.exec(line)?.groups ?? {};
    const assignor = BEGINS.exec(text)?.groups?.["assignor"];
    if (assignor === undefined) rounds.at(-1)?.read(text);
    else rounds.push(loggedRound(Math.round(Number(seconds) * 1_000), assignor));
  }
  return rounds;
}

function loggedRound(at: number, assignor: string): LoggedRound {
  const owned = new Map<string, number>();
  const assigned = new Map<string, number[]>();
  let current: number[] = [];
  function read(text: string): void {
    const { id: owner, count } = OWNS.exec(text)?.groups ?? {};
    if (owner !== undefined) owned.set(owner, Number(count));
    const { id } = GETS.exec(text)?.groups ?? {};
    if (id !== undefined) assigned.set(id, (current = []));
    const { partition } = PARTITION.exec(text)?.groups ?? {};
    if (partition !== undefined) current.push(Number(partition));
  }
  return { at, assignor, owned, assigned, read };
}

function uidsByMember(containers: readonly Container[]): ReadonlyMap<string, string> {
  return new Map(
    containers.flatMap(({ uid, events }) =>
      events().flatMap((event) => ("member" in event && event.member ? [[event.member, uid] as const] : [])),
    ),
  );
}
