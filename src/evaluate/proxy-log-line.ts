import type { WorkloadRef } from "./decision.ts";

/** One line of a proxy's access log: what Envoy itself says of a request or connection. Absent fields were empty. */
export interface ProxyLogLine {
  readonly workload: WorkloadRef;
  /** An HTTP request, a TCP connection that was passed on, or a connection that was closed before it became either. */
  readonly of: "request" | "tcp" | "connection";
  readonly direction: "inbound" | "outbound" | "gateway";
  readonly protocol?: string;
  readonly status?: number;
  readonly flags?: string;
  readonly details?: string;
  readonly terminationDetails?: string;
  readonly transportFailure?: string;
  readonly listener?: string;
  readonly filterChain?: string;
  readonly routeConfiguration?: string;
  readonly virtualHost?: string;
  /** Routes of RDS are named by where they stand, `route/80 virtualHosts[0].routes[2]` (`snapshotFor` names them so). */
  readonly route?: string;
  readonly cluster?: string;
  readonly upstreamHost?: string;
  /** SPIFFE id of the peer's certificate, as this proxy authenticated it. */
  readonly peerPrincipal?: string;
  readonly requestId?: string;
  readonly attempts?: number;
  /** This proxy's end of the connection to `upstreamHost`, and both ends of the one that it took: the same texts at both ends of a connection. */
  readonly upstreamLocal?: string;
  readonly remote?: string;
  readonly local?: string;
  /** Host of the request as this proxy sent or answered it; a mirror's ends in `-shadow`. */
  readonly authority?: string;
}
