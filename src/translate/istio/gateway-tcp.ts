import { hostMatches } from "../../base/host-match.ts";
import type { FilterChain } from "../../ir/listener.ts";
import { GATEWAY_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { ServerTls } from "../../ir/tls.ts";
import { type Finding, matchesLabels, qualifyGateway, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import { type BoundServer, serverHosts, sharedHosts } from "./gateway-server.ts";
import { toDestinations } from "./outbound-route.ts";
import { lowerCase, toWeightedClusters, type WeightedSpec } from "./outbound-tcp.ts";

/** Chains of a server that passes TLS on: one for each match of a `tls` route, by the server name that the client asks for. */
export function passthroughChains(scope: Scope, bound: BoundServer, findings: Finding[]): readonly FilterChain[] {
  const chains: FilterChain[] = [];
  const served = serverHosts(bound, scope.settings.clusterDomain);
  for (const virtualService of routing(scope, bound)) {
    for (const [i, { match, route }] of (virtualService.spec.tls ?? []).entries()) {
      for (const [j, { sniHosts, destinationSubnets = [], ...rest }] of match.entries()) {
        if (!concerns(rest, scope, bound, virtualService)) continue;
        const names = lowerCase(sniHosts).filter((name) => served.some((host) => hostMatches(host, name)));
        if (names.length === 0) continue;
        const origin = { ref: virtualService.origin.ref, path: ["spec", "tls", i, "match", j] };
        const chain = toChain(scope, bound, virtualService, { route: route ?? [], path: ["spec", "tls", i], origin }, findings);
        if (chain !== undefined)
          chains.push({ ...chain, match: { ...serverNames(names), transportProtocol: "tls", prefixes: destinationSubnets } });
      }
    }
  }
  return chains;
}

/** The chain of a server whose bytes (inside TLS that ends here, or as they are) go to the first `tcp` route that is for its port. */
export function bytesChain(scope: Scope, bound: BoundServer, tls: ServerTls | undefined, findings: Finding[]): FilterChain | undefined {
  for (const virtualService of routing(scope, bound)) {
    for (const [i, { match, route }] of (virtualService.spec.tcp ?? []).entries()) {
      if (match !== undefined && match.length > 0 && !match.some((one) => concerns(one, scope, bound, virtualService))) continue;
      const path = ["spec", "tcp", i];
      const chain = toChain(
        scope,
        bound,
        virtualService,
        { route: route ?? [], path, origin: { ref: virtualService.origin.ref, path } },
        findings,
      );
      if (chain === undefined) continue;
      return tls === undefined ? chain : { ...chain, match: serverNames(serverHosts(bound, scope.settings.clusterDomain)), tls };
    }
  }
  return undefined;
}

/** All names: no match at all. */
export function serverNames(hosts: readonly string[]): { readonly serverNames: readonly string[] } {
  return { serverNames: hosts.includes("*") ? [] : hosts };
}

function routing(scope: Scope, bound: BoundServer): readonly VirtualService[] {
  return bound.virtualServices.filter((virtualService) => sharedHosts(virtualService, bound, scope.settings.clusterDomain).length > 0);
}

interface Match {
  readonly gateways?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
}

function concerns(
  { gateways = [], port, sourceLabels = {} }: Match,
  { proxy }: Scope,
  { gateway, server }: BoundServer,
  { namespace }: VirtualService,
): boolean {
  if (port !== undefined && port !== 0 && port !== server.port.number) return false;
  if (gateways.length > 0 && !gateways.some((name) => qualifyGateway(name, namespace) === `${gateway.namespace}/${gateway.name}`))
    return false;
  return matchesLabels(sourceLabels, proxy.labels);
}

interface RouteOf {
  readonly route: readonly WeightedSpec[];
  readonly path: readonly (string | number)[];
  readonly origin: Origin;
}

function toChain(
  scope: Scope,
  bound: BoundServer,
  virtualService: VirtualService,
  { route, path, origin }: RouteOf,
  findings: Finding[],
): FilterChain | undefined {
  const destinations = toWeightedClusters(route, virtualService, path, bound.server.port.number, toDestinations(scope), findings);
  const [first] = destinations;
  if (first === undefined) return undefined;
  const name = `${virtualService.namespace}/${virtualService.name}/${path.slice(1).join("/")}`;
  const statPrefix = destinations.length === 1 ? first.cluster : `${virtualService.name}.${virtualService.namespace}`;
  return {
    name,
    match: {},
    connection: { kind: "tcp", statPrefix, destinations, slots: GATEWAY_TCP_SLOTS },
    origin: [origin, bound.origin],
  };
}
