/** Reads the golden vectors: what a real assignor computed, in the format that `golden/README.md` describes. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import type { Member, TopicPartition } from "../../src/kafka/assignors/assignor.ts";

/** One rebalance of a group. */
export interface Round {
  /** The group's number, which is also its seed. */
  readonly group: number;
  readonly partitions: ReadonlyMap<string, number>;
  readonly members: readonly Member[];
  /** In the order of the members; undefined where the real assignor crashed. */
  readonly assigned: readonly (readonly TopicPartition[])[] | undefined;
}

/** The text of one file of vectors. */
export function goldenText(name: string): string {
  return gunzipSync(readFileSync(join(import.meta.dirname, "golden", `${name}.txt.gz`))).toString();
}

/** All rounds of all groups. */
export function readRounds(text: string): Round[] {
  return text.split(/^(?=group )/m).flatMap((block) => {
    const [head = "", ...rounds] = block.split(/^topics/m);
    return rounds.map((round) => readRound(Number(head.slice("group ".length)), round));
  });
}

function readRound(group: number, text: string): Round {
  const [topics = "", ...lines] = text.trimEnd().split("\n");
  const answers = lines.filter((line) => line.startsWith(">"));
  return {
    group,
    partitions: new Map(words(topics).map((word) => [word.slice(0, 1), Number(word.slice(2))])),
    members: lines.filter((line) => !/^[>!]/.test(line)).map(readMember),
    assigned: lines.at(-1) === "!" ? undefined : answers.map((line) => readPartitions(words(line.slice(1)))),
  };
}

function readMember(line: string): Member {
  const [name = "", topics = "", generation = "", ...owned] = line.split(" ");
  const [id = "", instanceId] = name.split("/");
  const member = { id, topics: topics.split(""), generation: Number(generation), owned: readPartitions(owned) };
  return instanceId === undefined ? member : { ...member, instanceId };
}

/** From `a0-2,7`: the partitions 0, 1, 2 and 7 of topic a. */
function readPartitions(runs: readonly string[]): TopicPartition[] {
  return runs.flatMap((run) => {
    const topic = run.slice(0, 1);
    return run
      .slice(1)
      .split(",")
      .flatMap((piece) => {
        const [first = 0, last = first] = piece.split("-").map(Number);
        return Array.from({ length: last - first + 1 }, (_none, at) => ({ topic, partition: first + at }));
      });
  });
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}
