import type { RetryPolicy } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { Undecidable } from "./undecidable.ts";

/** How an attempt ended. */
export type Failure =
  | { readonly kind: "status"; readonly status: number; readonly grpcStatus: string | undefined; readonly words: string }
  | { readonly kind: "connect-failure" | "reset" | "per-try-timeout"; readonly words: string };

const GRPC_CONDITION: Readonly<Record<string, string>> = {
  cancelled: "CANCELLED",
  "deadline-exceeded": "DEADLINE_EXCEEDED",
  internal: "INTERNAL",
  "resource-exhausted": "RESOURCE_EXHAUSTED",
  unavailable: "UNAVAILABLE",
};

const GATEWAY_ERRORS = [502, 503, 504];

/** Whether a policy tries again after such an end. */
export function isRetriable(policy: RetryPolicy | undefined, failure: Failure): boolean {
  if (policy === undefined) return false;
  if (policy.retriableHeaders.length > 0 || policy.retriableRequestHeaders.length > 0 || policy.retryOptionsPredicates.length > 0)
    throw new Undecidable("retries by headers");
  const conditions = policy.retryOn.split(",").map((word) => word.trim());
  return conditions.some((condition) => meets(condition, failure, policy));
}

function meets(condition: string, failure: Failure, { retriableStatusCodes }: RetryPolicy): boolean {
  if (failure.kind === "status") return meetsStatus(condition, failure, retriableStatusCodes);
  switch (condition) {
    case "5xx":
    case "gateway-error":
      return true;
    case "connect-failure":
      return failure.kind === "connect-failure";
    case "reset":
      return true;
    default:
      return false;
  }
}

function meetsStatus(condition: string, { status, grpcStatus }: Extract<Failure, { kind: "status" }>, codes: readonly number[]): boolean {
  switch (condition) {
    case "5xx":
      return status >= 500 && status < 600;
    case "gateway-error":
      return GATEWAY_ERRORS.includes(status);
    case "retriable-4xx":
      return status === 409;
    case "retriable-status-codes":
      return codes.includes(status);
    default:
      return grpcStatus !== undefined && GRPC_CONDITION[condition] === grpcStatus;
  }
}
