/** A request through generated Envoy resources: what is decided, where, and which declared resource says so. */
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
export { findVirtualHost } from "./virtual-host-match.ts";
