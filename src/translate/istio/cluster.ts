import { isIp } from "../../base/cidr.ts";
import { isWildcardHost } from "../../base/host-match.ts";
import { BLACK_HOLE, formatClusterName, PASSTHROUGH } from "../../ir/cluster-name.ts";
import type { Cluster, EndpointGroup, LoadBalancing } from "../../ir/cluster.ts";
import type { DestinationRule, EndpointSet, Finding, MeshSettings, ProxyView, Subset } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import { isHttp, isHttp2, type Protocol, type Service, type ServicePort } from "../../model/service.ts";
import { clusterTls, isOriginalDestination } from "./cluster-tls.ts";
import { type EffectivePolicy, effectivePolicy, toConnectionSettings, toLoadBalancing, toOutlierDetection } from "./destination-rule.ts";
import { toEndpointGroup } from "./endpoint.ts";

/** All that the clusters of one service depend on. */
export interface ServiceInputs {
  readonly service: Service;
  readonly rule: DestinationRule | undefined;
  readonly endpoints: EndpointSet;
  readonly settings: MeshSettings;
  readonly proxyType: ProxyView["type"];
  readonly capture: ProxyView["capture"];
  readonly outsidePorts: ProxyView["outsidePorts"];
}

export interface ClusterInputs extends ServiceInputs {
  readonly port: ServicePort;
}

export interface TranslatedClusters {
  readonly clusters: readonly Cluster[];
  /** What EDS carries for those of them that ask it. */
  readonly endpoints: readonly EndpointGroup[];
  readonly findings: readonly Finding[];
}

/** `outbound|PORT|SUBSET|HOST` for every port of a service and every subset of its DestinationRule, the whole service first. */
export function toServiceClusters(inputs: ServiceInputs): TranslatedClusters {
  const clusters: Cluster[] = [];
  const endpoints: EndpointGroup[] = [];
  const findings: Finding[] = [];
  const problem = resolutionProblem(inputs);
  if (problem !== undefined) findings.push({ code: "KMK1003", message: problem, origin: inputs.service.origin });
  for (const port of inputs.service.ports) {
    if (port.protocol === "udp") continue;
    for (const subset of [undefined, ...(inputs.rule?.subsets ?? [])]) {
      const cluster = toCluster({ ...inputs, port }, subset, problem !== undefined, findings);
      clusters.push(cluster);
      if (cluster.discovery.kind === "eds") endpoints.push(toEndpointGroup({ ...inputs, port }, subset, cluster.name));
    }
  }
  return { clusters, endpoints, findings };
}

/** Where unknown destinations go, refused or as they are. */
export function catchAllClusters(settings: MeshSettings): readonly Cluster[] {
  const base = { connectTimeoutMs: settings.connectTimeoutMs, loadBalancing: { kind: "round-robin" }, origin: [] } as const;
  return [
    { ...base, name: BLACK_HOLE, discovery: { kind: "black-hole" }, protocol: "tcp" },
    {
      ...base,
      name: PASSTHROUGH,
      discovery: { kind: "original-destination" },
      protocol: "as-downstream",
      loadBalancing: { kind: "passthrough" },
    },
  ];
}

function toCluster(inputs: ClusterInputs, subset: Subset | undefined, isUnusable: boolean, findings: Finding[]): Cluster {
  const { service, rule, port, settings } = inputs;
  const policy = effectivePolicy(rule, subset, port.number);
  const name = formatClusterName({ direction: "outbound", port: port.number, subset: subset?.name ?? "", host: service.host });
  const tls = clusterTls(policy.tls, inputs, subset?.name ?? "");
  const origin = originOf(service, rule, subset);
  if ("unusable" in tls) {
    findings.push({
      code: "KMK1003",
      message: `${tls.unusable}; connections to "${service.host}" are refused`,
      origin: tlsOrigin(rule, subset) ?? service.origin,
    });
  }
  const outlierDetection = toOutlierDetection(policy);
  const { balancing, discovery: found } = balanced(inputs, policy, toDiscovery(inputs, subset, name));
  const discovery = isUnusable || "unusable" in tls ? ({ kind: "black-hole" } as const) : found;
  return {
    name,
    discovery,
    connectTimeoutMs: settings.connectTimeoutMs,
    protocol: toProtocol(port.protocol, policy),
    ...("tls" in tls && tls.tls !== undefined && { tls: tls.tls }),
    loadBalancing: balancingOf(discovery, balancing),
    ...toConnectionSettings(policy),
    ...(outlierDetection !== undefined && { outlierDetection }),
    origin,
  };
}

function balancingOf({ kind }: Cluster["discovery"], wanted: LoadBalancing): LoadBalancing {
  if (kind === "original-destination") return { kind: "passthrough" };
  return kind === "black-hole" ? { kind: "round-robin" } : wanted;
}

/** PASSTHROUGH means the address that the client chose; where nothing is captured there is none, and the default takes its place. */
function balanced({ capture, proxyType }: ClusterInputs, policy: EffectivePolicy, discovery: Cluster["discovery"]) {
  const balancing = toLoadBalancing(policy);
  if (balancing.kind !== "passthrough") return { balancing, discovery };
  if (capture === "none" || proxyType === "router") return { balancing: { kind: "least-request" }, discovery } as const;
  return { balancing, discovery: { kind: "original-destination" } } as const;
}

function toProtocol(protocol: Protocol, { connectionPool }: EffectivePolicy): Cluster["protocol"] {
  if (connectionPool?.http?.useClientProtocol === true) return "as-downstream";
  if (isHttp2(protocol)) return "http2";
  if (isHttp(protocol)) return connectionPool?.http?.h2UpgradePolicy === "UPGRADE" ? "http2" : "http1";
  return protocol === "auto" ? "as-downstream" : "tcp";
}

function toDiscovery(inputs: ClusterInputs, subset: Subset | undefined, name: string): Cluster["discovery"] {
  const { service } = inputs;
  if (isOriginalDestination(inputs)) return { kind: "original-destination" };
  if (service.resolution === "static") return { kind: "eds" };
  return { kind: service.resolution === "dns" ? "strict-dns" : "logical-dns", endpoints: toEndpointGroup(inputs, subset, name) };
}

/** What makes a service's clusters impossible, in words. */
function resolutionProblem({ service, endpoints, capture }: ServiceInputs): string | undefined {
  const { resolution, host } = service;
  const listed = endpoints.endpoints;
  if ((resolution === "dns" || resolution === "dns-round-robin") && isWildcardHost(host) && listed.length === 0) {
    return `"${host}" can't be looked up in DNS: a wildcard needs endpoints; connections to it are refused`;
  }
  if (resolution === "dns-round-robin" && listed.length > 1)
    return `"${host}": DNS_ROUND_ROBIN takes one endpoint; connections to it are refused`;
  if (resolution === "static" && listed.some(({ address }) => address !== "" && !isIp(address)))
    return `"${host}": STATIC endpoints need IP addresses; connections to it are refused`;
  if (resolution === "none" && capture === "none")
    return `"${host}": without capture there is no original destination; connections to it are refused`;
  return undefined;
}

function originOf(service: Service, rule: DestinationRule | undefined, subset: Subset | undefined): readonly Origin[] {
  return [...(subset === undefined ? [] : [subset.origin]), ...(rule?.origin ?? []), service.origin];
}

function tlsOrigin(rule: DestinationRule | undefined, subset: Subset | undefined): Origin | undefined {
  const own = subset?.policy?.tls === undefined ? undefined : subset.origin;
  return own ?? rule?.trafficPolicy?.origin ?? rule?.origin[0];
}
