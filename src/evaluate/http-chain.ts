import type { JsonObject } from "@bufbuild/protobuf";
import type { RouteConfiguration } from "../gen/envoy/config/route/v3/route_pb.js";
import type { VirtualHost } from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import type { Accepted } from "./connection.ts";
import type { HttpMessage } from "./http-message.ts";
import type { FoundRoute } from "./route-match.ts";
import type { Because, Site, Trail } from "./trail.ts";

/** A request inside one connection manager, as its filters hand it on. */
export interface Exchange {
  readonly site: Site;
  readonly connection: Accepted;
  /** Towards the own application. */
  readonly inbound: boolean;
  readonly serverName: string;
  readonly listener: EnvoyResource;
  readonly chainPath: string;
  readonly message: HttpMessage;
  /** Who sent the request, as far as trusted hops say. */
  readonly remote: string;
  readonly isInternal: boolean;
  /** So much of a body is held back at most where a filter, or a retry, needs all of it. */
  readonly bufferBytes: number;
  /** What `Trail.delayMs` is when the proxy gives up, whatever its routes say. */
  readonly endsAtMs: number;
  readonly metadata: Readonly<Record<string, JsonObject>>;
  readonly routing: Routing;
  /** Where the cluster's metadata has the protocols that its TLS offers for this request. */
  readonly alpnFrom?: AlpnSource;
  readonly trail: Trail;
}

export interface AlpnSource {
  readonly namespace: string;
  readonly key: string;
}

/** Where the request goes: found before the filters run, since they ask for the route's own settings. */
export interface Routing {
  readonly routes: RouteConfiguration;
  /** The resource in which the origins of hosts and routes stand. */
  readonly resource: EnvoyResource;
  readonly prefix: string;
  readonly host?: VirtualHost;
  readonly hostPath: string;
  readonly found?: FoundRoute;
  /** The virtual host takes TLS only, and this is none. */
  readonly redirectsToTls: boolean;
  readonly because: Because;
}
