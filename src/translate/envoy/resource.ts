import type { Message } from "@bufbuild/protobuf";
import type { Origin } from "../../model/origin.ts";

/** The types of resources that proxies subscribe to, in the order in which they are sent. */
export const TYPE_URLS = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  extension: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
} as const;

export type ResourceType = keyof typeof TYPE_URLS;
export type TypeUrl = (typeof TYPE_URLS)[ResourceType];

/** One generated resource, encoded once; the same bytes go to every proxy whose inputs were the same. */
export interface EnvoyResource {
  readonly type: ResourceType;
  readonly name: string;
  /** Hash of `bytes`: equal versions are never sent again. */
  readonly version: string;
  /** The encoded message, as it stands in `Any.value`. */
  readonly bytes: Uint8Array;
  readonly message: Message;
  /** Names that must exist beside it (`cluster/…`, `endpoint/…`, `route/…`, `extension/…`, `secret/…`). */
  readonly references: readonly { readonly type: ResourceType; readonly name: string }[];
  /** From a path within the message (`virtualHosts[0].routes[2]`, "" for the whole) to what it came from. Versioned apart from the bytes. */
  readonly origins: ReadonlyMap<string, readonly Origin[]>;
}

/** All that one proxy may be sent: by type, by name. */
export type Snapshot = ReadonlyMap<ResourceType, ReadonlyMap<string, EnvoyResource>>;
