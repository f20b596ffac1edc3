/** The metrics and the consumer group of an `ApiWorld`. */

import type { RebalancerError } from "../../src/errors.ts";
import { assignorOf, type ProtocolName } from "../../src/kafka/assignors/protocols.ts";
import type { ConsumerGroup } from "../../src/kafka/group.ts";
import type { GroupSource, MetricsSource } from "../../src/ports.ts";
import { seededRandom, shuffled } from "../../src/random.ts";
import type { Signal, SignalSamples } from "../../src/types.ts";
import { type ApiWorld, groupAt, isReady } from "./api-world.ts";

/** What becomes of the n-th look: it throws, or never ends. */
export type SourceFault = (nth: number) => RebalancerError | "hang" | undefined;

function misbehaving(faultOf: SourceFault) {
  let calls = 0;
  return async (signal: AbortSignal) => {
    signal.throwIfAborted();
    const fault = faultOf(calls);
    calls += 1;
    if (fault === undefined) return;
    if (fault !== "hang") throw fault;
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
}

/** The samples of every pod that ever was, also of those that are gone: exporters forget slowly. */
export function apiMetrics(world: ApiWorld, faultOf: SourceFault, read: () => void): MetricsSource {
  const misbehave = misbehaving(faultOf);
  const samplesOf = (signal: Signal): SignalSamples => {
    const raw = world.pods.flatMap(({ name, samples: { [signal]: value } }) =>
      value === undefined ? [] : [[name, value] as const],
    );
    const sound = raw.filter(([, value]) => Number.isFinite(value) && value >= 0);
    return { values: new Map(sound), rejected: raw.filter((row) => !sound.includes(row)).map(([name]) => name) };
  };
  return {
    async fetch(_pods, signal) {
      await misbehave(signal);
      read();
      return { cpu: samplesOf("cpu"), lag: samplesOf("lag"), rate: samplesOf("rate"), memory: samplesOf("memory") };
    },
  };
}

/** A consumer group: how the Ready pods of the moment share its partitions. */
export interface ApiGroup {
  readonly protocol: ProtocolName;
  readonly partitions: number;
  /** Decides who owns what, and which rates the partitions have. */
  readonly seed: number;
  readonly state: string;
  readonly oddity: "none" | "streams" | "share" | "range" | "static" | "unmatched" | "no rates" | "hot" | "even";
  /** Whether a member is told by the address of its pod, and not by its name. */
  readonly byAddress: boolean;
  /** Whether another source says otherwise. */
  readonly contradicted: boolean;
}

export function apiGroupSources(world: ApiWorld, group: ApiGroup, faultOf: SourceFault): readonly GroupSource[] {
  const misbehave = misbehaving(faultOf);
  const kafka: GroupSource = {
    name: "kafka",
    async read(_pods, signal) {
      await misbehave(signal);
      return groupOf(world, group);
    },
  };
  if (!group.contradicted) return [kafka];
  const metrics: GroupSource = {
    name: "client-metrics",
    async read() {
      const { members, ...rest } = groupOf(world, group);
      const [first, ...others] = members.map(({ owned }) => owned);
      const moved = [...others, ...(first ? [first] : [])];
      return {
        ...rest,
        source: "client-metrics",
        members: members.map((one, seat) => ({ ...one, owned: moved[seat] ?? [] })),
      };
    },
  };
  return [kafka, metrics];
}

function groupOf(world: ApiWorld, { protocol, partitions, seed, state, oddity, byAddress }: ApiGroup): ConsumerGroup {
  const random = seededRandom(seed);
  const now = world.clock.now().getTime();
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic: "orders", partition }));
  const ready = groupAt(world, now).filter((pod) => isReady(pod, now));
  const dealt = shuffled(places, random);
  const members = ready.map(({ uid, name, ip }, seat) => ({
    id: `${name}-${uid}`,
    clientId: byAddress ? "consumer-1" : name,
    host: byAddress ? ip : undefined,
    instanceId: oddity === "static" && seat === 0 ? "fixed" : undefined,
    pod: undefined,
    topics: ["orders"],
    owned: dealt.filter((_partition, turn) => turn % ready.length === seat),
  }));
  const rateOf = (place: number) => {
    if (oddity === "no rates") return undefined;
    if (oddity === "even") return 1;
    return oddity === "hot" && place === 0 ? 10_000 : 100 * random() ** 3;
  };
  const other = oddity === "streams" || oddity === "share" ? oddity : undefined;
  const [lost, ...found] = members;
  return {
    // That Kafka itself does not know them is another matter.
    source: oddity === "no rates" ? "client-metrics" : "kafka",
    name: "orders",
    type: other ?? "classic",
    state,
    assignor: oddity === "range" ? "range" : assignorOf(protocol),
    protocol: oddity === "range" ? undefined : protocol,
    members: oddity === "unmatched" && lost ? [{ ...lost, clientId: "elsewhere", host: undefined }, ...found] : members,
    partitions: places.map((place, at) => ({ ...place, rate: rateOf(at), lag: 0 })),
    topicIds: new Map(),
  };
}
