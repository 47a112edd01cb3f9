import { part } from "../../base/part.ts";
import { formatClusterName, PASSTHROUGH } from "../../ir/cluster-name.ts";
import type { ForwardAction, Route, RouteTable, VirtualHost } from "../../ir/route.ts";
import { type Finding, MESH_GATEWAY, type MeshSettings, namespaceOfHost, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";
import type { Memo } from "../memo.ts";
import { NO_RULE, type Rule } from "./destination-rule.ts";
import { type MeshRouting, routingOf } from "./mesh-routing.ts";
import { isTakenAddress } from "./outbound-address.ts";
import { domainsOf, namesOf } from "./outbound-domain.ts";
import { type Port, portOf } from "./port.ts";
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
  const found = services.map((service) => hostOf(scope, service, port, ownDomains(scope, service)));
  const bare = [...new Set(scope.virtualServices.map(([host]) => host))].filter((host) => !scope.services.has(host));
  found.push(...bare.flatMap((host) => bareHost(scope, host, port, memo)));
  const hosts = withoutClaimedDomains(found.map(({ host }) => host));
  const catchesAll = hosts.some(({ domains }) => domains.includes("*"));
  return {
    table: {
      name: String(port),
      virtualHosts: catchesAll ? hosts : [...hosts, catchAll(scope.settings)],
      ignorePortInHost: true,
    },
    findings: found.flatMap(({ findings }) => findings),
  };
}

function ownDomains(scope: Scope, service: Service): readonly string[] {
  const { proxy, settings } = scope;
  const { addresses } = service;
  const taken = addresses.filter((address) => isTakenAddress(scope, service, address));
  const client = namespaceOfHost(service.host, settings.clusterDomain) === proxy.namespace ? "own" : "foreign";
  if (taken.length === 0) return domains(service, CLIENTS[client][proxy.dnsCapture ? "asks" : "knows"], settings);
  return domainsOf({ ...service, addresses: addresses.filter((address) => !taken.includes(address)) }, proxy, settings);
}

/** Clients by what the names of a service depend on: whether it is of their namespace, and whether the mesh answers their DNS. */
const CLIENTS = {
  own: { asks: Object.freeze({ isOwn: true, dnsCapture: true }), knows: Object.freeze({ isOwn: true, dnsCapture: false }) },
  foreign: { asks: Object.freeze({ isOwn: false, dnsCapture: true }), knows: Object.freeze({ isOwn: false, dnsCapture: false }) },
};

const domains = part((service: Service, { isOwn, dnsCapture }: { isOwn: boolean; dnsCapture: boolean }, settings: MeshSettings) => {
  const namespace = isOwn ? (namespaceOfHost(service.host, settings.clusterDomain) ?? "") : "";
  return domainsOf(service, { namespace, dnsCapture }, settings);
});

const ALL_DOMAINS: readonly string[] = Object.freeze(["*"]);

/** The routes of one service behind an address of its own: RDS `host:port`; whatever the request calls its host. */
export function serviceRouteTable(scope: Scope, service: Service, port: number): TranslatedTable {
  const { host, findings } = hostOf(scope, service, port, ALL_DOMAINS);
  return { table: { name: `${service.host}:${port}`, virtualHosts: [host], ignorePortInHost: true }, findings };
}

/** In place of a VirtualService's routes where none routes the host. */
const UNROUTED = Object.freeze({ virtualService: undefined });

function hostOf(scope: Scope, service: Service, port: number, own: readonly string[]): TranslatedHost {
  const virtualService = scope.virtualServiceFor(service.host);
  const routing = virtualService === undefined ? UNROUTED : routingOf(scope, virtualService);
  return serviceHost(service, portOf(port), own, scope.ruleFor(service) ?? NO_RULE, routing, scope.settings);
}

const serviceHost = part(
  (
    service: Service,
    { number }: Port,
    own: readonly string[],
    rule: Rule,
    routing: MeshRouting | typeof UNROUTED,
    settings: MeshSettings,
  ): TranslatedHost => {
    const translated = routing.virtualService?.spec.http === undefined ? undefined : routesFor(routing as MeshRouting, number);
    const routes = translated?.routes ?? [defaultRoute(service, number, rule, settings)];
    const origin = routing.virtualService === undefined ? [service.origin] : [routing.virtualService.origin, service.origin];
    return { host: { name: `${service.host}:${number}`, domains: own, routes, origin }, findings: translated?.findings ?? [] };
  },
);

/** A VirtualService's host that no service has: Istio routes it on every port. */
function bareHost(scope: Scope, host: string, port: number, memo: Memo): readonly TranslatedHost[] {
  const virtualService = scope.virtualServiceFor(host);
  if (virtualService?.spec.http === undefined) return [];
  const translated = memo.get(`bare-host ${host} ${port} ${scope.settings.hash} ${virtualServiceKey(scope, virtualService)}`, () => {
    const { routes = [], findings = [] } = routesFor(routingOf(scope, virtualService), port) ?? {};
    const names = namesOf(host, scope.proxy.namespace, scope.settings.clusterDomain);
    return { host: { name: `${host}:${port}`, domains: names, routes, origin: [virtualService.origin] }, findings };
  });
  return translated.host.routes.length === 0 ? [] : [translated];
}

/** Undefined where none of its routes is for these clients: then the service has its own. A route that was left out leaves no default behind. */
function routesFor({ virtualService, audience, destinations }: MeshRouting, port: number) {
  const translated = toRoutes(virtualService, { ...audience, gateways: [MESH_GATEWAY], port, isTls: false }, destinations);
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

function defaultRoute(service: Service, port: number, rule: Rule, settings: MeshSettings): Route {
  const policy = hashPolicyOf(rule, "", port);
  const retry = toRetryPolicy(undefined, settings.defaultRetry, policy !== undefined);
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
export const catchAll = part((settings: MeshSettings): VirtualHost => {
  const open = settings.outboundMode === "allow-any";
  const name = open ? "allow_any" : "block_all";
  const action: Route["action"] = open
    ? { kind: "forward", destinations: [{ cluster: PASSTHROUGH, weight: 100 }] }
    : { kind: "direct", status: BAD_GATEWAY };
  return { name, domains: ["*"], routes: [{ name, match: EVERYTHING, action, origin: [] }], origin: [] };
});

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
