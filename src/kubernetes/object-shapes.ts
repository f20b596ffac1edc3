/** What of each kind's objects is read, and what it must be. */

import { count, flag, list, map, object, orNull, positive, text, where } from "./shape.ts";

const OWNERS = list(object({ controller: flag }, { apiVersion: text, kind: text, name: text, uid: text }));

const CONDITION = object(
  { lastTransitionTime: orNull(text), reason: orNull(text), message: orNull(text) },
  { status: text },
);

/** Only those of these types are read. Whoever sets another (a load balancer's readiness gate) often leaves out its time. */
function conditions(...read: readonly string[]) {
  return list(where("type", read, CONDITION));
}

const METADATA = {
  name: text,
  namespace: text,
  uid: text,
  resourceVersion: text,
  generateName: text,
  generation: count,
  deletionTimestamp: orNull(text),
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
    conditions: conditions("ReplicaFailure"),
  }),
});

export const OBJECT_SHAPES = {
  Pod: object(
    {
      spec: object({ nodeName: text, terminationGracePeriodSeconds: count }),
      status: object({ phase: text, podIP: text, podIPs: list(object({ ip: text })), conditions: conditions("Ready") }),
    },
    { metadata: object(METADATA, { name: text, namespace: text, uid: text, creationTimestamp: text }) },
  ),
  ReplicaSet: WORKLOAD,
  Deployment: WORKLOAD,
  StatefulSet: WORKLOAD,
  HorizontalPodAutoscaler: object(
    {
      metadata: object(METADATA),
      status: object({ desiredReplicas: count, conditions: conditions("AbleToScale", "ScalingActive") }),
    },
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
      renewTime: orNull(text),
    }),
  }),
};

export type ObjectKind = keyof typeof OBJECT_SHAPES;
