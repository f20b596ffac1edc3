/**
 * Plays the kubelet for the pods of a group: a pod that is on a node becomes a process, its status says Ready once that process
 * has joined, and a deleted pod is gone when its process has ended.
 */

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type { ControlPlane } from "../harness/control-plane.ts";
import type { Launch } from "../harness/kafka.ts";
import type { Pod, PodEvent } from "../harness/kube-client.ts";
import { type ServerProcess, startProcess, waitUntilReady } from "../harness/processes.ts";

const LOOK_MILLIS = 50;
const JOIN_TIMEOUT_MILLIS = 60_000;

/** What a consumer says of itself; see test/harness/kafka/consumer.py. */
export type ConsumerEvent =
  | { readonly event: "listening"; readonly at: number; readonly port: number }
  | {
      readonly event: "assigned" | "revoked" | "lost";
      readonly at: number;
      readonly partitions: readonly number[];
      /** The member's id, where it is known. */
      readonly member?: string;
    }
  | ToldRound
  | { readonly event: "closing" | "closed"; readonly at: number };

/** What the Java client's assignor was given and what it made of it; KIP-429's withholding is part of it. */
export interface ToldRound {
  readonly event: "round";
  readonly at: number;
  readonly assignor: string;
  readonly members: readonly {
    readonly id: string;
    readonly instanceId: string | null;
    readonly generation: number;
    readonly owned: readonly number[];
  }[];
  readonly assigned: Readonly<Record<string, readonly number[]>>;
}

/** A pod that became a process. */
export interface Container {
  readonly pod: string;
  readonly uid: string;
  readonly node: string;
  /** How many were started before it. */
  readonly ordinal: number;
  readonly process: ServerProcess;
  /** So far, in their order. */
  readonly events: () => readonly ConsumerEvent[];
}

export interface KubeletOptions {
  readonly plane: ControlPlane;
  readonly namespace: string;
  readonly selector: string;
  /** Where the processes run and write. */
  readonly directory: string;
  /** From the binding of a pod to the start of its process: images and everything else that a boot takes. */
  readonly bootMillis: number;
  /** Prometheus reads from this file whom to scrape (file_sd). */
  readonly targetsFile: string;
  command(container: Pick<Container, "pod" | "node" | "ordinal">): Promise<Launch>;
}

export interface Kubelet extends AsyncDisposable {
  /** All that were started, those that have ended too, in the order of their starts. */
  containers(): readonly Container[];
}

/** Runs until it is disposed; then every process is ended, and what failed meanwhile is thrown. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { plane, namespace, selector } = options;
  const recording = await plane.watchPods(namespace, selector);
  const containers = new Map<string, Container>();
  const started = new Map<string, Promise<void>>();
  const ended = new Map<string, Promise<void>>();
  const failures: unknown[] = [];
  const stopped = new AbortController();
  let ordinals = 0;

  function handle({ type, pod }: PodEvent): void {
    const { uid, deletionTimestamp } = pod.metadata;
    if (type === "DELETED") return;
    if (pod.spec.nodeName !== undefined && deletionTimestamp === undefined && !started.has(uid)) {
      const starting = start(pod, pod.spec.nodeName).catch((error: unknown) => {
        // One that was cut off may fail.
        if (!stopped.signal.aborted && !ended.has(uid)) failures.push(error);
      });
      started.set(uid, starting);
    }
    if (deletionTimestamp !== undefined && !ended.has(uid)) ended.set(uid, end(pod));
  }

  async function start(pod: Pod, node: string): Promise<void> {
    const { name, uid } = pod.metadata;
    await sleep(options.bootMillis);
    if (stopped.signal.aborted || ended.has(uid)) return;
    const facts = { pod: name, node, ordinal: ordinals++ };
    const launch = await options.command(facts);
    const directory = options.directory;
    const process = await startProcess({ name: `${name}-${uid.slice(0, 8)}`, ...launch, directory });
    const container = { ...facts, uid, process, events: () => eventsOf(process) };
    containers.set(uid, container);
    await waitUntilReady(process, async () => portOf(container) !== undefined, JOIN_TIMEOUT_MILLIS);
    writeTargets();
    await report(pod, false);
    await waitUntilReady(process, async () => hasJoined(container), JOIN_TIMEOUT_MILLIS);
    if (!ended.has(uid)) await report(pod, true);
  }

  async function end({ metadata: { name, uid } }: Pod): Promise<void> {
    await containers.get(uid)?.process.stop();
    await started.get(uid);
    await containers.get(uid)?.process.stop();
    writeTargets();
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    await plane.request("DELETE", path, { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  async function report(pod: Pod, ready: boolean): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}/status`;
    await plane.request("PATCH", path, { metadata: { uid: pod.metadata.uid }, status: statusOf(ready) });
  }

  /** Without a pause in it: pods that start at the same time write the same file. */
  function writeTargets(): void {
    const living = [...containers.values()].filter(({ process, uid }) => process.alive() && !ended.has(uid));
    const targets = living.map((container) => `127.0.0.1:${portOf(container)}`);
    // Prometheus must not read half of it.
    writeFileSync(`${options.targetsFile}.next`, JSON.stringify([{ targets }]));
    renameSync(`${options.targetsFile}.next`, options.targetsFile);
  }

  async function follow(): Promise<void> {
    let seen = 0;
    while (!stopped.signal.aborted) {
      for (const event of recording.events.slice(seen)) handle(event);
      seen = recording.events.length;
      await sleep(LOOK_MILLIS);
    }
  }
  const following = follow();

  return {
    containers: () => [...containers.values()],
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await following;
      await Promise.all([...containers.values()].map(({ process }) => process.stop()));
      await Promise.all([...started.values(), ...ended.values()]);
      await recording.close();
      if (failures.length > 0) throw new AggregateError(failures, "pods did not start");
    },
  };
}

function statusOf(ready: boolean): object {
  const at = new Date().toISOString();
  const status = ready ? "True" : "False";
  return {
    phase: "Running",
    podIP: "127.0.0.1",
    podIPs: [{ ip: "127.0.0.1" }],
    startTime: at,
    conditions: ["Initialized", "PodScheduled", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: type.endsWith("Ready") ? status : "True",
      lastTransitionTime: at,
    })),
    containerStatuses: [
      {
        name: "consumer",
        image: "consumer:1",
        imageID: "",
        ready,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: at } },
      },
    ],
  };
}

function eventsOf({ logFile }: ServerProcess): ConsumerEvent[] {
  const text = readFileSync(logFile, "utf8");
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line.startsWith('{"event"')).map((line) => JSON.parse(line) as ConsumerEvent);
}

function portOf(container: Container): number | undefined {
  return container.events().find((each) => each.event === "listening")?.port;
}

function hasJoined(container: Container): boolean {
  return container.events().some(({ event }) => event === "assigned");
}
