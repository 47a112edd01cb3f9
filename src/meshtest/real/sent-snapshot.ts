import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { hashBytes } from "../../base/stable-hash.ts";
import { ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { DataSource, TransportSocket } from "../../gen/envoy/config/core/v3/base_pb.js";
import { RouteConfigurationSchema } from "../../gen/envoy/config/route/v3/route_pb.js";
import { UpstreamTlsContextSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { EnvoyResource, Snapshot } from "../../translate/index.ts";

/**
 * A snapshot as a test's proxy gets it. Two things differ from what a mesh sends: authorities that lie in files (the system's roots above all) are
 * the harness's own, and each route of RDS is named by where it stands, so that an access log says which of several with one name it was.
 */
export function toSentSnapshot(snapshot: Snapshot, rootPem: string): Snapshot {
  const changed = new Map(snapshot);
  changed.set(
    "cluster",
    changeEach(snapshot, "cluster", (resource) => withRoot(resource, rootPem)),
  );
  changed.set("route", changeEach(snapshot, "route", withPlacesAsNames));
  return changed;
}

/** What a route is called in access logs: `route/80 virtualHosts[0].routes[2]`. */
export function placeName(resource: Pick<EnvoyResource, "type" | "name">, path: string): string {
  return `${resource.type}/${resource.name} ${path}`;
}

function changeEach(
  snapshot: Snapshot,
  type: "cluster" | "route",
  change: (resource: EnvoyResource) => EnvoyResource,
): ReadonlyMap<string, EnvoyResource> {
  return new Map([...(snapshot.get(type) ?? [])].map(([name, resource]) => [name, change(resource)]));
}

function withPlacesAsNames(resource: EnvoyResource): EnvoyResource {
  const copy = fromBinary(RouteConfigurationSchema, resource.bytes);
  for (const [i, { routes }] of copy.virtualHosts.entries())
    for (const [j, route] of routes.entries()) route.name = placeName(resource, `virtualHosts[${i}].routes[${j}]`);
  return encoded(resource, RouteConfigurationSchema, copy);
}

function withRoot(resource: EnvoyResource, rootPem: string): EnvoyResource {
  const copy = fromBinary(ClusterSchema, resource.bytes);
  const sockets = [copy.transportSocket, ...copy.transportSocketMatches.map(({ transportSocket }) => transportSocket)];
  const changes = sockets.filter((socket) => trustRoot(socket, rootPem));
  return changes.length === 0 ? resource : encoded(resource, ClusterSchema, copy);
}

/** Changes the socket in place; false where it names no file. */
function trustRoot(socket: TransportSocket | undefined, rootPem: string): boolean {
  if (socket?.configType.case !== "typedConfig") return false;
  const tls = anyUnpack(socket.configType.value, UpstreamTlsContextSchema);
  const context = tls?.commonTlsContext?.validationContextType;
  const own = context?.case === "combinedValidationContext" ? context.value.defaultValidationContext : context?.value;
  if (tls === undefined || own?.$typeName !== "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext") return false;
  if (own.trustedCa?.specifier.case !== "filename") return false;
  const specifier: DataSource["specifier"] = { case: "inlineString", value: rootPem };
  own.trustedCa.specifier = specifier;
  socket.configType.value = anyPack(UpstreamTlsContextSchema, tls);
  return true;
}

function encoded(resource: EnvoyResource, schema: DescMessage, message: Message): EnvoyResource {
  const bytes = toBinary(schema, message);
  return { ...resource, message, bytes, version: hashBytes(bytes) };
}
