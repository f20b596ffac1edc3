/** A broker that answers wrongly: nothing is removed on it, the run is reported, and its Lease is free afterwards. */

import { describe, expect, it } from "vitest";

import { type Asked, createFakeBroker, type FakeBrokerOptions, type FakeGroup } from "../fakes/kafka-broker.ts";
import { altered } from "./misbehaviour.ts";
import { LIVE, type Scene, type SceneOptions, startScene } from "./scene.ts";

const PARTITIONS = Array.from({ length: 24 }, (_, partition) => ({ topic: "orders", partition }));
const ID = "00112233-4455-6677-8899-aabbccddeeff";

/** Four partitions a pod; those of the first bring ten times as much. */
function groupOf({ pods }: Scene, changes: Partial<FakeGroup> = {}): FakeGroup {
  return {
    name: "orders",
    type: "classic",
    members: pods.map(({ name }, seat) => ({
      id: `${name}-7d1c7a8e-9f0b-4c57-8a4e-2f6b5d3c1a0${seat}`,
      clientId: name,
      host: `10.0.0.${seat}`,
      owned: PARTITIONS.slice(4 * seat, 4 * seat + 4),
    })),
    topics: [{ name: "orders", id: ID, growth: PARTITIONS.map((_, at) => (at < 4 ? 10_000 + at : 1_000 + at)) }],
    ...changes,
  };
}

/** A broker with such a group, and the settings that lead to it. */
async function brokerFor(group: FakeGroup, options: Partial<FakeBrokerOptions> = {}) {
  const broker = await createFakeBroker({ group, ...options }).listen();
  const settings = { KAFKA_BOOTSTRAP_SERVERS: broker.where, KAFKA_GROUP: "orders" };
  return { settings, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

/** With addresses of their own, as pods of a real cluster have them. */
const ADDRESSED: SceneOptions = {
  kubernetes: (call) =>
    call === "list pods"
      ? altered((body) => {
          const { items = [] } = body as { items?: { status?: object }[] };
          return {
            ...body,
            items: items.map((item, at) => ({ ...item, status: { ...item.status, podIP: `10.0.0.${at}` } })),
          };
        })
      : undefined,
};

describe("a broker", { concurrent: true }, () => {
  it("that answers as it should lets the run rotate the pod with the hot partitions", async () => {
    await using scene = await startScene();
    await using kafka = await brokerFor(groupOf(scene));
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toContain(scene.pods[0]!.name);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("whose clients are numbered like pods of a StatefulSet has its members found by their addresses", async () => {
    await using scene = await startScene({ ...ADDRESSED, kind: "StatefulSet" });
    const { members } = groupOf(scene);
    // Each process numbers its consumers from 1 on, whichever pod it is in; the hot partitions are the last pod's.
    const numbered = members.map((one, at) => ({ ...one, clientId: "orders-1", owned: members.at(-1 - at)!.owned }));
    await using kafka = await brokerFor(groupOf(scene, { members: numbered }));
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(scene.removed()).toContain("orders-5");
  });

  it.each<[string, (group: FakeGroup) => Partial<FakeGroup>, string, RegExp]>([
    [
      "has no owner of a partition, and a member owns one of a topic that is not there",
      ({ members: [first, ...others] }) => ({
        members: [{ ...first!, owned: [...first!.owned.slice(1), { topic: "ghost", partition: 0 }] }, ...others],
      }),
      "sources_contradict",
      /owns ghost-0, and the topics that the group subscribes to have no such partition/,
    ],
    [
      "has made a topic anew with half of its partitions",
      ({ topics: [topic] }) => ({ topics: [{ ...topic!, growth: topic!.growth.slice(0, 12) }] }),
      "sources_contradict",
      /owns orders-12, and the topics/,
    ],
    [
      "has more partitions than are owned",
      ({ topics: [topic] }) => ({ topics: [{ ...topic!, growth: [...topic!.growth, 5] }] }),
      "group_unstable",
      /1 of 25 partitions have no owner: orders-24/,
    ],
    [
      "has two owners of a partition",
      ({ members: [first, ...others] }) => ({ members: [{ ...first!, owned: PARTITIONS.slice(0, 5) }, ...others] }),
      "sources_contradict",
      /orders-4 is owned by .* and by /,
    ],
  ])("that %s leads to no removal", async (_name, change, reason, says) => {
    await using scene = await startScene();
    await using kafka = await brokerFor(groupOf(scene, change(groupOf(scene))));
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ reason, exitCode: reason === "group_unstable" ? 0 : 4 });
    expect(ended.said).toMatch(says);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("whose member has the id of one pod and the address of another leads to no removal", async () => {
    await using scene = await startScene(ADDRESSED);
    const { members } = groupOf(scene);
    const moved = members.map((one, at) => ({ ...one, clientId: members.at(at - 1)!.clientId }));
    await using kafka = await brokerFor(groupOf(scene, { members: moved }));
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ reason: "members_unmatched", exitCode: 4 });
    expect(ended.said).toMatch(
      /has the address 10\.0\.0\.0, which is that of orders-\S+, and the client\.id orders-\S+, which/,
    );
    expect(scene.removed()).toEqual([]);
  });

  it.each<[string, Asked, (frame: Buffer) => Buffer, string, RegExp]>([
    ["sends an answer of 3 bytes", "ApiVersions", withLength(3), "REPLY_INVALID", /it has 3 bytes, expected 4/],
    ["sends an answer of -1 bytes", "Metadata", withLength(-1), "REPLY_INVALID", /it has -1 bytes, expected 4/],
    [
      "announces 2 GiB",
      "DescribeGroups",
      withLength(2 ** 31 - 1),
      "REPLY_TOO_LARGE",
      /2147483647 bytes, expected at most/,
    ],
    ["sends noise", "FindCoordinator", (frame) => frame.fill(0xff, 8), "REPLY_INVALID", /is not understood/],
    [
      "speaks of another group",
      "DescribeGroups",
      (frame) => Buffer.from(frame.toString("latin1").replace("\u0007orders", "\u0007odders"), "latin1"),
      "REPLY_INVALID",
      /the answer speaks of "odders"/,
    ],
    [
      "knows no ends",
      "ListOffsets",
      withoutEnds,
      "REPLY_INVALID",
      /the log of orders-0 ends at -1; expected an offset >= 0/,
    ],
  ])("that %s leads to a report and to no removal", async (_name, spoilt, spoil, code, says) => {
    await using scene = await startScene();
    await using kafka = await brokerFor(groupOf(scene), {
      alter: (asked, _nth, frame) => [asked === spoilt ? spoil(frame) : frame],
    });
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code });
    expect(ended.said).toMatch(says);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(scene.removed()).toEqual([]);
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
    expect(scene.recorded()).toEqual([]);
  });

  it("that goes wrong after the removal takes neither its success nor the Lease from the run", async () => {
    await using scene = await startScene();
    await using kafka = await brokerFor(groupOf(scene), {
      alter: (_asked, _nth, frame) => [scene.removed().length > 0 ? withLength(0)(frame) : frame],
    });
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ exitCode: 0, reason: "rotated" });
    expect(ended.stderr).toMatch(/What came of a rotation is not known.*it has 0 bytes, expected 4 at least/);
    expect(scene.removed()).not.toEqual([]);
    expect(scene.recorded()).toEqual(scene.removed());
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });

  it("that streams 2 GiB is left at the first bytes", async () => {
    await using scene = await startScene();
    const chunk = Buffer.alloc(65_536);
    await using kafka = await brokerFor(groupOf(scene), {
      alter: (asked, _nth, frame) =>
        asked === "Metadata"
          ? [withLength(2 ** 31 - 1)(frame), ...Array.from({ length: 4_096 }, () => chunk)]
          : [frame],
    });
    const ended = await scene.run(LIVE, kafka.settings);
    expect(ended).toMatchObject({ exitCode: 1, reason: "failed", code: "REPLY_TOO_LARGE" });
    expect(scene.lease()?.spec?.holderIdentity).toBe("");
  });
});

function withLength(length: number): (frame: Buffer) => Buffer {
  return (frame) => {
    const copy = Buffer.from(frame);
    copy.writeInt32BE(length, 0);
    return copy;
  };
}

/** Each end is 1,000,000 and something. */
function withoutEnds(frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  for (let at = 0; at + 8 <= copy.length; at += 1) {
    const value = copy.readBigInt64BE(at);
    if (value >= 1_000_000n && value < 2_000_000n) copy.writeBigInt64BE(-1n, at);
  }
  return copy;
}
