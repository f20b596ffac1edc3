import { duplexPair } from "node:stream";

import type { Connection } from "@platformatic/kafka";
import { Writer } from "@platformatic/kafka";
import { describe, expect, it } from "vitest";

import { createSender } from "./frames.ts";
import { apiVersions, describeConsumerGroups } from "./requests.ts";

/** A broker that gives this answer to whatever it is asked. */
function answering(body: Buffer): Connection {
  const [ours, theirs] = duplexPair();
  theirs.on("data", (request: Buffer) => {
    const head = Buffer.alloc(8);
    head.writeInt32BE(4 + body.length, 0);
    request.copy(head, 4, 8, 12);
    theirs.write(Buffer.concat([head, body]));
  });
  return { send: createSender(ours, "test") } as unknown as Connection;
}

function numbered(count: number, word: string): string[] {
  return Array.from({ length: count }, (_, number) => `${word}-${number}`);
}

function described(members: readonly string[], topics: readonly (readonly string[])[]): Buffer {
  const lists = topics.map(
    (list) => Writer.create().appendArray([...list], (w, topic) => w.appendString(topic), true, false).buffer,
  );
  const head = Writer.create().appendTaggedFields().appendInt32(0).appendUnsignedVarInt(2);
  head.appendInt16(0).appendString(null).appendString("orders").appendString("Stable");
  head.appendInt32(7).appendInt32(7).appendString("uniform");
  head.appendUnsignedVarInt(members.length + 1);
  const bodies = members.map((id, seat) => {
    const before = Writer.create().appendString(id).appendString(null).appendString(null).appendInt32(7);
    before.appendString(id).appendString("/10.0.0.1");
    const after = Writer.create().appendString(null);
    for (let twice = 0; twice < 2; twice += 1) after.appendUnsignedVarInt(1).appendTaggedFields();
    after.appendTaggedFields();
    return Buffer.concat([before.buffer, lists[seat % lists.length]!, after.buffer]);
  });
  const end = Writer.create().appendInt32(0).appendTaggedFields().appendTaggedFields();
  return Buffer.concat([head.buffer, ...bodies, end.buffer]);
}

describe("an answer about a group", () => {
  it("is read where 1,000 members subscribe to 1,000 topics each, of two kinds", async () => {
    const lists = [numbered(1_000, "topic"), [...numbered(999, "topic"), "another"]];
    const connection = answering(described(numbered(1_000, "member"), lists));
    const { groups } = await describeConsumerGroups.async(connection, ["orders"], false);
    const members = groups[0]?.members ?? [];
    expect(members.map(({ memberId }) => memberId)).toEqual(numbered(1_000, "member"));
    expect(members.map(({ subscribedTopicNames: names }) => [names.length, names.at(-1)])).toEqual(
      members.map((_, seat) => [1_000, seat % 2 === 0 ? "topic-999" : "another"]),
    );
  });

  it("is refused where the members' lists are all different, and too much for the memory", async () => {
    const lists = numbered(300, "list").map((name) => [name, ...numbered(999, "t")]);
    const connection = answering(described(numbered(300, "member"), lists));
    await expect(describeConsumerGroups.async(connection, ["orders"], false)).rejects.toMatchObject({
      code: "REPLY_INVALID",
      message: expect.stringMatching(/there are more than 250000 items/),
    });
  });
});

it("An answer about versions that is an error is read as one, whatever follows", async () => {
  // UNSUPPORTED_VERSION, in the form of version 0.
  const answer = await apiVersions.async(answering(Buffer.of(0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2)), "test", "1");
  expect(answer).toEqual({ errorCode: 35, apiKeys: [] });
});
