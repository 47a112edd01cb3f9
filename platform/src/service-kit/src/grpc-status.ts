import { status } from "@grpc/grpc-js";
import { Problem } from "./problem.ts";

/** HTTP's words for errors and gRPC's: a problem that crosses from one service to the other means the same on both sides. */
const PAIRS = [
  { http: 400, grpc: status.INVALID_ARGUMENT, title: "Bad request" },
  { http: 401, grpc: status.UNAUTHENTICATED, title: "Unauthorized" },
  { http: 403, grpc: status.PERMISSION_DENIED, title: "Forbidden" },
  { http: 404, grpc: status.NOT_FOUND, title: "Not found" },
  { http: 409, grpc: status.FAILED_PRECONDITION, title: "Conflict" },
  { http: 429, grpc: status.RESOURCE_EXHAUSTED, title: "Too many requests" },
  { http: 504, grpc: status.DEADLINE_EXCEEDED, title: "Gateway timeout" },
] as const;

/** What a server answers a problem with; what broke inside is INTERNAL. UNAVAILABLE is what the mesh tries again. */
export function toGrpcStatus(problem: Problem): number {
  if (problem.status === 503) return status.UNAVAILABLE;
  return PAIRS.find(({ http }) => http === problem.status)?.grpc ?? status.INTERNAL;
}

/** What a failed call is to the one on whose behalf it was made. What he can't mend is a 502. */
export function fromGrpcStatus(code: number, details: string, cause: unknown): Problem {
  const pair = PAIRS.find(({ grpc }) => grpc === code);
  if (pair === undefined)
    return new Problem(502, "Bad gateway", { detail: `the service behind this one answered ${status[code] ?? code}`, cause });
  // A proxy's words are not for the client; a service's own are.
  const isOwn = pair.http === 404 || pair.http === 409;
  return new Problem(pair.http, pair.title, { detail: isOwn ? details : "refused by the service behind this one", cause });
}
