import type { JsonObject } from "@bufbuild/protobuf";
import type { Cluster } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { TransportSocket } from "../gen/envoy/config/core/v3/base_pb.js";
import type { LbEndpoint } from "../gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import type { UpstreamTlsContext } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { openConfig } from "./config.ts";
import type { ClientHello, ServerCertificate, Stream } from "./connection.ts";
import { isThere, matchesName, secretsOf, validationOf } from "./downstream-tls.ts";
import type { AlpnSource } from "./http-chain.ts";
import type { Site } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { withoutPort } from "./virtual-host-match.ts";

const MATCH_METADATA = "envoy.transport_socket_match";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** What flows to an endpoint: plaintext, or TLS as the cluster's transport socket for that endpoint begins it. */
export function upstreamStream(
  site: Site,
  cluster: Cluster,
  endpoint: LbEndpoint | undefined,
  sent: Sent,
): Stream | { readonly kind: "unready"; readonly secret: string } {
  const { inside } = sent;
  const socket = socketFor(cluster, endpoint);
  if (socket === undefined) return inside;
  const config = socket.configType.case === "typedConfig" ? openConfig(socket.configType.value) : undefined;
  if (config?.kind === "rawBuffer") return inside;
  if (config?.kind !== "upstreamTls") throw new Undecidable(`transport socket ${socket.name}`);
  const missing = secretsOf(config.value.commonTlsContext).find((name) => !isThere(site, name));
  if (missing !== undefined) return { kind: "unready", secret: missing };
  return { kind: "tls", hello: helloOf(site, cluster, config.value, sent), inside };
}

interface Sent {
  readonly inside: Stream;
  /** HTTP that the proxy sends, not bytes that it passes on. */
  readonly isRouted: boolean;
  readonly alpnFrom: AlpnSource | undefined;
}

const BYTES: Stream = { kind: "bytes" };

function socketFor({ transportSocketMatches, transportSocket }: Cluster, endpoint: LbEndpoint | undefined): TransportSocket | undefined {
  const labels: JsonObject = endpoint?.metadata?.filterMetadata[MATCH_METADATA] ?? {};
  const found = transportSocketMatches.find(({ match = {} }) => Object.entries(match).every(([key, value]) => labels[key] === value));
  return found === undefined ? transportSocket : found.transportSocket;
}

function helloOf(site: Site, cluster: Cluster, { commonTlsContext: common, sni }: UpstreamTlsContext, sent: Sent): ClientHello {
  const inside = sent.isRouted ? sent.inside : BYTES;
  const options = openConfig(cluster.typedExtensionProtocolOptions[HTTP_OPTIONS]);
  const http = options?.kind === "httpProtocolOptions" ? options.value.upstreamHttpProtocolOptions : cluster.upstreamHttpProtocolOptions;
  const isAuto = http?.autoSni === true && inside.kind === "http";
  const name = isAuto && inside.kind === "http" ? withoutPort(inside.message.authority) : sni;
  const own = common?.tlsCertificateSdsSecretConfigs[0]?.name;
  return {
    sni: name,
    alpn: alpnOfCluster(cluster, sent.alpnFrom) ?? alpnOf(common, inside),
    ...(own === "default" && { certificate: { uri: site.identity, trusted: true, expired: false } }),
    ...(own !== undefined && own !== "default" && { certificate: { uri: "", trusted: true, expired: false } }),
    verify: (server) => verdictOf(common, server, isAuto && http?.autoSanValidation === true ? name : undefined),
  };
}

function alpnOfCluster({ metadata }: Cluster, from: AlpnSource | undefined): readonly string[] | undefined {
  const said = from === undefined ? undefined : metadata?.filterMetadata[from.namespace]?.[from.key];
  return typeof said === "string" && said !== "" ? said.split(",") : undefined;
}

/** For HTTP Envoy by itself offers what it is going to speak, where nothing else is said. */
function alpnOf(common: UpstreamTlsContext["commonTlsContext"], inside: Stream): readonly string[] {
  const said = common?.alpnProtocols ?? [];
  if (said.length > 0 || inside.kind !== "http") return said;
  return inside.message.version === "http2" ? ["h2"] : ["http/1.1"];
}

/** Why a server's certificate is not taken; undefined where it is. */
function verdictOf(
  common: UpstreamTlsContext["commonTlsContext"],
  server: ServerCertificate,
  wantedName: string | undefined,
): string | undefined {
  const validation = validationOf(common);
  if (validation === undefined) return undefined;
  const trustsMesh = secretsOf(common).includes("ROOTCA");
  if (trustsMesh !== (server.authority === "mesh"))
    return `the server's certificate is of ${server.authority === "mesh" ? "the mesh" : "no authority of the mesh"}`;
  const names = [...server.uris, ...server.dns].join(", ");
  if (validation.matchTypedSubjectAltNames.length > 0 && !matchesName(validation.matchTypedSubjectAltNames, server))
    return `the server is ${names}`;
  if (wantedName !== undefined && !server.dns.some((dns) => sameHost(dns, wantedName))) return `the server is ${names}, not ${wantedName}`;
  return undefined;
}

function sameHost(pattern: string, host: string): boolean {
  if (pattern.toLowerCase() === host.toLowerCase()) return true;
  return (
    pattern.startsWith("*.") && host.indexOf(".") > 0 && host.slice(host.indexOf(".")).toLowerCase() === pattern.slice(1).toLowerCase()
  );
}
