/** A request through generated Envoy resources: what is decided, where, and which declared resource says so. */
export { type Capture, staysInPod } from "./capture.ts";
export type {
  ApplicationAnswer,
  ApplicationRequest,
  Decision,
  MeshView,
  NearMiss,
  Outcome,
  Received,
  Request,
  ResponseOutcome,
  Step,
  Target,
  WorkloadRef,
} from "./decision.ts";
export { evaluate } from "./evaluate.ts";
export { type Place, originsOf, OriginTable } from "./origin-table.ts";
export type { ProxyLogLine } from "./proxy-log-line.ts";
export { answeredItself, refusedConnection, type Verdict, verdictOf } from "./verdict-line.ts";
export { findVirtualHost } from "./virtual-host-match.ts";
