import { describe, expect, it } from "vitest";

import { idleAutoscalersOf, scalingOf } from "./autoscaler.ts";
import type { WireAutoscaler } from "./client.ts";

type Spec = NonNullable<WireAutoscaler["spec"]>;

interface Given {
  readonly target?: Spec["scaleTargetRef"];
  readonly min?: number;
  readonly max?: number;
  readonly condition?: readonly [type: string, status: string, reason: string];
  readonly deleted?: true;
}

const ITS_OWN: Spec["scaleTargetRef"] = { apiVersion: "apps/v1", kind: "Deployment", name: "orders" };
const ACTIVE = ["ScalingActive", "True", "ValidMetricFound"] as const;

/** Of the Deployment "orders", unless another target is given. */
function autoscaler(desiredReplicas: number | undefined, given: Given = {}): WireAutoscaler {
  const { target = ITS_OWN, min, max = 20, condition = ACTIVE } = given;
  const [type, status, reason] = condition;
  return {
    metadata: { name: "hpa", ...(given.deleted && { deletionTimestamp: "2026-03-01T12:00:00Z" }) },
    spec: { maxReplicas: max, scaleTargetRef: target, ...(min !== undefined && { minReplicas: min }) },
    ...(desiredReplicas !== undefined && { status: { desiredReplicas, conditions: [{ type, status, reason }] } }),
  };
}

const ORDERS = { kind: "Deployment", name: "orders", replicas: 8 } as const;
const BLIND = ["AbleToScale", "False", "FailedGetScale"] as const;
const NO_METRICS = ["ScalingActive", "False", "FailedGetResourceMetric"] as const;

describe("an autoscaler", () => {
  it.each<[string, WireAutoscaler[], number | undefined]>([
    ["that wants more", [autoscaler(9)], 9],
    ["that wants fewer", [autoscaler(7)], 7],
    ["that is content", [autoscaler(8)], undefined],
    ["that does not know yet", [autoscaler(0)], undefined],
    ["that nobody has looked at", [autoscaler(undefined)], undefined],
    ["that nobody has looked at, with a higher minimum", [autoscaler(undefined, { min: 10 })], 10],
    ["that nobody has looked at, with a lower maximum", [autoscaler(undefined, { max: 5 })], 5],
    ["whose minimum was raised since", [autoscaler(8, { min: 10 })], 10],
    ["whose maximum was lowered since", [autoscaler(8, { max: 6 })], 6],
    ["whose old wish is beyond its maximum", [autoscaler(12, { max: 8 })], undefined],
    ["of another Deployment", [autoscaler(9, { target: { kind: "Deployment", name: "shipping" } })], undefined],
    ["of a StatefulSet of the name", [autoscaler(9, { target: { kind: "StatefulSet", name: "orders" } })], undefined],
    ["that names no API group", [autoscaler(9, { target: { kind: "Deployment", name: "orders" } })], 9],
    [
      "of another group's Deployment",
      [autoscaler(9, { target: { apiVersion: "example.com/v1", kind: "Deployment", name: "orders" } })],
      undefined,
    ],
    [
      "of the core group's Deployment, which there is none of",
      [autoscaler(9, { target: { apiVersion: "v1", kind: "Deployment", name: "orders" } })],
      undefined,
    ],
    ["that is the second of two", [autoscaler(8), autoscaler(9)], 9],
    ["that is not there", [], undefined],
    ["that is inactive, with an old wish", [autoscaler(9, { condition: NO_METRICS })], undefined],
    ["that is inactive, and out of its bounds", [autoscaler(9, { condition: NO_METRICS, max: 6 })], 6],
    ["that is inactive, beside one that is not", [autoscaler(9, { condition: NO_METRICS }), autoscaler(10)], 10],
    ["that does not know whether it is active", [autoscaler(9, { condition: ["ScalingActive", "Unknown", "x"] })], 9],
    ["that cannot see its target", [autoscaler(9, { condition: BLIND, max: 6 })], undefined],
    [
      "that could not write, and will try again",
      [autoscaler(9, { condition: ["AbleToScale", "False", "FailedUpdateScale"] })],
      9,
    ],
    ["that is being deleted", [autoscaler(9, { deleted: true })], undefined],
  ])("%s", (_name, autoscalers, wanted) => {
    const expected = wanted && `HorizontalPodAutoscaler hpa wants ${wanted} pods, 8 are asked for`;
    expect(scalingOf(autoscalers, ORDERS)).toBe(expected);
  });

  it("leaves alone what was set to 0", () => {
    expect(scalingOf([autoscaler(9, { min: 2 })], { ...ORDERS, replicas: 0 })).toBeUndefined();
  });

  it.each<[string, WireAutoscaler, readonly string[]]>([
    ["is active", autoscaler(9), []],
    ["was not looked at", autoscaler(undefined), []],
    ["is another's", autoscaler(9, { condition: NO_METRICS, target: { kind: "Deployment", name: "x" } }), []],
    [
      "is inactive",
      autoscaler(9, { condition: NO_METRICS }),
      ["HorizontalPodAutoscaler hpa does not scale: ScalingActive is False (FailedGetResourceMetric)"],
    ],
    [
      "cannot see its target",
      autoscaler(9, { condition: BLIND }),
      ["HorizontalPodAutoscaler hpa does not scale: AbleToScale is False (FailedGetScale)"],
    ],
    [
      "is being deleted",
      autoscaler(9, { deleted: true }),
      ["HorizontalPodAutoscaler hpa does not scale: it is being deleted"],
    ],
  ])("that %s is told of, or not", (_name, given, expected) => {
    expect(idleAutoscalersOf([given], ORDERS)).toEqual(expected);
  });
});
