/**
 * What the Lease keeps of the last rotations: what was expected and what came. It only advises, so that damage costs nothing but
 * what it knew: what cannot be read is forgotten.
 */

import { LIKELY_ORDERS } from "../forecast/likely-orders.ts";
import type { Rotation, Spread } from "../types.ts";

/** Raised when the meaning of what is written changes; another version's record is forgotten. */
const VERSION = 1;

/** The newest that are kept: enough to learn an order from, and some 200 bytes each. */
const MOST_ROTATIONS = 10;

export function writeRotations(rotations: readonly Rotation[]): string {
  return JSON.stringify({ version: VERSION, rotations: rotations.slice(-MOST_ROTATIONS) });
}

/** Oldest first. */
export function readRotations(text: string | undefined): readonly Rotation[] {
  try {
    const { version, rotations } = JSON.parse(text ?? "{}") as { version?: unknown; rotations?: unknown };
    if (version !== VERSION || !Array.isArray(rotations)) return [];
    const readable = rotations.flatMap((entry: unknown) => readRotation(entry) ?? []);
    return readable.toSorted((a, b) => a.at.getTime() - b.at.getTime()).slice(-MOST_ROTATIONS);
  } catch {
    return [];
  }
}

function readRotation(entry: unknown): Rotation | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { at: written, pods, group, before, expected, after, order } = entry as Record<string, unknown>;
  const at = new Date(String(written));
  if (Number.isNaN(at.getTime()) || typeof group !== "string" || !isImbalance(before) || !isListOfTexts(pods)) {
    return undefined;
  }
  return {
    at,
    pods,
    group,
    before,
    expected: isSpread(expected) ? expected : undefined,
    after: isImbalance(after) ? after : undefined,
    order: LIKELY_ORDERS.find((one) => one === order),
  };
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isSpread(value: unknown): value is Spread {
  const { p10, p50, p90 } = (value ?? {}) as Record<string, unknown>;
  return isImbalance(p10) && isImbalance(p50) && isImbalance(p90);
}

function isImbalance(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
