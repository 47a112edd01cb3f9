import { parseDuration } from "../../base/duration.ts";
import type { RetryPolicy } from "../../ir/route.ts";
import type { MeshSettings } from "../../mesh/index.ts";
import type { HttpRoute } from "./route-match.ts";

type RetriesSpec = NonNullable<HttpRoute["retries"]>;

/** The mesh's retries where a route declares none; `attempts: 0` switches them off. A hashed request goes back to where it was. */
export function toRetryPolicy(
  retries: RetriesSpec | undefined,
  mesh: MeshSettings["defaultRetry"],
  isHashed: boolean,
): RetryPolicy | undefined {
  const attempts = retries === undefined ? mesh.attempts : (retries.attempts ?? 0);
  if (attempts <= 0) return undefined;
  const { on, statusCodes } = parseRetryOn(retries?.retryOn === undefined || retries.retryOn === "" ? mesh.on : retries.retryOn.split(","));
  const perTryTimeoutMs = retries === undefined ? mesh.perTryTimeoutMs : parseOptional(retries.perTryTimeout);
  const backoffMs = parseOptional(retries?.backoff);
  return {
    attempts,
    on,
    statusCodes,
    ignorePreviousHosts: !isHashed && (retries?.retryIgnorePreviousHosts ?? true),
    ...(perTryTimeoutMs !== undefined && perTryTimeoutMs > 0 && { perTryTimeoutMs }),
    ...(backoffMs !== undefined && backoffMs > 0 && { backoffMs }),
    ...(retries?.retryRemoteLocalities === true && { retryRemoteLocalities: true }),
  };
}

/** Istio's mix of Envoy's condition names and plain HTTP statuses. */
function parseRetryOn(words: readonly string[]): { readonly on: readonly string[]; readonly statusCodes: readonly number[] } {
  const trimmed = words.map((word) => word.trim()).filter((word) => word !== "");
  const statusCodes = trimmed.filter((word) => /^[1-5]\d\d$/.test(word)).map(Number);
  const names = trimmed.filter((word) => !/^\d+$/.test(word));
  const on = statusCodes.length > 0 && !names.includes("retriable-status-codes") ? [...names, "retriable-status-codes"] : names;
  return { on, statusCodes };
}

function parseOptional(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}
