import { describeClusterContract, describeLockContract } from "./cluster-contract.ts";
import { demoWorld } from "./demo-world.ts";

describeClusterContract("the demo's API server", demoWorld);
describeLockContract("the demo's API server", demoWorld);
