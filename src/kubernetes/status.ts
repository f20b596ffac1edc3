/** `metav1.Status`: what the API server itself says, and no proxy on the way to it. */

import type { ErrorReply } from "../errors.ts";

export interface ApiStatus {
  readonly code: number;
  /** "NotFound"; empty where it names none. */
  readonly reason: string;
  readonly message: string;
  /** What it is about; undefined where it does not say. */
  readonly kind: string | undefined;
  readonly name: string | undefined;
  readonly causes: readonly { readonly reason?: unknown; readonly message?: unknown }[];
}

/**
 * The failure that a reply tells of, in the API server's own words.
 *
 * @returns undefined for anything else: a proxy's page, a Status that is cut off, one of success, and one whose code is not that of the
 *   reply. Such a reply does not tell what the API server did.
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
export function failureOf(reply: Pick<ErrorReply, "status" | "body"> | undefined): ApiStatus | undefined {
  if (reply === undefined) return undefined;
  const { kind, status, code, reason, message, details } = objectIn(reply.body);
  if (kind !== "Status" || status !== "Failure" || code !== reply.status) return undefined;
  const about = isObject(details) ? details : {};
  return {
    code: reply.status,
    reason: textOf(reason) ?? "",
    message: textOf(message) ?? "",
    kind: textOf(about["kind"]),
    name: textOf(about["name"]),
    causes: Array.isArray(about["causes"]) ? about["causes"].filter(isObject) : [],
  };
}

function objectIn(json: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(json);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
