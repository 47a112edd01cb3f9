import { parseCidr } from "../base/cidr.ts";
import { type Cluster, Cluster_DiscoveryType as Discovery } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { HealthStatus } from "../gen/envoy/config/core/v3/health_check_pb.js";
import type { ClusterLoadAssignment } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { LbEndpoint } from "../gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import type { Connection, Stream } from "./connection.ts";
import { type HttpMessage, isUnmeasured, withLine } from "./http-message.ts";
import { reachOwnApplication } from "./reach.ts";
import type { AlpnSource, Exchange } from "./http-chain.ts";
import { type Branch, find, guarded, type Site, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { openConfig } from "./config.ts";
import { hashedBy } from "./hash-policy.ts";
import { upstreamStream } from "./upstream-tls.ts";

export interface FoundCluster {
  readonly resource: EnvoyResource;
  readonly cluster: Cluster;
}

export interface Candidate {
  readonly address: string;
  readonly port: number;
  readonly share: number;
  readonly endpoint?: LbEndpoint;
  readonly resource?: EnvoyResource;
}

export function findCluster(site: Site, name: string): FoundCluster | undefined {
  const resource = find(site, "cluster", name);
  return resource === undefined ? undefined : { resource, cluster: resource.message as Cluster };
}

/** The endpoints that may get a connection, and how often each does. None: nobody is there, or healthy. */
export function candidatesOf(site: Site, { cluster }: FoundCluster, destination: Connection["destination"]): readonly Candidate[] {
  if (cluster.lbSubsetConfig !== undefined || cluster.loadBalancingPolicy !== undefined)
    throw new Undecidable(`the load balancing of cluster ${cluster.name}`);
  const type = cluster.clusterDiscoveryType;
  if (type.case === "clusterType") throw new Undecidable(`cluster type ${type.value.name}`);
  // Only where connections are captured does Envoy know where one was going.
  const isCaptured = site.proxy.type === "sidecar" && site.proxy.capture === "redirect";
  if (type.value === Discovery.ORIGINAL_DST) return isCaptured ? [{ ...destination, share: 1 }] : [];
  if (type.value !== Discovery.EDS) {
    // The name of nobody has no address.
    const isNowhere = ({ address, port }: Candidate) =>
      parseCidr(address) === undefined &&
      site.view.workloadAt(address, port) === undefined &&
      site.view.externalAt(address, port) === undefined;
    return weighed(cluster.loadAssignment, undefined).filter((candidate) => !isNowhere(candidate));
  }
  const resource = find(site, "endpoint", cluster.edsClusterConfig?.serviceName || cluster.name);
  return weighed(resource?.message as ClusterLoadAssignment | undefined, resource);
}

const USABLE = new Set([HealthStatus.HEALTHY, HealthStatus.UNKNOWN, HealthStatus.DEGRADED]);

function weighed(assignment: ClusterLoadAssignment | undefined, resource: EnvoyResource | undefined): readonly Candidate[] {
  if ((assignment?.policy?.dropOverloads.length ?? 0) > 0) throw new Undecidable("endpoints that drop overload");
  const groups = (assignment?.endpoints ?? []).map((group) => ({
    priority: group.priority,
    usable: group.lbEndpoints.filter(({ healthStatus }) => USABLE.has(healthStatus)),
  }));
  const first = Math.min(...groups.filter(({ usable }) => usable.length > 0).map(({ priority }) => priority));
  const endpoints = groups.filter(({ priority }) => priority === first).flatMap(({ usable }) => usable);
  const total = endpoints.reduce((sum, { loadBalancingWeight = 1 }) => sum + loadBalancingWeight, 0);
  return endpoints.flatMap((endpoint) => {
    const host = endpoint.hostIdentifier;
    const address = host.case === "endpoint" ? host.value.address?.address : undefined;
    if (address?.case !== "socketAddress" || address.value.portSpecifier.case !== "portValue")
      throw new Undecidable("an endpoint without an IP address");
    const share = (endpoint.loadBalancingWeight ?? 1) / total;
    const candidate = { address: address.value.address, port: address.value.portSpecifier.value, share, endpoint };
    return [resource === undefined ? candidate : { ...candidate, resource }];
  });
}

export interface Way {
  /** The endpoint tried, `address:port`. */
  readonly endpoint: string;
  readonly branch: Branch;
}

/** One HTTP request to one of the cluster's endpoints, each way that it may go; of several, those tried before are left out. */
export function connectThrough(exchange: Exchange, found: FoundCluster, tried: ReadonlySet<string>): readonly Way[] {
  const message = asWritten({ ...exchange.message, version: upstreamVersion(found, exchange.message.version) });
  const tlsPeer = exchange.connection.tls?.peer;
  const hashed = hashedBy(found.cluster, exchange);
  const detail = `${found.cluster.name}: equal requests go to one endpoint, by ${hashed}`;
  const trail = hashed === undefined ? exchange.trail : step(exchange.trail, exchange.site, "hash", { resource: found.resource, detail });
  return connectWays(
    { ...exchange, trail, stream: { kind: "http", message }, isRouted: true, ...(tlsPeer !== undefined && { tlsPeer }) },
    found,
    tried,
  );
}

/** HTTP/1 sends a body whose length nobody has told in pieces (RFC 9112, section 7.1). */
function asWritten(message: HttpMessage): HttpMessage {
  return message.version === "http1" && isUnmeasured(message) ? withLine(message, "transfer-encoding", "chunked") : message;
}

export interface Leaving {
  readonly site: Site;
  readonly connection: Connection;
  readonly inbound: boolean;
  readonly tlsPeer?: string;
  readonly stream: Stream;
  /** HTTP that this proxy sends, not bytes that it passes on. */
  readonly isRouted: boolean;
  readonly alpnFrom?: AlpnSource;
  readonly trail: Trail;
}

export function connectWays(leaving: Leaving, found: FoundCluster, tried: ReadonlySet<string>): readonly Way[] {
  refuseLimits(found, leaving.trail.atOnce);
  const all = candidatesOf(leaving.site, found, leaving.connection.destination);
  const fresh = all.filter(({ address, port }) => !tried.has(`${address}:${port}`));
  const candidates = fresh.length === 0 ? all : fresh;
  const total = candidates.reduce((sum, { share }) => sum + share, 0);
  return candidates.flatMap((candidate) => {
    const endpoint = `${candidate.address}:${candidate.port}`;
    const branches = guarded(leaving.trail, () => connectOne(leaving, found, candidate));
    return weigh(candidate.share / total, branches).map((branch) => ({ endpoint, branch }));
  });
}

/** Which of several requests a full cluster turns away is for the clock to say; limits that so many can't reach say nothing. */
function refuseLimits({ cluster }: FoundCluster, atOnce: number): void {
  if (atOnce < 2) return;
  for (const { maxConnections, maxPendingRequests, maxRequests } of cluster.circuitBreakers?.thresholds ?? [])
    if ([maxConnections, maxPendingRequests, maxRequests].some((limit) => (limit ?? DEFAULT_LIMIT) < atOnce))
      throw new Undecidable(`the connection limits of cluster ${cluster.name}`);
}

/** Envoy's own limit of each of them. */
const DEFAULT_LIMIT = 1024;

/** Whether so many requests at a time may all be tried again: at this cluster's limit of retries the clock says whose is. */
export function refuseRetryLimit({ cluster }: FoundCluster, atOnce: number): void {
  const limits = (cluster.circuitBreakers?.thresholds ?? []).map(({ maxRetries }) => maxRetries ?? DEFAULT_RETRIES);
  if (atOnce > 1 && limits.some((limit) => limit < atOnce)) throw new Undecidable(`the limit of retries of cluster ${cluster.name}`);
}

const DEFAULT_RETRIES = 3;

function connectOne(leaving: Leaving, found: FoundCluster, candidate: Candidate): readonly Branch[] {
  const { site, inbound, trail } = leaving;
  const { address, port } = candidate;
  const atEndpoint = step(trail, site, "endpoint", { resource: candidate.resource ?? found.resource, detail: `${address}:${port}` });
  const { isRouted, alpnFrom } = leaving;
  const stream = upstreamStream(site, found.cluster, candidate.endpoint, { inside: leaving.stream, isRouted, alpnFrom });
  if (stream.kind === "unready") {
    const waiting = step(atEndpoint, site, "tls", { resource: found.resource, detail: `secret ${stream.secret} has not come` });
    return [{ share: 1, trail: waiting, end: { kind: "refused", because: found.resource.origins.get("") ?? [] } }];
  }
  const secured =
    stream.kind === "tls" ? step(atEndpoint, site, "tls", { resource: found.resource, detail: tlsDetail(stream) }) : atEndpoint;
  const source = found.cluster.upstreamBindConfig?.sourceAddress?.address ?? site.proxy.addresses[0] ?? "";
  const connection = { source, destination: { address, port }, stream, ...(leaving.tlsPeer !== undefined && { peer: leaving.tlsPeer }) };
  const isUncaptured = inbound && site.proxy.capture === "none";
  const branches = isUncaptured ? reachOwnApplication(site, connection, secured) : site.dial(connection, secured);
  // What this proxy puts into no TLS of its own is open as soon as somebody listens.
  return stream.kind === "tls" && stream !== leaving.stream ? branches : branches.map(asOpened);
}

function asOpened(branch: Branch): Branch {
  return branch.end.kind === "closed" ? { ...branch, end: { ...branch.end, phase: "later" } } : branch;
}

function tlsDetail({ hello }: Extract<Stream, { kind: "tls" }>): string {
  const own = hello.certificate === undefined ? "" : `, as ${hello.certificate.uri}`;
  return `TLS with SNI ${hello.sni === "" ? "(none)" : hello.sni}, ALPN ${hello.alpn.length === 0 ? "(none)" : hello.alpn.join(",")}${own}`;
}

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** What is spoken to endpoints; HTTP/1.1 where nothing is said. */
export function upstreamVersion({ cluster }: FoundCluster, downstream: "http1" | "http2"): "http1" | "http2" {
  const any = cluster.typedExtensionProtocolOptions[HTTP_OPTIONS];
  if (any === undefined) return cluster.http2ProtocolOptions === undefined ? "http1" : "http2";
  const config = openConfig(any);
  if (config?.kind !== "httpProtocolOptions") throw new Undecidable(`the protocol of cluster ${cluster.name}`);
  const options = config.value.upstreamProtocolOptions;
  if (options.case === "useDownstreamProtocolConfig") return downstream;
  if (options.case !== "explicitHttpConfig") throw new Undecidable(`the protocol of cluster ${cluster.name}`);
  return options.value.protocolConfig.case === "http2ProtocolOptions" ? "http2" : "http1";
}
