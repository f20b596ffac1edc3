/** Reads and writes the golden vectors of the Java client, in the format that `golden/README.md` describes. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import type { Assignment, Assignor, Member, TopicPartition } from "../../src/kafka/assignors/assignor.ts";
import type { Group } from "../../src/kafka/assignors/orders.ts";

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
  const counts = sizes.split(",").map((size) => size.split("=") as [topic: string, count: string]);
  const topics = counts.map(([topic]) => topic);
  const members = readMembers(joined, topics, readOwned(owned, topics));
  return { partitions: new Map(counts.map(([topic, count]) => [topic, Number(count)])), members };
}

/** The line as it would be if `assign` were the real assignor. */
export function answered(line: string, assign: Assignor): string {
  const group = readGroup(line);
  return [...line.split(";").slice(0, 3), answerOf(group, assign)].join(";");
}

function answerOf({ partitions, members }: Group, assign: Assignor): string {
  let assignment: Assignment;
  try {
    assignment = assign(partitions, members);
  } catch {
    return "!";
  }
  return [...partitions.keys()].map((topic) => rowsOf(topic, assignment, members)).join(",");
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
  for (const [at, rows] of owned.split(",").entries()) {
    for (const row of rows.split("/")) {
      for (const [partition, letter] of row.split("").entries()) {
        if (letter === ".") continue;
        const place = letter.charCodeAt(0) - FIRST_LETTER;
        held.set(place, [...(held.get(place) ?? []), { topic: topics[at] ?? "", partition }]);
      }
    }
  }
  return held;
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
