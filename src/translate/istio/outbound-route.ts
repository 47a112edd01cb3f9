import { formatClusterName, PASSTHROUGH } from "../../ir/cluster-name.ts";
import type { ForwardAction, Route, RouteTable, VirtualHost } from "../../ir/route.ts";
import { type Finding, MESH_GATEWAY, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";
import type { Memo } from "../memo.ts";
import { isTakenAddress } from "./outbound-address.ts";
import { domainsOf, namesOf } from "./outbound-domain.ts";
import { hashPolicyOf } from "./route-action.ts";
import type { Destinations } from "./route-destination.ts";
import { destinationsKey, destinationsOf } from "./route-key.ts";
import { toRetryPolicy } from "./route-retry.ts";
import { toRoutes } from "./route.ts";

export interface TranslatedTable {
  readonly table: RouteTable;
  readonly findings: readonly Finding[];
}

interface TranslatedHost {
  readonly host: VirtualHost;
  readonly findings: readonly Finding[];
}

const BAD_GATEWAY = 502;

/** The routes of a port that HTTP services of all hosts share: RDS `80`. */
export function portRouteTable(scope: Scope, port: number, services: readonly Service[], memo: Memo): TranslatedTable {
  const found = services.map((service) => memoisedHost(scope, service, port, ownDomains(scope, service), memo));
  const bare = [...new Set(scope.virtualServices.map(([host]) => host))].filter((host) => !scope.services.has(host));
  found.push(...bare.flatMap((host) => bareHost(scope, host, port, memo)));
  const hosts = withoutClaimedDomains(found.map(({ host }) => host));
  const catchesAll = hosts.some(({ domains }) => domains.includes("*"));
  return {
    table: {
      name: String(port),
      virtualHosts: catchesAll ? hosts : [...hosts, memo.get(`catch-all ${scope.settings.hash}`, () => catchAll(scope))],
      ignorePortInHost: true,
    },
    findings: found.flatMap(({ findings }) => findings),
  };
}

function ownDomains(scope: Scope, service: Service): readonly string[] {
  const { addresses } = service;
  const taken = addresses.filter((address) => isTakenAddress(scope, service, address));
  const own = taken.length === 0 ? service : { ...service, addresses: addresses.filter((address) => !taken.includes(address)) };
  return domainsOf(own, scope.proxy, scope.settings);
}

/** The routes of one service behind an address of its own: RDS `host:port`; whatever the request calls its host. */
export function serviceRouteTable(scope: Scope, service: Service, port: number, memo: Memo): TranslatedTable {
  const { host, findings } = memoisedHost(scope, service, port, ["*"], memo);
  return { table: { name: `${service.host}:${port}`, virtualHosts: [host], ignorePortInHost: true }, findings };
}

function memoisedHost(scope: Scope, service: Service, port: number, domains: readonly string[], memo: Memo): TranslatedHost {
  const virtualService = scope.virtualServiceFor(service.host);
  const rule = scope.ruleFor(service);
  const parts = [
    service.hash,
    rule?.hash ?? "",
    port,
    domains.join(" "),
    scope.settings.hash,
    virtualService === undefined ? "" : virtualServiceKey(scope, virtualService),
  ];
  return memo.get(`virtual-host ${parts.join("|")}`, () => {
    const translated = virtualService?.spec.http === undefined ? undefined : routesFor(scope, virtualService, port);
    const routes = translated?.routes ?? [defaultRoute(scope, service, port)];
    const origin = virtualService === undefined ? [service.origin] : [virtualService.origin, service.origin];
    return { host: { name: `${service.host}:${port}`, domains, routes, origin }, findings: translated?.findings ?? [] };
  });
}

/** A VirtualService's host that no service has: Istio routes it on every port. */
function bareHost(scope: Scope, host: string, port: number, memo: Memo): readonly TranslatedHost[] {
  const virtualService = scope.virtualServiceFor(host);
  if (virtualService?.spec.http === undefined) return [];
  const translated = memo.get(`bare-host ${host} ${port} ${scope.settings.hash} ${virtualServiceKey(scope, virtualService)}`, () => {
    const { routes = [], findings = [] } = routesFor(scope, virtualService, port) ?? {};
    const domains = namesOf(host, scope.proxy.namespace, scope.settings.clusterDomain);
    return { host: { name: `${host}:${port}`, domains, routes, origin: [virtualService.origin] }, findings };
  });
  return translated.host.routes.length === 0 ? [] : [translated];
}

/** Undefined where none of its routes is for these clients: then the service has its own. A route that was left out leaves no default behind. */
function routesFor(scope: Scope, virtualService: VirtualService, port: number) {
  const { namespace, labels } = scope.proxy;
  const translated = toRoutes(virtualService, { gateways: [MESH_GATEWAY], namespace, labels, port, isTls: false }, toDestinations(scope));
  return translated.routes.length === 0 && translated.findings.length === 0 ? undefined : translated;
}

export function toDestinations(scope: Scope): Destinations {
  return { settings: scope.settings, serviceOf: (host) => scope.services.get(host), ruleFor: (service) => scope.ruleFor(service) };
}

export function virtualServiceKey(scope: Scope, virtualService: VirtualService): string {
  const { namespace, name, hash } = virtualService;
  const labels = Object.entries(scope.proxy.labels).map(([key, value]) => `${key}=${value}`);
  return [
    namespace,
    name,
    hash,
    scope.proxy.namespace,
    labels.join(","),
    destinationsKey(destinationsOf(virtualService, scope.settings), toDestinations(scope)),
  ].join(" ");
}

function defaultRoute(scope: Scope, service: Service, port: number): Route {
  const policy = hashPolicyOf(scope.ruleFor(service), "", port);
  const retry = toRetryPolicy(undefined, scope.settings.defaultRetry, policy !== undefined);
  const cluster = formatClusterName({ direction: "outbound", port, subset: "", host: service.host });
  const action: ForwardAction = {
    kind: "forward",
    destinations: [{ cluster, weight: 100 }],
    ...(retry !== undefined && { retry }),
    ...(policy !== undefined && { hashPolicy: [policy] }),
  };
  return { name: "default", match: EVERYTHING, action, origin: [service.origin] };
}

const EVERYTHING: Route["match"] = { path: { kind: "prefix", value: "/" }, headers: [], query: [] };

/** What takes requests to hosts that nobody knows. */
export function catchAll({ settings }: Scope): VirtualHost {
  const open = settings.outboundMode === "allow-any";
  const name = open ? "allow_any" : "block_all";
  const action: Route["action"] = open
    ? { kind: "forward", destinations: [{ cluster: PASSTHROUGH, weight: 100 }] }
    : { kind: "direct", status: BAD_GATEWAY };
  return { name, domains: ["*"], routes: [{ name, match: EVERYTHING, action, origin: [] }], origin: [] };
}

/** Envoy takes each domain once in a table: the first host that claims one keeps it, services before bare hosts. */
export function withoutClaimedDomains(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const claimed = new Set<string>();
  return hosts.flatMap((host) => {
    const free = host.domains.filter((domain) => !claimed.has(domain));
    for (const domain of free) claimed.add(domain);
    if (free.length === 0) return [];
    return [free.length === host.domains.length ? host : { ...host, domains: free }];
  });
}
