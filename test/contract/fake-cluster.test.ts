import { createVirtualClock } from "../../src/simulation/virtual-clock.ts";
import { createWorld, fakeCluster, steadyPod } from "../fakes/world.ts";
import { describeClusterContract, type World } from "./cluster-contract.ts";

/** The fake that the properties of the whole run are tested with; its Lease is one run's only. */
async function fakeWorld(): Promise<World> {
  const clock = createVirtualClock();
  const world = createWorld(clock, []);
  const cluster = fakeCluster(world);
  return {
    clock,
    connect: () => cluster,
    async createGroup(replicas) {
      world.pods = Array.from({ length: replicas }, (_, n) => steadyPod(clock, `orders-5d8f7c9b-0000${n}`));
      world.workload = { ...world.workload, replicas };
    },
    async markNotReady(name) {
      for (const pod of world.pods) if (pod.name === name) pod.readyAt = Number.POSITIVE_INFINITY;
    },
    async deletePod(name) {
      const signal = new AbortController().signal;
      const pod = (await cluster.observe(signal)).pods.find((one) => one.name === name);
      if (pod) await cluster.evict(pod, () => undefined, signal);
    },
    async createBarePod(name) {
      world.pods.push(steadyPod(clock, name, { controlled: false }));
    },
    async setBudget(maxUnavailable) {
      world.budget = () => (maxUnavailable > 0 ? undefined : "the disruption budget allows none");
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeClusterContract("the in-memory fake", fakeWorld);
