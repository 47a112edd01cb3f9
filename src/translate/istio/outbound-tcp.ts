import { parseDuration } from "../../base/duration.ts";
import { part } from "../../base/part.ts";
import { formatClusterName } from "../../ir/cluster-name.ts";
import type { FilterChain, FilterChainMatch } from "../../ir/listener.ts";
import { OUTBOUND_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { TcpConnection } from "../../ir/tcp-connection.ts";
import { type Finding, matchesLabels, MESH_GATEWAY, qualifyGateway, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import type { JsonPath } from "../../model/position.ts";
import { isTls, type Service, type ServicePort } from "../../model/service.ts";
import { effectivePolicy, NO_RULE, type Rule } from "./destination-rule.ts";
import { toDestinations } from "./outbound-route.ts";
import { type DestinationSpec, type Destinations, findDestination } from "./route-destination.ts";

/** A destination by weight, as `tcp` and `tls` routes list them. */
export interface WeightedSpec {
  readonly destination: DestinationSpec;
  readonly weight?: number;
}

/** Chains for bytes that are passed on to a service's port; `findings` grows by what its VirtualService asks for in vain. */
export function tcpChains(scope: Scope, service: Service, port: ServicePort, findings: Finding[]): readonly FilterChain[] {
  const virtualService = scope.virtualServiceFor(service.host);
  const routed = virtualService === undefined ? [] : routedChains(scope, virtualService, service, port, findings);
  return routed.some(({ match }) => matchesAll(match)) ? routed : [...routed, ownChain(service, port, scope.ruleFor(service) ?? NO_RULE)];
}

/** What takes a service's bytes to itself. */
export const ownChain = part((service: Service, port: ServicePort, rule: Rule): FilterChain => {
  const cluster = formatClusterName({ direction: "outbound", port: port.number, subset: "", host: service.host });
  return {
    name: cluster,
    match: {},
    connection: tcpConnection(rule, [{ cluster, weight: 100 }], service, port),
    origin: [service.origin],
  };
});

export function matchesAll({ prefixes = [], serverNames = [], destinationPort, transportProtocol }: FilterChainMatch): boolean {
  return prefixes.length === 0 && serverNames.length === 0 && destinationPort === undefined && transportProtocol === undefined;
}

function routedChains(
  scope: Scope,
  virtualService: VirtualService,
  service: Service,
  port: ServicePort,
  findings: Finding[],
): readonly FilterChain[] {
  const destinations = toDestinations(scope);
  const { ref } = virtualService.origin;
  const chains: FilterChain[] = [];
  const add = (match: FilterChainMatch, route: readonly WeightedSpec[] | undefined, path: JsonPath, origin: Origin) => {
    const weighted = toWeightedClusters(route ?? [], virtualService, path, port.number, destinations, findings);
    if (weighted.length === 0) return;
    chains.push({
      name: `${virtualService.namespace}/${virtualService.name}/${path.slice(1).join("/")}`,
      match,
      connection: tcpConnection(scope.ruleFor(service) ?? NO_RULE, weighted, service, port),
      origin: [origin],
    });
  };
  if (isTls(port.protocol)) {
    for (const [i, { match, route }] of (virtualService.spec.tls ?? []).entries()) {
      for (const [j, { sniHosts, destinationSubnets = [], ...rest }] of match.entries()) {
        if (!concerns(rest, scope, virtualService, port.number)) continue;
        add({ serverNames: lowerCase(sniHosts), prefixes: destinationSubnets, transportProtocol: "tls" }, route, ["spec", "tls", i], {
          ref,
          path: ["spec", "tls", i, "match", j],
        });
      }
    }
  }
  for (const [i, { match, route }] of (virtualService.spec.tcp ?? []).entries()) {
    for (const [j, { destinationSubnets = [], ...rest }] of (match === undefined || match.length === 0
      ? [{}]
      : (match as readonly TcpMatch[])
    ).entries()) {
      if (!concerns(rest, scope, virtualService, port.number)) continue;
      const path = ["spec", "tcp", i];
      add({ prefixes: destinationSubnets }, route, path, { ref, path: match === undefined ? path : [...path, "match", j] });
      if (destinationSubnets.length === 0) return chains;
    }
  }
  return chains;
}

interface TcpMatch {
  readonly destinationSubnets?: readonly string[];
  readonly gateways?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
}

function concerns(match: Omit<TcpMatch, "destinationSubnets">, { proxy }: Scope, { namespace }: VirtualService, port: number): boolean {
  const { gateways = [], sourceNamespace = "", sourceLabels = {} } = match;
  if (match.port !== undefined && match.port !== 0 && match.port !== port) return false;
  if (gateways.length > 0 && !gateways.some((gateway) => qualifyGateway(gateway, namespace) === MESH_GATEWAY)) return false;
  return (sourceNamespace === "" || sourceNamespace === proxy.namespace) && matchesLabels(sourceLabels, proxy.labels);
}

export function lowerCase(names: readonly string[]): readonly string[] {
  return names.map((name) => name.toLowerCase());
}

/** Clusters by weight; one destination takes everything. */
export function toWeightedClusters(
  route: readonly WeightedSpec[],
  virtualService: VirtualService,
  path: JsonPath,
  port: number,
  destinations: Destinations,
  findings: Finding[],
): TcpConnection["destinations"] {
  const found = route.map(({ destination, weight = 0 }, i) => {
    const { cluster, finding } = findDestination(destination, virtualService, [...path, "route", i, "destination"], port, destinations);
    if (finding !== undefined) findings.push(finding);
    return { cluster, weight };
  });
  const [only] = found;
  if (found.length === 1 && only !== undefined) return [{ ...only, weight: 100 }];
  return found.filter(({ weight }) => weight > 0);
}

function tcpConnection(rule: Rule, destinations: TcpConnection["destinations"], service: Service, port: ServicePort): TcpConnection {
  const idle = effectivePolicy(rule, undefined, port.number).connectionPool?.tcp?.idleTimeout;
  const idleTimeoutMs = idle === undefined ? undefined : parseDuration(idle);
  const [first] = destinations;
  const statPrefix = destinations.length === 1 && first !== undefined ? first.cluster : `outbound|${port.number}||${service.host}`;
  return { kind: "tcp", statPrefix, destinations, slots: OUTBOUND_TCP_SLOTS, ...(idleTimeoutMs !== undefined && { idleTimeoutMs }) };
}
