/** What of each kind's objects is read, and what it must be. */

import { count, flag, list, map, object, positive, text } from "./shape.ts";

const OWNERS = list(object({ controller: flag }, { apiVersion: text, kind: text, name: text, uid: text }));

const CONDITIONS = list(
  object({ lastTransitionTime: text, reason: text, message: text }, { type: text, status: text }),
);

const METADATA = {
  name: text,
  namespace: text,
  uid: text,
  resourceVersion: text,
  generateName: text,
  generation: count,
  creationTimestamp: text,
  deletionTimestamp: text,
  labels: map(text),
  annotations: map(text),
  ownerReferences: OWNERS,
};

const WORKLOAD = object({
  metadata: object(METADATA),
  spec: object({
    replicas: count,
    minReadySeconds: count,
    podManagementPolicy: text,
    ordinals: object({ start: count }),
    updateStrategy: object({ type: text }),
  }),
  status: object({
    observedGeneration: count,
    replicas: count,
    updatedReplicas: count,
    currentRevision: text,
    updateRevision: text,
    conditions: CONDITIONS,
  }),
});

export const OBJECT_SHAPES = {
  Pod: object(
    {
      spec: object({ nodeName: text, terminationGracePeriodSeconds: count }),
      status: object({ phase: text, podIP: text, podIPs: list(object({}, { ip: text })), conditions: CONDITIONS }),
    },
    { metadata: object(METADATA, { name: text, namespace: text, uid: text, creationTimestamp: text }) },
  ),
  ReplicaSet: WORKLOAD,
  Deployment: WORKLOAD,
  StatefulSet: WORKLOAD,
  HorizontalPodAutoscaler: object(
    { metadata: object(METADATA), status: object({ desiredReplicas: count, conditions: CONDITIONS }) },
    {
      spec: object(
        { minReplicas: count },
        { maxReplicas: count, scaleTargetRef: object({ apiVersion: text }, { kind: text, name: text }) },
      ),
    },
  ),
  Lease: object({
    metadata: object(METADATA),
    spec: object({
      holderIdentity: text,
      leaseDurationSeconds: positive,
      leaseTransitions: count,
      acquireTime: text,
      renewTime: text,
    }),
  }),
};

export type ObjectKind = keyof typeof OBJECT_SHAPES;
