import { createHash } from "node:crypto";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { TypedExtensionConfigSchema } from "../gen/envoy/config/core/v3/extension_pb.js";
import { ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.js";
import { RBAC_Action } from "../gen/envoy/config/rbac/v3/rbac_pb.js";
import { RBACSchema } from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { EnvoyResource, ResourceType, Snapshot } from "../translate/envoy/resource.ts";
import { SENDING_ORDER, type Reference } from "../xds/protocol/offer.ts";

const ADS = { configSourceSpecifier: { case: "ads", value: {} }, resourceApiVersion: 2 } as const;
const LOCALHOST = "127.0.0.1";

/** An Envoy resource with its version, made by hand for tests. */
export function envoyResource<Desc extends DescMessage>(
  type: ResourceType,
  schema: Desc,
  init: MessageInitShape<Desc>,
  references: readonly Reference[] = [],
): EnvoyResource {
  const message = create(schema, init);
  const bytes = toBinary(schema, message);
  const { name, clusterName } = message as unknown as { name?: string; clusterName?: string };
  const version = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  return { type, name: name ?? clusterName ?? "", version, bytes, message, references, origins: new Map() };
}

export function snapshotOf(resources: readonly EnvoyResource[]): Snapshot {
  return new Map(SENDING_ORDER.map((type) => [type, new Map(resources.filter((one) => one.type === type).map((one) => [one.name, one]))]));
}

export function edsCluster(name: string, connectTimeoutS = 1): EnvoyResource {
  return envoyResource(
    "cluster",
    ClusterSchema,
    {
      name,
      connectTimeout: { seconds: BigInt(connectTimeoutS) },
      clusterDiscoveryType: { case: "type", value: 3 },
      edsClusterConfig: { edsConfig: ADS },
    },
    [{ type: "endpoint", name }],
  );
}

export function endpoints(clusterName: string, ports: readonly number[]): EnvoyResource {
  return envoyResource("endpoint", ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [
      { lbEndpoints: ports.map((port) => ({ hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress(port) } } })) },
    ],
  });
}

/** One host, all paths to one cluster; `header` makes versions that differ. */
export function routeTo(name: string, cluster: string, header = "1"): EnvoyResource {
  return envoyResource(
    "route",
    RouteConfigurationSchema,
    {
      name,
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            {
              match: { pathSpecifier: { case: "prefix", value: "/" } },
              action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: cluster } } },
            },
          ],
          responseHeadersToAdd: [{ header: { key: "x-route", value: header } }],
        },
      ],
    },
    [{ type: "cluster", name: cluster }],
  );
}

/** A policy slot: an RBAC filter that refuses every request, or none. */
export function policy(name: string, deniesAll: boolean): EnvoyResource {
  const all = {
    permissions: [{ rule: { case: "any" as const, value: true } }],
    principals: [{ identifier: { case: "any" as const, value: true } }],
  };
  const rbac = create(RBACSchema, deniesAll ? { rules: { action: RBAC_Action.DENY, policies: { all } } } : {});
  return envoyResource("extension", TypedExtensionConfigSchema, { name, typedConfig: anyPack(RBACSchema, rbac) });
}

export interface ListenerShape {
  readonly name: string;
  readonly port: number;
  readonly route: string;
  readonly policy?: string;
  /** Envoy refuses a prefix of metrics that is empty. */
  readonly isBad?: boolean;
}

export function httpListener({ name, port, route, policy: slot, isBad = false }: ListenerShape): EnvoyResource {
  const router = { name: "router", configType: { case: "typedConfig" as const, value: anyPack(RouterSchema, create(RouterSchema)) } };
  const discovered = {
    name: slot ?? "",
    configType: {
      case: "configDiscovery" as const,
      value: { configSource: ADS, typeUrls: [`type.googleapis.com/${RBACSchema.typeName}`] },
    },
  };
  const connection = create(HttpConnectionManagerSchema, {
    statPrefix: isBad ? "" : name,
    routeSpecifier: { case: "rds", value: { configSource: ADS, routeConfigName: route } },
    httpFilters: [...(slot === undefined ? [] : [discovered]), router],
  });
  const references: Reference[] = [{ type: "route", name: route }];
  if (slot !== undefined) references.push({ type: "extension", name: slot });
  return envoyResource(
    "listener",
    ListenerSchema,
    {
      name,
      address: socketAddress(port),
      filterChains: [
        { filters: [{ name: "http", configType: { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, connection) } }] },
      ],
    },
    references,
  );
}

function socketAddress(port: number) {
  return { address: { case: "socketAddress", value: { address: LOCALHOST, portSpecifier: { case: "portValue", value: port } } } } as const;
}
