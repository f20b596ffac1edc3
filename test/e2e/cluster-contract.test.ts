import { afterAll, beforeAll, describe } from "vitest";

import { describeClusterContract, describeLockContract } from "../contract/cluster-contract.ts";
import { controlPlaneWorld } from "../contract/control-plane-world.ts";
import { type ControlPlane, controlPlaneMissing, startControlPlane } from "../harness/control-plane.ts";

const missing = controlPlaneMissing();

describe.skipIf(missing)(`on a real control plane${missing ? ` (${missing})` : ""},`, () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(() => plane[Symbol.asyncDispose]());

  describeClusterContract("the Kubernetes adapter", () => controlPlaneWorld(plane));
  describeLockContract("the Kubernetes adapter", () => controlPlaneWorld(plane));
});
