/** Reads and writes the golden vectors of the Java client and of the coordinator, in the format that `golden/README.md` describes. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import type { Assignment, Assignor, Member, TopicPartition } from "../../src/kafka/assignors/assignor.ts";
import type { Group } from "../../src/kafka/assignors/orders.ts";
import { asRead } from "../../src/kafka/assignors/uniform-group.ts";

const FOLDER = join(import.meta.dirname, "golden");
const FIRST_LETTER = 65;

/** The checked-in lines of one assignor; a line's place is its number. */
export function goldenLines(assignor: string): string[] {
  return gunzipSync(readFileSync(join(FOLDER, `${assignor}.txt.gz`)))
    .toString()
    .trimEnd()
    .split("\n");
}

/** The group that a line describes. */
export function readGroup(line: string): Group {
  const [sizes = "", joined = "", owned = ""] = line.split(";");
  const described = sizes.split(",").map((size) => size.split(/[=/]/) as [topic: string, count: string, id?: string]);
  const topics = described.map(([topic]) => topic);
  return {
    partitions: new Map(described.map(([topic, count]) => [topic, Number(count)])),
    topicIds: new Map(described.flatMap(([topic, , id]) => (id === undefined ? [] : [[topic, id] as const]))),
    members: readMembers(joined, topics, readOwned(owned, topics)),
  };
}

/** The fields of a line that describe the group; for the assignors of the client. */
export function lineOf({ partitions, members }: Group): string {
  const topics = [...partitions.keys()];
  const joined = members.map(({ id, generation, topics: wanted, instanceId }) => {
    const places = topics.flatMap((topic, at) => (wanted.includes(topic) ? [at] : [])).join("");
    return [id, generation, places, ...(instanceId === undefined ? [] : [instanceId])].join("/");
  });
  const owned = new Map(members.map((member) => [member.id, member.owned]));
  const sizes = [...partitions].map(([topic, count]) => `${topic}=${count}`);
  return [sizes, joined, topics.map((topic) => rowsOf(topic, owned, members))]
    .map((field) => field.join(","))
    .join(";");
}

/** The line as it would be if `assign` were the real assignor. */
export function answered(line: string, assign: Assignor): string {
  const group = readGroup(line);
  return [...line.split(";").slice(0, 3), answerOf(group, assign)].join(";");
}

function answerOf(group: Group, assign: Assignor): string {
  const { partitions, topicIds, members } = group;
  let assignment: Assignment;
  try {
    assignment = assign(partitions, members, topicIds);
  } catch {
    return "!";
  }
  return (
    [...partitions.keys()].map((topic) => rowsOf(topic, assignment, members)).join(",") + ordersOf(group, assignment)
  );
}

function readMembers(
  joined: string,
  topics: readonly string[],
  owned: ReadonlyMap<number, readonly TopicPartition[]>,
): Member[] {
  return joined.split(",").map((member, at) => {
    const [id = "", generation = "", wanted = "", instanceId] = member.split("/");
    return {
      id,
      generation: Number(generation),
      topics: Array.from(wanted, (digit) => topics[Number(digit)] ?? ""),
      owned: owned.get(at) ?? [],
      ...(instanceId === undefined ? {} : { instanceId }),
    };
  });
}

/** By the member's place. */
function readOwned(owned: string, topics: readonly string[]): Map<number, TopicPartition[]> {
  const held = new Map<number, TopicPartition[]>();
  const [letters = "", ...orders] = owned.split(" ");
  for (const [at, rows] of letters.split(",").entries()) {
    for (const row of rows.split("/")) {
      for (const [partition, letter] of row.split("").entries()) {
        if (letter === ".") continue;
        const place = placeOf(letter);
        held.set(place, [...(held.get(place) ?? []), { topic: topics[at] ?? "", partition }]);
      }
    }
  }
  for (const order of orders) {
    const [letter = "", ...partitions] = order.split(":");
    held.set(
      placeOf(letter),
      partitions.map((each) => readPartition(each, topics)),
    );
  }
  return held;
}

function readPartition(text: string, topics: readonly string[]): TopicPartition {
  const [at = "", partition = ""] = text.split(".");
  return { topic: topics[Number(at)] ?? "", partition: Number(partition) };
}

function placeOf(letter: string): number {
  return letter.charCodeAt(0) - FIRST_LETTER;
}

/** What members have in another order than that in which they would have it if it were read in the order of the rows. */
function ordersOf({ partitions, topicIds = new Map(), members }: Group, assignment: Assignment): string {
  if (topicIds.size === 0) return "";
  const topics = [...partitions.keys()];
  const orders = members.flatMap(({ id }, at) => {
    const own = (assignment.get(id) ?? []).map((each) => `:${topics.indexOf(each.topic)}.${each.partition}`);
    const sorted = topics.flatMap((topic) =>
      (assignment.get(id) ?? [])
        .filter((each) => each.topic === topic)
        .toSorted((one, other) => one.partition - other.partition),
    );
    const read = asRead(sorted, topicIds).map((each) => `:${topics.indexOf(each.topic)}.${each.partition}`);
    return own.join("") === read.join("") ? [] : [` ${String.fromCharCode(FIRST_LETTER + at)}${own.join("")}`];
  });
  return orders.join("");
}

function rowsOf(topic: string, assignment: Assignment, members: readonly Member[]): string {
  const rows: string[][] = [[]];
  for (const [at, { id }] of members.entries()) {
    const own = (assignment.get(id) ?? []).filter((partition) => partition.topic === topic);
    for (const { partition } of own) note(rows, partition, String.fromCharCode(FIRST_LETTER + at));
  }
  return rows.map((row) => row.join("")).join("/");
}

function note(rows: string[][], partition: number, letter: string): void {
  const taken = rows.findIndex((row) => (row[partition] ?? ".") === ".");
  if (taken < 0) rows.push([]);
  for (const row of taken < 0 ? rows : rows.slice(0, taken + 1)) while (row.length <= partition) row.push(".");
  const row = rows.at(taken) ?? [];
  row[partition] = letter;
}
