/**
 * What the simulated kubelet does to pods, as kwok stages. Giving kwok any stage of our own replaces all of its pod stages.
 *
 * A pod starts Running but not Ready, gets Ready after a delay, and is gone when it is told to end. Pods of a Job are left
 * alone, because kwok would decide how they end: a test does, with `finishPod`. So are those whose kubelet is the test's own.
 */

/** Annotations by which one pod (or a pod template) differs; the values of delays are durations such as `10s`. */
export const POD_ANNOTATIONS = {
  /** From Running to Ready, instead of the cluster's own delay. */
  readyDelay: "test/ready-delay",
  /** While it is there, whatever its value, the pod is not Ready; a Ready pod stops being so. */
  notReady: "test/not-ready",
  /** From the deletion to the end of the pod; a moment without it. */
  terminationDelay: "test/termination-delay",
  /** While it is there, whatever its value, kwok leaves the pod alone: the test plays its kubelet. */
  ownKubelet: "test/own-kubelet",
} as const;

/** kwok deletes by name, and may do so twice: without a pause the second time hits the next pod of a StatefulSet. */
const A_MOMENT_MILLIS = 300;

const NOT_OF_A_JOB = { key: ".metadata.ownerReferences.[]?.kind", operator: "NotIn", values: ["Job"] };
const NOT_OF_A_TEST = { key: `.metadata.annotations["${POD_ANNOTATIONS.ownKubelet}"]`, operator: "DoesNotExist" };
const TERMINATING = { key: ".metadata.deletionTimestamp", operator: "Exists" };
const NOT_TERMINATING = { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" };
const READY_STATUS = '.status.conditions.[]? | select(.type == "Ready") | .status';

/**
 * kwok's configuration as text. JSON is YAML, so no library is needed to write it.
 *
 * @param podLog - the file that is the log of every container.
 */
export function kwokConfiguration(readyDelaySeconds: number, podLog: string): string {
  return [
    JSON.stringify({
      apiVersion: "kwok.x-k8s.io/v1alpha1",
      kind: "ClusterLogs",
      metadata: { name: "all" },
      spec: { logs: [{ logsFile: podLog }] },
    }),
    stage("pod-start", [NOT_TERMINATING, { key: ".status.podIP", operator: "DoesNotExist" }], {
      statusTemplate: `
{{ $now := Now }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
- { type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }} }
${readiness(false)}`,
    }),
    stage(
      "pod-ready",
      [
        NOT_TERMINATING,
        { key: ".status.podIP", operator: "Exists" },
        { key: READY_STATUS, operator: "NotIn", values: ["True"] },
        { key: annotation("notReady"), operator: "DoesNotExist" },
      ],
      { statusTemplate: `\n{{ $now := Now }}\nconditions:\n${readiness(true)}` },
      { durationMilliseconds: readyDelaySeconds * 1_000, durationFrom: { expressionFrom: annotation("readyDelay") } },
    ),
    stage(
      "pod-not-ready",
      [
        NOT_TERMINATING,
        { key: READY_STATUS, operator: "In", values: ["True"] },
        { key: annotation("notReady"), operator: "Exists" },
      ],
      { statusTemplate: `\n{{ $now := Now }}\nconditions:\n${readiness(false)}` },
    ),
    stage(
      "pod-delete",
      [TERMINATING],
      { delete: true },
      {
        durationMilliseconds: A_MOMENT_MILLIS,
        durationFrom: { expressionFrom: annotation("terminationDelay") },
      },
    ),
  ].join("\n---\n");
}

function stage(name: string, matchExpressions: readonly object[], next: object, delay?: object): string {
  return JSON.stringify({
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: "v1", kind: "Pod" },
      selector: { matchExpressions: [...matchExpressions, NOT_OF_A_JOB, NOT_OF_A_TEST] },
      ...(delay === undefined ? {} : { delay }),
      next,
    },
  });
}

function annotation(name: keyof typeof POD_ANNOTATIONS): string {
  return `.metadata.annotations["${POD_ANNOTATIONS[name]}"]`;
}

/** The end of a status template whose last key is `conditions`. */
function readiness(ready: boolean): string {
  const status = ready ? '"True"' : '"False"';
  return `- { type: Ready, status: ${status}, lastTransitionTime: {{ $now | Quote }} }
- { type: ContainersReady, status: ${status}, lastTransitionTime: {{ $now | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  imageID: ""
  name: {{ .name | Quote }}
  ready: ${String(ready)}
  started: true
  restartCount: 0
  state:
    running:
      startedAt: {{ $now | Quote }}
{{ end }}
`;
}
