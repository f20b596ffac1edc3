/** One look at a group: a fixed number of requests, two more for each broker that leads one of its partitions. */

import { RebalancerError } from "../../errors.ts";
import type { Clock } from "../../ports.ts";
import type { ConsumerGroup, GroupType } from "../group.ts";
import { racksDecide } from "../model-choice.ts";
import type { Broker, Connections } from "./connections.ts";
import { type Described, describeClassic, describeConsumer } from "./describe.ts";
import { describeGroupRight, insistOnSuccess } from "./failures.ts";
import { committedOffsets, loadsOf, sampleEnds } from "./offsets.ts";
import { insistOnExactly, invalidReply } from "./replies.ts";
import {
  apiVersions,
  describeGroups,
  fetchOffsets,
  findCoordinators,
  listClassicGroups,
  listGroups,
  listOffsets,
  metadata,
} from "./requests.ts";
import { readTopics, type Topic } from "./topics.ts";

/** What is asked about, and how long between the samples. */
export interface Look {
  readonly group: string;
  readonly sampleMillis: number;
  readonly clock: Clock;
}

/**
 * @throws RebalancerError
 * @throws the signal's reason, once it aborts.
 */
export async function readGroup(look: Look, connections: Connections, signal: AbortSignal): Promise<ConsumerGroup> {
  const { group: name } = look;
  const { coordinator, versions } = await findCoordinator(name, connections);
  const listed = await findInList(name, coordinator, { connections, versions });
  const known = { source: "kafka", name, members: [], partitions: [], topicIds: new Map<string, string>() } as const;
  if (listed?.type === "share" || listed?.type === "streams") {
    return { ...known, ...listed, assignor: undefined, protocol: undefined };
  }
  const describe = listed?.type === "consumer" ? describeConsumer : describeClassic;
  const before = await describe(name, coordinator, connections);
  const type = typeOf(listed?.type, before);
  if (before.members.length === 0 || type === "streams") {
    return { ...known, type, state: before.state, assignor: before.assignor, protocol: undefined };
  }
  const topics = await readTopics(before, coordinator, connections);
  const place = { ...look, coordinator, connections, topics };
  const first = await sampleEnds(place);
  await look.clock.sleep(look.sampleMillis, signal);
  // First what was committed: an end that is asked for later is not before it.
  const committed = await committedOffsets(place);
  const [second, after] = await Promise.all([sampleEnds(place), describe(name, coordinator, connections)]);
  return {
    ...known,
    type,
    state: stateOf(before, after, topics),
    assignor: after.assignor,
    protocol: protocolOf(after, topics),
    members: after.members,
    partitions: loadsOf(topics, { first, second, committed }),
    topicIds: topicIdsOf(topics),
  };
}

/** A topic that was made anew has another id than the one that members still own partitions of. */
function isAnotherTopic({ ownedIds }: Described, topics: readonly Topic[]): boolean {
  const ids = topicIdsOf(topics);
  return ownedIds.some(([topic, id]) => id !== undefined && ids.has(topic) && ids.get(topic) !== id);
}

function protocolOf({ protocol, racks }: Described, topics: readonly Topic[]): ConsumerGroup["protocol"] {
  const ofPartitions = topics.flatMap(({ partitions }) => partitions.map((partition) => partition.racks));
  return racksDecide(racks, ofPartitions) ? undefined : protocol;
}

function topicIdsOf(topics: readonly Topic[]): ReadonlyMap<string, string> {
  return new Map(topics.flatMap(({ topic, id }) => (id === undefined ? [] : [[topic, id]])));
}

/** By the number of each request the versions that a broker takes. */
type Versions = ReadonlyMap<number, { readonly minVersion: number; readonly maxVersion: number }>;

/** All of Kafka 3.0 or newer. */
const NEEDED = [describeGroups, findCoordinators, listClassicGroups, metadata, listOffsets, fetchOffsets];

async function findCoordinator(
  group: string,
  connections: Connections,
): Promise<{ coordinator: Broker; versions: Versions }> {
  const broker = await connections.first();
  const versions = await readVersions(broker, connections);
  const what = `find the coordinator of group ${JSON.stringify(group)}`;
  const { coordinators } = await connections.ask(broker, what, (connection) =>
    findCoordinators.async(connection, GROUP_KEY, [group]),
  );
  insistOnExactly(
    [group],
    coordinators.map(({ key }) => key),
    { where: broker.where, what },
  );
  const [{ errorCode, host, port } = { errorCode: -1, host: "", port: 0 }] = coordinators;
  insistOnSuccess(broker.where, what, errorCode, describeGroupRight(group));
  const coordinator = await connections.to(
    { host, port },
    "the coordinator of the group, as the cluster advertises it",
  );
  return { coordinator, versions };
}

const GROUP_KEY = 0;

/** What an older broker answers to version 3 of the request for its versions, which is of Kafka 2.4 (KIP-511). */
const UNSUPPORTED_VERSION = 35;

/** @throws RebalancerError where this is an older Kafka, or none. */
async function readVersions(broker: Broker, connections: Connections): Promise<Versions> {
  const what = "ask for the versions";
  const { errorCode, apiKeys } = await connections.ask(broker, what, (connection) =>
    apiVersions.async(connection, "pod-rebalancer", "1"),
  );
  if (errorCode === UNSUPPORTED_VERSION) {
    throw new RebalancerError("REQUEST_REJECTED", `${broker.where} is older than Kafka 2.4, expected 3.0 or newer`);
  }
  insistOnSuccess(broker.where, what, errorCode, "to connect");
  const versions: Versions = new Map(apiKeys.map((one) => [one.apiKey, one]));
  for (const { key, version } of NEEDED) {
    const { minVersion = 0, maxVersion = -1 } = versions.get(key) ?? {};
    if (version >= minVersion && version <= maxVersion) continue;
    const offered = `${broker.where} takes request ${key} in the versions ${minVersion} to ${maxVersion}`;
    throw new RebalancerError("REQUEST_REJECTED", `${offered}, expected ${version}: that of Kafka 3.0 or newer`);
  }
  return versions;
}

interface Listed {
  readonly type: GroupType;
  readonly state: string;
}

/** @returns undefined where it is not there, or nobody lets us see it. */
async function findInList(
  name: string,
  coordinator: Broker,
  { connections, versions }: { readonly connections: Connections; readonly versions: Versions },
): Promise<Listed | undefined> {
  const typed = (versions.get(listGroups.key)?.maxVersion ?? 0) >= listGroups.version;
  const what = "list the groups";
  const { errorCode, groups } = await connections.ask(coordinator, what, (connection) =>
    typed ? listGroups.async(connection, [], []) : listClassicGroups.async(connection, [], []),
  );
  insistOnSuccess(coordinator.where, what, errorCode, describeGroupRight(name));
  const [found, another] = groups.filter(({ groupId }) => groupId === name);
  if (another !== undefined) {
    const why = `group ${JSON.stringify(name)} is listed twice`;
    throw invalidReply({ where: coordinator.where, what }, why, "expected it once");
  }
  const type = GROUP_TYPES.find((one) => one === found?.groupType?.toLowerCase()) ?? "classic";
  return found && { type, state: found.groupState };
}

/** Those that are no classic groups. */
const GROUP_TYPES: readonly GroupType[] = ["consumer", "share", "streams"];

/** Kafka Streams also is a classic group with an assignor of its own. */
function typeOf(listed: GroupType | undefined, { assignor }: Described): GroupType | undefined {
  return listed === "classic" && assignor === "stream" ? "streams" : listed;
}

/** What changed between two looks is not stable, whatever either says of itself. */
function stateOf(before: Described, after: Described, topics: readonly Topic[]): string {
  if (after.state !== "Stable") return after.state;
  if (before.state !== "Stable") return before.state;
  if (isAnotherTopic(after, topics)) return UNSETTLED;
  const isSame = before.epoch === after.epoch && JSON.stringify(before.members) === JSON.stringify(after.members);
  if (isSame) return "Stable";
  return after.epoch === undefined ? "PreparingRebalance" : UNSETTLED;
}

/** What KIP-848 calls a group whose members do not have yet what they are to have. */
const UNSETTLED = "Reconciling";
