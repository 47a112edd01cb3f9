import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { hashBytes } from "../../src/base/stable-hash.ts";
import { ClusterSchema } from "../../src/gen/envoy/config/cluster/v3/cluster_pb.js";
import { HttpProtocolOptionsSchema as CommonSchema } from "../../src/gen/envoy/config/core/v3/protocol_pb.js";
import { HttpProtocolOptionsSchema } from "../../src/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { EnvoyResource, Snapshot } from "../../src/translate/index.ts";

const KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * The same clusters, each request on a connection of its own: none travels on a connection that was taken by the listener of an earlier mesh, and
 * the log of a connection is whole as soon as its request is answered.
 */
export function onOwnConnections(snapshot: Snapshot): Snapshot {
  const clusters = [...(snapshot.get("cluster") ?? [])].map(([name, resource]) => [name, onOwnConnection(resource)] as const);
  return new Map(snapshot).set("cluster", new Map(clusters));
}

function onOwnConnection(resource: EnvoyResource): EnvoyResource {
  const message = fromBinary(ClusterSchema, resource.bytes);
  message.typedExtensionProtocolOptions[KEY] = limited(message.typedExtensionProtocolOptions[KEY]);
  const bytes = toBinary(ClusterSchema, message);
  return { ...resource, message, bytes, version: hashBytes(bytes) };
}

function limited(given: Any | undefined): Any {
  const options =
    (given && anyUnpack(given, HttpProtocolOptionsSchema)) ??
    create(HttpProtocolOptionsSchema, {
      upstreamProtocolOptions: { case: "explicitHttpConfig", value: { protocolConfig: { case: "httpProtocolOptions", value: {} } } },
    });
  options.commonHttpProtocolOptions = create(CommonSchema, { ...options.commonHttpProtocolOptions, maxRequestsPerConnection: 1 });
  return anyPack(HttpProtocolOptionsSchema, options);
}
