/** A broker that speaks Kafka's own frames, with one group on it, and alters its answers as a test says. */

import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type Duplex, duplexPair } from "node:stream";

import { Writer } from "@platformatic/kafka";

import type { Dial } from "../../src/kafka/admin/connections.ts";

/** What it is asked, by the numbers of the protocol; of SCRAM each message on its own. */
export const ASKED = [
  "ApiVersions",
  "FindCoordinator",
  "ListGroups",
  "DescribeGroups",
  "ConsumerGroupDescribe",
  "Metadata",
  "ListOffsets",
  "OffsetFetch",
  "SaslHandshake",
  "SaslAuthenticate",
] as const;
export type Asked = (typeof ASKED)[number];

const NUMBERS: Readonly<Record<number, Asked>> = {
  2: "ListOffsets",
  3: "Metadata",
  9: "OffsetFetch",
  10: "FindCoordinator",
  15: "DescribeGroups",
  16: "ListGroups",
  17: "SaslHandshake",
  18: "ApiVersions",
  36: "SaslAuthenticate",
  69: "ConsumerGroupDescribe",
};

export interface FakeMember {
  readonly id: string;
  readonly clientId: string;
  readonly host: string;
  /** What it subscribes to; all topics by default. */
  readonly topics?: readonly string[];
  readonly owned: readonly FakePartition[];
}
interface FakePartition {
  readonly topic: string;
  readonly partition: number;
}

export interface FakeGroup {
  readonly name: string;
  readonly type: "classic" | "consumer";
  readonly members: readonly FakeMember[];
  readonly topics: readonly FakeTopic[];
}
export interface FakeTopic {
  readonly name: string;
  readonly id: string;
  /** Messages that each partition gets from one request for its end to the next. */
  readonly growth: readonly number[];
}

/**
 * What goes over the wire instead of an answer.
 *
 * @param nth - how many answers to such a request came before this one.
 * @param frame - with its length before it.
 * @returns what is written, in these pieces; where a frame stays incomplete the broker ends the connection behind it, so that nobody waits.
 */
export type Alteration = (asked: Asked, nth: number, frame: Buffer) => readonly Buffer[];

export interface FakeBrokerOptions {
  readonly group: FakeGroup;
  readonly alter?: Alteration;
  /** The highest version of ListGroups: 4 (before Kafka 3.8) or 5. */
  readonly listGroupsVersion?: 4 | 5;
  /** Whom it knows by SCRAM, and with how many iterations (4,096 by default); by PLAIN it lets everybody in. */
  readonly login?: FakeLogin;
}
interface FakeLogin {
  readonly mechanism: string;
  readonly password: string;
  readonly iterations?: number;
}

export interface FakeBroker {
  /** In memory; every address is this broker's. */
  readonly dial: Dial;
  /** Over TCP. */
  listen(): Promise<{ readonly where: string } & AsyncDisposable>;
}

export function createFakeBroker(options: FakeBrokerOptions): FakeBroker {
  const answers = answersOf(options);
  return {
    dial() {
      const [ours, theirs] = duplexPair();
      serve(ours, { host: "broker", port: 9092 }, answers, options.alter);
      return { socket: theirs, connected: Promise.resolve() };
    },
    async listen() {
      const sockets = new Set<Duplex>();
      const server = createServer((socket) => {
        sockets.add(socket);
        serve(socket, { host: "127.0.0.1", port: (server.address() as AddressInfo).port }, answers, options.alter);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return {
        where: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        async [Symbol.asyncDispose]() {
          for (const socket of sockets) socket.destroy();
          server.close();
          await once(server, "close");
        },
      };
    },
  };
}

interface Request {
  readonly asked: Asked;
  readonly version: number;
  readonly body: Buffer;
}
interface Self {
  readonly host: string;
  readonly port: number;
}
/** The answer's body, with the end of its header. */
type Answers = (request: Request, self: Self) => Buffer;
type Server = { readonly answers: Answers; readonly counts: Map<Asked, number> };

function serve(socket: Duplex, self: Self, { answers, counts }: Server, alter?: Alteration): void {
  let received = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE()) {
      const end = 4 + received.readInt32BE();
      const frame = received.subarray(4, end);
      received = received.subarray(end);
      const asked = NUMBERS[frame.readInt16BE(0)]!;
      const behindClientId = 10 + frame.readInt16BE(8);
      const request = { asked, version: frame.readInt16BE(2), body: frame.subarray(behindClientId) };
      const answer = Buffer.concat([Buffer.alloc(8), answers(request, self)]);
      answer.writeInt32BE(answer.length - 4, 0);
      frame.copy(answer, 4, 4, 8);
      const nth = counts.get(asked) ?? 0;
      counts.set(asked, nth + 1);
      const pieces = alter?.(asked, nth, answer) ?? [answer];
      for (const piece of pieces) if (!socket.destroyed) socket.write(piece);
      if (!isWhole(Buffer.concat(pieces))) socket.end();
    }
  });
  socket.on("end", () => socket.end());
}

/** At least one frame, and none that waits for its end. */
function isWhole(bytes: Buffer): boolean {
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readInt32BE(at);
    // The client gives up there.
    if (length < 4) return true;
    if (length > bytes.length - at - 4) return false;
    at += 4 + length;
  }
  return at > 0 && at === bytes.length;
}

/** Versions of requests that Kafka 4.4 takes, and some that it does not know of. */
const VERSIONS: readonly (readonly [key: number, min: number, max: number])[] = [
  [0, 3, 13],
  [1, 4, 18],
  [2, 1, 11],
  [3, 0, 13],
  [9, 1, 10],
  [10, 0, 6],
  [15, 0, 6],
  [17, 0, 1],
  [18, 0, 5],
  [36, 0, 2],
  [69, 0, 1],
  [700, 0, 9],
];

function answersOf({ group, listGroupsVersion = 5, login }: FakeBrokerOptions): Server {
  const counts = new Map<Asked, number>();
  let scram: { readonly bare: string; readonly first: string } | undefined;
  const says: Readonly<Record<Asked, (request: Request, self: Self) => Writer>> = {
    ApiVersions: () =>
      Writer.create()
        .appendInt16(0)
        .appendArray([...VERSIONS, [16, 0, listGroupsVersion] as const], (w, [key, min, max]) => {
          w.appendInt16(key).appendInt16(min).appendInt16(max);
        })
        .appendInt32(0)
        .appendTaggedFields(),
    FindCoordinator: (_request, { host, port }) =>
      Writer.create()
        .appendInt32(0)
        .appendArray([group.name], (w, key) => {
          w.appendString(key).appendInt32(1).appendString(host).appendInt32(port).appendInt16(0).appendString(null);
        })
        .appendTaggedFields(),
    ListGroups: ({ version }) =>
      Writer.create()
        .appendInt32(0)
        .appendInt16(0)
        .appendArray(["others", group.name], (w, id) => {
          w.appendString(id).appendString("consumer").appendString("Stable");
          if (version >= 5) w.appendString(group.type);
        })
        .appendTaggedFields(),
    DescribeGroups: () => classicOf(group),
    ConsumerGroupDescribe: () => consumerOf(group),
    Metadata: (_request, self) => metadataOf(group, self),
    ListOffsets: () => {
      const round = counts.get("ListOffsets") ?? 0;
      return offsetsOf(group, (w, growth, partition) => {
        w.appendInt32(partition).appendInt16(0).appendInt64(-1n);
        w.appendInt64(BigInt(1_000_000 + round * growth)).appendInt32(3);
      });
    },
    OffsetFetch: () =>
      Writer.create()
        .appendInt32(0)
        .appendArray([group.name], (w, name) => {
          w.appendString(name)
            .appendArray([...group.topics], (topics, topic) => {
              topics.appendString(topic.name).appendArray([...topic.growth], (partitions, growth, partition) => {
                partitions
                  .appendInt32(partition)
                  .appendInt64(BigInt(1_000_000 - growth))
                  .appendInt32(3);
                partitions.appendString("").appendInt16(0);
              });
            })
            .appendInt16(0);
        })
        .appendTaggedFields(),
    SaslHandshake: () =>
      Writer.create()
        .appendInt16(0)
        .appendArray(
          ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
          (w, name) => w.appendString(name, false),
          false,
          false,
        ),
    SaslAuthenticate: ({ body }) => {
      // A compact length of one byte before it, or two.
      const words = body.subarray(body[1]! >= 0x80 ? 3 : 2, -1).toString();
      let reply = "";
      if (words.startsWith("n,,")) {
        const bare = words.slice(3);
        scram = {
          bare,
          first: `r=${/r=(.*)$/.exec(bare)?.[1]}server,s=${SALT.toString("base64")},i=${login?.iterations ?? ITERATIONS}`,
        };
        reply = scram.first;
      } else if (words.startsWith("c=")) {
        reply = verifierOf(login!, `${scram?.bare},${scram?.first},${words.replace(/,p=.*$/, "")}`);
      }
      return Writer.create()
        .appendInt16(0)
        .appendString(null)
        .appendBytes(Buffer.from(reply))
        .appendInt64(3_600_000n)
        .appendTaggedFields();
    },
  };
  /** Those have no tagged fields at the end of their header. */
  const bare: ReadonlySet<Asked> = new Set(["ApiVersions", "SaslHandshake"]);
  return {
    counts,
    answers: (request, self) => {
      const { buffer } = says[request.asked](request, self);
      return bare.has(request.asked) ? buffer : Buffer.concat([Buffer.of(0), buffer]);
    },
  };
}

const SALT = Buffer.from("a salt of the broker");
const ITERATIONS = 4_096;
const salted = new Map<string, Buffer>();

/** "v=…" (RFC 5802). */
function verifierOf({ mechanism, password }: FakeLogin, signed: string): string {
  const hash = mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512";
  const { length } = createHash(hash).digest();
  const key = `${hash} ${password}`;
  if (!salted.has(key)) salted.set(key, pbkdf2Sync(password, SALT, ITERATIONS, length, hash));
  const serverKey = createHmac(hash, salted.get(key)!).update("Server Key").digest();
  return `v=${createHmac(hash, serverKey).update(signed).digest("base64")}`;
}

function metadataOf({ topics }: FakeGroup, { host, port }: Self): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([1, 2], (w, node) => {
      w.appendInt32(node).appendString(host).appendInt32(port).appendString(`rack-${node}`);
    })
    .appendString("cluster")
    .appendInt32(1)
    .appendArray([...topics], (w, { name, id, growth }) => {
      w.appendInt16(0).appendString(name).appendUUID(id).appendBoolean(false);
      w.appendArray([...growth], (partitions, _growth, partition) => {
        partitions.appendInt16(0).appendInt32(partition).appendInt32(1).appendInt32(3);
        for (const nodes of [[1, 2], [1], []]) {
          partitions.appendArray(nodes, (nodesOf, node) => nodesOf.appendInt32(node), true, false);
        }
      });
      w.appendInt32(-2_147_483_648);
    })
    .appendTaggedFields();
}

function offsetsOf({ topics }: FakeGroup, write: (writer: Writer, growth: number, partition: number) => void): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([...topics], (w, topic) => {
      w.appendString(topic.name).appendArray([...topic.growth], write);
    })
    .appendTaggedFields();
}

function classicOf({ name, members, topics }: FakeGroup): Writer {
  const names = topics.map((topic) => topic.name);
  return Writer.create()
    .appendInt32(0)
    .appendArray([name], (w) => {
      w.appendInt16(0).appendString(name).appendString("Stable");
      w.appendString("consumer").appendString("cooperative-sticky");
      w.appendArray([...members], (described, { id, clientId, host, topics: wanted = names, owned }) => {
        described.appendString(id).appendString(null).appendString(clientId).appendString(`/${host}`);
        described.appendBytes(subscriptionOf(wanted, owned)).appendBytes(assignmentOf(owned));
      });
      w.appendInt32(-2_147_483_648);
    })
    .appendTaggedFields();
}

function consumerOf({ name, members, topics }: FakeGroup): Writer {
  const names = topics.map((topic) => topic.name);
  return Writer.create()
    .appendInt32(0)
    .appendArray([name], (w) => {
      w.appendInt16(0).appendString(null).appendString(name).appendString("Stable");
      w.appendInt32(7).appendInt32(7).appendString("uniform");
      w.appendArray([...members], (described, { id, clientId, host, topics: wanted = names, owned }) => {
        described.appendString(id).appendString(null).appendString(null).appendInt32(7);
        described.appendString(clientId).appendString(`/${host}`);
        described
          .appendArray([...wanted], (topicsOf, topic) => topicsOf.appendString(topic), true, false)
          .appendString(null);
        const byTopic = topics.flatMap((topic) => {
          const its = owned.filter((one) => one.topic === topic.name).map(({ partition }) => partition);
          return its.length > 0 ? [{ topic, its }] : [];
        });
        for (let twice = 0; twice < 2; twice += 1) {
          described.appendArray(byTopic, (assigned, { topic, its }) => {
            assigned.appendUUID(topic.id).appendString(topic.name);
            assigned.appendArray(its, (numbers, partition) => numbers.appendInt32(partition), true, false);
          });
          described.appendTaggedFields();
        }
      });
      w.appendInt32(-2_147_483_648);
    })
    .appendTaggedFields();
}

/** As a Java client of version 3 writes it with the cooperative sticky assignor: its generation as user data. */
function subscriptionOf(topics: readonly string[], owned: readonly FakePartition[]): Buffer {
  const writer = Writer.create()
    .appendInt16(3)
    .appendArray([...topics], (w, topic) => w.appendString(topic, false), false, false)
    .appendBytes(Buffer.of(0, 0, 0, 5), false);
  return appendPartitions(writer, owned).appendInt32(5).appendString(null, false).buffer;
}

function assignmentOf(owned: readonly FakePartition[]): Buffer {
  return appendPartitions(Writer.create().appendInt16(3), owned).appendBytes(null, false).buffer;
}

function appendPartitions(writer: Writer, owned: readonly FakePartition[]): Writer {
  const topics = [...Map.groupBy(owned, ({ topic }) => topic)];
  return writer.appendArray(
    topics,
    (w, [topic, its]) => {
      w.appendString(topic, false);
      w.appendArray(
        its.map(({ partition }) => partition),
        (numbers, partition) => numbers.appendInt32(partition),
        false,
        false,
      );
    },
    false,
    false,
  );
}
