import { create, fromBinary } from "@bufbuild/protobuf";
import { SocketAddress_Protocol } from "../gen/envoy/config/core/v3/address_pb.js";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { encodeResource, packAny } from "../translate/envoy/any.ts";
import { adsSource } from "../translate/envoy/extension-slot.ts";
import { socketAddress } from "../translate/envoy/listener.ts";
import { FILTER } from "../translate/envoy/names.ts";
import type { EnvoyResource } from "../translate/envoy/resource.ts";

/** The same listener, with no port of this machine taken: unbound, or on any free port where Envoy must bind (UDP). */
export function withoutPorts(resource: EnvoyResource): EnvoyResource {
  if (resource.type !== "listener") return resource;
  const listener = fromBinary(ListenerSchema, resource.bytes);
  const address = listener.address?.address;
  if (address?.case === "socketAddress" && address.value.protocol === SocketAddress_Protocol.UDP) {
    address.value.portSpecifier = { case: "portValue", value: 0 };
    listener.enableReusePort = false;
  } else {
    listener.bindToPort = false;
  }
  return encodeResource(ListenerSchema, listener, resource);
}

/** Envoy asks for a route table only when a listener names it: one listener for each that none of the given names. */
export function routeProbes(resources: readonly EnvoyResource[]): readonly EnvoyResource[] {
  const named = new Set(resources.flatMap(({ references }) => references.filter(({ type }) => type === "route").map(({ name }) => name)));
  return resources.filter(({ type, name }) => type === "route" && !named.has(name)).map(({ name }, i) => routeProbe(name, 1 + i));
}

function routeProbe(route: string, port: number): EnvoyResource {
  const name = `probe of ${route}`;
  const typedConfig = packAny(HttpConnectionManagerSchema, {
    statPrefix: "probe",
    routeSpecifier: { case: "rds", value: { routeConfigName: route, configSource: adsSource() } },
    httpFilters: [{ name: FILTER.router, configType: { case: "typedConfig", value: packAny(RouterSchema, {}) } }],
  });
  const message = create(ListenerSchema, {
    name,
    address: socketAddress("127.0.0.9", port),
    filterChains: [{ filters: [{ name: FILTER.httpConnectionManager, configType: { case: "typedConfig", value: typedConfig } }] }],
  });
  return encodeResource(ListenerSchema, message, {
    type: "listener",
    name,
    references: [{ type: "route", name: route }],
    origins: new Map(),
  });
}
