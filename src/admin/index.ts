/**
 * The API that the command line and, later, the console speak: Kubernetes' paths for resources, `/kumiko/v1/` for what a mesh has beside
 * them. In: requests on a Unix socket. Out: JSON; a failure is a Kubernetes `Status`. All it knows comes from the `AdminBackend` that
 * `controlplane/` passes in. Never here: translation, storage, a secret's value in an answer.
 */
export type {
  AdminBackend,
  DeleteResult,
  EnvoyAnswer,
  HeldRemoval,
  HeldResource,
  HostState,
  JoinRequest,
  JoinToken,
  MeshStatus,
  ProxyConfig,
  ProxyConfigState,
  ProxyStatus,
  WriteConditions,
  WriteResult,
} from "./backend.ts";
export type { ClusterRow, EndpointRow } from "./cluster-view.ts";
export type { Decider, DecidersAnswer } from "./log-lines.ts";
export type { ListenerRow } from "./listener-view.ts";
export type { RouteRow } from "./route-view.ts";
export type { SecretRow } from "./secret-view.ts";
export { type AdminOptions, type AdminServer, startAdmin } from "./server.ts";
