/**
 * What is asked of Kafka: the client library writes the requests, and the answers are read here, for three reasons. Its parsers make an
 * error with a stack of each error code, and fail on a code that they do not know; they trust lengths; and of most answers only a part is
 * wanted. An answer that holds error codes is an answer like any other.
 *
 * @see https://kafka.apache.org/protocol#protocol_messages
 */

import {
  apiVersionsV3,
  consumerGroupDescribeV0,
  createAPI,
  describeGroupsV5,
  findCoordinatorV4,
  listGroupsV4,
  listGroupsV5,
  listOffsetsV7,
  metadataV12,
  offsetFetchV8,
  saslAuthenticateV2,
  saslHandshakeV1,
} from "@platformatic/kafka";

import type { BoundedReader } from "./bounded-reader.ts";

type Api<Arguments extends unknown[]> = { readonly api: { readonly key: number; readonly version: number } } & {
  readonly createRequest: (...args: Arguments) => unknown;
};

/**
 * @param tagged - whether the headers of request and answer have tagged fields: those of all that are "flexible" (KIP-482), but for the
 *   answer to ApiVersions.
 */
function request<Arguments extends unknown[], Answer>(
  { api, createRequest }: Api<Arguments>,
  parse: (reader: BoundedReader) => Answer,
  tagged: { readonly request: boolean; readonly answer: boolean } = { request: true, answer: true },
) {
  return createAPI<Arguments, Answer>(
    api.key,
    api.version,
    createRequest as Parameters<typeof createAPI>[2],
    (_correlationId, _key, _version, reader) => parse(reader as BoundedReader),
    tagged.request,
    tagged.answer,
  );
}

export const apiVersions = request(apiVersionsV3, versionsIn, { request: true, answer: false });

function versionsIn(reader: BoundedReader) {
  const errorCode = reader.readInt16();
  // Of an error the rest may have the form of another version.
  const apiKeys =
    errorCode === 0
      ? reader.readArray((r) => ({ apiKey: r.readInt16(), minVersion: r.readInt16(), maxVersion: r.readInt16() }))
      : [];
  // Behind them stand features, which do not matter here.
  reader.skip(reader.remaining);
  return { errorCode, apiKeys };
}

export const findCoordinators = request(findCoordinatorV4, (reader) => {
  reader.readInt32();
  const coordinators = reader.readArray((r) => {
    const key = r.readString();
    r.readInt32();
    const [host, port, errorCode] = [r.readString(), r.readInt32(), r.readInt16()];
    r.readNullableString();
    return { key, host, port, errorCode };
  });
  reader.readTaggedFields();
  return { coordinators };
});

/** Before version 5 (Kafka 3.8) there are but classic groups. */
export const listClassicGroups = request(listGroupsV4, (reader) => groupsIn(reader, false));
export const listGroups = request(listGroupsV5, (reader) => groupsIn(reader, true));

function groupsIn(reader: BoundedReader, typed: boolean) {
  reader.readInt32();
  const errorCode = reader.readInt16();
  const groups = reader.readArray((r) => {
    const groupId = r.readString();
    r.readString();
    return { groupId, groupState: r.readString(), groupType: typed ? r.readString() : undefined };
  });
  reader.readTaggedFields();
  return { errorCode, groups };
}

export const describeGroups = request(describeGroupsV5, (reader) => {
  reader.readInt32();
  const groups = reader.readArray((r) => {
    const group = {
      errorCode: r.readInt16(),
      groupId: r.readString(),
      groupState: r.readString(),
      protocolType: r.readString(),
      protocolData: r.readString(),
      members: r.readArray(() => ({
        memberId: r.readString(),
        groupInstanceId: r.readNullableString(),
        clientId: r.readString(),
        clientHost: r.readString(),
        memberMetadata: r.readBytes(),
        memberAssignment: r.readBytes(),
      })),
    };
    r.readInt32();
    return group;
  });
  reader.readTaggedFields();
  return { groups };
});

export const describeConsumerGroups = request(consumerGroupDescribeV0, (reader) => {
  reader.readInt32();
  const groups = reader.readArray((r) => {
    const errorCode = r.readInt16();
    // The error in words.
    r.readNullableString();
    const [groupId, groupState, groupEpoch] = [r.readString(), r.readString(), r.readInt32()];
    r.readInt32();
    const assignorName = r.readString();
    const members = r.readArray(() => consumerIn(reader));
    const group = { errorCode, groupId, groupState, groupEpoch, assignorName, members };
    r.readInt32();
    return group;
  });
  reader.readTaggedFields();
  return { groups };
});

function consumerIn(reader: BoundedReader) {
  const [memberId, instanceId] = [reader.readString(), reader.readNullableString()];
  reader.readNullableString();
  reader.readInt32();
  return {
    memberId,
    instanceId,
    clientId: reader.readString(),
    clientHost: reader.readString(),
    subscribedTopicNames: reader.readStrings(),
    subscribedTopicRegex: reader.readNullableString(),
    assignment: assignmentIn(reader),
    targetAssignment: assignmentIn(reader),
  };
}

function assignmentIn(reader: BoundedReader) {
  const topicPartitions = reader.readArray((r) => ({
    topicId: r.readUUID(),
    topicName: r.readString(),
    partitions: r.readArray(() => r.readInt32(), true, false),
  }));
  reader.readTaggedFields();
  return { topicPartitions };
}

export const metadata = request(metadataV12, (reader) => {
  reader.readInt32();
  const brokers = reader.readArray((r) => {
    return { nodeId: r.readInt32(), host: r.readString(), port: r.readInt32(), rack: r.readNullableString() };
  });
  reader.readNullableString();
  reader.readInt32();
  const topics = reader.readArray((r) => {
    const [errorCode, name, topicId] = [r.readInt16(), r.readNullableString(), r.readUUID()];
    r.readBoolean();
    const partitions = r.readArray(() => partitionIn(reader));
    r.readInt32();
    return { errorCode, name, topicId, partitions };
  });
  reader.readTaggedFields();
  return { brokers, topics };
});

function partitionIn(reader: BoundedReader) {
  const [errorCode, partitionIndex, leaderId] = [reader.readInt16(), reader.readInt32(), reader.readInt32()];
  reader.readInt32();
  const replicaNodes = reader.readArray((r) => r.readInt32(), true, false);
  // Those in sync, and those that are offline.
  reader.skipInt32s();
  reader.skipInt32s();
  return { errorCode, partitionIndex, leaderId, replicaNodes };
}

export const listOffsets = request(listOffsetsV7, (reader) => {
  reader.readInt32();
  const topics = reader.readArray((r) => ({
    name: r.readString(),
    partitions: r.readArray(() => {
      const [partitionIndex, errorCode] = [r.readInt32(), r.readInt16()];
      r.readInt64();
      const offset = r.readInt64();
      r.readInt32();
      return { partitionIndex, errorCode, offset };
    }),
  }));
  reader.readTaggedFields();
  return { topics };
});

export const fetchOffsets = request(offsetFetchV8, (reader) => {
  reader.readInt32();
  const groups = reader.readArray((r) => ({
    groupId: r.readString(),
    topics: r.readArray(() => ({
      name: r.readString(),
      partitions: r.readArray(() => {
        const [partitionIndex, committedOffset] = [r.readInt32(), r.readInt64()];
        r.readInt32();
        r.readNullableString();
        return { partitionIndex, committedOffset, errorCode: r.readInt16() };
      }),
    })),
    errorCode: r.readInt16(),
  }));
  reader.readTaggedFields();
  return { groups };
});

export const saslHandshake = request(
  saslHandshakeV1,
  (reader) => ({
    errorCode: reader.readInt16(),
    mechanisms: reader.readArray((r) => r.readString(false), false, false),
  }),
  { request: false, answer: false },
);

export const saslAuthenticate = request(saslAuthenticateV2, (reader) => {
  const [errorCode, errorMessage] = [reader.readInt16(), reader.readNullableString()];
  const authBytes = reader.readBytes();
  // How long the login lasts: longer than a run.
  reader.readInt64();
  reader.readTaggedFields();
  return { errorCode, errorMessage, authBytes };
});
