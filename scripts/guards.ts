/**
 * Takes each guard out of a copy of the source in turn, and expects the suite to notice. A guard that nobody misses is not
 * tested.
 *
 * Without arguments it tries all and fails when one is not missed; `--write` also writes the table in docs/development.md; any
 * other argument picks the guards whose name contains it.
 */

import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

interface Guard {
  /** Completes "without it, a run …". */
  readonly prevents: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly code: string;
  readonly instead: string;
  /** Test files, or parts of their names. */
  readonly tests: readonly string[];
  readonly project?: "unit" | "engines";
}

const GATES = "src/decision/gates.ts";
const ELIGIBLE = "src/decision/eligible.ts";
const MANAGER = "src/kubernetes/manager.ts";
const OBSTACLES = "src/kubernetes/obstacles.ts";
const REPLACEMENT = "src/kubernetes/replacement.ts";
const OWNERS = "src/kubernetes/owners.ts";
const WORKLOAD = "src/kubernetes/workload.ts";
const LOCK = "src/kubernetes/lock.ts";
const EVICT = "src/kubernetes/evict.ts";
const PARSE = "src/prometheus/parse.ts";
const PROFILES = "src/metrics/profiles.ts";
const DECIDE_TESTS = ["src/decision/", "test/rebalance.property.test.ts"];
const FORECAST_TESTS = ["src/decision/", "src/forecast/forecast.test.ts"];
const WORKLOAD_TESTS = ["src/kubernetes/workload.test.ts"];
const KAFKA_TESTS = ["src/kafka/admin"];
const MANAGER_TESTS = ["src/kubernetes/manager.test.ts", "test/rebalance.property.test.ts"];

export const GUARDS: readonly Guard[] = [
  {
    prevents: "acts although it was suspended",
    file: GATES,
    code: 'if (policy.suspend) return "SUSPEND is true";',
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "takes a mark that is neither true nor false for none",
    file: "src/kubernetes/mark.ts",
    code: 'value !== undefined && value !== "false"',
    instead: 'value === "true"',
    tests: ["src/kubernetes/mark.test.ts"],
  },
  {
    prevents: "acts while an inactive autoscaler keeps its target within its bounds",
    file: "src/kubernetes/autoscaler.ts",
    code: "desired > 0 ? desired : replicas, minReplicas), maxReplicas)",
    instead: "desired > 0 ? desired : replicas, 0), 1e9)",
    tests: ["src/kubernetes/autoscaler.test.ts"],
  },
  {
    prevents: "acts beside another one",
    file: GATES,
    code: "record?.heldBy && `held by ${record.heldBy}`",
    instead: "(record?.heldBy, undefined)",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts in the middle of a rollout",
    file: GATES,
    code: "({ snapshot: { workload } }) => workload?.rollout }",
    instead: "() => undefined }",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts while an autoscaler does",
    file: GATES,
    code: "({ snapshot: { workload } }) => workload?.scaling }",
    instead: "() => undefined }",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts on a workload that is being deleted",
    file: GATES,
    code: "({ snapshot: { workload } }) => workload?.deleting }",
    instead: "() => undefined }",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "removes a pod that a Deployment owns without a ReplicaSet",
    file: OWNERS,
    code: 'if (kind === "Deployment")',
    instead: 'if (kind === "none")',
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "removes a pod of a StatefulSet's name that the StatefulSet did not make",
    file: OWNERS,
    code: "return stranger ?",
    instead: "return stranger === null ?",
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "takes what another API group calls a Deployment for one",
    file: "src/kubernetes/pods.ts",
    code: 'APPS_KINDS.has(kind) && group !== "apps"',
    instead: 'APPS_KINDS.has(kind) && group === "none"',
    tests: ["src/kubernetes/pods.test.ts", ...WORKLOAD_TESTS],
  },
  {
    prevents: "does not see that a workload is being deleted",
    file: WORKLOAD,
    code: "return isBeingDeleted(metadata) ? ",
    instead: "return false ? ",
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "removes pods of a workload that has more than it asks for",
    file: WORKLOAD,
    code: "return there > replicas ?",
    instead: "return there < 0 ?",
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "removes pods while a StatefulSet is scaled in",
    file: WORKLOAD,
    code: "if (condemned === undefined) return undefined;",
    instead: "if (condemned !== undefined) return undefined;",
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "takes pods that are about to go for a replacement",
    file: REPLACEMENT,
    code: "return there > workload.replicas ?",
    instead: "return there < 0 ?",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "removes a pod that a StatefulSet makes only once another is Ready",
    file: GATES,
    code: "(ordered ? 1 : READY_SHARE)",
    instead: "READY_SHARE",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "removes a pod that a quota keeps from coming back",
    file: GATES,
    code: "if (hindered !== undefined) return hindered;",
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts while many pods are not Ready",
    file: GATES,
    code: "const READY_SHARE = 0.9;",
    instead: "const READY_SHARE = 0;",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts at the minimum",
    file: GATES,
    code: "return ready - removals >= policy.minPodsRequired",
    instead: "return ready >= 0",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "acts again before the metrics have left the last rotation behind",
    file: GATES,
    code: "if (seconds >= policy.cooldownSeconds)",
    instead: "if (seconds >= 0)",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "judges a group of which it sees a part",
    file: GATES,
    code: "if (scored && group.coverage >= policy.minMetricsCoverage)",
    instead: "if (scored)",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "takes one message among zeros for an imbalance",
    file: "src/decision/thresholds.ts",
    code: "return verdict.loaded && verdict.relativeVariance",
    instead: "return verdict.relativeVariance",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "rotates a group that is even",
    file: "src/decision/thresholds.ts",
    code: "verdict.relativeVariance > verdict.threshold;",
    instead: "verdict.relativeVariance >= 0;",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "chooses a terminating pod",
    file: ELIGIBLE,
    code: 'if (pod.terminating) return "terminating";',
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "chooses a pod that is not Ready",
    file: ELIGIBLE,
    code: 'if (!ready) return "not Ready";',
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "chooses an exempt pod",
    file: ELIGIBLE,
    code: "if (pod.exempt) return exemptionOf(pod);",
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "chooses a young pod",
    file: ELIGIBLE,
    code: "if (!(ageSeconds >= policy.minPodAgeSeconds))",
    instead: "if (ageSeconds < 0)",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "removes more pods than it may",
    file: "src/decision/outliers.ts",
    code: "turn < Math.min(policy.maxPodsToDelete, scored.length)",
    instead: "turn < scored.length",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "removes one pod twice",
    file: "src/decision/outliers.ts",
    code: "taken.add(state.pod.uid);",
    instead: "",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "scores a pod of which it lacks a signal",
    file: "src/podstate/assess.ts",
    code: "signalsInUse.length > 0 && complete(state)",
    instead: "signalsInUse.length > 0",
    tests: DECIDE_TESTS,
  },

  {
    prevents: "acts on an old look at the world",
    file: OBSTACLES,
    code: "if (hold) return hold;",
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "acts on a workload that was made anew",
    file: OBSTACLES,
    code: "if (fresh.workload?.uid !== seen.workload?.uid)",
    instead: "if (seen.workload === undefined)",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "removes a target that changed meanwhile",
    file: OBSTACLES,
    code: "if (why !== undefined) return nowOtherwise(pod, why);",
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "falls below the minimum with its second removal",
    file: OBSTACLES,
    code: 'if (tooFew !== undefined) return { reason: "would_breach_minimum", detail: tooFew };',
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "begins a removal that its deadline cuts off",
    file: OBSTACLES,
    code: "if (left >= needed) return undefined;",
    instead: "if (left >= 0) return undefined;",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "evicts on a look that is too old",
    file: MANAGER,
    code: '(isOld() ? "seen too long ago" : undefined)',
    instead: "undefined",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "does not look again where the Lease took long",
    file: MANAGER,
    code: "const halt = isOld() ? await lookAgain",
    instead: "const halt = left < 0 ? await lookAgain",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "leaves the second of a pair alone because the first is gone",
    file: MANAGER,
    code: "if (evicted.length === 0) return world;",
    instead: "if (evicted.length >= 0) return world;",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "takes the successor of the first of a pair for a reason to remove the second",
    file: MANAGER,
    code: "known.has(uid) && !gone.has(uid)",
    instead: "!gone.has(uid)",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "evicts on a Lease that has become too short meanwhile",
    file: MANAGER,
    code: "    lock.confirm();\n",
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "evicts before the removal is on record",
    file: MANAGER,
    code: "    await rotation.lock.removing(pod);\n",
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "keeps a removal on record that did not happen",
    file: MANAGER,
    code: "      await strike(pod, rotation);\n      return skipped(",
    instead: "      return skipped(",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "says that it evicts after it was told to stop",
    file: MANAGER,
    code: "  signal.throwIfAborted();\n  narrator",
    instead: "  narrator",
    tests: ["src/kubernetes/manager.test.ts", "test/rebalance.property.test.ts", "src/rebalance.test.ts"],
  },
  {
    prevents: "goes on without the Lease",
    file: MANAGER,
    code: "AbortSignal.any([limits.signal, ports.lock.lost])",
    instead: "limits.signal",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "evicts after it was told to stop while the pod was looked at",
    file: EVICT,
    code: "  signal.throwIfAborted();\n",
    instead: "",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "cuts off an eviction that was sent",
    file: EVICT,
    code: "createEviction(pod, { dryRun }, new AbortController().signal)",
    instead: "createEviction(pod, { dryRun }, signal)",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "takes a broken connection or a proxy's answer for the API server's refusal",
    file: EVICT,
    code: "if (failure === undefined || MAY_GO_ON.has(failure.code)) return false;",
    instead: "if (failure === undefined) return true;",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "takes a Status of another pod for a refusal",
    file: EVICT,
    code: " && name === pod.name && ",
    instead: " && name !== undefined && ",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "evicts a pod that changed after the last look at the group",
    file: EVICT,
    code: 'if (why !== undefined) return { outcome: "spared", why };',
    instead: "",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "evicts a pod that has left the selector",
    file: EVICT,
    code: 'if (!isOfGroup(found.metadata?.labels ?? {})) return "outside the selector";',
    instead: "",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "strikes a removal that a proxy may have asked for twice",
    file: MANAGER,
    code: 'if (reply.outcome === "gone" && reply.perhapsByUs) return perhapsGone(pod);',
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "takes an older Lease in a proxy's answer for the one that it wrote",
    file: "src/kubernetes/client.ts",
    code: "if (marks(reply).some((mark, at) => mark !== written[at]))",
    instead: "if (marks(reply).length !== written.length)",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "takes a held Lease for free because of how long it says that it holds",
    file: "src/kubernetes/object-shapes.ts",
    code: "      leaseDurationSeconds: positive,\n",
    instead: "",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "judges by the clocks of two API servers, of which one answered a call whose time nothing is judged by",
    file: "src/kubernetes/client.ts",
    code: "    agreedTime(reading);\n    return value;",
    instead: "    return value;",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "evicts a StatefulSet's pod while others run a revision that was taken back",
    file: WORKLOAD,
    code: "pod.revision !== undefined && pod.revision !== revision",
    instead: "pod.revision === undefined && pod.revision === revision",
    tests: WORKLOAD_TESTS,
  },
  {
    prevents: "counts a pod twice",
    file: "src/kubernetes/client.ts",
    code: "if (name !== undefined && names.has(name)) return `${which()} is listed twice`;",
    instead: "",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "takes a proxy's 404 for a pod that is gone",
    file: "src/kubernetes/client.ts",
    code: "failureOf(thrown.reply)?.code !== 404",
    instead: 'thrown.code !== "NOT_FOUND"',
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "takes a webhook's no for a removal that may have happened",
    file: "src/kubernetes/refusal.ts",
    code: "if (admission !== undefined)",
    instead: 'if (admission === "")',
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "says in a dry run that it would rotate where it may not evict",
    file: "src/kubernetes/dry-run.ts",
    code: "if (lacksTheRight(failure)) {",
    instead: "if (!failure) {",
    tests: ["src/kubernetes/dry-run.test.ts"],
  },
  {
    prevents: "says in a dry run that it would rotate where it may not take the Lease",
    file: "src/kubernetes/dry-run.ts",
    code: "if (missing !== undefined) return",
    instead: 'if (missing === "") return',
    tests: ["src/kubernetes/dry-run.test.ts"],
  },
  {
    prevents: "strikes a removal from the record that may have happened",
    file: MANAGER,
    code: "if (asRebalancerError(thrown).mayHaveEvicted)",
    instead: "if (asRebalancerError(thrown).retryable)",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "removes the next pod before the last one is replaced",
    file: MANAGER,
    code: "    await replacementOf(batch.evicted, before, rotation);\n",
    instead: "",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "goes on while the old pod still terminates",
    file: REPLACEMENT,
    code: "const obstacle = gone ? lacking(count, wanted, now) :",
    instead: "const obstacle = (gone, true) ? lacking(count, wanted, now) :",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "counts a replacement that has been Ready for a moment",
    file: REPLACEMENT,
    code: "const LEAST_READY_SECONDS = 10;",
    instead: "const LEAST_READY_SECONDS = -1;",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "takes a pod that was not Ready before for a replacement",
    file: REPLACEMENT,
    code: "if (existed.has(pod.uid)) return wereReady.has(pod.uid);",
    instead: "if (existed.has(pod.uid)) return true;",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "trusts a node's clock",
    file: REPLACEMENT,
    code: "const since = firstSeen.get(readinessOf(pod)) ?? Number.POSITIVE_INFINITY;",
    instead: "const since = pod.readySince?.getTime() ?? Number.POSITIVE_INFINITY;",
    tests: ["src/kubernetes/manager.test.ts"],
  },
  {
    prevents: "waits for a replacement for ever",
    file: REPLACEMENT,
    code: "if (waited >= patience) {",
    instead: "if (waited < 0) {",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "touches the next pod after a failure",
    file: MANAGER,
    code: "halt ??= endings.find((ending) => ending.halt)?.halt;",
    instead: "",
    tests: MANAGER_TESTS,
  },

  {
    prevents: "evicts the second of a pair after the first was refused",
    file: MANAGER,
    code: "halt ? leftAlone(halt) : await removeOne(target, batch, rotation);",
    instead: "(halt, await removeOne(target, batch, rotation));",
    tests: MANAGER_TESTS,
  },
  {
    prevents: "removes a pair where one would be one too many",
    file: OBSTACLES,
    code: "tooFewPods(fresh, policy, together)",
    instead: "tooFewPods(fresh, policy)",
    tests: MANAGER_TESTS,
  },

  {
    prevents: "acts on a group of which two sources differ",
    file: GATES,
    code: 'strategy === "forecast" ? (contradiction ?? (ownership',
    instead: 'strategy === "forecast" ? (undefined ?? (ownership',
    tests: FORECAST_TESTS,
  },
  {
    prevents: "acts in the middle of a rebalance",
    file: GATES,
    code: 'return state === "Stable" ? unsettled',
    instead: 'return state !== "none" ? unsettled',
    tests: FORECAST_TESTS,
  },
  {
    prevents: "forecasts for pods whose members nobody knows",
    file: GATES,
    code: "without.length > 0 ? `${source} knows no member",
    instead: "without.length < 0 ? `${source} knows no member",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "rotates the same group for ever to no effect",
    file: GATES,
    code: '(strategy === "forecast" ? ineffectiveRotations(group) : undefined)',
    instead: "(group, strategy, undefined)",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "rotates where it cannot help",
    file: "src/forecast/futility.ts",
    code: "return fixed > 0 ?",
    instead: "return fixed < 0 ?",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "rotates for less than the minimum improvement",
    file: "src/forecast/forecast.ts",
    code: "improvement >= policy.minimumImprovement &&",
    instead: "",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "rotates blindly although the load is no more uneven than chance makes it",
    file: "src/decision/in-the-tail.ts",
    code: "not_unusual: unusual ? undefined : clause",
    instead: "not_unusual: undefined",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "ends with an exception at an answer from Kafka that has a length below 4",
    file: "src/kafka/admin/frames.ts",
    code: "if (length < CORRELATION_BYTES) {",
    instead: "if (false) {",
    tests: ["src/kafka/admin/source.test.ts"],
  },
  {
    prevents: "waits for 2 GiB from Kafka",
    file: "src/kafka/admin/frames.ts",
    code: "if (length > MAX_FRAME_BYTES) {",
    instead: "if (false) {",
    tests: ["src/kafka/admin/source.test.ts"],
  },
  {
    prevents: "reads an answer from Kafka for as long as a count in it says",
    file: "src/kafka/admin/bounded-reader.ts",
    code: "if (length < 0 || length > this.remaining) {",
    instead: "if (false) {",
    tests: ["src/kafka/admin/source.test.ts"],
  },
  {
    prevents: "fills its memory with what is a few bytes in an answer from Kafka",
    file: "src/kafka/admin/bounded-reader.ts",
    code: "if (this.#items > MOST_ITEMS)",
    instead: "if (false)",
    tests: ["src/kafka/admin/bounded-reader.test.ts"],
  },
  {
    prevents: "takes an answer from Kafka for one to another request",
    file: "src/kafka/admin/frames.ts",
    code: "if (correlationId !== asked?.correlationId) {",
    instead: "if (asked === undefined) {",
    tests: ["src/kafka/admin/source.test.ts", "test/kafka-frames.test.ts"],
  },
  {
    prevents: "computes for as long as a broker asks for at the login",
    file: "src/kafka/admin/login.ts",
    code: "|| iterations > MOST_ITERATIONS",
    instead: "",
    tests: ["src/kafka/admin/login.test.ts"],
  },
  {
    prevents: "logs in at a broker that does not know the password",
    file: "src/kafka/admin/login.ts",
    code: "verifier.length !== known.length || !timingSafeEqual(verifier, known)",
    instead: "verifier.length === 0",
    tests: ["src/kafka/admin/login.test.ts"],
  },
  {
    prevents: "trusts any broker because a variable says so",
    file: "src/kafka/admin/connections.ts",
    code: "rejectUnauthorized: true,",
    instead: "",
    tests: ["src/kafka/admin/connections.test.ts"],
  },
  {
    prevents: "connects to Kafka without TLS and login although a file is named for them",
    file: "src/kafka/admin/client-config.ts",
    code: "if (faults.length === 0) faults.push(...ineffective(properties));",
    instead: "",
    tests: ["src/kafka/admin/client-config.test.ts"],
  },
  {
    prevents: "takes partitions for owned because there are as many as there should be",
    file: "src/forecast/consistency.ts",
    code: "const stranger = owned.find((partition) => !known.has(nameOf(partition)));",
    instead: "const stranger = owned.find(() => false);",
    tests: ["src/forecast/consistency.test.ts"],
  },
  {
    prevents: "rotates although a partition has no owner",
    file: "src/forecast/consistency.ts",
    code: "if (unowned.length > 0) {",
    instead: "if (false) {",
    tests: ["src/forecast/consistency.test.ts"],
  },
  {
    prevents: "looks ahead with what Kafka says of a group that contradicts itself",
    file: GATES,
    code: "contradiction ?? (ownership && contradictionWithin(ownership.group))",
    instead: "contradiction",
    tests: DECIDE_TESTS,
  },
  {
    prevents: "rotates although the end of a log is not known",
    file: "src/forecast/consistency.ts",
    code: "return unownedPartitions(group) ?? unrated(group);",
    instead: "return unownedPartitions(group);",
    tests: ["src/decision/by-forecast.test.ts"],
  },
  {
    prevents: "takes an offset of -1 for a log that stands still",
    file: "src/kafka/admin/offsets.ts",
    code: "if (offset < 0n) {",
    instead: "if (false) {",
    tests: KAFKA_TESTS,
  },
  {
    prevents: "takes an answer about another group, topic or partition for one to what it asked",
    file: "src/kafka/admin/replies.ts",
    code: "const wrong = surplus(names, told) ?? missing(names, told);",
    instead: "const wrong = missing([], told);",
    tests: KAFKA_TESTS,
  },
  {
    prevents: "takes a number that each process gives its consumers for a pod's name",
    file: "src/forecast/ownership.ts",
    code: "isNumber(clientId) ? undefined : podCalled(clientId, names)",
    instead: "podCalled(clientId, names)",
    tests: ["src/forecast/ownership.test.ts"],
  },
  {
    prevents: "takes the next number of a consumer that was made anew for a pod's name",
    file: "src/forecast/ownership.ts",
    code: 'ids.has(clientId) || series.has(seriesOf(clientId) ?? "")',
    instead: "ids.has(clientId)",
    tests: ["src/forecast/ownership.test.ts"],
  },
  {
    prevents: "chooses a pod by an id although the member's address is another pod's",
    file: "src/forecast/ownership.ts",
    code: "const pod = mismatch === undefined ? claims[0]?.pod : undefined;",
    instead: "const pod = claims.at(-1)?.pod;",
    tests: ["src/forecast/ownership.test.ts"],
  },
  {
    prevents: "takes a group for stable that changed while it was read",
    file: "src/kafka/admin/read-group.ts",
    code: 'if (isSame) return "Stable";',
    instead: 'return "Stable";',
    tests: KAFKA_TESTS,
  },
  {
    prevents: "takes a log that became shorter for a negative rate",
    file: "src/kafka/admin/offsets.ts",
    code: "rate: rate >= 0 ? rate : undefined",
    instead: "rate",
    tests: KAFKA_TESTS,
  },
  {
    prevents: "predicts an assignment that racks decide",
    file: "src/kafka/admin/read-group.ts",
    code: "return racksDecide(racks, ofPartitions) ? undefined : protocol;",
    instead: "return protocol;",
    tests: KAFKA_TESTS,
  },
  {
    prevents: "shows a secret that a broker repeats",
    file: "src/kafka/admin/failures.ts",
    code: "printable(masked(secrets, why))",
    instead: "printable(why)",
    tests: KAFKA_TESTS,
  },
  {
    prevents: "rotates although a group of such rates is often as uneven",
    file: "src/decision/in-the-tail.ts",
    code: "return { unusual: share >= TAIL, clause: [...clauses, past]",
    instead: "return { unusual: true, clause: [...clauses, past]",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "rotates what may well make it worse",
    file: "src/forecast/forecast.ts",
    code: "worse <= MOST_RISK &&",
    instead: "",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "takes two in turn of which the first makes it worse",
    file: "src/forecast/forecast.ts",
    code: ".filter(({ after }) => after.p90 <= imbalance * (1 + MATTERS))",
    instead: "",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "takes two in turn although nobody knows in which order members come and go",
    file: "src/forecast/forecast.ts",
    code: 'orders["leave-first"] < LEAVE_FIRST_KNOWN',
    instead: "false",
    tests: FORECAST_TESTS,
  },
  {
    prevents: "fails because its record of rotations is damaged",
    file: "src/kubernetes/rotation-record.ts",
    code: "if (version !== VERSION || !Array.isArray(rotations)) return [];",
    instead: "",
    tests: ["src/kubernetes/rotation-record.test.ts"],
  },

  {
    prevents: "spends the budget on a pod that was replaced",
    file: EVICT,
    code: 'if (found === undefined || !isRunning(found, request)) return { outcome: "gone" };',
    instead: 'if (found === undefined) return { outcome: "gone" };',
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "evicts the successor of the same name",
    file: "src/kubernetes/client.ts",
    code: "preconditions: { uid }, ",
    instead: "",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "sends an eviction twice",
    file: "src/kubernetes/client.ts",
    code: 'method: "POST", retry: false, signal }, eviction)',
    instead: 'method: "POST", retry: true, signal }, eviction)',
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "takes the API server's throttling for a budget",
    file: "src/kubernetes/refusal.ts",
    code: "if (code !== 429 || cause === undefined) return undefined;",
    instead: "if (code !== 429) return undefined;",
    tests: ["src/kubernetes/evict.test.ts"],
  },
  {
    prevents: "evicts in a dry run",
    file: "src/kubernetes/dry-run.ts",
    code: ".probeEviction(pod, objection, signal)",
    instead: ".evict(pod, objection, signal)",
    tests: ["src/kubernetes/dry-run.test.ts", "test/contract"],
  },
  {
    prevents: "takes a login page for a Lease that was written",
    file: "src/kubernetes/client.ts",
    code: 'assertStored(parseKind(reply.body, ["Lease"], request.what), lease, request.what);',
    instead: "",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "shows a token that a server repeats",
    file: "src/http.ts",
    code: "body: masker.mask(reply.body)",
    instead: "body: reply.body",
    tests: ["src/http.test.ts"],
  },
  {
    prevents: "does not know what it proved itself with when a server repeats it",
    file: "src/http.ts",
    code: "masker.learn(secretsOf(endpoint, credentials));",
    instead: "",
    tests: ["src/http.test.ts"],
  },
  {
    prevents: "shows a secret that a server writes in another way",
    file: "src/masking/decodings.ts",
    code: "const MOST_LAYERS = 3;",
    instead: "const MOST_LAYERS = 0;",
    tests: ["src/masking"],
  },
  {
    prevents: "shows the half of a secret that was cut",
    file: "src/masking/masker.ts",
    code: "return run.length >= FRAGMENT_OF_WORDS || !WORDS.test(run) || index.holdsWhole(run);",
    instead: "return index.holdsWhole(run);",
    tests: ["src/masking"],
  },
  {
    prevents: "logs a secret",
    file: "src/masking/exits.ts",
    code: "narrator[method](maskedText(sentence, masker),",
    instead: "narrator[method](sentence,",
    tests: ["src/masking"],
  },
  {
    prevents: "reports a secret, or writes it into an Event",
    file: "src/masking/exits.ts",
    code: "sink.write(without(report), signal)",
    instead: "sink.write(report, signal)",
    tests: ["src/masking"],
  },
  {
    prevents: "shows its token to any server where a variable turns the checks of certificates off",
    file: "src/http.ts",
    code: "{ rejectUnauthorized: true, allowPartialTrustChain: true }",
    instead: "{ allowPartialTrustChain: true }",
    tests: ["src/kubernetes/credentials.test.ts"],
  },
  {
    prevents: "takes a Lease that another run holds",
    file: LOCK,
    code: "if (heldBy !== undefined && heldBy !== holder) return { heldBy, ...record };",
    instead: "",
    tests: ["src/kubernetes/lock.test.ts", "test/contract"],
  },
  {
    prevents: "begins an eviction that its Lease does not outlast",
    file: LOCK,
    code: "if (millisLeft() <= EVICTION_MILLIS)",
    instead: "if (millisLeft() < 0)",
    tests: ["src/kubernetes/lock.test.ts"],
  },
  {
    prevents: "writes over a Lease that another run took",
    file: LOCK,
    code: "if (other !== holder) throw",
    instead: "if (other === undefined) throw",
    tests: ["src/kubernetes/lock.test.ts", "test/contract"],
  },
  {
    prevents: "believes an API server whose clock is hours ahead",
    file: "src/kubernetes/agreed-time.ts",
    code: "if (behind && leastAhead(reading) - mostAhead(behind) > CLOCK_SKEW_MILLIS)",
    instead: "if (behind && leastAhead(reading) < 0 && leastAhead(reading) > 0)",
    tests: ["src/kubernetes/agreed-time.test.ts", "src/kubernetes/client.test.ts"],
  },
  {
    prevents: "believes an API server whose clock is hours behind",
    file: "src/kubernetes/agreed-time.ts",
    code: "if (ahead && leastAhead(ahead) - mostAhead(reading) > CLOCK_SKEW_MILLIS)",
    instead: "if (ahead && leastAhead(ahead) < 0 && leastAhead(ahead) > 0)",
    tests: ["src/kubernetes/agreed-time.test.ts", "src/kubernetes/client.test.ts"],
  },
  {
    prevents: "keeps a Lease until a run may take it whose API server is ahead",
    file: LOCK,
    code: "- CLOCK_SKEW_MILLIS - elapsed",
    instead: "- elapsed",
    tests: ["src/kubernetes/lock.test.ts"],
  },
  {
    prevents: "keeps a Lease of which nobody can tell the time",
    file: LOCK,
    code: 'if (error.code === "CLOCKS_DIFFER") lost.abort(error);',
    instead: "",
    tests: ["src/kubernetes/lock.test.ts"],
  },
  {
    prevents: "does not free the Lease because the API servers' clocks differ",
    file: LOCK,
    code: "change(lease, () => told.at)",
    instead: "((at) => change(lease, () => at))(told.at)",
    tests: ["src/kubernetes/lock.test.ts"],
  },
  {
    prevents: "thinks that it holds a Lease which expired",
    file: LOCK,
    code: "  watch().catch(() => undefined);\n",
    instead: "",
    tests: ["src/kubernetes/lock.test.ts"],
  },

  {
    prevents: "joins pods that are not of the group",
    file: "src/metrics/fetch.ts",
    code: "if (!wanted.has(pod)) continue;",
    instead: "",
    tests: ["src/metrics"],
  },
  {
    prevents: "picks one of two rows of a pod",
    file: "src/metrics/fetch.ts",
    code: "if (other !== undefined) {",
    instead: "if (other === row) {",
    tests: ["src/metrics"],
  },
  {
    prevents: "takes a negative sample",
    file: "src/metrics/fetch.ts",
    code: "Number.isFinite(row.value) && row.value >= 0",
    instead: "Number.isFinite(row.value)",
    tests: ["src/metrics"],
  },
  {
    prevents: "takes NaN for a number",
    file: "src/metrics/fetch.ts",
    code: "Number.isFinite(row.value) && row.value >= 0",
    instead: "!(row.value < 0)",
    tests: ["src/metrics"],
  },
  {
    prevents: "acts on a partial reply",
    file: PARSE,
    code: "isPartial !== undefined && isPartial !== null && isPartial !== false",
    instead: "isPartial === true",
    tests: ["src/prometheus"],
  },
  {
    prevents: "acts on what was evaluated long ago or ahead",
    file: PARSE,
    code: "if (early || isAfter(at, asked.times))",
    instead: "if (early && isAfter(at, asked.times))",
    tests: ["src/prometheus"],
  },
  {
    prevents: "takes the end of an old range for the present",
    file: PARSE,
    code: "if (early && !ofVector) return undefined;",
    instead: "if (early && !ofVector) return { labels: metric, value };",
    tests: ["src/prometheus"],
  },
  {
    prevents: "takes a past of another time for the group's",
    file: PARSE,
    code: "if (isBefore(at, times) || isAfter(at, times))",
    instead: "if (Number.isNaN(at))",
    tests: ["src/prometheus"],
  },
  {
    prevents: "judges the time of a reply by its own clock",
    file: "src/kubernetes/server-time.ts",
    code: "clock.now().getTime() + (aheadMillis ?? 0)",
    instead: "clock.now().getTime()",
    tests: ["src/kubernetes/server-time.test.ts"],
  },
  {
    prevents: "takes a part of a reply for the whole",
    file: "src/prometheus/client.ts",
    code: "if (status !== 200)",
    instead: "if (status < 200)",
    tests: ["src/prometheus"],
  },
  {
    prevents: "acts on a reply with warnings",
    file: PARSE,
    code: "if (serious.length > 0)",
    instead: "if (serious.length < 0)",
    tests: ["src/prometheus"],
  },
  {
    prevents: "reads a reply of any size",
    file: "src/http.ts",
    code: "if (bytes > call.maxBytes) throw tooLarge();",
    instead: "",
    tests: ["src/http.test.ts"],
  },
  {
    prevents: "takes a login page for an answer",
    file: "src/http.ts",
    code: "reply.status >= 200 && reply.status < 300",
    instead: "reply.status >= 200 && reply.status < 400",
    tests: ["src/http.test.ts", "src/prometheus"],
  },
  {
    prevents: "waits for an answer for ever",
    file: "src/http.ts",
    code: "AbortSignal.any([call.signal, deadline, closed.signal])",
    instead: "AbortSignal.any([call.signal, closed.signal])",
    tests: ["src/http.test.ts"],
  },
  {
    prevents: "counts what a dead exporter showed last",
    file: PROFILES,
    code: "(${series} and (time() - timestamp(${series}) <= $staleness))`",
    instead: "(${series})`",
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "counts pod-level and pause series",
    file: PROFILES,
    code: `const CONTAINERS = 'container!="",container!="POD"';`,
    instead: "const CONTAINERS = '';",
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "takes a young container for an idle one",
    file: PROFILES,
    code: " unless on (pod, cluster) ${without})`",
    instead: ")`",
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "takes a restarted container for an idle one",
    file: PROFILES,
    code: "replaced === undefined ? young : `(${young} or ${replaced})`",
    instead: "replaced === undefined ? young : young",
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "hides a lag of -1 in a sum",
    file: PROFILES,
    code: "(min by (pod, cluster) (${series}) < 0) or ",
    instead: "",
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "counts a second replica's samples again",
    file: PROFILES,
    code: 'const ONCE_A_SERIES = "without ($replica_labels)";',
    instead: 'const ONCE_A_SERIES = "without (nothing)";',
    tests: ["test/engines/backfill.test.ts"],
    project: "engines",
  },
  {
    prevents: "counts a partition for the pod that had it before",
    file: PROFILES,
    code: "(timestamp(${series}) == on (${thing}) group_left () ${last})",
    instead: "timestamp(${series})",
    tests: ["test/engines/backfill.test.ts", "test/engines/ownership.test.ts"],
    project: "engines",
  },
  {
    prevents: "takes a rate for smaller after a rebalance",
    file: PROFILES,
    code: "return `(${messages} / (${seconds} > 0))`;",
    instead: "return `max ${once} (rate(${series}[$window]))`;",
    tests: ["test/engines/backfill.test.ts", "test/engines/ownership.test.ts"],
    project: "engines",
  },
  {
    prevents: "picks one of two owners of a partition",
    file: "src/metrics/group.ts",
    code: "if (rival !== undefined) throw ambiguous(OWNERSHIP, rival, claim);",
    instead: "",
    tests: ["src/metrics"],
  },
  {
    prevents: "counts a partition that two own for one of them",
    file: "src/metrics/by-owner.ts",
    code: "if (one && other && numbers.some(({ pod }) => pod !== undefined))",
    instead: "if (one === other && numbers.some(({ pod }) => pod !== undefined))",
    tests: ["src/metrics"],
  },
  {
    prevents: "gives the partitions of an address to one of two pods that have it",
    file: "src/forecast/pod-addresses.ts",
    code: "return another === undefined ? pod : undefined;",
    instead: "return pod;",
    tests: ["src/forecast/pod-addresses.test.ts", "src/metrics"],
  },
  {
    prevents: "takes several clients for one",
    file: "src/metrics/rows.ts",
    code: "if (one && other) {",
    instead: "if (one && one === other) {",
    tests: ["src/metrics"],
  },
  {
    prevents: "takes an address of another cluster for a pod's",
    file: "src/metrics/by-owner.ts",
    code: "if (first && elsewhere) {",
    instead: "if (first && elsewhere === first) {",
    tests: ["src/metrics"],
  },
  {
    prevents: "takes a finished pod for one whose address it had",
    file: "src/kubernetes/pods.ts",
    code: 'if (FINISHED.has(status.phase ?? "")) return undefined;',
    instead: "",
    tests: ["src/kubernetes/pods.test.ts"],
  },
  {
    prevents: "lets a group's name end the string in a query",
    file: "src/metrics/queries.ts",
    code: "text.replaceAll(/[^a-zA-Z0-9 ._-]/gu",
    instead: "text.replaceAll(/[^ -~]/gu",
    tests: ["src/metrics"],
  },

  {
    prevents: "starts live when DRY_RUN is anything but true or false",
    file: "src/config/options.ts",
    code: 'return text === "false" ? false : undefined;',
    instead: "return false;",
    tests: ["src/config"],
  },
  {
    prevents: "starts live when DRYRUN is set",
    file: "src/config/load.ts",
    code: "const faults = nearMisses(env);",
    instead: "const faults: string[] = [];",
    tests: ["src/config"],
  },
  {
    prevents: "starts live with a kubeconfig although it was not told to",
    file: "src/config/load.ts",
    code: 'command === "run" && !inCluster && !saidDryRun',
    instead: "false",
    tests: ["src/config"],
  },
  {
    prevents: "goes to the first of two clusters of one name",
    file: "src/kubernetes/kubeconfig-file.ts",
    code: "if (twin === undefined) continue;",
    instead: "continue;",
    tests: ["src/kubernetes/credentials.test.ts"],
  },
  {
    prevents: "goes on without credentials where it cannot sign in",
    file: "src/kubernetes/kubeconfig.ts",
    code: "if (provider) {",
    instead: "if (provider === undefined) {",
    tests: ["src/kubernetes/credentials.test.ts"],
  },
  {
    prevents: "waits for a pipe that nobody writes to, or reads a device without end",
    file: "src/text-file.ts",
    code: "if (!found.isFile()) throw",
    instead: "if (found.isDirectory()) throw",
    tests: ["src/text-file.test.ts"],
  },
  {
    prevents: "waits for a mount that hangs",
    file: "src/text-file.ts",
    code: "() => deadline.abort(late)",
    instead: "() => undefined",
    tests: ["src/text-file.test.ts"],
  },
  {
    prevents: "is kept by a thread that hangs when all is said and done",
    file: "src/end-process.ts",
    code: "process.execve?.(",
    instead: "void (",
    tests: ["src/end-process.test.ts"],
  },
  {
    prevents: "takes a flag for the value of another",
    file: "src/config/load.ts",
    code: 'value === undefined || (!inlineValue && value.startsWith("-"))',
    instead: "value === undefined",
    tests: ["src/config"],
  },
  {
    prevents: "rotates again before the metrics show the last rotation",
    file: "src/config/load.ts",
    code: "if (cooldown !== undefined && cooldown < least) {",
    instead: "if (least < 0) {",
    tests: ["src/config"],
  },
  {
    prevents: "leaves the Lease behind that it was taking when it was told to stop",
    file: LOCK,
    code: "      await lock.release();\n",
    instead: "",
    tests: ["src/kubernetes/lock.test.ts"],
  },
  {
    prevents: "is never anything but idle",
    file: "src/config/load.ts",
    code: 'settings.CPU_QUERY === "none" && settings.LAG_QUERY === "none"',
    instead: "false",
    tests: ["src/config"],
  },
  {
    prevents: "fails where it should hold, when metrics cannot be read",
    file: "src/rebalance.ts",
    code: '|| blind.action !== "hold"',
    instead: '|| blind.action === "hold"',
    tests: ["src/rebalance.test.ts"],
  },
  {
    prevents: "leaves the Lease behind",
    file: "src/rebalance.ts",
    code: "if (isOurs(run.lock)) await run.lock.release();",
    instead: "",
    tests: ["src/rebalance.test.ts"],
  },
  {
    prevents: "ends otherwise because its report could not be delivered",
    file: "src/rebalance.ts",
    code: "else narrator.warn(told, { error });",
    instead: "else throw error;",
    tests: ["src/rebalance.test.ts"],
  },
  {
    prevents: "ends well although its result is lost",
    file: "src/rebalance.ts",
    code: "ended = { ...report, exitCode };",
    instead: "",
    tests: ["src/rebalance.test.ts"],
  },
  {
    prevents: "waits for a reader of its log",
    file: "src/logging/logger.ts",
    code: "if (stream.writableLength >= MOST_WAITING_BYTES) dropped += 1;",
    instead: "if (stream.writableLength < 0) dropped += 1;",
    tests: ["src/logging/logger.test.ts"],
  },
  {
    prevents: "makes a schedule seem alive that has stopped, when a person only looks",
    file: "src/config/load.ts",
    code: "push: plan ? undefined : push,",
    instead: "push,",
    tests: ["src/config"],
  },
  {
    prevents: "takes a login page for a receiver of its metrics",
    file: "src/logging/push.ts",
    code: 'if (body.trim() !== "") {',
    instead: "if (body === undefined) {",
    tests: ["src/logging"],
  },
  {
    prevents: "wakes somebody for the lag of an idle group",
    file: "src/logging/metrics.ts",
    code: "return verdict.loaded ? verdict.threshold : Infinity;",
    instead: "return verdict.threshold;",
    tests: ["src/logging"],
  },
  {
    prevents: "says that there are no pods when it never looked",
    file: "src/logging/metrics.ts",
    code: "value: pods ?? NaN,",
    instead: "value: pods ?? 0,",
    tests: ["src/logging"],
  },
  {
    prevents: "counts a failure as a success that the alerts wait for",
    file: "src/logging/metrics.ts",
    code: "value: succeeded ? endedAtSeconds : undefined,",
    instead: "value: endedAtSeconds,",
    tests: ["src/logging"],
  },
  {
    prevents: "runs past its deadline",
    file: "src/rebalance.ts",
    code: "signal: AbortSignal.any([signal, expired.signal]),",
    instead: "signal,",
    tests: ["src/rebalance.test.ts", "test/rebalance.property.test.ts"],
  },
  {
    prevents: "lets a name end a string of PromQL",
    file: "src/metrics/queries.ts",
    code: '(character === "." ? "[.]" : ".")',
    instead: '(character === "." ? "[.]" : character)',
    tests: ["src/metrics"],
  },
  {
    prevents: "follows a name up a path",
    file: "src/kubernetes/client.ts",
    code: "/^\\.{0,2}$/.test(name) || ",
    instead: "",
    tests: ["src/kubernetes/client.test.ts"],
  },
  {
    prevents: "waits for ever where a server changes the protocol",
    file: "src/http.ts",
    code: 'request.once("close", () => reject(new Error("the connection was closed without an answer")));',
    instead: "",
    tests: ["src/http.test.ts"],
  },
  {
    prevents: "hears no signal and renews no Lease while it looks ahead",
    file: "src/in-slices.ts",
    code: "await clock.sleep(0, signal);",
    instead: "",
    tests: ["src/in-slices.test.ts", "src/rebalance.test.ts"],
  },
  {
    prevents: "looks ahead for as long as it takes",
    file: "src/in-slices.ts",
    code: "now - begun < PLANNING_SECONDS * 1_000 ?",
    instead: "now >= begun ?",
    tests: ["src/in-slices.test.ts", "src/rebalance.test.ts"],
  },
  {
    prevents: "calls what it has not looked at no gain",
    file: "src/decision/by-forecast.ts",
    code: "return candidates.length < planned;",
    instead: "return candidates.length > planned;",
    tests: FORECAST_TESTS,
  },
];

const root = resolve(import.meta.dirname, "..");
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const write = process.argv.includes("--write");
const chosen = GUARDS.filter(({ prevents }) => wanted.every((part) => prevents.includes(part)));

const copy = join(tmpdir(), `guards-${process.pid}`);

if (import.meta.main) {
  try {
    for (const name of [
      "bench",
      "src",
      "test",
      "package.json",
      "tsconfig.json",
      "vitest.config.ts",
      ".oxlintrc.json",
    ]) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const rows = tryAll();
    if (write) writeTable(rows);
    process.exitCode = rows.every(({ missed }) => missed) ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

interface Row {
  readonly guard: Guard;
  readonly missed: boolean;
}

function tryAll(): Row[] {
  // Only a suite that passes with all guards says anything by failing without one.
  for (const project of ["unit", "engines"] as const) {
    const tests = [
      ...new Set(chosen.filter((guard) => (guard.project ?? "unit") === project).flatMap((guard) => guard.tests)),
    ];
    if (tests.length > 0 && !passes(project, tests))
      throw new Error(`the ${project} suite fails with all guards in place`);
  }
  return chosen.map((guard) => {
    const missed = isMissed(guard);
    process.stdout.write(`${missed ? "missed" : "NOT MISSED"}: without it, a run ${guard.prevents} (${guard.file})\n`);
    return { guard, missed };
  });
}

function isMissed({ file, code, instead, tests, project = "unit", prevents }: Guard): boolean {
  const path = join(copy, file);
  const whole = readFileSync(path, "utf8");
  if (whole.split(code).length !== 2)
    throw new Error(`${file}: the guard against a run that ${prevents} is not there once`);
  try {
    writeFileSync(
      path,
      whole.replace(code, () => instead),
    );
    return !passes(project, tests);
  } finally {
    writeFileSync(path, whole);
  }
}

function passes(project: string, tests: readonly string[]): boolean {
  const vitest = join(copy, "node_modules", ".bin", "vitest");
  const { status } = spawnSync(vitest, ["run", "--project", project, "--bail", "1", ...tests], {
    cwd: copy,
    timeout: 300_000,
    // These runs are meant to fail: they are nobody's results.
    env: { ...process.env, TEST_RESULTS: "", RANDOM_RUNS: "3000" },
  });
  return status === 0;
}

function writeTable(rows: readonly Row[]): void {
  const file = join(root, "docs", "development.md");
  const lines = rows.map(({ guard, missed }) => {
    const tests = guard.tests.map((name) => `\`${name}\``).join(", ");
    return `| ${guard.prevents} | \`${guard.file}\` | ${tests} | ${missed ? "yes" : "**no**"} |`;
  });
  const table = ["| Without it, a run … | Where | Tests | Missed |", "| --- | --- | --- | --- |", ...lines].join("\n");
  const text = readFileSync(file, "utf8");
  const between = /(<!-- begin: guards -->)[\s\S]*?(<!-- end: guards -->)/;
  if (!between.test(text)) throw new Error(`${file} has no place for the table of guards`);
  writeFileSync(
    file,
    text.replace(between, (_, begin: string, end: string) => `${begin}\n\n${table}\n\n${end}`),
  );
  spawnSync(join(root, "node_modules", ".bin", "oxfmt"), ["--write", file]);
}
